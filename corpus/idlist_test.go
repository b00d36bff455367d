package corpus

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"strings"
	"testing"
	"testing/iotest"
	"unicode/utf16"
	"unicode/utf8"

	"github.com/google/uuid"
)

const id3 = "0f3a7b1c-5d2e-4f60-8a9b-0c1d2e3f4a5b"

// ids makes the ids short in a text, so that cases are easy to read: 1, 2 and 3
// after a dollar sign.
var ids = strings.NewReplacer("$1", id1, "$2", id2, "$3", id3)

// listing returns what was read as a text: "line id note" for an item, "line! text"
// for a fault.
func listing(items []IDItem, faults []IDFault) string {
	short := strings.NewReplacer(id1, "$1", id2, "$2", id3, "$3")
	var lines []string
	for _, item := range items {
		lines = append(lines, strings.TrimSpace(fmt.Sprintf("%d %s %s", item.Line, item.ID, item.Note)))
	}
	for _, f := range faults {
		lines = append(lines, fmt.Sprintf("%d! %s", f.Line, f.Text))
	}
	return short.Replace(strings.Join(lines, "\n"))
}

func readIDs(t testing.TB, text string) ([]IDItem, []IDFault) {
	t.Helper()
	items, faults, err := ReadIDs(strings.NewReader(text), 1000)
	if err != nil {
		t.Fatal(err)
	}
	return items, faults
}

