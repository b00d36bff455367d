package exports

import (
	"cmp"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode"

	"github.com/dustin/go-humanize"
	"golang.org/x/text/language"
)

// Card returns a README of the file in the format of dataset cards on the Hugging Face
// hub: YAML that the hub reads, and tables for people. All of it comes from the
// manifest. The licence is left to fill in. Who exported, and whose messages a file of
// one user holds, is not in it, because a card is public.
func (m Manifest) Card() []byte {
	c := card{}
	c.head(m)
	c.line("# " + escape(m.File))
	c.line("")
	c.line("%s in %s of the Open Assistant format (OASST), exported by %s at %s. The manifest of the file has the same "+
		"figures for programs.", counted(m.Out.Messages, "message"), counted(m.Out.Trees, "tree"), escape(m.Program),
		m.At.UTC().Format("2006-01-02 15:04:05 UTC"))
	c.line("")
	c.line("Licence: not filled in yet. Add it here, and as `license` at the top of this file.")
	c.file(m)
	c.numbers("Messages by language", "language", m.Languages)
	c.numbers("Messages by role", "role", m.Roles)
	c.leftOut(m)
	c.filters(m)
	c.section("What the file does not hold")
	for _, what := range m.NotHeld {
		c.line("- " + escape(what))
	}
	return []byte(c.text.String())
}

type card struct{ text strings.Builder }

func (c *card) line(format string, args ...any) {
	if len(args) == 0 {
		c.text.WriteString(format + "\n")
		return
	}
	fmt.Fprintf(&c.text, format+"\n", args...)
}

func (c *card) section(title string) { c.line("\n## " + title + "\n") }

// plainName is a file name that means itself in a pattern of file names.
var plainName = regexp.MustCompile(`^[A-Za-z0-9_-][A-Za-z0-9._-]*$`)

// head writes the YAML. All texts in it are quoted: some languages, such as no, are
// other values without quotes.
func (c *card) head(m Manifest) {
	c.line("---")
	c.line("# Fill in the licence, such as: license: apache-2.0")
	c.line("pretty_name: " + quote(m.File))
	if codes := hubLanguages(m.Languages); len(codes) > 0 {
		c.line("language:")
		for _, code := range codes {
			c.line("- " + quote(code))
		}
	}
	c.line("size_categories:")
	c.line("- " + quote(sizeCategory(m.Out.Lines)))
	c.line("task_categories:")
	c.line(`- "text-generation"`)
	if m.Filters.ExportLabels {
		c.line(`- "text-classification"`)
	}
	c.line("tags:")
	c.line(`- "human-feedback"`)
	if plainName.MatchString(m.File) {
		c.line("configs:")
		c.line(`- config_name: "default"`)
		c.line("  data_files: " + quote(m.File))
	}
	c.line("---")
	c.line("")
}

// quote writes a text as a double-quoted scalar of YAML. Every escape of Go's is one of
// YAML's too.
func quote(text string) string { return strconv.QuoteToASCII(strings.ToValidUTF8(text, "\uFFFD")) }

// hubLanguages returns the codes of two or three letters that the hub knows. Codes with a
// region count as their language; other ones stand only in the table.
func hubLanguages(n Numbers) (codes []string) {
	for name := range n {
		code, _, _ := strings.Cut(strings.ReplaceAll(name, "_", "-"), "-")
		if base, err := language.ParseBase(code); err == nil && code == strings.ToLower(code) && base.String() != "und" {
			codes = append(codes, code)
		}
	}
	slices.Sort(codes)
	return slices.Compact(codes)
}

// sizeCategory returns the hub's name for a number of rows.
func sizeCategory(rows int64) string {
	names := []string{"1K", "10K", "100K", "1M", "10M", "100M", "1B", "10B", "100B", "1T"}
	for i, limit := 0, int64(1000); i < len(names); i, limit = i+1, limit*10 {
		if rows < limit && i == 0 {
			return "n<1K"
		}
		if rows < limit {
			return names[i-1] + "<n<" + names[i]
		}
	}
	return "n>1T"
}

