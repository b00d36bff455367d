package db

import (
	"fmt"
	"regexp"
	"strconv"
	"strings"
	"time"

	"github.com/google/uuid"
)

// WithValues returns a query as it can be run by hand: with the values of its arguments,
// $1 and so on, in their places.
func WithValues(sql string, args ...any) string {
	return argument.ReplaceAllStringFunc(sql, func(name string) string {
		n, err := strconv.Atoi(name[1:])
		if err != nil {
			return name
		}
		return literal(args[n-1])
	})
}

var argument = regexp.MustCompile(`\$[0-9]+`)

// literal writes a value as SQL.
func literal(v any) string {
	switch v := v.(type) {
	case time.Time:
		return "'" + v.Format(time.RFC3339) + "'"
	case uuid.UUID:
		return "'" + v.String() + "'"
	case []string:
		items := make([]string, len(v))
		for i, item := range v {
			items[i] = literal(item)
		}
		return "ARRAY[" + strings.Join(items, ", ") + "]"
	}
	return "'" + strings.ReplaceAll(fmt.Sprint(v), "'", "''") + "'"
}
