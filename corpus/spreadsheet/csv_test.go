package spreadsheet_test

import (
	"encoding/csv"
	"errors"
	"slices"
	"strings"
	"testing"

	"treewarden/corpus/spreadsheet"
)

// TestDefuse checks that no cell of a file is a formula (fault 27).
func TestDefuse(t *testing.T) {
	t.Parallel()
	for cell, want := range map[string]string{
		"": "", "bees": "bees", "a = b": "a = b", "-12.5": "-12.5", "+7": "+7",
		"=1+1": "'=1+1", "+cmd|' /C calc'!A0": "'+cmd|' /C calc'!A0", "-2+3": "'-2+3", "@SUM(1)": "'@SUM(1)",
		"＝1+1": "'＝1+1", "＋1": "'＋1", "－1+1": "'－1+1", "＠SUM(1)": "'＠SUM(1)", "−1+1": "'−1+1",
		"\n=1+1": "'\n=1+1", " =1+1": "' =1+1", "\u00a0\u2003=1": "'\u00a0\u2003=1", "\u200b=1": "'\u200b=1",
		"\ufeff=1": "'\ufeff=1", "\t": "'\t", "\tx": "'\tx", "\r\nx": "'\r\nx", "  bees": "  bees", "\u202e=1": "'\u202e=1",
	} {
		if got := spreadsheet.Defuse(cell); got != want {
			t.Errorf("%q becomes %q, want %q", cell, got, want)
		}
	}
}

// TestLineBreaks writes cells with every line break, in both ways.
func TestLineBreaks(t *testing.T) {
	t.Parallel()
	row := []string{"a\nb", "a\r\nb", "a\rb", `"`, "=1\n"}
	var out strings.Builder
	w := spreadsheet.NewWriter(&out, spreadsheet.AsTheyAre)
	if err := errors.Join(w.Write(row), w.Flush()); err != nil {
		t.Fatal(err)
	}
	if want := "\"a\nb\",\"a\r\nb\",\"a\rb\",\"\"\"\",\"'=1\n\"\n"; out.String() != want {
		t.Errorf("line breaks as they are: %q, want %q", out.String(), want)
	}
	out.Reset()
	if err := spreadsheet.Write(&out, [][]string{row, row}); err != nil {
		t.Fatal(err)
	}
	rows, err := csv.NewReader(strings.NewReader(out.String())).ReadAll()
	if err != nil || len(rows) != 2 || !slices.Equal(rows[0], rows[1]) || rows[1][4] != "'=1\n" {
		t.Errorf("%q is read as %q (%v)", out.String(), rows, err)
	}
	if strings.Count(out.String(), "\n") != strings.Count(out.String(), "\r\n") {
		t.Errorf("some lines do not end with CRLF: %q", out.String())
	}
}

type full struct{}

var errFull = errors.New("the disk is full")

func (full) Write([]byte) (int, error) { return 0, errFull }

// TestFullDisk checks that a failed write is not lost.
func TestFullDisk(t *testing.T) {
	t.Parallel()
	if err := spreadsheet.Write(full{}, [][]string{{"a"}}); !errors.Is(err, errFull) {
		t.Errorf("a full disk: %v", err)
	}
}