// escape writes a text as one line of Markdown that means itself: no mark, link, cell or
// HTML begins in it. Characters that change the direction of a text are left out.
func escape(text string) string {
	var out strings.Builder
	for _, r := range strings.ToValidUTF8(text, "\uFFFD") {
		switch {
		case unicode.Is(unicode.Bidi_Control, r):
		case unicode.IsControl(r), unicode.Is(unicode.Zl, r), unicode.Is(unicode.Zp, r):
			out.WriteByte(' ')
		case r < unicode.MaxASCII && (unicode.IsPunct(r) || unicode.IsSymbol(r)) && !strings.ContainsRune("-,'%", r):
			out.WriteByte('\\')
			fallthrough
		default:
			out.WriteRune(r)
		}
	}
	line := strings.TrimSpace(out.String())
	if strings.HasPrefix(line, "-") { // which begins a list
		line = `\` + line
	}
	return line
}

// table writes a table. Its cells are escaped already.
func (c *card) table(header []string, rows [][]string) {
	c.line("| " + strings.Join(header, " | ") + " |")
	c.line("|" + strings.Repeat("---|", len(header)))
	for _, row := range rows {
		c.line("| " + strings.Join(row, " | ") + " |")
	}
}

func (c *card) file(m Manifest) {
	c.section("The file")
	compressed := ""
	if m.Gzip {
		compressed = ", compressed with gzip"
	}
	format := map[string]string{
		Trees: "JSON Lines, a tree a line", Messages: "JSON Lines, a message a line", CSV: "CSV, a message a row",
		Parquet: "Parquet, a message a row",
	}[m.Format]
	c.table([]string{"property", "value"}, [][]string{
		{"format", format + compressed},
		{"lines or rows", humanize.Comma(m.Out.Lines)},
		{"bytes", humanize.Comma(m.Bytes)},
		{"SHA-256", "`" + strings.Map(hexadecimal, m.SHA256) + "`"},
		{"exported", m.At.UTC().Format(time.RFC3339)},
		{"program", escape(m.Program)},
		{"formula of the troll score", escape(fmt.Sprintf("%s, version %d", m.Formula.Name, m.Formula.Version))},
		{"entry of the audit log", humanize.Comma(m.Log.Seq)},
		{"messages without their texts", humanize.Comma(m.Blanked)},
	})
}

func hexadecimal(r rune) rune {
	if strings.ContainsRune("0123456789abcdef", r) {
		return r
	}
	return -1
}

// byNumber returns the names, the highest number first.
func byNumber(n map[string]int64) []string {
	return slices.SortedFunc(maps.Keys(n), func(a, b string) int {
		return cmp.Or(cmp.Compare(n[b], n[a]), cmp.Compare(a, b))
	})
}

func (c *card) numbers(title, what string, n Numbers) {
	c.section(title)
	var rows [][]string
	for _, name := range byNumber(n) {
		shown := escape(name)
		switch {
		case name == Unknown:
			shown = "none"
		case name == Others:
			shown = "others"
		case shown == "":
			shown = "invisible"
		}
		rows = append(rows, []string{shown, humanize.Comma(n[name])})
	}
	c.table([]string{what, "messages"}, rows)
}

func (c *card) leftOut(m Manifest) {
	c.section("What was left out, and why")
	left := func(in, out int64) string { return humanize.Comma(in - out) }
	c.table([]string{"", "in the database", "in the file", "left out"}, [][]string{
		{"trees", humanize.Comma(m.In.Trees), humanize.Comma(m.Out.Trees), left(m.In.Trees, m.Out.Trees)},
		{"messages", humanize.Comma(m.In.Messages), humanize.Comma(m.Out.Messages), left(m.In.Messages, m.Out.Messages)},
	})
	for _, part := range []struct {
		what string
		n    map[string]int64
	}{{"trees", m.LeftOut.Trees}, {"messages", m.LeftOut.Messages}} {
		if len(part.n) == 0 {
			continue
		}
		c.line("")
		var rows [][]string
		for _, reason := range byNumber(part.n) {
			n := humanize.Comma(part.n[reason])
			rows = append(rows, []string{escape(reason), escape(reasonText(reason)), n})
		}
		c.table([]string{"reason", "meaning", part.what}, rows)
	}
	if len(m.Lists) == 0 {
		return
	}
	c.line("")
	var rows [][]string
	for _, list := range m.Lists {
		rows = append(rows, []string{escape(list.Name), list.ListID.String(), humanize.Comma(list.Items)})
	}
	c.table([]string{"list that was left out", "id", "items"}, rows)
}

// reasons explains the reasons for which something is left out.
var reasons = map[string]string{
	otherState:   "the tree is in another state",
	otherLang:    "the prompt is in another language",
	hasSynthetic: "the tree has a synthetic message",
	overLimit:    "the limit of trees was reached",
	noMessage:    "the tree has no message",
	noneKept:     "no message of the tree is kept, or not its prompt",
	onList:       "on a list that is left out",
	isDeleted:    "deleted",
	notDeleted:   "not deleted",
	notAccepted:  "not reviewed yet, or rejected",
	notRejected:  "not rejected",
	notSynthetic: "not synthetic",
	otherUser:    "by another user",
	byBanned:     "by a banned user",
	byClassifier: "by the output of a classifier",
	tooEarly:     "older than the first date, or without a date",
	tooLate:      "not older than the last date",
	isReply:      "a reply",
	withoutTree:  "without its parent",
}

func reasonText(reason string) string {
	if above, is := strings.CutPrefix(reason, below); is {
		return "below a message that is left out: " + reasons[above]
	}
	return reasons[reason]
}

// filters writes the filters under their names.
func (c *card) filters(m Manifest) {
	c.section("Filters")
	f := m.Filters
	var rows [][]string
	add := func(name, value string) {
		if value != "" {
			rows = append(rows, []string{escape(name), escape(value)})
		}
	}
	yes := func(b bool) string {
		if b {
			return "yes"
		}
		return ""
	}
	at := func(t *time.Time) string {
		if t == nil {
			return ""
		}
		return t.UTC().Format(time.RFC3339Nano)
	}
	add("state", f.State)
	add("lang", f.Lang)
	add("user", map[bool]string{true: "one user"}[f.User != nil])
	add("since", at(f.Since))
	add("until", at(f.Until))
	for _, flag := range []struct {
		name string
		set  bool
	}{
		{"include_deleted", f.IncludeDeleted}, {"deleted_only", f.DeletedOnly}, {"include_spam", f.IncludeSpam},
		{"spam_only", f.SpamOnly}, {"include_synthetic", f.IncludeSynthetic}, {"synthetic_only", f.SyntheticOnly},
		{"prompts_only", f.PromptsOnly}, {"without_banned", f.WithoutBanned}, {"export_labels", f.ExportLabels},
		{"export_events", f.ExportEvents}, {"anonymized", f.Anonymized},
	} {
		add(flag.name, yes(flag.set))
	}
	for _, list := range f.WithoutList {
		add("without_list", list)
	}
	for _, comparison := range f.WithoutClassifier {
		add("without_classifier", comparison)
	}
	if f.Limit > 0 {
		add("limit", strconv.Itoa(f.Limit))
	}
	add("deleted_nodes", f.DeletedNodes)
	c.table([]string{"filter", "value"}, rows)
}

// counted writes a number of things. All nouns here take an s.
func counted(n int64, noun string) string {
	if n != 1 {
		noun += "s"
	}
	return humanize.Comma(n) + " " + noun
}
