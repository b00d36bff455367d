package fold

import (
	"testing"
	"unicode/utf8"
)

func TestFold(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		"Straße":                    "strasse",
		"ﬁn Ａ①":                     "fin a1",
		"cafe\u0301":                "caf\u00e9",
		"İstanbul":                  "istanbul",
		"ΆΣ άς":                     "ασ ασ",
		"مُـحَمَّد":                 "محمد",
		"שָׁלוֹם":                   "שלום",
		"za\u200bp\u00ad":           "zap",
		"作为 AI 模型":                  "作为ai模型",
		"\xff":                      "\ufffd",
		"\u0e01\u0e49 \u0e01\u0e4a": "\u0e01\u0e49 \u0e01\u0e4a",
	} {
		f := Get()
		f.Fold(text)
		got, end := "", uint32(0)
		for _, u := range f.Units {
			got += string(u.Rune)
			if u.From > u.To || u.To < end || !utf8.RuneStart((text + " ")[u.To]) && utf8.ValidString(text) {
				t.Errorf("%q: the offsets %d to %d come after %d", text, u.From, u.To, end)
			}
			end = u.To
		}
		f.Release()
		if got != want {
			t.Errorf("%q becomes %q, want %q", text, got, want)
		}
	}
}

func BenchmarkTable(b *testing.B) {
	for b.Loop() {
		buildProperties()
	}
}
