package corpus

import (
	"fmt"
	"strings"
	"unicode"
)

// The codes of faults, for programs. A Fault's message is for people; its words
// are where the line is refused, in parse.go, node.go and value.go.
const (
	NotJSON       = "not_json"
	TooLong       = "too_long"
	TooDeep       = "too_deep"
	TooMany       = "too_many"
	InvalidUTF8   = "invalid_utf8"
	LoneSurrogate = "lone_surrogate"
	NUL           = "nul_character"
	UnknownShape  = "unknown_shape"
	MissingField  = "missing_field"
	WrongType     = "wrong_type"
	WrongValue    = "wrong_value"
	UnknownRole   = "unknown_role"
	UnknownState  = "unknown_state"
	BadID         = "bad_id"
	BadDate       = "bad_date"
	RepeatedID    = "repeated_id"
	RepeatedKey   = "repeated_key"
	WrongTree     = "wrong_tree"
	UserErased    = "user_erased"
	Cycle         = "cycle"
	WrongParent   = "wrong_parent"
	Orphan        = "orphan"
	Conflict      = "conflict"
	Unreadable    = "unreadable"
	OtherFormat   = "other_format" // of the whole file
)

// Fault describes a refused line. The reader continues with the next line.
type Fault struct {
	File    string `json:"file,omitempty"`
	Line    int    `json:"line"`
	Code    string `json:"code"`
	Message string `json:"message"`
	// Size is the line's length in bytes with its end.
	Size int `json:"-"`
}

func (f *Fault) Error() string {
	if f.File == "" {
		return fmt.Sprintf("line %d: %s", f.Line, f.Message)
	}
	return fmt.Sprintf("%s, line %d: %s", f.File, f.Line, f.Message)
}

// fault returns a Fault; the reader adds its position.
func fault(code, format string, args ...any) *Fault {
	return &Fault{Code: code, Message: fmt.Sprintf(format, args...)}
}

// clip shortens a quoted text.
func clip(s string) string {
	const most = 80
	if len(s) <= most {
		return s
	}
	cut := most
	for cut > 0 && s[cut]&0xC0 == 0x80 { // not inside a character
		cut--
	}
	return s[:cut] + "…"
}

// printable replaces characters of a quoted text that could disturb a terminal.
func printable(s string) string {
	return strings.Map(func(r rune) rune {
		if unicode.IsPrint(r) {
			return r
		}
		return unicode.ReplacementChar
	}, s)
}
