package markup

import (
	"bufio"
	"encoding/json"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	nethtml "golang.org/x/net/html"
)

func TestHTML(t *testing.T) {
	for _, test := range []struct{ name, in, want string }{
		{"paragraph", "one\ntwo", "<p>one<br>\ntwo</p>"},
		{"emphasis", "**a** _b_ ~~c~~", "<p><strong>a</strong> <em>b</em> <del>c</del></p>"},
		{"heading", "# Title", `<p class="text-h1">Title</p>`},
		{"list", "3. a\n4. b", "<ol start=\"3\">\n<li>a</li>\n<li>b</li>\n</ol>"},
		{"raw HTML is text", "<script>alert(1)</script> you are an idiot",
			"<p>&lt;script&gt;alert(1)&lt;/script&gt; you are an idiot</p>"},
		{"HTML block is text", "<div onclick=x>\n*a*\n</div>",
			"<p>&lt;div onclick=x&gt;<br>\n<em>a</em><br>\n&lt;/div&gt;</p>"},
		{"comment is text", "<!-- hidden -->", "<p>&lt;!-- hidden --&gt;</p>"},
		{"link", "[a](https://example.org/x)",
			`<p><a href="/leave?to=https%3A%2F%2Fexample.org%2Fx" rel="noreferrer nofollow" target="_blank">a</a> ` +
				`<span class="text-target">[<bdi>https://example.org/x</bdi>]</span></p>`},
		{"link title", `[a](https://example.org "t")`,
			`<p><a href="/leave?to=https%3A%2F%2Fexample.org" rel="noreferrer nofollow" target="_blank">a</a> ` +
				`<span class="text-target">[<bdi>https://example.org</bdi> “<bdi>t</bdi>”]</span></p>`},
		{"bare link", "see https://example.org/x now",
			`<p>see <a href="/leave?to=https%3A%2F%2Fexample.org%2Fx" rel="noreferrer nofollow" target="_blank">` +
				`https://example.org/x</a> now</p>`},
		{"script link", "[a](javascript:alert(1))",
			`<p>a <span class="text-target">[<bdi>javascript:alert(1)</bdi>]</span></p>`},
		{"entity in scheme", "[a](java&#115;cript:alert)",
			`<p>a <span class="text-target">[<bdi>javascript:alert</bdi>]</span></p>`},
		{"link into the console", "[a](/users/1/ban)", `<p>a <span class="text-target">[<bdi>/users/1/ban</bdi>]</span></p>`},
		{"other host without scheme", "[a](//example.org)",
			`<p>a <span class="text-target">[<bdi>//example.org</bdi>]</span></p>`},
		{"user name before host", "[a](https://bank.example@evil.example/)",
			`<p>a <span class="text-target">[<bdi>https://bank.example@evil.example/</bdi>]</span></p>`},
		{"look-alike host", "[a](https://ехample.org/)",
			`<p><a href="/leave?to=https%3A%2F%2Fxn--ample-ywe6i.org%2F" rel="noreferrer nofollow" target="_blank">a</a> ` +
				`<span class="text-target">[<bdi>https://ехample.org/</bdi> → <bdi>https://xn--ample-ywe6i.org/</bdi>]</span></p>`},
		{"link definition is text", "[//]: # (hidden)", "<p>[//]: # (hidden)</p>"},
		{"image", "![cat](http://x.example/c.png)",
			`<p><span class="text-image">[image: cat <bdi>http://x.example/c.png</bdi>]</span></p>`},
		{"code", "```go run\na < b\n```", `<pre><span class="text-language">go run</span><code>a &lt; b` + "\n</code></pre>"},
		{"table", "|a| |\n|-|-:|\n|1|2|",
			"<div class=\"text-table\" role=\"group\" aria-label=\"Table\" tabindex=\"0\"><table>\n" +
				"<thead>\n<tr>\n<th>a</th>\n<td align=\"right\"></td>\n</tr>\n</thead>\n" +
				"<tbody>\n<tr>\n<td>1</td>\n<td align=\"right\">2</td>\n</tr>\n</tbody>\n</table></div>"},
		{"table with a cell too many", "|a|\n|-|\n|1|hidden|",
			"<div class=\"text-table\" role=\"group\" aria-label=\"Table\" tabindex=\"0\"><table>\n" +
				"<thead>\n<tr>\n<th>a</th>\n</tr>\n</thead>\n" +
				"<tbody>\n<tr>\n<td>1</td>\n</tr>\n</tbody>\n</table></div>\n" + strings.TrimSpace(hiddenNote)},
		{"mail", "a@b.example", "<p>a@b.example</p>"},
		{"right to left", "مرحبا **بك**", "<p>مرحبا <strong>بك</strong></p>"},
		{"no UTF-8", "a\xffb", "<p>a\uFFFDb</p>"},
	} {
		t.Run(test.name, func(t *testing.T) {
			if got := strings.TrimSpace(string(HTML(test.in))); got != test.want {
				t.Errorf("HTML(%q)\n got %s\nwant %s", test.in, got, test.want)
			}
		})
	}
}

