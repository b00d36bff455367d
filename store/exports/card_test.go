package exports_test

import (
	"bytes"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/PuerkitoBio/goquery"
	"github.com/google/uuid"
	"github.com/oasdiff/yaml"
	"github.com/yuin/goldmark"
	"github.com/yuin/goldmark/extension"
	"github.com/yuin/goldmark/renderer/html"

	"treewarden/store"
	"treewarden/store/exports"
	"treewarden/store/storetest"
)

// cardHead is the YAML that the hub reads.
type cardHead struct {
	License        *string  `json:"license"`
	PrettyName     string   `json:"pretty_name"`
	Language       []string `json:"language"`
	SizeCategories []string `json:"size_categories"`
	TaskCategories []string `json:"task_categories"`
	Tags           []string `json:"tags"`
	Configs        []struct {
		Name string `json:"config_name"`
		File string `json:"data_files"`
	} `json:"configs"`
}

// readCard reads a card as the hub does: YAML between lines of hyphens, then Markdown, in
// which HTML and addresses have an effect.
func readCard(t *testing.T, card []byte) (head cardHead, body *goquery.Document) {
	t.Helper()
	parts := strings.SplitN(string(card), "---\n", 3)
	if len(parts) != 3 || parts[0] != "" {
		t.Fatalf("the card has no YAML: %s", card)
	}
	if _, err := yaml.Unmarshal([]byte(parts[1]), &head, yaml.DecodeOpts{}); err != nil {
		t.Fatalf("%v: %s", err, parts[1])
	}
	var out bytes.Buffer
	md := goldmark.New(goldmark.WithExtensions(extension.GFM), goldmark.WithRendererOptions(html.WithUnsafe()))
	if err := md.Convert([]byte(parts[2]), &out); err != nil {
		t.Fatal(err)
	}
	body, err := goquery.NewDocumentFromReader(&out)
	if err != nil {
		t.Fatal(err)
	}
	return head, body
}

// cells returns the rows of all tables, with a space between cells.
func tableRows(body *goquery.Document) string {
	var rows []string
	body.Find("tr").Each(func(_ int, row *goquery.Selection) {
		var cells []string
		row.Find("th, td").Each(func(_ int, cell *goquery.Selection) { cells = append(cells, cell.Text()) })
		rows = append(rows, strings.Join(cells, " | "))
	})
	return strings.Join(rows, "\n") + "\n"
}

// TestCard reads the card of a file whose texts are all harmless.
func TestCard(t *testing.T) {
	t.Parallel()
	s := small(t)
	name, kind, list := "bad ones", "bad", uuid.New()
	act(t, s, store.Act{Kind: "create_list", Target: list, Params: store.ListParams{Name: &name, Kind: &kind}})
	p := store.AddParams{Items: []store.NewItem{{MessageID: id("a7")}}}
	if _, _, err := s.AddToList(ctx, store.CommandLine, list, p, "", ""); err != nil {
		t.Fatal(err)
	}
	storetest.Exec(t, s, "UPDATE messages SET lang = 'no' WHERE message_id = $1", id("b1"))
	storetest.Exec(t, s, "UPDATE messages SET lang = NULL WHERE message_id = $1", id("c1"))
	var out bytes.Buffer
	m, err := access(t, s).Write(ctx, &out, exports.Options{Filters: exports.Filters{
		Format: exports.CSV, State: exports.AllStates, IncludeSynthetic: true, ExportLabels: true,
		WithoutList: []string{name}, WithoutBanned: true,
	}, File: "oasst.csv.gz", Gzip: true, Program: "v1"})
	if err != nil {
		t.Fatal(err)
	}
	check(t, out.Bytes(), m)
	head, body := readCard(t, m.Card())
	if got := fmt.Sprint(head); got != fmt.Sprint(cardHead{nil, "oasst.csv.gz", []string{"de", "en", "no"},
		[]string{"n<1K"}, []string{"text-generation", "text-classification"}, []string{"human-feedback"}, head.Configs}) ||
		len(head.Configs) != 1 || head.Configs[0].File != "oasst.csv.gz" {
		t.Errorf("the head is %s", got)
	}
	rows := tableRows(body)
	for _, want := range []string{
		"format | CSV, a message a row, compressed with gzip", "lines or rows | 8", "SHA-256 | " + m.SHA256,
		"bytes | " + fmt.Sprint(m.Bytes), "exported | " + m.At.Format(time.RFC3339), "program | treewarden v1",
		fmt.Sprintf("formula of the troll score | %s, version %d", m.Formula.Name, m.Formula.Version),
		"en | 5", "no | 1", "de | 1", "none | 1", "prompter | 4", "assistant | 4",
		"trees | 5 | 4 | 1", "messages | 18 | 8 | 10", "bad ones | " + list.String() + " | 1",
		"below_list | below a message that is left out: on a list that is left out | 1",
		"none_kept | no message of the tree is kept, or not its prompt | 1",
		"without_list | bad ones", "without_banned | yes", "state | all", "deleted_nodes | drop",
	} {
		if !strings.Contains(rows, want+"\n") {
			t.Errorf("no row is %q in\n%s", want, rows)
		}
	}
	for _, held := range m.NotHeld {
		if !strings.Contains(body.Find("li").Text(), held) {
			t.Errorf("%q is not in the list %s", held, body.Find("li").Text())
		}
	}
	if !strings.Contains(body.Text(), "8 messages in 4 trees") {
		t.Errorf("the card says %s", body.Text())
	}
	if strings.Contains(string(m.Card()), m.By) {
		t.Error("the card names who exported")
	}
}