func TestReadIDs(t *testing.T) {
	upper, bare := strings.ToUpper(id3), strings.ReplaceAll(id3, "-", "")
	for _, c := range []struct{ name, text, want string }{
		{"nothing", "", ""},
		{"an id a line", "$1\n$2\n", "1 $1\n2 $2"},
		{"CRLF", "$1\r\n$2\r\n", "1 $1\n2 $2"},
		{"CR", "$1\r$2", "1 $1\n2 $2"},
		{"mixed ends", "$1\r\n\n\r$2", "1 $1\n4 $2"},
		{"several a line", "$1 $2\t$3", "1 $1\n1 $2\n1 $3"},
		{"between commas", "$1,$2, $3,", "1 $1\n1 $2\n1 $3"},
		{"between semicolons", ";$1;$2;", "1 $1\n1 $2"},
		{"blank lines", "\n \n\t\n\u00a0\n\u200b\n$1\n", "6 $1"},
		{"comments", "# $2\n  # $3\n$1\n#\"\n#,\"\n$2", "3 $1\n6 $2"},
		{"twice", "$1\n$1", "1 $1\n2 $1"},

		{"upper case", upper, "1 $3"},
		{"no dashes", bare, "1 $3"},
		{"braces", "{$3}", "1 $3"},
		{"urn", "urn:uuid:$3 URN:UUID:$1", "1 $3\n1 $1"},
		{"quotes", "'$1' \"$2\" “$3”", "1 $1\n1 $2\n1 $3"},
		{"brackets", "[$1] <$2> ($3)", "1 $1\n1 $2\n1 $3"},
		{"JSON", "[\"$1\", \"$2\",\n\"$3\"]", "1 $1\n1 $2\n2 $3"},
		{"JSON on lines", "[\n  \"$1\",\n  \"$2\"\n],", "2 $1\n3 $2"},
		{"Python", "{'$1', '$2'}", "1 $1\n1 $2"},
		{"SQL", "('$1'),\n('$2');", "1 $1\n2 $2"},
		{"Excel's text", "=\"$1\"\n\"=\"\"$2\"\"\";spam", "1 $1\n2 $2 spam"},
		{"bullets", "- $1\n* $2\n1. $3\n2) $1", "1 $1\n2 $2\n3 $3\n4 $1"},
		{"invisible around", "\u200b$1\u00ad\n\u00a0$2\u00a0\n\u2060$3\ufeff spam", "1 $1\n2 $2\n3 $3 spam"},
		{"a quoted id a line break", "\"$1\n$2\"", "1 $1\n2 $2"},

		{"address", "https://x.example/messages/$1?x=1\nhttp://x/messages/$2/history", "1 $1\n2 $2"},
		{"address of a place", "https://x/trees/$1#m-$2 spam\n/messages/$3", "1 $2 spam\n2 $3"},
		{"address with the id asked for", "https://x/find?q=1&id=$1", "1 $1"},
		{"address of a user", "https://x/users/$1", "1! https://x/users/$1"},
		{"address of two", "https://x/$1/$2", "1! https://x/$1/$2"},
		{"address without an id", "https://x/messages/", "1! https://x/messages/"},

		{"note", "$1  - spam, see tree", "1 $1 spam, see tree"},
		{"note after a colon", "$1: spam; bad\n$2 – a – b", "1 $1 spam; bad\n2 $2 a – b"},
		{"note of numbers", "$1 12 2023-04-05T10:00:00.123456+00:00", "1 $1 12 2023-04-05T10:00:00.123456+00:00"},
		{"note on another id", "$1 like $2", "1 $1 like $2"},
		{"note in quotes", "$1, \"spam, \"\"x\"\"\"", "1 $1 spam, \"x\""},
		{"a quote in a note", "$1 6\" long\n$2, \"a\" b", "1 $1 6\" long\n2 $2 \"a\" b"},
		{"a quote that is not closed", "$1,\"spam\n$2", "1 $1 \"spam\n2 $2"},
		{"ids and a text", "$1 $2 spam", "1! $1 $2 spam"},
		{"text before", "please not $1", "1! please not $1"},

		{"commas", "$1,spam\n$2,a;b", "1 $1 spam\n2 $2 a;b"},
		{"semicolons", "$1;spam, bad\n$2;", "1 $1 spam, bad\n2 $2"},
		{"tabs", "$1\tspam; bad, too\n\t$2\t\tx\t", "1 $1 spam; bad, too\n2 $2 x"},
		{"spaces beside", "$1 , \"a, b\" , c", "1 $1 a, b c"},
		{"a later cell", "\"a, b\";$1;c", "1 $1 a, b c"},
		{"a user's id beside", "$1,$2,spam", "1 $1 $2 spam"},
		{"a broken id in the first cell", id1[1:] + ",$2,spam", "1! " + id1[1:] + ",$2,spam"},
		{"a note of lines", "$1;\"a\r\nb \"\"c\"\"\"\r\n$2;d", "1 $1 a\nb \"c\"\n3 $2 d"},
		{"a comment within a note", "$1;\"a\n# b\"\n$2", "1 $1 a\n# b\n3 $2"},
		{"quotes that are closed too late", "$1,\"a\n$2,b\"\n$3", "3 $3\n1! $1,\"a $2,b\""},
		{"sep=", "sep=;\r\n$1;a,b\r\nx;$2", "2 $1 a,b\n3 $2 x"},
		{"sep= in quotes", "\"SEP=,\"\n$1,a;b", "2 $1 a;b"},
		{"sep= later", "$1\nsep=;", "1 $1\n2! sep=;"},
		{"a table of Markdown", "| id | note |\n|---|---|\n| $1 | spam |", "3 $1 spam"},

		{"titles", "message_id;note\n$1;spam", "2 $1 spam"},
		{"titles in another order", "note,lang,Message ID\nspam,en,$1\n,,$2", "2 $1 spam\n3 $2"},
		{"a title", "id\n$1\n$2", "2 $1\n3 $2"},
		{"a title in quotes", "\"UUID\"\n\"$1\"", "2 $1"},
		{"titles after comments", "# a\n\nmessage-id\treason\n$1\tspam", "4 $1 spam"},
		{"titles after sep=", "sep=,\nuuid,comment\n$1,\"a,b\"", "3 $1 a,b"},
		{"the likeliest column", "id,message_id\n1,$1", "2 $1"},
		{"titles without a note", "UUID;Action;Find\n$1;Delete;x", "2 $1"},
		{"titles without an id", "note;Kennung\na;$1", "2 $1 a"},
		{"titles nobody knows", "Kennung;Notiz\n$1;a", "2 $1 a\n1! Kennung;Notiz"},
		{"titles after an id", "$1\nid;note", "1 $1\n2! id;note"},
		{"a first row with a broken id", "x;" + id1[1:], "1! x;" + id1[1:]},
		{"a table's short row", "note;lang;id;x\na;b\n;;$1", "3 $1\n2! a;b"},
		{"a table's blank row", "id;note\n;\n$1;", "3 $1"},
		{"a table's comment", "id;note\n#$2;\n$1;", "3 $1"},
		{"a table's long row", "id,note\n$1,a,b\n$2,a,,", "3 $2 a\n2! $1,a,b"},
		{"a table without an id", "id,note,x\n,a,$2\nspam,,", "2! ,a,$2\n3! spam,,"},
		{"a table's ids", "id,note\n$1 $2,a", "2 $1 a\n2 $2 a"},
		{"a table's id with a note", "id,note\n$1 (deleted),a\n$2 $3 x,", "2 $1 (deleted) a\n3! $2 $3 x,"},
		{"a table's note on another id", "id,note\n$1,$2", "2 $1 $2"},
		{"a table's long note", "id,note\n$1,\"a\n$2\"\n$3,", "4 $3\n2! $1,\"a $2\""},
		{"a table with another separator", "id,note\n$1;a", "2 $1 a"},
		{"a table's unused text of lines", "id,text,note\n$1,\"a\n\nb\",c\n$2,,", "2 $1 c\n5 $2"},
	} {
		t.Run(c.name, func(t *testing.T) {
			items, faults := readIDs(t, ids.Replace(c.text))
			want := strings.ReplaceAll(c.want, id3, "$3")
			if got := listing(items, faults); got != want {
				t.Errorf("read %q as\n%s\nwant\n%s", c.text, got, want)
			}
		})
	}
}

