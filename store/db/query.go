package db

import (
	"context"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
)

// Query builds a SELECT statement with its arguments.
type Query struct {
	Columns, From string
	conditions    []string
	args          []any
}

// clone returns a query to which conditions can be added.
func (q Query) clone() Query {
	q.conditions, q.args = slices.Clone(q.conditions), slices.Clone(q.args)
	return q
}

// placeholder is that of an argument. A statement has no other $: values are arguments.
var placeholder = regexp.MustCompile(`\$(\d+)`)

// following returns the query as a part of a statement that has other arguments first.
func (q Query) following(args []any) Query {
	moved := func(sql string) string {
		return placeholder.ReplaceAllStringFunc(sql, func(old string) string {
			n, _ := strconv.Atoi(old[1:]) // as the expression says
			return fmt.Sprintf("$%d", n+len(args))
		})
	}
	q = q.clone()
	q.Columns, q.From, q.args = moved(q.Columns), moved(q.From), slices.Concat(args, q.args)
	for i, condition := range q.conditions {
		q.conditions[i] = moved(condition)
	}
	return q
}

// Arg adds an argument and returns its placeholder.
func (q *Query) Arg(v any) string {
	q.args = append(q.args, v)
	return fmt.Sprintf("$%d", len(q.args))
}

// Where adds a condition, in which each ? is replaced by the next value.
func (q *Query) Where(condition string, values ...any) {
	for _, v := range values {
		condition = strings.Replace(condition, "?", q.Arg(v), 1)
	}
	q.conditions = append(q.conditions, condition)
}

// Wrap puts the conditions that a function adds into the place of %s in another one. It
// returns false if the function adds none.
func (q *Query) Wrap(condition string, add func() error) (bool, error) {
	n := len(q.conditions)
	if err := add(); err != nil || len(q.conditions) == n {
		return false, err
	}
	all := strings.Join(q.conditions[n:], " AND ")
	q.conditions = append(q.conditions[:n:n], strings.Replace(condition, "%s", all, 1))
	return true, nil
}

// Any adds the condition that all conditions hold that one of some functions adds.
func (q *Query) Any(adds ...func()) {
	n := len(q.conditions)
	either := make([]string, len(adds))
	for i, add := range adds {
		add()
		either[i] = "(" + strings.Join(q.conditions[n:], " AND ") + ")"
		q.conditions = q.conditions[:n:n]
	}
	q.conditions = append(q.conditions, "("+strings.Join(either, " OR ")+")")
}

// Mentions reports whether a condition holds a piece of SQL.
func (q *Query) Mentions(sql string) bool {
	return slices.ContainsFunc(q.conditions, func(c string) bool { return strings.Contains(c, sql) })
}

// NamedSQL is the condition that a name is the argument in full, in upper or lower
// case and in either Unicode form. An index on left(lower(name), 100) serves it:
// names have any length, and an index's entry has not.
func NamedSQL(name, argument string) string {
	var starts, forms []string
	for _, form := range []string{"%s", "normalize(%s, NFC)", "normalize(%s, NFD)"} {
		form = "lower(" + fmt.Sprintf(form, argument+"::text") + ")"
		starts, forms = append(starts, "left("+form+", 100)"), append(forms, form)
	}
	name = "lower(" + name + ")"
	return "(left(" + name + ", 100) IN (" + strings.Join(starts, ", ") + ") AND " + name + " IN (" +
		strings.Join(forms, ", ") + "))"
}

func (q *Query) sql() string {
	s := "SELECT " + q.Columns + " FROM " + q.From
	if len(q.conditions) > 0 {
		s += " WHERE " + strings.Join(q.conditions, " AND ")
	}
	return s
}

// SQL returns the statement and its arguments.
func (q *Query) SQL() (string, []any) { return q.sql(), q.args }

// Order is a keyset order. All keys have the same direction, so that a page is
// one row comparison that uses an index.
type Order struct {
	Name string
	Desc bool
	Keys []Key
}

// Key is one column of an order with the type of its values.
type Key struct{ Expr, Typ string }

// Keyed is embedded by the rows of paged queries.
type Keyed struct {
	CursorKey []string `db:"cursor_key"`
}

func (k Keyed) cursorKey() []string { return k.CursorKey }

// Row is a row of a paged query. It embeds Keyed.
type Row interface{ cursorKey() []string }

// Cursor is the content of an opaque cursor.
type Cursor struct {
	Order string   `json:"o"` // the order's name with a digest of the list and its filter
	Keys  []string `json:"k"`
	Back  bool     `json:"b,omitempty"`
}

