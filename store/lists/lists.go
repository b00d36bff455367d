// Package lists reads lists of messages: their items, the state of each item,
// counts of the states, and what two lists share. It also writes what the actions of
// the package store change in them.
package lists

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5/pgxpool"

	"treewarden/corpus/search"
	"treewarden/scoring/rule"
	"treewarden/store/db"
	"treewarden/store/messages"
	"treewarden/store/names"
	"treewarden/store/tables"
)

// Kinds are the kinds of lists.
var Kinds = []string{"bad", "good", "custom"}

// List is a list of messages.
type List struct {
	ListID      uuid.UUID  `json:"list_id"`
	Name        string     `json:"name"`
	Kind        string     `json:"kind"` // one of Kinds
	Note        string     `json:"note"`
	Owner       *uuid.UUID `json:"owner"` // who created it; null for the command line
	OwnerName   string     `json:"owner_name"`
	Items       int64      `json:"items"` // their number
	CreatedDate time.Time  `json:"created_date"`
	LastAudit   *time.Time `json:"last_audit"`
	// LastCounts are the numbers of items by state at the last audit, and LastBy is
	// the name of the person who made it.
	LastCounts map[string]int64 `json:"last_counts"`
	LastBy     string           `json:"last_audit_by"`
	Archived   bool             `json:"archived"`
	Version    int              `json:"version"`
}

const columns = `l.list_id, l.name, l.kind, l.note, l.owner_id AS owner, coalesce(o.display_name, '') AS owner_name,
	l.items, l.created_date, a.at AS last_audit, a.counts AS last_counts, coalesce(a.name, '') AS last_by,
	l.archived, l.version`

const from = `lists l LEFT JOIN users o ON o.user_id = l.owner_id
	LEFT JOIN LATERAL (SELECT a.at, a.counts, p.display_name AS name FROM list_audits a
		LEFT JOIN users p ON p.user_id = a.by WHERE a.list_id = l.list_id ORDER BY a.at DESC LIMIT 1) a ON true`

// Filter narrows the lists. Q is a line that finds names, Archived is exclude (default), include or only.
type Filter struct {
	Q, Kind, Archived string
	Message           *uuid.UUID // only lists that this message is on
	db.Page
}

// All returns one page of the lists, the newest first.
func All(ctx context.Context, c db.Conn, s messages.Searcher, f Filter) (db.List[List], error) {
	q := db.Query{Columns: columns, From: from}
	q.Where("NOT l.removed")
	switch f.Archived {
	case "", "exclude":
		q.Where("NOT l.archived")
	case "only":
		q.Where("l.archived")
	case "include":
	default:
		return db.List[List]{}, db.OneOf("archived", f.Archived, "exclude", "include", "only")
	}
	if f.Kind != "" {
		if err := db.OneOf("kind", f.Kind, Kinds...); err != nil {
			return db.List[List]{}, err
		}
		q.Where("l.kind = ?", f.Kind)
	}
	line, err := search.ParseNames(f.Q)
	if err != nil {
		return db.List[List]{}, err
	}
	if f.Message != nil {
		q.Where("l.list_id IN (SELECT list_id FROM list_items WHERE message_id = ?)", *f.Message)
	}
	type row struct {
		db.Keyed
		List
	}
	newest := db.Order{Name: "lists", Desc: true, Keys: []db.Key{
		{Expr: "l.created_date", Typ: "timestamptz"}, {Expr: "l.list_id", Typ: "uuid"},
	}}
	rows, next, prev, err := names.Fetch[row](ctx, c, s, q, newest,
		names.Filter{Line: line, SQL: "SELECT list_id, name FROM lists WHERE NOT removed"}, f.Page)
	items := make([]List, len(rows))
	for i, r := range rows {
		items[i] = r.List
	}
	return db.List[List]{Items: items, Next: next, Prev: prev}, err
}

// ByID returns a list, or ErrNotFound.
func ByID(ctx context.Context, c db.Conn, id uuid.UUID) (List, error) {
	found, err := db.Collect[List](ctx, c, "SELECT "+columns+" FROM "+from+" WHERE l.list_id = $1 AND NOT l.removed", id)
	if err != nil {
		return List{}, err
	}
	if len(found) == 0 {
		return List{}, db.ErrNotFound
	}
	return found[0], nil
}

// The states of an item. An item that is in several has the first of States.
const (
	Missing      = "missing"       // no such message is in the database
	Deleted      = "deleted"       // the message is deleted
	EditedSince  = "edited_since"  // its text is not the one that was put on the list
	Halted       = "halted"        // its tree is halted
	AuthorBanned = "author_banned" // its author is banned
	Present      = "present"       // none of these
)

// States are the states of an item, the strongest first.
var States = []string{Missing, Deleted, EditedSince, Halted, AuthorBanned, Present}

// itemTables joins the items i of a list with their messages m, trees t and
// authors u, and with the person b who added them.
const itemTables = `list_items i
	LEFT JOIN message_trees x ON x.message_id = i.message_id
	LEFT JOIN messages m ON m.tree_id = x.tree_id AND m.message_id = x.message_id
	LEFT JOIN trees t ON t.tree_id = m.tree_id
	LEFT JOIN users u ON u.user_id = m.user_id`

