// Package searches keeps the searches of messages that people save, and tells how
// many results of each are new to a person.
package searches

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"treewarden/store/accounts"
	"treewarden/store/db"
	"treewarden/store/messages"
)

// The limits of saved searches.
const (
	MinName = 3 // characters
	MaxName = 80
	MaxOwn  = 100 // searches of one person
	MaxNew  = 100 // new results are counted up to this number
)

// CountTime is the time in which new results are counted for a page of searches.
const CountTime = 2 * time.Second

// Search is a saved search, as one person sees it.
type Search struct {
	SearchID    uuid.UUID `json:"search_id"`
	Name        string    `json:"name"`
	Query       string    `json:"query"`
	Shared      bool      `json:"shared"`
	OwnerID     uuid.UUID `json:"owner_id"`
	OwnerName   string    `json:"owner_name"`
	CreatedDate time.Time `json:"created_date"`
	// LookedAt is when the person last looked at the results; null for never.
	LookedAt *time.Time `json:"looked_at"`
	// New is the number of results that were written since then, or since the search
	// was saved. MaxNew stands for that many or more. It is null if it is not known:
	// counting took too long, or the line has become wrong.
	New *int `json:"new" db:"-" description:"results since the last look, 100 for 100 or more; null if not known"`
}

// Access is one person's access to saved searches. The package store makes it for
// actors who may read messages.
type Access struct {
	Pool     *pgxpool.Pool
	Searcher messages.Searcher
	Now      func() time.Time
	Person   uuid.UUID
	Within   []string // the languages that the person may act on; nil for all
	// Others is the error of an actor who may not delete what others share, else nil.
	Others error
}

// query returns the query of what the person sees: their own searches, and those
// that others share who were not erased.
func (d Access) query() db.Query {
	var q db.Query
	q.Columns = `s.search_id, s.name, s.query, s.shared, s.owner_id, u.display_name AS owner_name, s.created_date,
		k.looked_at`
	q.From = `saved_searches s JOIN users u ON u.user_id = s.owner_id
		LEFT JOIN saved_search_looks k ON k.search_id = s.search_id AND k.user_id = ` + q.Arg(d.Person)
	q.Where("(s.owner_id = ? OR s.shared AND u.erased_at IS NULL)", d.Person)
	return q
}

// All returns one page of the searches, the newest first, with their new results,
// which are counted in a time. What is not counted by then has none.
func (d Access) All(ctx context.Context, p db.Page, limit time.Duration) (db.List[Search], error) {
	type row struct {
		db.Keyed
		Search
	}
	rows, next, prev, err := db.Fetch[row](ctx, d.Pool, d.query(), db.Order{Name: "searches", Desc: true, Keys: []db.Key{
		{Expr: "s.created_date", Typ: "timestamptz"}, {Expr: "s.search_id", Typ: "uuid"},
	}}, p)
	if err != nil {
		return db.List[Search]{}, err
	}
	items := make([]Search, len(rows))
	for i, r := range rows {
		items[i] = r.Search
	}
	return db.List[Search]{Items: items, Next: next, Prev: prev}, d.count(ctx, items, limit)
}

// leastCount is the least time to begin a count with.
const leastCount = 10 * time.Millisecond

// count counts the new results of searches. Each takes about half of the time that is
// left at most, so that one slow search leaves time for the others: a walk has its time
// for each of the two statements that find its first rows.
func (d Access) count(ctx context.Context, items []Search, limit time.Duration) error {
	// What waits for a connection is ended too.
	limited, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	end := time.Now().Add(limit)
	for i := range items {
		left := time.Until(end)
		if left < leastCount {
			return nil
		}
		n, err := d.newResults(limited, items[i], min(left/4, d.Searcher.Limit))
		if err != nil {
			return err
		}
		if items[i].New = n; ctx.Err() != nil {
			return ctx.Err()
		}
	}
	return nil
}

// newResults counts the new results of a search, in a time. It returns nil if that is
// too short, or if the line has become wrong.
func (d Access) newResults(ctx context.Context, s Search, limit time.Duration) (*int, error) {
	since, until := s.CreatedDate, d.Now()
	if s.LookedAt != nil {
		since = *s.LookedAt
	}
	searcher := d.Searcher
	searcher.Limit = limit
	n, cut, err := messages.CountSome(ctx, d.Pool, searcher,
		messages.Filter{Q: s.Query, Within: d.Within, Since: &since, Until: &until}, MaxNew)
	switch {
	case err == nil && !cut:
		return &n, nil
	case cut, messages.IsWrong(err), ctx.Err() != nil, errors.Is(err, context.DeadlineExceeded), db.IsBusy(err):
		return nil, nil
	}
	return nil, err
}

// ByID returns a search that the person sees, without a count, or ErrNotFound.
func (d Access) ByID(ctx context.Context, id uuid.UUID) (Search, error) {
	q := d.query()
	q.Where("s.search_id = ?", id)
	sql, args := q.SQL()
	found, err := db.Collect[Search](ctx, d.Pool, sql, args...)
	if err == nil && len(found) == 0 {
		err = db.ErrNotFound
	}
	if err != nil {
		return Search{}, err
	}
	return found[0], nil
}

// Conflict is the error of a search that contradicts an earlier one.
type Conflict string

