package corpus_test

import (
	"errors"
	"io"
	"strings"
	"testing"

	"treewarden/corpus"
)

// TestOtherFormats (fault 26) reads files that are not JSON Lines: each gives one
// fault that says what the file is and what to do.
func TestOtherFormats(t *testing.T) {
	t.Parallel()
	for text, want := range map[string][]string{
		"{\n  \"message_id\": \"x\",\n  \"text\": \"y\"\n}\n": {"JSON over several lines", "jq -c ."},
		"[\n  {\n    \"text\": \"y\"\n  }\n]\n":               {"JSON array over several lines", "jq -c '.[]'"},
		"version https://git-lfs.github.com/spec/v1\noid sha256:1\nsize 3\n": {"Git LFS pointer",
			"git lfs pull"},
	} {
		r := corpus.NewReader(strings.NewReader(text), "a.json")
		_, err := r.Next()
		var f *corpus.Fault
		if !errors.As(err, &f) || f.Code != corpus.OtherFormat || f.Line != 1 {
			t.Errorf("%q: %v", text, err)
			continue
		}
		for _, words := range want {
			if !strings.Contains(f.Error(), words) {
				t.Errorf("%q: %v lacks %q", text, f, words)
			}
		}
		if _, err := r.Next(); !errors.Is(err, io.EOF) {
			t.Errorf("%q: after the fault: %v", text, err)
		}
	}
	// A broken first line alone does not end the file.
	r := corpus.NewReader(strings.NewReader("{\n{\"x\": 1}\n"), "a.jsonl")
	for range 2 {
		if _, err := r.Next(); err == nil || errors.Is(err, io.EOF) {
			t.Errorf("%v", err)
		}
	}
}
