package corpus

import (
	"bytes"
	"errors"
	"strings"
	"unicode/utf8"

	"github.com/go-json-experiment/json/jsontext"
)

// notJSON returns the Fault of a line that is not valid JSON.
func notJSON(line []byte, err error) *Fault {
	switch {
	case nesting(line) > maxNesting:
		return fault(TooDeep, "the line is nested deeper than %d levels of replies", MaxDepth)
	case !utf8.Valid(line):
		return fault(InvalidUTF8, "the line is not valid UTF-8 from byte %d on", validPrefix(line)+1)
	case jsontext.Value(line).IsValid(decoding, jsontext.AllowInvalidUTF8(true)):
		return fault(LoneSurrogate,
			`the line has one half of a surrogate pair (\ud800 to \udfff alone), which is no character`)
	}
	var syntax *jsontext.SyntacticError
	if errors.As(err, &syntax) && syntax.Err != nil {
		why := strings.TrimPrefix(syntax.Err.Error(), "jsontext: ")
		return fault(NotJSON, "the line is not JSON: %s at byte %d", why, syntax.ByteOffset+1)
	}
	return fault(NotJSON, "the line is not JSON: it ends too early")
}

func validPrefix(line []byte) int {
	for i := 0; i < len(line); {
		r, n := utf8.DecodeRune(line[i:])
		if r == utf8.RuneError && n == 1 {
			return i
		}
		i += n
	}
	return len(line)
}

// nesting returns the depth of nested brackets, outside of strings.
func nesting(text []byte) int {
	depth, deepest, inString := 0, 0, false
	for i := 0; i < len(text); i++ {
		switch c := text[i]; {
		case inString:
			if c == '\\' {
				i++
			} else if c == '"' {
				inString = false
			}
		case c == '"':
			inString = true
		case c == '{' || c == '[':
			depth++
			deepest = max(deepest, depth)
		case c == '}' || c == ']':
			depth--
		}
	}
	return deepest
}

// hasNUL reports whether a JSON text has an escaped U+0000 in a string.
func hasNUL(text []byte) bool {
	for {
		at := bytes.Index(text, []byte(`\u0000`))
		if at < 0 {
			return false
		}
		backslashes := 1
		for i := at - 1; i >= 0 && text[i] == '\\'; i-- {
			backslashes++
		}
		if backslashes%2 == 1 {
			return true
		}
		text = text[at+len(`\u0000`):]
	}
}
