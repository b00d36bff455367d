package main

import "strings"

// partStatements splits SQL with one statement a line into the lines with and
// without a word.
func partStatements(sql, word string) (with, without string) {
	for line := range strings.Lines(sql) {
		if strings.Contains(line, word) {
			with += line
		} else {
			without += line
		}
	}
	return with, without
}

// named splits SQL at its "-- name: " lines.
func named(sql string) map[string]string {
	parts, name := map[string]string{}, ""
	for line := range strings.Lines(sql) {
		if n, ok := strings.CutPrefix(line, "-- name: "); ok {
			name = strings.TrimSpace(n)
		} else if !strings.HasPrefix(line, "--") {
			parts[name] += line
		}
	}
	for name, sql := range parts {
		parts[name] = strings.TrimRight(sql, "\n; ")
	}
	return parts
}