// stateSQL is the state of an item.
var stateSQL = `CASE WHEN m.message_id IS NULL THEN 'missing' WHEN m.deleted THEN 'deleted'
	WHEN md5(m.text)::uuid <> i.text_md5 THEN 'edited_since' WHEN t.state = '` + tables.Halted + `' THEN 'halted'
	WHEN ` + tables.UserStatusSQL + ` = 'banned' THEN 'author_banned' ELSE 'present' END`

// conditionOf returns a condition for the items in a state. The planner guesses that
// half of the items fulfil it, so that it reads them in their order until a page is
// full. Else it would take the state for rare, and read the whole list for a page.
func conditionOf(state string) string {
	condition := "s.state = '" + state + "'"
	switch state { // these need no text
	case Missing:
		condition = "m.message_id IS NULL"
	case Deleted:
		condition = "m.deleted"
	}
	return "coalesce(" + condition + ", false)"
}

// PresentFrom is a FROM clause with its WHERE for the messages m of list $1 that are
// present, TreesSQL a query for the tree_id of all its items.
var (
	PresentFrom = itemTables + " WHERE i.list_id = $1 AND " + stateSQL + " = '" + Present + "'"
	TreesSQL    = "SELECT x.tree_id FROM list_items i JOIN message_trees x USING (message_id) WHERE i.list_id = $1"
)

// CountOutside counts the messages that are not on a list.
func CountOutside(ctx context.Context, c db.Conn, list uuid.UUID, messages []uuid.UUID) (n int64, err error) {
	err = c.QueryRow(ctx, `SELECT count(*) FROM unnest($2::uuid[]) g (message_id) WHERE NOT EXISTS (
		SELECT FROM list_items i WHERE i.list_id = $1 AND i.message_id = g.message_id)`,
		list, db.IDArray(messages)).Scan(&n)
	return n, err
}

// Item is one item of a list.
type Item struct {
	MessageID   uuid.UUID  `json:"message_id"`
	Note        string     `json:"note"`
	AddedBy     *uuid.UUID `json:"added_by"`
	AddedByName string     `json:"added_by_name"`
	AddedAt     time.Time  `json:"added_at"`
	AddedAction int64      `json:"added_action"`
	State       string     `json:"state"` // one of States
	// Evidence is what a rule matched in the text, of an item that was accepted from
	// the candidates. It is empty while the message has another text.
	Evidence []rule.Match `json:"evidence"`
	// Action and Since tell which action led to the state, and when. They are
	// null where no action did, such as for a message that was imported deleted.
	Action *int64     `json:"action"`
	Since  *time.Time `json:"since"`
	// Text and the rest are null for a missing message.
	Text       *string    `json:"text"`
	TextBefore *string    `json:"text_before"` // the text when it was added, of an item edited since
	Lang       *string    `json:"lang"`
	TreeID     *uuid.UUID `json:"message_tree_id"`
	UserID     *uuid.UUID `json:"user_id"`
	AuthorName *string    `json:"author_name"`
	// Marks are the places in the text, as it is here, where a search found its words.
	Marks []search.Span `db:"-" json:"marks,omitempty" description:"where the searched words are in the text"`
}

// itemColumns needs the lateral e, which gives the edit that led to the state
// edited_since.
var itemColumns = `i.message_id, i.note, i.added_by, coalesce(b.display_name, '') AS added_by_name, i.added_at,
	coalesce(` + tables.NumberSQL("i.action_id") + `, 0) AS added_action, s.state, coalesce(k.evidence, '[]') AS evidence,
	` + tables.NumberSQL(`(CASE s.state WHEN 'deleted' THEN m.deleted_action WHEN 'edited_since' THEN e.action_id
		WHEN 'author_banned' THEN u.ban_action WHEN 'halted' THEN h.action_id END)`) + ` AS action,
	CASE s.state WHEN 'deleted' THEN m.deleted_at WHEN 'edited_since' THEN e.at
		WHEN 'author_banned' THEN u.banned_at WHEN 'halted' THEN h.at END AS since,
	m.text, CASE s.state WHEN 'edited_since' THEN f.text END AS text_before, m.lang, m.tree_id, m.user_id,
	u.display_name AS author_name`