func TestWhyNoID(t *testing.T) {
	bare := strings.ReplaceAll(id3, "-", "")
	for _, c := range []struct{ text, why string }{
		{"$1$2", "Two ids without a separator: put a comma or a line break after " + id1 + "."},
		{bare + bare, "Two ids without a separator: put a comma or a line break after " + id3 + "."},
		{"$1\u200b$2", "Two ids without a separator"},
		{"$1$2$3", "Several ids without a separator"},
		{"$1;$2$3", "Two ids without a separator"},
		{"{$1}{$2}", "joined to other characters"},
		{"$1spam", "joined to other characters"},
		{"$1/spam", "joined to other characters"},
		{"message_id:$1", "joined to other characters"},
		{id3[:35], "cut short: it has 31 of 32 digits"},
		{id3[:13], "cut short: it has 12 of 32 digits"},
		{id3 + "0", "too long: it has 33 digits"},
		{id3[:8] + id3[9:], "dashes of the id are not in their places"},
		{strings.ReplaceAll(id3, "-", "–"), "dashes of the id are typographic ones"},
		{"O" + id3[1:], "the letter O. Write the digit 0"},
		{"0l" + id3[2:], "the letter l. Write the digit 1"},
		{"g" + id3[1:], "holds 'g', but an id has only"},
		{"1.23E+35", "A spreadsheet has made a number of the id."},
		{"1,23E+35", "A spreadsheet has made a number of the id."},
		{"1.23E+35;spam", "A spreadsheet has made a number of the id."},
		{id3[:8] + "…", "shortened"},
		{id3[:18] + "...", "shortened"},
		{id3[:8] + "…" + id3[30:], "shortened"},
		{"00000000-0000-0000-0000-000000000000", "nil id"},
		{strings.Repeat("0", 32), "nil id"},
		{id3[:20] + "\u00ad" + id3[20:], "invisible character stands inside"},
		{"$1 \xff", "not UTF-8"},
		{"$1\x00", "NUL"},
		{"spam", whyWord},
		{"spam and ham", whyWord},
		{"and/or", whyWord},
		{"please not $1", "Text stands before the id."},
		{"$1 $2 spam", "several ids and a text"},
		{"$1," + strings.Repeat("é", MaxIDNote+1), "The note is longer than 500 characters."},
		{"spam, like " + id3[:35], "cut short: it has 31 of 32 digits"},
		{"https://x/users/$1", "the address of a user"},
		{"https://x/$1/$2", "several ids"},
		{"https://x/", "The address holds no id."},
		{"$1;\"a\n$2\"", "Quotes go over several lines"},
	} {
		// The first line keeps the second from being taken for titles.
		_, faults := readIDs(t, ids.Replace("$3\n"+c.text))
		if len(faults) != 1 || faults[0].Line != 2 || !strings.Contains(faults[0].Why, c.why) {
			t.Errorf("%q has the faults %+v, want %q", c.text, faults, c.why)
			continue
		}
		why := faults[0].Why
		if why[0] < 'A' || why[0] > 'Z' || !strings.HasSuffix(why, ".") || len(why) > 120 {
			t.Errorf("the reason %q is no short sentence", why)
		}
	}
}

func TestWhyNoTable(t *testing.T) {
	for _, c := range []struct{ text, why string }{
		{"Kennung;Notiz", whyTitles},
		{"spam", whyTitles},
		{"id;note\n;a", whyNoColumn},
		{"id,note\n" + id1 + ",a,b", whyMore},
		{"id,note\nspam,a", whyWord},
		{"id,note\n" + id1 + ",\"a\n" + id2 + "\"", whyQuotes},
		{"PK\x03\x04\x14\x00\n\xff\nx", whyWorkbook},
		{"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1\nx", whyWorkbook},
	} {
		if _, faults := readIDs(t, c.text); len(faults) != 1 || faults[0].Why != c.why {
			t.Errorf("%q has the faults %+v, want %q", c.text, faults, c.why)
		}
	}
}

