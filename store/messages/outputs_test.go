package messages

import "testing"

func TestNearest(t *testing.T) {
	names := []string{"detoxify.insult", "detoxify.obscene", "detoxify.toxicity", "other.toxicity"}
	for name, want := range map[string]string{"detoxify.toxicty": "detoxify.toxicity", "detoxfy.insult": "detoxify.insult",
		"Detoxify.obscene": "detoxify.obscene", "othr.toxicity": "other.toxicity"} {
		if got := Nearest(name, names); len(got) != 3 || got[0] != want {
			t.Errorf("%s: %v, want %s first", name, got, want)
		}
	}
	if got := Nearest("x", nil); len(got) != 0 {
		t.Errorf("nearest of nothing: %v", got)
	}
}
