package markup

import "strings"

// The limits from which a text is shown as it is instead of as Markdown. The
// texts of people are far below them (the maximum in OASST: 10 kB, 250 emphasis
// marks, 50 brackets, 26 table cells). Above them the parser takes time in the
// square of the text, a table of few pipes fills the memory, and a browser gets
// hundreds of nested elements.
const (
	maxBytes    = 50_000
	maxMarks    = 3_000  // characters that may open or close emphasis
	maxBrackets = 1_000  // characters that may open a link
	maxCells    = 20_000 // lines times the most pipes in one of them
	maxNesting  = 40     // quotes and lists inside each other
)

// hostile reports whether a text would overload a parser or a browser.
func hostile(text string) bool {
	if len(text) > maxBytes {
		return true
	}
	var marks, brackets, lines, pipes int
	for line := range strings.Lines(text) {
		lines++
		pipes = max(pipes, strings.Count(line, "|"))
		brackets += strings.Count(line, "[")
		if !isRule(line) {
			marks += strings.Count(line, "*") + strings.Count(line, "_") + strings.Count(line, "~")
			if nesting(line) > maxNesting {
				return true
			}
		}
	}
	return marks > maxMarks || brackets > maxBrackets || lines*pipes > maxCells
}

// nesting returns the number of quotes and lists that a line can be in. A quote
// takes one mark at the beginning of the line, a list at least two columns.
func nesting(line string) int {
	quotes, columns, marked := 0, 0, false
	for i, r := range line {
		switch {
		case r == '>':
			quotes, marked = quotes+1, true
		case r == ' ':
			columns++
		case r == '\t':
			columns += 4
		case strings.ContainsRune("-*+.)", r) && i+1 < len(line) && strings.ContainsRune(" \t\r\n", rune(line[i+1])):
			columns, marked = columns+1, true
		case r >= '0' && r <= '9':
			columns++
		default:
			if !marked {
				return 0 // an indented line opens nothing
			}
			return quotes + columns/2
		}
	}
	return quotes + columns/2
}

// isRule reports whether a line is one run of the same mark: a rule, or the
// underline of a heading.
func isRule(line string) bool {
	line = strings.TrimSpace(line)
	return line != "" && line[0] != '>' && strings.Trim(line, line[:1]+" ") == ""
}
