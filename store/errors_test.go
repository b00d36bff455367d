package store

import "testing"

// TestInvalidNamesFieldsInWords checks that the message has the names of fields
// as words, not as JSON keys.
func TestInvalidNamesFieldsInWords(t *testing.T) {
	t.Parallel()
	for want, wrong := range map[string]Invalid{
		"display name: must be given":                   {"display_name": "must be given"},
		"reason: Short.; weights, red flags: Too much.": {"weights.red_flags": "Too much.", "reason": "Short."},
		"weights, nonsense: What?":                      {"weights[nonsense]": "What?"},
	} {
		if got := wrong.Error(); got != want {
			t.Errorf("%q, want %q", got, want)
		}
	}
}