func (c Cursor) String() string {
	b, err := json.Marshal(c)
	if err != nil {
		panic(err) // cannot happen with strings and a bool
	}
	return base64.RawURLEncoding.EncodeToString(b)
}

func ParseCursor(text string, o Order) (Cursor, error) {
	var c Cursor
	b, err := base64.RawURLEncoding.DecodeString(text)
	if err != nil || json.Unmarshal(b, &c) != nil || c.Order != o.Name || len(c.Keys) != len(o.Keys) ||
		slices.ContainsFunc(c.Keys, func(k string) bool { return strings.ContainsRune(k, 0) }) {
		return c, ErrForeignCursor
	}
	return c, nil
}

// ErrForeignCursor is the error of a cursor of another list, filter or sort.
var ErrForeignCursor = BadParameter{"cursor", "The cursor does not belong to this list with this filter and sort. " +
	"Leave it out to begin at the first page."}

// Bound returns the order of a list with a filter. Its name holds a digest of
// the filter, so that the cursors of the same order with another filter are
// refused. Filters must not hold the time of a request: use now() in SQL.
func (o Order) Bound(filter ...any) Order {
	text, err := json.Marshal(filter)
	if err != nil {
		panic(err) // a filter holds texts, numbers, ids and times only
	}
	sum := sha256.Sum256(text)
	o.Name += " " + base64.RawURLEncoding.EncodeToString(sum[:9])
	return o
}

// BoundOrder returns an order of the query's rows, bound to its conditions, for cursors of
// rows that the program itself puts into their order.
func (q *Query) BoundOrder(o Order) Order { return q.bound(o) }

// bound returns the order of the query's rows, bound to its conditions. The
// columns do not matter: the place of a row does not depend on them.
func (q *Query) bound(o Order) Order {
	args := slices.Clone(q.args)
	for i, v := range args {
		if t, ok := v.(time.Time); ok {
			args[i] = t.UTC().String() // JSON has no year 10000, which the end of a filter may reach
		}
	}
	return o.Bound(q.From, q.conditions, args)
}

// Of returns the order by the columns of the same names in another table.
func (o Order) Of(table string) Order {
	o.Keys = slices.Clone(o.Keys)
	for i, k := range o.Keys {
		o.Keys[i].Expr = table + k.Expr[strings.LastIndexByte(k.Expr, '.'):]
	}
	return o
}

// key returns the SQL of a row's place in the order, as a cursor has it.
func (o Order) key() string { return "ARRAY[" + o.keys() + "]" }

// keys returns the columns of which key is made.
func (o Order) keys() string {
	texts := make([]string, len(o.Keys))
	for i, k := range o.Keys {
		texts[i] = "(" + k.Expr + ")::text"
	}
	return strings.Join(texts, ", ")
}

// by returns what follows ORDER BY.
func (o Order) by(desc bool) string {
	sorted := make([]string, len(o.Keys))
	for i, k := range o.Keys {
		if sorted[i] = k.Expr; desc {
			sorted[i] += " DESC"
		}
	}
	return strings.Join(sorted, ", ")
}

// beyond adds the condition that rows come after a place in an order, or that they
// do not (until).
func (q *Query) beyond(o Order, keys []string, desc, until bool) {
	exprs, values := make([]string, len(o.Keys)), make([]string, len(o.Keys))
	for i, k := range o.Keys {
		exprs[i], values[i] = k.Expr, q.Arg(keys[i])+"::text::"+k.Typ
	}
	compare := ">"
	if desc != until {
		compare = "<"
	}
	if until {
		compare += "="
	}
	q.conditions = append(q.conditions,
		fmt.Sprintf("(%s) %s (%s)", strings.Join(exprs, ", "), compare, strings.Join(values, ", ")))
}

// Owns reports whether a cursor belongs to the rows of a query in an order.
func (q *Query) Owns(o Order, cursor string) bool {
	_, err := ParseCursor(cursor, q.bound(o))
	return err == nil
}

// Page asks for one page of a list.
type Page struct {
	Limit  int    // 1 to 200; 0 is 50
	Cursor string // opaque, from List.Next or List.Prev
}

// List is one page of a keyset-paged list. Next and Prev are nil at its ends.
type List[T any] struct {
	Items []T     `json:"items"`
	Next  *string `json:"next"`
	Prev  *string `json:"prev"`
	// Cut reports that a search was ended before it was through, and Note says so in
	// a sentence. Next goes on with the search, but not where rows are ranked.
	Cut  bool   `json:"cut,omitempty" description:"the search took too long and was ended: next goes on with it, see note"`
	Note string `json:"note,omitempty" description:"what people should know of this page"`
}