// utf16Text is a text as Excel's "Unicode text".
func utf16Text(order binary.AppendByteOrder, text string) []byte {
	var out []byte
	for _, unit := range utf16.Encode([]rune("\ufeff" + text)) {
		out = order.AppendUint16(out, unit)
	}
	return out
}

func TestReadIDsEncodings(t *testing.T) {
	text := ids.Replace("message_id\tnote\r\n$1\t\"größer, 😀\"\r\n")
	for _, c := range []struct {
		name string
		text []byte
	}{
		{"UTF-8", []byte(text)},
		{"UTF-8 with a mark", []byte("\ufeff" + text)},
		{"UTF-16LE", utf16Text(binary.LittleEndian, text)},
		{"UTF-16BE", utf16Text(binary.BigEndian, text)},
	} {
		// A byte at a time, no character may be torn.
		items, faults, err := ReadIDs(iotest.OneByteReader(bytes.NewReader(c.text)), 1)
		if got := listing(items, faults); err != nil || got != "2 $1 größer, 😀" {
			t.Errorf("%s is read as %s (%v)", c.name, got, err)
		}
	}
	torn := utf16Text(binary.LittleEndian, id1)
	if _, faults := readIDs(t, string(torn[:len(torn)-1])); len(faults) != 1 || faults[0].Why != whyEncoding {
		t.Errorf("half a character has the faults %+v", faults)
	}
}

func TestReadIDsLimit(t *testing.T) {
	for text, limit := range map[string]int{"$1\n$2": 1, "$1 $1": 1, "$1": 0, "$1\nx\ny": 1} {
		items, faults, err := ReadIDs(strings.NewReader(ids.Replace(text)), limit)
		var many *TooManyIDsError
		said := fmt.Sprintf("more than %d ids", limit)
		if !errors.As(err, &many) || !strings.Contains(many.Error(), said) || items != nil || faults != nil {
			t.Errorf("%q with at most %d: %v, %v, %v", text, limit, items, faults, err)
		}
		if _, _, err := ReadIDs(strings.NewReader(ids.Replace(text)), 2); err != nil {
			t.Errorf("%q with at most 2: %v", text, err)
		}
	}
}

func TestReadIDsPassesErrorsOn(t *testing.T) {
	broken := errors.New("broken")
	_, _, err := ReadIDs(io.MultiReader(strings.NewReader(id1), iotest.ErrReader(broken)), 10)
	if !errors.Is(err, broken) {
		t.Errorf("the error is %v", err)
	}
}

func TestIDNotesAndFaultTexts(t *testing.T) {
	note := strings.Repeat("é", MaxIDNote)
	if items, _ := readIDs(t, id1+";"+note); len(items) != 1 || items[0].Note != note {
		t.Errorf("a note of %d characters is read as %+v", MaxIDNote, items)
	}
	for text, want := range map[string]string{
		strings.Repeat("é", 200): strings.Repeat("é", 200),
		strings.Repeat("é", 201): strings.Repeat("é", 199) + "…",
		"a\tb\u00a0 c\x00\xff":   "a b c��",
	} {
		if _, faults := readIDs(t, text); len(faults) != 1 || faults[0].Text != want {
			t.Errorf("%q is quoted as %+v", text, faults)
		}
	}
}

// TestEveryLineIsNamed puts lines of known kinds together at random. Each is an
// item, a fault or nothing, and none changes what another is.
func TestEveryLineIsNamed(t *testing.T) {
	kinds := []struct{ text, want string }{
		{"", ""}, {"  ", ""}, {"# note", ""}, {"[", ""}, {"],", ""}, {";;", ""},
		{"$1", "%d $1"}, {"\"$2\",", "%d $2"}, {"$1 - a, b", "%d $1 a, b"}, {"$2;\"a;\"\"b\"", "%d $2 a;\"b"},
		{"$3,\"a\nb\"", "%d $3 a\nb"}, {"https://x/messages/$1", "%d $1"},
		{"word", "%d! word"}, {"$1$2", "%d! $1$2"}, {"a $1", "%d! a $1"}, {id1[1:], "%d! " + id1[1:]}, {"\x00", "%d! �"},
	}
	random := rand.New(rand.NewPCG(1, 2))
	for range 2000 {
		text, line := "$3\n", 2 // no row of titles
		items, faults := []string{"1 $3"}, []string(nil)
		for range random.IntN(8) {
			kind := kinds[random.IntN(len(kinds))]
			switch {
			case strings.Contains(kind.want, "!"):
				faults = append(faults, fmt.Sprintf(kind.want, line))
			case kind.want != "":
				items = append(items, fmt.Sprintf(kind.want, line))
			}
			text += kind.text + []string{"\n", "\r\n"}[random.IntN(2)]
			line += 1 + strings.Count(kind.text, "\n")
		}
		want := strings.Join(append(items, faults...), "\n")
		if got := listing(readIDs(t, ids.Replace(text))); got != want {
			t.Fatalf("read %q as\n%s\nwant\n%s", text, got, want)
		}
	}
}

