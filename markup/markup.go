// package markup turns texts of contributors, which are untrusted and in any
// language, into HTML that shows all of what they hold and runs none of it.
//
// Markdown hides things: raw HTML, link definitions, titles, table cells that
// are one too many. A moderator must see what a message says, so everything
// here is shown as text, and where a word of the source is still missing from
// the page, the page says so.
package markup

import (
	"bytes"
	"html"
	"html/template"
	"strings"

	"github.com/yuin/goldmark"
	"github.com/yuin/goldmark/extension"
	"github.com/yuin/goldmark/parser"
	"github.com/yuin/goldmark/renderer"
	gmhtml "github.com/yuin/goldmark/renderer/html"
	"github.com/yuin/goldmark/util"
)

// hiddenNote stands below a text of which Markdown does not show every word.
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
		// Contributors wrote into a plain text box: a line break is meant.
		gmhtml.WithHardWraps(),
		renderer.WithNodeRenderers(util.Prioritized(nodes{}, 100)),
	),
)

// newParser leaves out what would hide text: blocks and inlines of raw HTML
// (they become text) and definitions of links (they become text too).
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
// nothing that loads, no headings of the page's own outline, and no link but to
// http and https addresses, each with its real target beside it. It belongs in
// an element with dir="auto" and the message's lang.
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
	return template.HTML(clean)
}

// plain shows a text as it is, line breaks kept by the style sheet.
func plain(text string) template.HTML {
	return template.HTML(`<p class="text-plain">` + html.EscapeString(text) + "</p>\n")
}