// itemDetails joins what only the items of a page need.
var itemDetails = ` CROSS JOIN LATERAL (SELECT ` + stateSQL + ` AS state) s
	LEFT JOIN users b ON b.user_id = i.added_by
	LEFT JOIN list_candidates k ON k.list_id = i.list_id AND k.message_id = i.message_id AND k.verdict = 'accept'
		AND k.text_md5 = md5(m.text)::uuid
	LEFT JOIN LATERAL (SELECT r.action_id, r.at FROM revisions r WHERE s.state = 'edited_since'
		AND r.tree_id = m.tree_id AND r.message_id = m.message_id ORDER BY r.revision_id DESC LIMIT 1) e ON true
	LEFT JOIN LATERAL (SELECT r.text FROM revisions r WHERE s.state = 'edited_since'
		AND r.tree_id = m.tree_id AND r.message_id = m.message_id AND md5(r.text)::uuid = i.text_md5
		ORDER BY r.revision_id DESC LIMIT 1) f ON true
	LEFT JOIN LATERAL (SELECT c.action_id, a.at FROM action_objects c JOIN actions a ON a.id = c.action_id
		WHERE s.state = 'halted' AND c.object_type = 'tree' AND c.object_id = m.tree_id AND c.aspect = 'state'
		ORDER BY c.action_id DESC LIMIT 1) h ON true`

// ItemFilter narrows the items of a list. Q is a query line (corpus/search): what it
// looks for must be in the text or the note.
type ItemFilter struct {
	State, Lang, Q string
	TextLimit      int // texts end after so many characters; 0: never
	// CutAfter is about the time after which a page of a state or a language is cut; 0: never.
	CutAfter time.Duration
	db.Page
}

// PageTime is the time after which the console cuts a page of the items in a state, if the
// list is longer than Short.
const (
	PageTime = 20 * time.Millisecond
	Short    = 5000
)

// inOrder is the order of items.
var inOrder = db.Order{Name: "items", Desc: true, Keys: []db.Key{{Expr: "i.item_id", Typ: "bigint"}}}

type itemRow struct {
	db.Keyed
	Item
}

// Items returns one page of the items of a list, the newest first.
func Items(
	ctx context.Context, c *pgxpool.Pool, s messages.Searcher, list uuid.UUID, f ItemFilter,
) (found db.List[Item], err error) {
	line, err := search.Parse(f.Q)
	if err == nil {
		err = messages.Filter{Q: f.Q}.CheckNames(ctx, c)
	}
	if err != nil {
		return found, err
	}
	if len(line.Groups) > 0 {
		err = s.In(ctx, func(tx *db.Snapshot) (err error) {
			found, err = searchItems(ctx, tx, s, list, f, line)
			return err
		})
		return found, err
	}
	q, err := f.query(list)
	if err != nil {
		return found, err
	}
	if f.CutAfter > 0 && (f.State != "" || f.Lang != "") {
		err = db.Read(ctx, c, func(tx *db.Snapshot) (err error) {
			found, err = siftItems(ctx, tx, list, f, q.Columns)
			return err
		})
		return found, err
	}
	rows, next, prev, err := db.Fetch[itemRow](ctx, c, q, inOrder, f.Page)
	return db.List[Item]{Items: itemsOf(rows), Next: next, Prev: prev}, err
}

// query is the query of the items that a filter finds, without the words of its line.
func (f ItemFilter) query(list uuid.UUID) (db.Query, error) {
	q := db.Query{Columns: itemColumns, From: itemTables + itemDetails}
	if f.TextLimit > 0 {
		q.Columns = strings.NewReplacer("m.text,", fmt.Sprintf("left(m.text, %d) AS text,", f.TextLimit),
			"f.text ", fmt.Sprintf("left(f.text, %d) ", f.TextLimit)).Replace(itemColumns)
	}
	q.Where("i.list_id = ?", list)
	if f.State != "" {
		if err := db.OneOf("state", f.State, States...); err != nil {
			return q, err
		}
		q.Where(conditionOf(f.State))
	}
	if f.Lang != "" {
		q.Where("m.lang = ?", f.Lang)
	}
	return q, messages.Filter{Q: f.Q, Deleted: "include"}.Narrow(&q)
}

func itemsOf(rows []itemRow) []Item {
	items := make([]Item, len(rows))
	for i, r := range rows {
		items[i] = r.Item
	}
	return items
}

// Audit counts the items of a list by state.
type Audit struct {
	Counts map[string]int64 `json:"counts"` // by each of States
	Items  int64            `json:"items"`
	At     time.Time        `json:"at"`
}

// Count audits a list. It reads every item.
func Count(ctx context.Context, c db.Conn, list uuid.UUID, now time.Time) (Audit, error) {
	audit := Audit{Counts: map[string]int64{}, At: now}
	for _, state := range States {
		audit.Counts[state] = 0
	}
	type count struct {
		State string
		N     int64
	}
	counts, err := db.Collect[count](ctx, c, "SELECT "+stateSQL+" AS state, count(*) AS n FROM "+itemTables+
		" WHERE i.list_id = $1 GROUP BY 1", list)
	for _, n := range counts {
		audit.Counts[n.State] = n.N
		audit.Items += n.N
	}
	return audit, err
}

// Keep stores an audit of a list, and who made it.
func (a Audit) Keep(ctx context.Context, c db.Conn, list uuid.UUID, by *uuid.UUID) error {
	_, err := c.Exec(ctx, `INSERT INTO list_audits (list_id, at, by, counts) VALUES ($1, $2, $3, $4)
		ON CONFLICT DO NOTHING`, list, a.At, by, a.Counts)
	return db.Translate(err)
}
