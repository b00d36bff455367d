// Package users reads what users wrote and gave.
package users

import (
	"context"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgtype"

	"treewarden/corpus/search"
	"treewarden/store/db"
	"treewarden/store/messages"
	"treewarden/store/names"
	"treewarden/store/tables"
)

// Filter narrows the list of users. Q is a line that finds names, or an id. Sort is name
// (default), created or activity; a leading "-" means descending.
type Filter struct {
	Q, Role, Status, Lang, Sort string
	Named                       string   // the display name in full, in upper or lower case
	Within                      []string // only users who write most in these languages; nil for all
	db.Page
}

// Page returns one page of the users; keys are left out. The role is a known one.
func Page(ctx context.Context, c db.Conn, s messages.Searcher, f Filter) (db.List[User], error) {
	o, err := db.ChooseOrder("sort", f.Sort, Orders...)
	if err != nil {
		return db.List[User]{}, err
	}
	q := db.Query{Columns: Columns, From: "users u"}
	q.Where("u.auth_method <> 'key'")
	named, err := nameFilter(f.Q)
	if err != nil {
		return db.List[User]{}, err
	}
	if f.Named != "" {
		q.Where(db.NamedSQL("u.display_name", q.Arg(db.ToText(f.Named))))
	}
	if f.Role != "" {
		q.Where("u.role = ?", f.Role)
	}
	switch f.Status {
	case "", "all":
	case tables.Active, tables.Banned, tables.Erased:
		q.Where("("+tables.UserStatusSQL+") = ?", f.Status)
	default:
		return db.List[User]{}, db.OneOf("status", f.Status, tables.Active, tables.Banned, tables.Erased, "all")
	}
	if f.Lang != "" {
		q.Where("EXISTS (SELECT FROM messages m WHERE m.user_id = u.user_id AND m.lang = ?)", f.Lang)
	}
	q.WithinLanguages(db.MainLanguageSQL, f.Within)
	rows, next, prev, err := names.Fetch[Row](ctx, c, s, q, o, named, f.Page)
	if err != nil {
		return db.List[User]{}, err
	}
	return db.List[User]{Items: Of(rows), Next: next, Prev: prev}, nil
}

// nameFilter returns the filter of users by a line, which may be an id.
func nameFilter(line string) (names.Filter, error) {
	parsed, err := search.ParseNames(line)
	f := names.Filter{Line: parsed,
		SQL: "SELECT user_id, display_name, username FROM users WHERE auth_method <> 'key'"}
	if id, wrong := uuid.Parse(line); wrong == nil {
		f.Or = &id
	}
	return f, err
}

// Stats counts a user's messages and feedback within a time.
type Stats struct {
	Messages      int64   `json:"messages"`
	Prompts       int64   `json:"prompts"`
	Replies       int64   `json:"replies"`
	Accepted      int64   `json:"accepted"`
	Rejected      int64   `json:"rejected"`
	Deleted       int64   `json:"deleted"`
	LabelsGiven   int64   `json:"labels_given"`
	ReactionGiven int64   `json:"reactions_given"`
	ReportsGiven  int64   `json:"reports_given"`
	Score         float64 `json:"score"`
	Rate          float64 `json:"rate"`
}

// Feedback is a user's labels, reaction or report on a message.
type Feedback struct {
	Kind      string             `json:"kind"` // label, reaction or report
	MessageID uuid.UUID          `json:"message_id"`
	Excerpt   string             `json:"excerpt"`
	At        time.Time          `json:"at"`
	Labels    map[string]float64 `json:"labels,omitempty"`
	Emoji     string             `json:"emoji,omitempty"`
	Reason    string             `json:"reason,omitempty"`
}

// Languages returns the languages that a user writes in, the most frequent first.
func Languages(ctx context.Context, c db.Conn, id uuid.UUID) ([]string, error) {
	rows, err := c.Query(ctx, `SELECT lang FROM messages WHERE user_id = $1 AND lang IS NOT NULL GROUP BY lang
		ORDER BY count(*) DESC, lang`, id)
	if err != nil {
		return nil, db.Translate(err)
	}
	languages, err := pgx.CollectRows(rows, pgx.RowTo[string])
	return languages, db.Translate(err)
}

// StatsOf counts a user's messages and feedback since a time. Reports of one message are
// one, of the time of the first.
func StatsOf(ctx context.Context, c db.Conn, id uuid.UUID, since pgtype.Timestamptz) (Stats, error) {
	var t Stats
	err := c.QueryRow(ctx, `SELECT count(*), count(*) FILTER (WHERE parent_id IS NULL),
		count(*) FILTER (WHERE parent_id IS NOT NULL),
			count(*) FILTER (WHERE review_result), count(*) FILTER (WHERE NOT review_result), count(*) FILTER (WHERE deleted),
			(SELECT count(*) FROM label_votes WHERE user_id = $1 AND at >= $2),
			(SELECT count(*) FROM reactions WHERE user_id = $1 AND at >= $2),
			(SELECT count(*) FROM (SELECT min(at) AS at FROM reports WHERE user_id = $1 AND status <> 'withdrawn'
				GROUP BY tree_id, message_id) p WHERE at >= $2)
		FROM messages WHERE user_id = $1 AND created_date >= $2`, id, since).
		Scan(&t.Messages, &t.Prompts, &t.Replies, &t.Accepted, &t.Rejected, &t.Deleted, &t.LabelsGiven, &t.ReactionGiven,
			&t.ReportsGiven)
	return t, db.Translate(err)
}

// FeedbackOf returns one page of a user's feedback, the newest first. Reports of one
// message are one with all their reasons.
func FeedbackOf(ctx context.Context, c db.Conn, id uuid.UUID, p db.Page) (db.List[Feedback], error) {
	q := db.Query{Columns: `g.kind, g.message_id, left(m.text, 200) AS excerpt, g.at, g.labels,
		coalesce(g.emoji, '') AS emoji, coalesce(g.reason, '') AS reason`}
	user := q.Arg(id)
	q.From = `(SELECT 'label' AS kind, v.tree_id, v.message_id, v.at, ` + tables.VotesSQL +
		` AS labels, NULL AS emoji, NULL AS reason, '' AS detail FROM label_votes v WHERE v.user_id = ` + user + `
		UNION ALL SELECT 'reaction', r.tree_id, r.message_id, r.at, NULL, r.emoji, NULL, r.emoji FROM reactions r
			WHERE r.user_id = ` + user + `
		UNION ALL SELECT 'report', r.tree_id, r.message_id, min(r.at), NULL, NULL,
				string_agg(r.reason, E'\n' ORDER BY r.at, r.report_id), min(r.report_id)::text FROM reports r
			WHERE r.user_id = ` + user + ` GROUP BY r.tree_id, r.message_id, r.status = 'withdrawn') g
		JOIN messages m ON m.tree_id = g.tree_id AND m.message_id = g.message_id`
	type row struct {
		db.Keyed
		Feedback
	}
	order := db.Order{Name: "given", Desc: true, Keys: []db.Key{
		{Expr: "g.at", Typ: "timestamptz"}, {Expr: "g.message_id", Typ: "uuid"},
		{Expr: "g.kind", Typ: "text"}, {Expr: "g.detail", Typ: "text"},
	}}
	rows, next, prev, err := db.Fetch[row](ctx, c, q, order, p)
	if err != nil {
		return db.List[Feedback]{}, err
	}
	given := make([]Feedback, len(rows))
	for i, r := range rows {
		given[i] = r.Feedback
	}
	return db.List[Feedback]{Items: given, Next: next, Prev: prev}, nil
}