// MaxPage is the maximum number of rows of a page, DefaultPage the number if none
// is requested.
const (
	MaxPage     = 200
	DefaultPage = 50
)

// Size returns the number of rows of the page.
func (p Page) Size() (int, error) {
	switch {
	case p.Limit == 0:
		return DefaultPage, nil
	case p.Limit < 1 || p.Limit > MaxPage:
		return 0, BadParameter{"limit", Malformed(fmt.Sprintf("limit is a number from 1 to %d.", MaxPage))}
	}
	return p.Limit, nil
}

// Fetch reads one page of a query in an order.
func Fetch[R Row](
	ctx context.Context, c Conn, q Query, o Order, p Page,
) (rows []R, next, prev *string, err error) {
	return fetch[R](ctx, c, q, q.bound(o), p)
}

// FetchOf reads one page of those rows of a query that have one of some ids, or (not)
// none of them. The id of a row is the last key of the order. The cursors are not bound
// to the ids, which may be others by the next page, but to what they come from.
func FetchOf[R Row](
	ctx context.Context, c Conn, q Query, o Order, p Page, ids []uuid.UUID, not bool, bound ...any,
) (rows []R, next, prev *string, err error) {
	o = q.bound(o).Bound(bound...)
	compare := " = ANY (?)"
	if not {
		compare = " <> ALL (?)"
	}
	q.Where(o.Keys[len(o.Keys)-1].Expr+compare, IDArray(ids))
	return fetch[R](ctx, c, q, o, p)
}

// fetch reads one page of a query in an order that is bound.
func fetch[R Row](ctx context.Context, c Conn, q Query, o Order, p Page) (rows []R, next, prev *string, err error) {
	limit, err := p.Size()
	if err != nil {
		return nil, nil, nil, err
	}
	at := Cursor{Order: o.Name}
	if p.Cursor != "" {
		if at, err = ParseCursor(p.Cursor, o); err != nil {
			return nil, nil, nil, err
		}
	}
	desc := o.Desc != at.Back
	if p.Cursor != "" {
		q.beyond(o, at.Keys, desc, false)
	}
	q.Columns += ", " + o.key() + " AS cursor_key"
	found, err := c.Query(ctx, fmt.Sprintf("%s ORDER BY %s LIMIT %d", q.sql(), o.by(desc), limit+1), q.args...)
	if err != nil {
		return nil, nil, nil, Translate(err)
	}
	rows, err = pgx.CollectRows(found, pgx.RowToStructByName[R])
	if err != nil {
		return nil, nil, nil, Translate(err)
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
		text := Cursor{o.Name, row.cursorKey(), back}.String()
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

// ChooseOrder returns the order with a name; the first is the default.
func ChooseOrder(parameter, name string, orders ...Order) (Order, error) {
	if name == "" {
		return orders[0], nil
	}
	names := make([]string, len(orders))
	for i, o := range orders {
		if o.Name == name {
			return o, nil
		}
		names[i] = o.Name
	}
	return Order{}, BadParameter{parameter, Malformed(parameter + " is one of " + strings.Join(names, ", ") + ".")}
}

// OneOf returns a Malformed if the value is not one of those allowed.
func OneOf(parameter, value string, allowed ...string) error {
	for _, a := range allowed {
		if value == a {
			return nil
		}
	}
	return BadParameter{parameter, Malformed(parameter + " is one of " + strings.Join(allowed, ", ") + ".")}
}

// EscapeLike escapes the wildcards of LIKE.
func EscapeLike(text string) string {
	return strings.NewReplacer(`\`, `\\`, `%`, `\%`, `_`, `\_`).Replace(text)
}

// ToText makes external input valid for a text column.
func ToText(text string) string {
	return strings.ReplaceAll(strings.ToValidUTF8(text, "\uFFFD"), "\x00", "\uFFFD")
}

// IsText reports whether a text column can hold a text.
func IsText(text string) bool { return utf8.ValidString(text) && !strings.ContainsRune(text, 0) }

// NotText says why a text is refused that IsText does not hold for.
const NotText = "This text holds bytes that are not text (NUL or broken UTF-8)."

// NoCursorKey is the cursor_key column for queries that are not paged.
const NoCursorKey = `, '{}'::text[] AS cursor_key`

// Collect reads all rows of a query into structs by column name.
func Collect[T any](ctx context.Context, c Conn, sql string, args ...any) ([]T, error) {
	rows, err := c.Query(ctx, sql, args...)
	if err != nil {
		return nil, Translate(err)
	}
	found, err := pgx.CollectRows(rows, pgx.RowToStructByName[T])
	return found, Translate(err)
}
