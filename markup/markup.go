// Package markup turns texts of contributors into HTML. The texts are untrusted
// and in any language. The HTML shows all of a text and runs none of it.
//
// Markdown hides things: raw HTML, link definitions, titles, surplus table
// cells. A moderator must see the whole message, so this package shows all of
// them as text. If a word of the source is still missing from the HTML, the
// HTML has a note about it.
package markup

import (
	"bytes"
	"html"
	"html/template"
	"net/url"
	"regexp"
	"strings"

	"github.com/yuin/goldmark"
	"github.com/yuin/goldmark/extension"
	"github.com/yuin/goldmark/parser"
	"github.com/yuin/goldmark/renderer"
	gmhtml "github.com/yuin/goldmark/renderer/html"
	"github.com/yuin/goldmark/util"
)

// hiddenNote follows a text if Markdown does not show every word of it.
const hiddenNote = `<p class="text-note">Markdown leaves out a part of this text. The raw text shows all of it.</p>` +
	"\n"

var converter = goldmark.New(
	goldmark.WithParser(newParser()),
	goldmark.WithExtensions(
		extension.NewTable(extension.WithTableCellAlignMethod(extension.TableCellAlignAttribute)),
		extension.Strikethrough,
		extension.Linkify,
	),
	goldmark.WithRendererOptions(
		// Contributors wrote into a plain text box, and mean their line breaks.
		gmhtml.WithHardWraps(),
		renderer.WithNodeRenderers(util.Prioritized(nodes{}, 100)),
	),
)

// newParser makes a parser without the syntax that would hide text: raw HTML
// and definitions of links stay text.
func newParser() parser.Parser {
	return parser.NewParser(
		parser.WithBlockParsers(
			util.Prioritized(parser.NewSetextHeadingParser(), 100),
			util.Prioritized(parser.NewThematicBreakParser(), 200),
			util.Prioritized(parser.NewListParser(), 300),
			util.Prioritized(parser.NewListItemParser(), 400),
			util.Prioritized(parser.NewCodeBlockParser(), 500),
			util.Prioritized(parser.NewATXHeadingParser(), 600),
			util.Prioritized(parser.NewFencedCodeBlockParser(), 700),
			util.Prioritized(parser.NewBlockquoteParser(), 800),
			util.Prioritized(parser.NewParagraphParser(), 1000),
		),
		parser.WithInlineParsers(
			util.Prioritized(parser.NewCodeSpanParser(), 100),
			util.Prioritized(parser.NewLinkParser(), 200),
			util.Prioritized(parser.NewAutoLinkParser(), 300),
			util.Prioritized(parser.NewEmphasisParser(), 500),
		),
	)
}

// HTML renders a contributor's Markdown. The result holds no script, no style,
// nothing that loads, no headings in the outline of the page, and no links
// except http and https ones, each with its real target beside it. It belongs
// in an element with dir="auto" and the message's lang.
func HTML(text string) template.HTML {
	text = strings.ToValidUTF8(text, "\uFFFD")
	if hostile(text) {
		return plain(text)
	}
	var out bytes.Buffer
	if err := converter.Convert([]byte(text), &out); err != nil {
		return plain(text)
	}
	clean := sanitizer.SanitizeBytes(out.Bytes())
	if !showsAll(text, clean) {
		clean = append(clean, hiddenNote...)
	}
	return template.HTML(askToLeave(clean))
}

// LeavePath is the page that asks before it leads to the address in its parameter to.
const LeavePath = "/leave"

// anchor matches the start of a link in sanitised HTML, in which a text cannot hold "<".
var anchor = regexp.MustCompile(`<a href="([^"]*)"`)

// askToLeave makes the links of sanitised HTML open LeavePath. Their targets are
// shown in the text beside them.
func askToLeave(clean []byte) []byte {
	return anchor.ReplaceAllFunc(clean, func(match []byte) []byte {
		href := html.UnescapeString(string(anchor.FindSubmatch(match)[1]))
		return []byte(`<a href="` + LeavePath + "?to=" + url.QueryEscape(href) + `"`)
	})
}

// plain renders a text as it is. The style sheet keeps the line breaks.
func plain(text string) template.HTML {
	return template.HTML(`<p class="text-plain">` + html.EscapeString(text) + "</p>\n")
}