func (c Conflict) Error() string { return string(c) }

// ErrKeyUsed is the error of an Idempotency-Key that saved another search.
const ErrKeyUsed = Conflict("This Idempotency-Key was used for another search. Send a new one.")

// New describes a search to save.
type New struct {
	Name   string
	Query  string // a query line
	Shared bool
	Key    string // a search that is sent again with the same key is saved once
}

// id returns the id of a search: the same for the same key of the same person.
func (d Access) id(n New) uuid.UUID {
	if n.Key == "" {
		return uuid.New()
	}
	return uuid.NewSHA1(d.Person, []byte("search "+n.Key))
}

// check returns an Invalid for a wrong name, and for a line that is no text or empty.
func (n New) check() error {
	wrong := db.Invalid{}
	if length := utf8.RuneCountInString(n.Name); length < MinName || length > MaxName || !accounts.Visible(n.Name) {
		wrong["name"] = fmt.Sprintf("A name has %d to %d characters, at least one of them visible.", MinName, MaxName)
	}
	if n.Query == "" {
		wrong["query"] = "Type what to search for."
	}
	for field, text := range map[string]string{"name": n.Name, "query": n.Query} {
		if !db.IsText(text) {
			wrong[field] = db.NotText
		}
	}
	return wrong.Err()
}

// Save keeps a search of the person. Its results until now are not new to them. It
// returns an Invalid for a wrong name or too many searches, and the error of the
// search for a wrong line.
func (d Access) Save(ctx context.Context, n New) (Search, error) {
	n.Name, n.Query = strings.TrimSpace(n.Name), strings.TrimSpace(n.Query)
	if err := n.check(); err != nil {
		return Search{}, err
	}
	if err := messages.Check(ctx, d.Pool, messages.Filter{Q: n.Query}); err != nil {
		return Search{}, err
	}
	id, now, fresh := d.id(n), d.Now().UTC(), true
	err := pgx.BeginFunc(ctx, d.Pool, func(tx pgx.Tx) error {
		// Two at once must not both be the last one, or have the same name.
		if _, err := tx.Exec(ctx, "SELECT pg_advisory_xact_lock(hashtextextended($1, 0))",
			"saved searches of "+d.Person.String()); err != nil {
			return err
		}
		var own int
		var known, repeated, same bool
		if err := tx.QueryRow(ctx, `SELECT count(*), coalesce(bool_or(name = $2), false),
			coalesce(bool_or(search_id = $3), false),
			coalesce(bool_or(search_id = $3 AND name = $2 AND query = $4 AND shared = $5), false)
			FROM saved_searches WHERE owner_id = $1`, d.Person, n.Name, id, n.Query, n.Shared).
			Scan(&own, &known, &repeated, &same); err != nil {
			return err
		}
		switch {
		case same:
			fresh = false
			return nil
		case repeated:
			return ErrKeyUsed
		case known:
			return db.Invalid{"name": "You have a saved search of this name. Choose another name, or delete that search."}
		case own >= MaxOwn:
			return db.Invalid{"name": fmt.Sprintf("You have %d saved searches, which is the most. Delete one first.", own)}
		}
		_, err := tx.Exec(ctx, `INSERT INTO saved_searches (search_id, owner_id, name, query, shared, created_date)
			VALUES ($1, $2, $3, $4, $5, $6)`, id, d.Person, n.Name, n.Query, n.Shared, now)
		if err != nil {
			return err
		}
		return look(ctx, tx, id, d.Person, now)
	})
	if err != nil {
		return Search{}, db.Translate(err)
	}
	s, err := d.ByID(ctx, id)
	if fresh {
		s.New = new(int)
	}
	return s, err
}

// Look keeps that the person looked at the results of a search at a time.
func (d Access) Look(ctx context.Context, id uuid.UUID, at time.Time) error {
	return db.Translate(look(ctx, d.Pool, id, d.Person, at.UTC()))
}

// look keeps a look, unless the search was deleted meanwhile. Of two looks at once
// the later one counts.
func look(ctx context.Context, c db.Conn, id, person uuid.UUID, at time.Time) error {
	_, err := c.Exec(ctx, `INSERT INTO saved_search_looks AS k (search_id, user_id, looked_at)
		SELECT search_id, $2, $3 FROM saved_searches WHERE search_id = $1 FOR KEY SHARE
		ON CONFLICT (search_id, user_id) DO UPDATE SET looked_at = greatest(k.looked_at, excluded.looked_at)`,
		id, person, at)
	return err
}

// MayDelete returns the error of a person who may not delete a search that they see,
// or nil.
func (d Access) MayDelete(s Search) error {
	if s.OwnerID == d.Person {
		return nil
	}
	return d.Others
}

// Delete deletes a search, for all who see it, and returns it. It returns ErrNotFound
// for one that the person does not see.
func (d Access) Delete(ctx context.Context, id uuid.UUID) (Search, error) {
	s, err := d.ByID(ctx, id)
	if err != nil {
		return s, err
	}
	if err := d.MayDelete(s); err != nil {
		return s, err
	}
	done, err := d.Pool.Exec(ctx, "DELETE FROM saved_searches WHERE search_id = $1", id)
	if err == nil && done.RowsAffected() == 0 {
		err = db.ErrNotFound
	}
	return s, db.Translate(err)
}