// TestHostileCard puts texts that are YAML, Markdown or HTML into every place.
func TestHostileCard(t *testing.T) {
	t.Parallel()
	hostile := []string{
		"\"\n---\nlicense: mit\n", "a: b # c", "no", "x | y |", "\\|", "<img src=x onerror=alert(1)>",
		"[a](https://evil.example)",
		"https://evil.example", "www.evil.example", "<https://evil.example>", "`code`", "``", "**b** _i_ ~~s~~",
		"# h\n\n# h2",
		"\u202emoc", "\x00\x01\x7f\u0085\u2028", "&lt;b&gt; &#60;", "![i](https://evil.example/i.png)", "\xff\xfe",
		"- a\n- b",
		"$x$", "[^1]", "{{ template }}", "=cmd", "😀", strings.Repeat("long ", 1000),
	}
	plain, _ := readCard(t, exports.Manifest{}.Card())
	for _, text := range hostile {
		m := exports.Manifest{
			File: text, Format: text, SHA256: text, By: text, Program: text, Formula: exports.Formula{Name: text},
			Filters: exports.Filters{State: text, Lang: text, WithoutList: []string{text}, WithoutClassifier: []string{text},
				DeletedNodes: text},
			Lists:     []exports.List{{Name: text}},
			LeftOut:   exports.LeftOut{Trees: map[string]int64{text: 1}, Messages: map[string]int64{text: 1}},
			Languages: exports.Numbers{text: 7, "en": 1}, Roles: exports.Numbers{text: 7}, NotHeld: []string{text},
		}
		card := m.Card()
		head, body := readCard(t, card)
		if want := strings.ToValidUTF8(text, "\uFFFD"); head.PrettyName != want {
			t.Errorf("%q is called %q", want, head.PrettyName)
		}
		if head.License != nil || head.SizeCategories[0] != plain.SizeCategories[0] ||
			len(head.Language) > 1 && text != "no" || len(head.TaskCategories) != 1 {
			t.Errorf("%q makes the head %+v", text, head)
		}
		if n := body.Find("a, img, b, strong, em, i, del, script, h1 + h1, hr, ol, ul ul, blockquote, pre").Length(); n > 0 {
			t.Errorf("%q makes %d marks: %s", text, n, card)
		}
		wide := body.Find("tr").FilterFunction(func(_ int, row *goquery.Selection) bool {
			return row.Children().Length() != row.Closest("table").Find("th").Length()
		}).Length()
		if tables := body.Find("table").Length(); tables != 8 || wide > 0 {
			t.Errorf("%q makes %d tables, and %d rows of another length: %s", text, tables, wide, card)
		}
		if body.Find("li").Length() != 1 || body.Find("h1").Length() != 1 {
			t.Errorf("%q makes other lists or titles: %s", text, card)
		}
	}
}

// TestSizes compares the size categories with those of the hub.
func TestSizes(t *testing.T) {
	t.Parallel()
	for rows, want := range map[int64]string{
		0: "n<1K", 999: "n<1K", 1000: "1K<n<10K", 84_437: "10K<n<100K", 161_443: "100K<n<1M", 1_000_000: "1M<n<10M",
		1e9: "1B<n<10B", 1e12: "n>1T",
	} {
		head, _ := readCard(t, exports.Manifest{Out: exports.Counts{Lines: rows}}.Card())
		if got := head.SizeCategories[0]; got != want {
			t.Errorf("%d rows are %s, want %s", rows, got, want)
		}
	}
}
