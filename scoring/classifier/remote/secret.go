package remote

import (
	"fmt"
	"io"
	"log/slog"
)

// hidden is what a Secret looks like wherever it is printed.
const hidden = "[hidden]"

// Secret is a key. Printing it, logging it and writing it as JSON gives "[hidden]";
// only a conversion to a string gives the key itself.
type Secret string

func (Secret) String() string { return hidden }

// Format hides the key from every verb. %d and %#v would print it otherwise.
func (Secret) Format(to fmt.State, _ rune) { _, _ = io.WriteString(to, hidden) }

// MarshalJSON hides the key in JSON.
func (Secret) MarshalJSON() ([]byte, error) { return []byte(`"` + hidden + `"`), nil }

// LogValue hides the key in logs.
func (Secret) LogValue() slog.Value { return slog.StringValue(hidden) }
