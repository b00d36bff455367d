package rule

import (
	"errors"
	"regexp"
	"regexp/syntax"
	"strings"
	"unicode/utf8"
)

type regex struct{ *regexp.Regexp }

// compileRegex makes a regular expression ready; nil for "".
func compileRegex(pattern string) (*regex, error) {
	if pattern == "" {
		return nil, nil
	}
	compiled, err := CompileRegex("", pattern)
	if err != nil {
		return nil, err
	}
	return &regex{compiled}, nil
}

// CompileRegex compiles a regular expression with flags such as "(?i)" before it.
// Its error is an *Error: the expression is too long, wrong, or matches the empty
// text.
func CompileRegex(flags, pattern string) (*regexp.Regexp, error) {
	if n := utf8.RuneCountInString(pattern); n > MaxRegexLength {
		return nil, wrong(Regex, "it has %d characters, %d is the most: shorten it, or use words for a list",
			n, MaxRegexLength)
	}
	tree, err := syntax.Parse(pattern, syntax.Perl)
	if err != nil {
		return nil, explain(pattern, err)
	}
	if !consumes(tree) {
		return nil, wrong(Regex, "it matches the empty text, which is in every message: "+
			"ask for at least one character, for example with + in place of *")
	}
	compiled, err := regexp.Compile(flags + pattern)
	if err != nil {
		return nil, explain(pattern, err)
	}
	return compiled, nil
}

// match appends the first matches.
func (r *regex) match(found []Match, text string) []Match {
	for _, at := range r.FindAllStringIndex(text, MaxRegexFound) {
		found = append(found, Match{Part: Regex, What: shorten(text[at[0]:at[1]]), Start: at[0], End: at[1]})
	}
	return found
}

// consumes reports whether each match has at least one character.
func consumes(tree *syntax.Regexp) bool {
	switch tree.Op {
	case syntax.OpLiteral, syntax.OpCharClass, syntax.OpAnyChar, syntax.OpAnyCharNotNL, syntax.OpNoMatch:
		return true
	case syntax.OpPlus, syntax.OpCapture:
		return consumes(tree.Sub[0])
	case syntax.OpRepeat:
		return tree.Min > 0 && consumes(tree.Sub[0])
	case syntax.OpConcat:
		for _, sub := range tree.Sub {
			if consumes(sub) {
				return true
			}
		}
		return false
	case syntax.OpAlternate:
		for _, sub := range tree.Sub {
			if !consumes(sub) {
				return false
			}
		}
		return true
	}
	return false
}

// regexFaults says in plain words what is wrong with an expression.
var regexFaults = map[syntax.ErrorCode]string{
	syntax.ErrInvalidCharClass:      "a set in [ ] is not possible",
	syntax.ErrInvalidCharRange:      "a range in [ ] is not possible; its ends may be the wrong way round",
	syntax.ErrInvalidEscape:         `there is no such escape; RE2 has no \1 for what matched before`,
	syntax.ErrInvalidNamedCapture:   "the name of a group is not possible",
	syntax.ErrInvalidPerlOp:         "there is no such group; RE2 cannot look ahead or behind",
	syntax.ErrInvalidRepeatOp:       "two signs of repetition stand side by side",
	syntax.ErrInvalidRepeatSize:     "a number of repetitions is not possible; 1000 is the most",
	syntax.ErrInvalidUTF8:           "a character is broken",
	syntax.ErrMissingBracket:        "a [ has no ]",
	syntax.ErrMissingParen:          "a ( has no )",
	syntax.ErrMissingRepeatArgument: `nothing to repeat stands before this sign; write \ before it for the sign itself`,
	syntax.ErrTrailingBackslash:     "the backslash at the end has nothing after it",
	syntax.ErrUnexpectedParen:       "a ) has no (",
	syntax.ErrNestingDepth:          "groups are nested too deep",
	syntax.ErrLarge:                 "with its repetitions it becomes too large; use smaller numbers",
}

// explain says what is wrong with an expression, and at which character.
func explain(pattern string, err error) error {
	var fault *syntax.Error
	if !errors.As(err, &fault) || regexFaults[fault.Code] == "" {
		return wrong(Regex, "it is not possible: %v", err)
	}
	if strings.HasPrefix(fault.Expr, "(?<=") || strings.HasPrefix(fault.Expr, "(?<!") {
		fault.Code = syntax.ErrInvalidPerlOp // syntax takes it for the name of a group
	}
	at := strings.LastIndex(pattern, fault.Expr)
	switch fault.Code {
	case syntax.ErrMissingParen, syntax.ErrUnexpectedParen:
		at = unbalanced(pattern)
	case syntax.ErrTrailingBackslash:
		at = len(pattern) - 1
	case syntax.ErrLarge, syntax.ErrNestingDepth:
		at = -1
	}
	if at < 0 {
		return wrong(Regex, "%s", regexFaults[fault.Code])
	}
	return wrong(Regex, "at character %d, %q: %s",
		utf8.RuneCountInString(pattern[:at])+1, shorten(pattern[at:]), regexFaults[fault.Code])
}

// unbalanced returns the offset of the first ) without ( or, without one, of the
// last ( without ). It knows escapes and simple sets.
func unbalanced(pattern string) int {
	var open []int
	set := false
	for i := 0; i < len(pattern); i++ {
		switch c := pattern[i]; {
		case c == '\\':
			i++
		case c == '[':
			set = true
		case c == ']':
			set = false
		case c == '(' && !set:
			open = append(open, i)
		case c == ')' && !set && len(open) == 0:
			return i
		case c == ')' && !set:
			open = open[:len(open)-1]
		}
	}
	if len(open) == 0 {
		return -1
	}
	return open[len(open)-1]
}