// TestHTMLBounds checks that hostile nesting and size take little time and stay
// shallow.
func TestHTMLBounds(t *testing.T) {
	for name, in := range map[string]string{
		"quotes":     strings.Repeat(">", 90_000) + "a",
		"lists":      strings.Repeat("- ", 45_000) + "a",
		"numbers":    strings.Repeat("1. ", 30_000) + "a",
		"indent":     nestedLists(300),
		"brackets":   strings.Repeat("[", 90_000),
		"links":      strings.Repeat("[a](", 20_000),
		"images":     strings.Repeat("![", 45_000),
		"stars":      strings.Repeat("*a ", 30_000),
		"mixed":      strings.Repeat("*a_ ", 25_000),
		"ticks":      manyTicks(400),
		"angles":     strings.Repeat("<", 90_000),
		"entities":   strings.Repeat("&", 90_000),
		"addresses":  strings.Repeat("www.a", 18_000),
		"mail":       strings.Repeat("a@", 45_000),
		"wide table": strings.Repeat("|a", 500) + "\n" + strings.Repeat("|-", 500) + "\n" + strings.Repeat("|\n", 30),
		"links too":  strings.Repeat("[a](", 999),
		"mixed too":  strings.Repeat("*a_ ", 1_500),
		"table": strings.Repeat("|a", 20_000) + "\n" + strings.Repeat("|-", 20_000) + "\n" +
			strings.Repeat("|\n", 5_000),
		"strikes":    strings.Repeat("~~a", 30_000),
		"whole book": strings.Repeat("word ", 1_000_000),
	} {
		t.Run(name, func(t *testing.T) {
			start := time.Now()
			out := string(HTML(in))
			t.Logf("%d bytes in, %d out, %v", len(in), len(out), time.Since(start).Round(time.Millisecond))
			if depth := maxDepth(t, out); depth > 100 {
				t.Errorf("elements nest %d deep", depth)
			}
		})
	}
}

func nestedLists(n int) string {
	var b strings.Builder
	for i := range n {
		b.WriteString(strings.Repeat("  ", i) + "- a\n")
	}
	return b.String()
}

func manyTicks(n int) string {
	var b strings.Builder
	for i := range n {
		b.WriteString(strings.Repeat("`", i) + "a")
	}
	return b.String()
}

// allowed lists all that the output of HTML may hold. It repeats the
// sanitizer's list on purpose: a change must be made twice.
var allowed = map[string]string{
	"p": "class", "br": "", "hr": "", "em": "", "strong": "", "del": "", "blockquote": "", "pre": "", "code": "",
	"bdi": "", "ul": "", "ol": "start", "li": "", "table": "", "thead": "", "tbody": "", "tr": "",
	"th": "align", "td": "align", "span": "class", "div": "class role aria-label tabindex", "a": "href rel target",
}

// check fails the test unless the HTML holds only what is allowed, and closes
// all its elements.
func check(t *testing.T, source, rendered string) {
	t.Helper()
	var open []string
	tokens := nethtml.NewTokenizer(strings.NewReader(rendered))
	for {
		kind := tokens.Next()
		token := tokens.Token()
		switch kind {
		case nethtml.ErrorToken:
			if len(open) > 0 {
				t.Fatalf("HTML(%q) leaves %v open:\n%s", source, open, rendered)
			}
			return
		case nethtml.CommentToken, nethtml.DoctypeToken:
			t.Fatalf("HTML(%q) holds a comment:\n%s", source, rendered)
		case nethtml.StartTagToken:
			attributes, ok := allowed[token.Data]
			if !ok {
				t.Fatalf("HTML(%q) holds <%s>:\n%s", source, token.Data, rendered)
			}
			for _, a := range token.Attr {
				if !strings.Contains(" "+attributes+" ", " "+a.Key+" ") {
					t.Fatalf("HTML(%q) holds <%s %s>:\n%s", source, token.Data, a.Key, rendered)
				}
				if a.Key == "href" && !asksToLeave(a.Val) {
					t.Fatalf("HTML(%q) links to %q", source, a.Val)
				}
			}
			if token.Data == "a" && !strings.Contains(token.String(), `rel="noreferrer nofollow"`) {
				t.Fatalf("HTML(%q) has a link that tells who follows it:\n%s", source, rendered)
			}
			if token.Data != "br" && token.Data != "hr" {
				open = append(open, token.Data)
			}
		case nethtml.EndTagToken:
			if len(open) == 0 || open[len(open)-1] != token.Data {
				t.Fatalf("HTML(%q) closes <%s> in %v:\n%s", source, token.Data, open, rendered)
			}
			open = open[:len(open)-1]
		}
	}
}

