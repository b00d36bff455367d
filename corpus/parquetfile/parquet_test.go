package parquetfile_test

import (
	"bytes"
	"errors"
	"fmt"
	"math/rand/v2"
	"reflect"
	"strings"
	"testing"

	"github.com/parquet-go/parquet-go"

	"treewarden/corpus"
	"treewarden/corpus/parquetfile"
)

// rows returns rows of every shape: nulls, empty texts and lists, characters of all kinds.
func rows() []corpus.Row {
	name, empty := "+1", ""
	return []corpus.Row{
		{},
		{
			MessageID: new("1"), ParentID: new("2"), UserID: new("3"), CreatedDate: new("2023-01-01"), Text: &empty,
			Role: new("prompter"), Lang: &empty, ReviewCount: new(int32(0)), ReviewResult: new(false), Deleted: new(true),
			Rank: new(int32(7)), Synthetic: new(false), ModelName: &empty, Detoxify: &corpus.RowModel{Insult: new(0.25)},
			TreeID: new("4"), TreeState: new("growing"),
			Emojis: &corpus.RowCount{Name: []*string{}, Count: []*int32{}},
			Labels: &corpus.RowMean{Name: []*string{}, Value: []*float64{}, Count: []*int32{}},
		},
		{
			Text:   new("=cmd\n\"quoted\"\r\n\u202edesrever\u0001 🌳"),
			Emojis: &corpus.RowCount{Name: []*string{&name, &empty}, Count: []*int32{new(int32(9)), new(int32(1))}},
			Labels: &corpus.RowMean{Name: []*string{&name, &empty}, Value: []*float64{nil, new(0.1)},
				Count: []*int32{new(int32(0)), new(int32(3))}},
		},
	}
}

func write(t testing.TB, rows []corpus.Row) []byte {
	t.Helper()
	var out bytes.Buffer
	w := parquetfile.NewWriter(&out)
	for _, row := range rows {
		if err := w.Write(row); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

func read(file []byte) (found []corpus.Row, err error) {
	for row, err := range parquetfile.Rows(bytes.NewReader(file), int64(len(file))) {
		if err != nil {
			return found, err
		}
		found = append(found, row)
	}
	return found, nil
}

// TestRows writes rows and reads them back, in one group and in several.
func TestRows(t *testing.T) {
	t.Parallel()
	long := rows()
	for i := range 600 {
		long = append(long, corpus.Row{MessageID: new(fmt.Sprint(i)), Text: new(strings.Repeat(fmt.Sprint(i, " "), 8000))})
	}
	many := make([]corpus.Row, 25_000)
	for i := range many {
		many[i] = rows()[i%3]
	}
	for name, c := range map[string]struct {
		rows   []corpus.Row
		groups int
	}{"none": {nil, 0}, "a few": {rows(), 1}, "long": {long, 5}, "many": {many, 7}} {
		file := write(t, c.rows)
		found, err := read(file)
		if err != nil || !reflect.DeepEqual(found, c.rows) {
			t.Errorf("%s: %d rows are read as %d others (%v)", name, len(c.rows), len(found), err)
		}
		if !bytes.Equal(file, write(t, c.rows)) {
			t.Errorf("%s: the same rows give other bytes", name)
		}
		about, err := parquet.OpenFile(bytes.NewReader(file), int64(len(file)))
		if err != nil {
			t.Fatal(err)
		}
		if got := len(about.RowGroups()); got != c.groups {
			t.Errorf("%s: %d groups, want %d", name, got, c.groups)
		}
		if by := about.Metadata().CreatedBy; by != "treewarden version 1(build rows)" {
			t.Errorf("the file is made by %q", by)
		}
	}
}

// TestSchema compares the columns with those of the data sets on Hugging Face.
func TestSchema(t *testing.T) {
	t.Parallel()
	file := write(t, rows())
	about, err := parquet.OpenFile(bytes.NewReader(file), int64(len(file)))
	if err != nil {
		t.Fatal(err)
	}
	list := func(name, element string) string {
		return "\t\toptional group " + name + " (LIST) {\n\t\t\trepeated group list {\n\t\t\t\toptional " + element +
			";\n\t\t\t}\n\t\t}\n"
	}
	const text, whole = "binary element (STRING)", "int32 element (INT(32,true))"
	want := "message schema {\n"
	for _, column := range strings.Fields("message_id parent_id user_id created_date text role lang review_count:int32 " +
		"review_result:boolean deleted:boolean rank:int32 synthetic:boolean model_name") {
		name, kind, _ := strings.Cut(column, ":")
		want += "\toptional " + map[string]string{
			"": "binary " + name + " (STRING)", "int32": "int32 " + name + " (INT(32,true))", "boolean": "boolean " + name,
		}[kind] + ";\n"
	}
	want += "\toptional group detoxify {\n"
	const outputs = "toxicity severe_toxicity obscene identity_attack insult threat sexual_explicit"
	for _, output := range strings.Fields(outputs) {
		want += "\t\toptional double " + output + ";\n"
	}
	want += "\t}\n" +
		"\toptional binary message_tree_id (STRING);\n\toptional binary tree_state (STRING);\n" +
		"\toptional group emojis {\n" + list("name", text) + list("count", whole) + "\t}\n" +
		"\toptional group labels {\n" + list("name", text) + list("value", "double element") + list("count", whole) + "\t}\n}"
	if got := about.Schema().String(); got != want {
		t.Errorf("the columns are\n%s\nwant\n%s", got, want)
	}
}

// TestDamagedFiles reads files that are cut, changed at random, or of other columns.
func TestDamagedFiles(t *testing.T) {
	t.Parallel()
	file := write(t, rows())
	var other bytes.Buffer
	if err := parquet.Write(&other, []struct{ Text string }{{"a"}}); err != nil {
		t.Fatal(err)
	}
	for name, damaged := range map[string][]byte{
		"empty": nil, "cut": file[:len(file)-1], "no Parquet": []byte("PAR1 is not all of it PAR1"), "other": other.Bytes(),
	} {
		if found, err := read(damaged); !errors.Is(err, parquetfile.ErrFormat) {
			t.Errorf("%s: %d rows, %v", name, len(found), err)
		}
	}
	random := rand.New(rand.NewPCG(1, 2))
	for range 300 {
		damaged := bytes.Clone(file)
		damaged[random.IntN(len(file))] ^= 1 << random.IntN(8)
		if _, err := read(damaged); err != nil && !errors.Is(err, parquetfile.ErrFormat) {
			t.Errorf("a changed file: %v", err)
		}
	}
}

type disk struct{}

var errDisk = errors.New("the disk is broken")

func (disk) ReadAt([]byte, int64) (int, error) { return 0, errDisk }

func (disk) Write([]byte) (int, error) { return 0, errDisk }

// TestBrokenDisk checks that an error of the disk stays one.
func TestBrokenDisk(t *testing.T) {
	t.Parallel()
	for _, err := range parquetfile.Rows(disk{}, 1000) {
		if !errors.Is(err, errDisk) || errors.Is(err, parquetfile.ErrFormat) {
			t.Errorf("a broken disk: %v", err)
		}
	}
	w := parquetfile.NewWriter(disk{})
	if err := errors.Join(w.Write(corpus.Row{}), w.Close()); !errors.Is(err, errDisk) {
		t.Errorf("a broken disk: %v", err)
	}
}
