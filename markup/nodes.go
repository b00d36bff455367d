package markup

import (
	"fmt"
	"html"
	"net"
	"net/url"
	"strings"

	"github.com/yuin/goldmark/ast"
	extast "github.com/yuin/goldmark/extension/ast"
	"github.com/yuin/goldmark/renderer"
	"github.com/yuin/goldmark/util"
	"golang.org/x/net/idna"
)

// nodes renders the nodes that a console must show differently from a web site.
type nodes struct{}

func (n nodes) RegisterFuncs(reg renderer.NodeRendererFuncRegisterer) {
	reg.Register(ast.KindHeading, n.heading)
	reg.Register(ast.KindLink, n.link)
	reg.Register(ast.KindAutoLink, n.autoLink)
	reg.Register(ast.KindImage, n.image)
	reg.Register(ast.KindFencedCodeBlock, n.fencedCode)
	reg.Register(extast.KindTable, n.table)
	reg.Register(extast.KindTableCell, n.tableCell)
}

// heading renders a heading without a place in the outline of the page, which
// belongs to the console.
func (nodes) heading(w util.BufWriter, _ []byte, node ast.Node, entering bool) (ast.WalkStatus, error) {
	if entering {
		fmt.Fprintf(w, `<p class="text-h%d">`, node.(*ast.Heading).Level)
	} else {
		w.WriteString("</p>\n")
	}
	return ast.WalkContinue, nil
}

func (nodes) link(w util.BufWriter, _ []byte, node ast.Node, entering bool) (ast.WalkStatus, error) {
	n := node.(*ast.Link)
	target := resolve(n.Destination)
	href, live := address(target)
	switch {
	case entering && live:
		openLink(w, href)
	case !entering:
		if live {
			w.WriteString("</a>")
		}
		writeTarget(w, target, href, string(n.Title))
	}
	return ast.WalkContinue, nil
}

func (nodes) autoLink(w util.BufWriter, source []byte, node ast.Node, entering bool) (ast.WalkStatus, error) {
	if !entering {
		return ast.WalkContinue, nil
	}
	n := node.(*ast.AutoLink)
	label := string(n.Label(source))
	href, live := address(string(n.URL(source)))
	if n.AutoLinkType == ast.AutoLinkEmail || !live {
		w.WriteString(html.EscapeString(label))
		return ast.WalkContinue, nil
	}
	openLink(w, href)
	w.WriteString(html.EscapeString(label))
	w.WriteString("</a>")
	if !strings.HasSuffix(href, label) && !strings.HasSuffix(href, label+"/") {
		writeTarget(w, "", href, "")
	}
	return ast.WalkContinue, nil
}

// image renders the name of a picture instead of the picture. A loaded picture
// would inform the author of the message about its readers.
func (nodes) image(w util.BufWriter, _ []byte, node ast.Node, entering bool) (ast.WalkStatus, error) {
	n := node.(*ast.Image)
	if entering {
		w.WriteString(`<span class="text-image">[image: `)
		return ast.WalkContinue, nil
	}
	if n.HasChildren() {
		w.WriteByte(' ')
	}
	target := resolve(n.Destination)
	w.WriteString(`<bdi>` + html.EscapeString(target) + `</bdi>`)
	writeTitle(w, string(n.Title))
	w.WriteString("]</span>")
	return ast.WalkContinue, nil
}

// fencedCode renders the words after the fence too. The first word names a
// language; HTML would lose the others.
func (nodes) fencedCode(w util.BufWriter, source []byte, node ast.Node, entering bool) (ast.WalkStatus, error) {
	if !entering {
		w.WriteString("</code></pre>\n")
		return ast.WalkContinue, nil
	}
	n := node.(*ast.FencedCodeBlock)
	w.WriteString("<pre>")
	if n.Info != nil {
		if info := strings.TrimSpace(resolve(n.Info.Segment.Value(source))); info != "" {
			w.WriteString(`<span class="text-language">` + html.EscapeString(info) + "</span>")
		}
	}
	w.WriteString("<code>")
	for _, line := range n.Lines().Sliced(0, n.Lines().Len()) {
		w.WriteString(html.EscapeString(string(line.Value(source))))
	}
	return ast.WalkContinue, nil
}

// table renders a table that the keyboard can reach, because it scrolls
// sideways.
func (nodes) table(w util.BufWriter, _ []byte, _ ast.Node, entering bool) (ast.WalkStatus, error) {
	if entering {
		w.WriteString(`<div class="text-table" role="group" aria-label="Table" tabindex="0"><table>` + "\n")
	} else {
		w.WriteString("</table></div>\n")
	}
	return ast.WalkContinue, nil
}

// tableCell renders an empty header cell as a plain one, because a screen
// reader has no use for a header without a name.
func (nodes) tableCell(w util.BufWriter, _ []byte, node ast.Node, entering bool) (ast.WalkStatus, error) {
	n := node.(*extast.TableCell)
	tag := "td"
	if n.Parent().Kind() == extast.KindTableHeader && n.HasChildren() {
		tag = "th"
	}
	switch {
	case !entering:
		w.WriteString("</" + tag + ">\n")
	case n.Alignment != extast.AlignNone:
		fmt.Fprintf(w, `<%s align="%s">`, tag, n.Alignment)
	default:
		w.WriteString("<" + tag + ">")
	}
	return ast.WalkContinue, nil
}

func openLink(w util.BufWriter, href string) {
	w.WriteString(`<a href="` + html.EscapeString(href) + `" rel="noreferrer nofollow" target="_blank">`)
}

// writeTarget writes the target of a link as the author wrote it. If it could
// be mistaken for another address, writeTarget adds the form in which a browser
// would use it.
func writeTarget(w util.BufWriter, written, href, title string) {
	w.WriteString(` <span class="text-target">[<bdi>` + html.EscapeString(written) + "</bdi>")
	if href != "" && !strings.EqualFold(strings.TrimSuffix(href, "/"), strings.TrimSuffix(written, "/")) {
		if written != "" {
			w.WriteString(" → ")
		}
		w.WriteString("<bdi>" + html.EscapeString(href) + "</bdi>")
	}
	writeTitle(w, title)
	w.WriteString("]</span>")
}

func writeTitle(w util.BufWriter, title string) {
	if title = resolve([]byte(title)); title != "" {
		w.WriteString(` “<bdi>` + html.EscapeString(title) + `</bdi>”`)
	}
}

// resolve replaces the escapes and entities of a Markdown source.
func resolve(source []byte) string {
	return string(util.ResolveEntityNames(util.ResolveNumericReferences(util.UnescapePunctuations(source))))
}

// address returns a link's address from its parsed parts, and reports whether
// the link may work: only http and https with a host that has a name on the
// net. A user name before the host is not allowed, because it can be mistaken
// for the host. A relative address is not allowed, because it would lead into
// this console.
func address(target string) (href string, live bool) {
	u, err := url.Parse(strings.TrimSpace(target))
	if err != nil || u.Opaque != "" || u.User != nil || u.Host == "" {
		return "", false
	}
	u.Scheme = strings.ToLower(u.Scheme)
	if u.Scheme != "http" && u.Scheme != "https" {
		return "", false
	}
	host := u.Hostname()
	if net.ParseIP(host) == nil {
		if host, err = idna.Lookup.ToASCII(host); err != nil || host == "" {
			return "", false
		}
		if port := u.Port(); port != "" {
			host = net.JoinHostPort(host, port)
		}
		u.Host = host
	}
	return u.String(), true
}
