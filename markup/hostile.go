package markup

import "strings"

// Texts beyond these bounds are shown as they are instead of as Markdown. What
// people write stays far below them (the largest of OASST's: 10 kB, 250
// emphasis marks, 50 brackets, 26 table cells), and beyond them the parser
// takes time in the square of the text, a table of few pipes fills the memory,
// and a browser meets elements nested by the hundred.
const (
	maxBytes    = 50_000
	maxMarks    = 3_000  // characters that may open or close emphasis
	maxBrackets = 1_000  // characters that may open a link
	maxCells    = 20_000 // lines times the most pipes in one of them
	maxNesting  = 40     // quotes and lists inside each other
)

// hostile says whether a text is made to keep a parser or a browser busy.
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

// nesting is how many quotes and lists a line can stand in: a quote takes one
// mark of the line's beginning, a list at least two columns.
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

// isRule says whether a line is one run of the same mark: a rule, or what
// stands under a heading.
func isRule(line string) bool {
	line = strings.TrimSpace(line)
	return line != "" && line[0] != '>' && strings.Trim(line, line[:1]+" ") == ""
}
