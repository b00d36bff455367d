package store

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"github.com/jackc/pgx/v5"
)

// query gathers a SELECT piece by piece with its arguments.
type query struct {
	columns, from string
	conditions    []string
	args          []any
}

// arg adds an argument and returns its placeholder.
func (q *query) arg(v any) string {
	q.args = append(q.args, v)
	return fmt.Sprintf("$%d", len(q.args))
}

// where adds a condition; each ? in it stands for the next value.
func (q *query) where(condition string, values ...any) {
	for _, v := range values {
		condition = strings.Replace(condition, "?", q.arg(v), 1)
	}
	q.conditions = append(q.conditions, condition)
}

func (q *query) sql() string {
	s := "SELECT " + q.columns + " FROM " + q.from
	if len(q.conditions) > 0 {
		s += " WHERE " + strings.Join(q.conditions, " AND ")
	}
	return s
}

// order is a keyset order: all keys run the same way, so that a page is one
// row comparison that an index answers at any depth.
type order struct {
	name string
	desc bool
	keys []key
}

// key is one column of an order with the type that its text is cast to.
type key struct{ expr, typ string }

// keyed is embedded by the rows of paged queries.
type keyed struct {
	CursorKey []string `db:"cursor_key"`
}

func (k keyed) cursorKey() []string { return k.CursorKey }

// cursor is what an opaque cursor holds.
type cursor struct {
	Order string   `json:"o"`
	Keys  []string `json:"k"`
	Back  bool     `json:"b,omitempty"`
}

func (c cursor) String() string {
	b, err := json.Marshal(c)
	if err != nil {
		panic(err) // strings and a bool always marshal
	}
	return base64.RawURLEncoding.EncodeToString(b)
}

func parseCursor(text string, o order) (cursor, error) {
	var c cursor
	b, err := base64.RawURLEncoding.DecodeString(text)
	if err != nil || json.Unmarshal(b, &c) != nil || c.Order != o.name || len(c.Keys) != len(o.keys) ||
		slices.ContainsFunc(c.Keys, func(k string) bool { return strings.ContainsRune(k, 0) }) {
		return c, errForeignCursor
	}
	return c, nil
}

const errForeignCursor = Malformed("The cursor does not belong to this list. Leave it out to begin at the first page.")

// limit is how many rows a page asks for.
func (p Page) limit() (int, error) {
	switch {
	case p.Limit == 0:
		return 50, nil
	case p.Limit < 1 || p.Limit > 200:
		return 0, Malformed("limit is a number from 1 to 200.")
	}
	return p.Limit, nil
}

// fetch reads one page of a query in an order.
func fetch[R interface{ cursorKey() []string }](ctx context.Context, c conn, q query, o order, p Page) (rows []R, next, prev *string, err error) {
	limit, err := p.limit()
	if err != nil {
		return nil, nil, nil, err
	}
	at := cursor{Order: o.name}
	if p.Cursor != "" {
		if at, err = parseCursor(p.Cursor, o); err != nil {
			return nil, nil, nil, err
		}
	}
	desc := o.desc != at.Back
	exprs, texts, sorted, given := make([]string, len(o.keys)), make([]string, len(o.keys)), make([]string, len(o.keys)), make([]string, len(o.keys))
	for i, k := range o.keys {
		exprs[i], texts[i], sorted[i] = k.expr, "("+k.expr+")::text", k.expr
		if desc {
			sorted[i] += " DESC"
		}
		if p.Cursor != "" {
			given[i] = q.arg(at.Keys[i]) + "::text::" + k.typ
		}
	}
	if p.Cursor != "" {
		compare := ">"
		if desc {
			compare = "<"
		}
		q.conditions = append(q.conditions, fmt.Sprintf("(%s) %s (%s)", strings.Join(exprs, ", "), compare, strings.Join(given, ", ")))
	}
	q.columns += ", ARRAY[" + strings.Join(texts, ", ") + "] AS cursor_key"
	found, err := c.Query(ctx, fmt.Sprintf("%s ORDER BY %s LIMIT %d", q.sql(), strings.Join(sorted, ", "), limit+1), q.args...)
	if err != nil {
		return nil, nil, nil, readError(err)
	}
	rows, err = pgx.CollectRows(found, pgx.RowToStructByName[R])
	if err != nil {
		return nil, nil, nil, readError(err)
	}
	more := len(rows) > limit
	if more {
		rows = rows[:limit]
	}
	if at.Back {
		slices.Reverse(rows)
	}
	if len(rows) == 0 {
		return rows, nil, nil, nil
	}
	link := func(row R, back bool) *string {
		text := cursor{o.name, row.cursorKey(), back}.String()
		return &text
	}
	if more || at.Back {
		next = link(rows[len(rows)-1], false)
	}
	if p.Cursor != "" && (more || !at.Back) {
		prev = link(rows[0], true)
	}
	return rows, next, prev, nil
}