func FuzzReadIDs(f *testing.F) {
	for _, seed := range []string{
		"$1\n$2 spam", "sep=;\r\nid;note\r\n$1;\"a\r\n\"\"b\"", "[\"$1\", '$2']", "https://x/trees/$1#m-$2",
		"$1$2", "1.23E+35\n\x00\n\xff", "\xff\xfe1\x00", "note,id\n\"a\n$1\",$2", "# a\r| $1 |\r1. $2\u200b",
	} {
		f.Add([]byte(ids.Replace(seed)))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		items, faults, err := ReadIDs(bytes.NewReader(text), 1<<20)
		if err != nil {
			t.Fatal(err)
		}
		last := 1 + bytes.Count(text, []byte("\n")) + bytes.Count(text, []byte("\r"))
		named := map[int]bool{}
		for _, item := range items {
			named[item.Line] = true
			again, _, err := ReadIDs(strings.NewReader(item.ID.String()), 1)
			if err != nil || len(again) != 1 || again[0].ID != item.ID || item.ID == uuid.Nil {
				t.Fatalf("%v is read again as %v (%v)", item, again, err)
			}
			if item.Line < 1 || item.Line > last || !utf8.ValidString(item.Note) {
				t.Fatalf("the text has %d lines, the item is %+v", last, item)
			}
		}
		for _, fault := range faults {
			named[fault.Line] = true
			if fault.Line < 1 || fault.Line > last || fault.Why == "" || !utf8.ValidString(fault.Text) {
				t.Fatalf("the text has %d lines, the fault is %+v", last, fault)
			}
		}
		checkNamed(t, text, named)
	})
}

// checkNamed checks that each line with a letter or digit is named, in a text whose
// rows are lines and that has neither titles nor another encoding.
func checkNamed(t *testing.T, text []byte, named map[int]bool) {
	if bytes.ContainsAny(text, "\"\xff\xfe\xfd\x03\xe0") || bytes.Contains(text, []byte("=")) {
		return
	}
	titles := false
	for i, line := range strings.Split(lineEnds.Replace(string(text)), "\n") {
		if isComment(line) || trimMarks(line) == "" || named[i+1] {
			continue
		}
		if titles {
			t.Fatalf("line %d of %q is not named", i+1, text)
		}
		titles = true
	}
}

func BenchmarkReadIDs(b *testing.B) {
	random := rand.New(rand.NewPCG(1, 2))
	id := func() uuid.UUID {
		var id uuid.UUID
		binary.NativeEndian.PutUint64(id[:], random.Uint64())
		binary.NativeEndian.PutUint64(id[8:], random.Uint64())
		return id
	}
	const most = 100_000
	write := func(format string) string {
		var text strings.Builder
		for range most {
			fmt.Fprintf(&text, format, id())
		}
		return text.String()
	}
	for _, c := range []struct{ name, text string }{
		{"lines", write("%s\n")},
		{"one line", write("%s, ")},
		{"CSV", "message_id;note\n" + write("%s;\"spam, see \"\"tree\"\"\"\n")},
		{"notes", write("%s - spam, see the tree\n")},
		{"addresses", write("https://treewarden.example/messages/%s?tab=history\n")},
		{"faults", write("x%s\n")},
		{"open quotes", write("%s,\"\"\"a\n")},
		{"quotes", strings.Repeat("\",\"\n", most)},
		{"a long word", strings.Repeat("0a", 18*most)},
		{"a long row", strings.Repeat("\"a ,", 9*most)},
	} {
		b.Run(c.name, func(b *testing.B) {
			b.SetBytes(int64(len(c.text)))
			for b.Loop() {
				if _, _, err := ReadIDs(strings.NewReader(c.text), most); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