func maxDepth(t *testing.T, rendered string) int {
	check(t, "", rendered)
	depth, deepest := 0, 0
	tokens := nethtml.NewTokenizer(strings.NewReader(rendered))
	for {
		switch tokens.Next() {
		case nethtml.ErrorToken:
			return deepest
		case nethtml.StartTagToken:
			if name, _ := tokens.TagName(); string(name) != "br" && string(name) != "hr" {
				depth++
				deepest = max(deepest, depth)
			}
		case nethtml.EndTagToken:
			depth--
		}
	}
}

// corpus returns the payloads of the public lists of bad input.
func corpus(t testing.TB) []string {
	dir := os.Getenv("TREEWARDEN_CORPORA")
	if dir == "" {
		t.Skip("TREEWARDEN_CORPORA is not set: it names the folder with the lists of bad input")
	}
	dir = filepath.Join(dir, "bad-input")
	var out []string
	var purify []struct{ Payload string }
	read(t, filepath.Join(dir, "dompurify-expect.json"), &purify)
	for _, p := range purify {
		out = append(out, p.Payload)
	}
	var naughty []string
	read(t, filepath.Join(dir, "blns.json"), &naughty)
	out = append(out, naughty...)
	var bidi []struct{ Text string }
	read(t, filepath.Join(dir, "bidi_homoglyph_lines.json"), &bidi)
	for _, b := range bidi {
		out = append(out, b.Text)
	}
	file, err := os.Open(filepath.Join(dir, "xss-payloads.txt"))
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	lines := bufio.NewScanner(file)
	for lines.Scan() {
		out = append(out, lines.Text())
	}
	if len(out) < 2000 {
		t.Fatalf("only %d payloads found below %s", len(out), dir)
	}
	return out
}

func read(t testing.TB, path string, into any) {
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(data, into); err != nil {
		t.Fatalf("%s: %v", path, err)
	}
}

// TestCorpora puts every payload in every place that Markdown has for one.
func TestCorpora(t *testing.T) {
	for _, payload := range corpus(t) {
		for _, in := range []string{
			payload, "> " + payload, "- " + payload, "# " + payload, "`" + payload + "`", "```" + payload + "\n" + payload,
			"[a](" + payload + ")", "[a](<" + payload + ">)", "![a](" + payload + ")", "[" + payload + "](https://example.org)",
			`[a](https://example.org "` + payload + `")`, "<" + payload + ">", "|" + payload + "|\n|-|\n|" + payload + "|",
			"https://example.org/" + payload, "[a]: " + payload + "\n\n[a]",
		} {
			out := string(HTML(in))
			check(t, in, out)
			if !strings.Contains(out, hiddenNote) && !showsAll(strings.ToValidUTF8(in, "\uFFFD"), []byte(out)) {
				t.Errorf("HTML(%q) hides text:\n%s", in, out)
			}
			raw := string(Raw(in))
			checkRaw(t, in, raw)
		}
	}
}

func FuzzHTML(f *testing.F) {
	for _, seed := range []string{"# a\n\n- b\n  > c", "[a](b \"c\") ![d](e)", "|a|b|\n|-|-|\n|c|d|e|", "```x y\nz",
		"<b>&lt;</b>", "a\u202eb\x00\xff"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, in string) {
		check(t, in, string(HTML(in)))
		checkRaw(t, in, string(Raw(in)))
		Excerpt(in, 20)
	})
}

// asksToLeave reports whether an address is that of the page that asks before it
// leads to a web address.
func asksToLeave(address string) bool {
	to, ok := strings.CutPrefix(address, LeavePath+"?to=")
	target, err := url.QueryUnescape(to)
	return ok && err == nil && (strings.HasPrefix(target, "http://") || strings.HasPrefix(target, "https://"))
}
