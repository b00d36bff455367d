// Package samples draws samples of lists and of decisions, hands their items to
// a second person, and measures how far the two agree.
package samples

import (
	"context"
	"errors"
	"math/rand/v2"
	"strings"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"treewarden/store/db"
)

// MaxSize is the maximum number of items of a sample, DefaultSize the number if
// none is requested.
const (
	MaxSize     = 1000
	DefaultSize = 100
)

// Forbidden is the error of a person who may use samples, but may not do this.
// Conflict is that of a judgement that came too late.
type (
	Forbidden string
	Conflict  string
)

func (f Forbidden) Error() string { return string(f) }
func (c Conflict) Error() string  { return string(c) }

// What may go wrong.
const (
	ErrOwn      = Forbidden("You made the first decision on this message, so another person must judge it.")
	ErrParty    = Forbidden("You are one of the two who differ, so a third person settles this.")
	ErrAgain    = Conflict("You have judged this message before, with the other answer. Your first answer stays.")
	ErrJudged   = Conflict("Another judgement of this message was given in the meantime.")
	ErrSettled  = Conflict("This was settled in the meantime.")
	ErrKeyUsed  = Conflict("This Idempotency-Key was used for another request. Send a new one.")
	ErrAgreeing = Conflict("There is nothing to settle: the two judgements do not differ.")
)

// Access is one person's access to the samples. The package store makes it for
// actors who may read lists.
type Access struct {
	Pool   *pgxpool.Pool
	Now    func() time.Time
	Person uuid.UUID // uuid.Nil for the command line
	// Edit is the error of an actor who may not edit lists, else nil. Only those
	// who may edit them draw samples and settle.
	Edit error
}

// person returns the person's id for a column, nil if there is none.
func (d Access) person() *uuid.UUID {
	if d.Person == uuid.Nil {
		return nil
	}
	return &d.Person
}

// The questions that the two judgements of an item answer by yes or no.
const (
	Remove  = "remove"  // should this message be removed?
	Belongs = "belongs" // does this message belong on the list?
)

// Sample is a drawn sample.
type Sample struct {
	SampleID uuid.UUID  `json:"sample_id"`
	Of       string     `json:"of" db:"drawn_of"` // list:ID or decisions
	ListID   *uuid.UUID `json:"list_id"`
	ListName string     `json:"list_name"`
	Question string     `json:"question"` // remove or belongs
	Since    *time.Time `json:"since"`
	Until    *time.Time `json:"until"`
	By       string     `json:"by" db:"strata"` // lang, kind, actor, or empty
	Seed     int64      `json:"seed"`
	// Population is the number of messages that the sample was drawn from, and Size
	// the number of items.
	Population int64 `json:"population"`
	Size       int   `json:"size"`
	Judged     int   `json:"judged"`
	// Disputed is the number of items on which the two judgements differ, and Open
	// the number of these that nobody has settled.
	Disputed      int        `json:"disputed"`
	Open          int        `json:"disputed_open"`
	CreatedBy     *uuid.UUID `json:"created_by"`
	CreatedByName string     `json:"created_by_name"`
	CreatedDate   time.Time  `json:"created_date"`
}

const columns = `s.sample_id, CASE WHEN s.list_id IS NULL THEN 'decisions' ELSE 'list:' || s.list_id END AS drawn_of,
	s.list_id, coalesce(l.name, '') AS list_name, s.question, s.since, s.until, s.strata, s.seed, s.population, s.size,
	n.judged, n.disputed, n.open,
	s.created_by, coalesce(u.display_name, '') AS created_by_name, s.created_date`

const from = `samples s LEFT JOIN lists l ON l.list_id = s.list_id LEFT JOIN users u ON u.user_id = s.created_by
	CROSS JOIN LATERAL (SELECT count(*) AS judged, count(*) FILTER (WHERE i.first <> i.second) AS disputed,
		count(*) FILTER (WHERE i.first <> i.second AND i.settled IS NULL) AS open
		FROM sample_items i WHERE i.sample_id = s.sample_id AND i.second IS NOT NULL) n`

// Filter narrows the samples.
type Filter struct {
	List *uuid.UUID
	db.Page
}

// All returns one page of the samples, the newest first.
func (d Access) All(ctx context.Context, f Filter) (db.List[Sample], error) {
	q := db.Query{Columns: columns, From: from}
	if f.List != nil {
		q.Where("s.list_id = ?", *f.List)
	}
	type row struct {
		db.Keyed
		Sample
	}
	rows, next, prev, err := db.Fetch[row](ctx, d.Pool, q, db.Order{Name: "samples", Desc: true, Keys: []db.Key{
		{Expr: "s.created_date", Typ: "timestamptz"}, {Expr: "s.sample_id", Typ: "uuid"},
	}}, f.Page)
	items := make([]Sample, len(rows))
	for i, r := range rows {
		items[i] = r.Sample
	}
	return db.List[Sample]{Items: items, Next: next, Prev: prev}, err
}

// ByID returns a sample, or ErrNotFound.
func (d Access) ByID(ctx context.Context, id uuid.UUID) (Sample, error) {
	found, err := db.Collect[Sample](ctx, d.Pool, "SELECT "+columns+" FROM "+from+" WHERE s.sample_id = $1", id)
	if err == nil && len(found) == 0 {
		err = db.ErrNotFound
	}
	if err != nil {
		return Sample{}, err
	}
	return found[0], nil
}

// Order describes a sample to draw.
type Order struct {
	List         *uuid.UUID // nil for decisions
	Since, Until *time.Time
	Size         int    // 1 to MaxSize
	Seed         *int64 // nil for any
	By           string // lang, kind, actor, or empty for no strata
	// IdempotencyKey makes an order that is sent again draw once.
	IdempotencyKey string `json:"-"`
}

// Draw draws a sample and keeps it. The same order over the same population draws
// the same messages.
func (d Access) Draw(ctx context.Context, o Order) (Sample, error) {
	if d.Edit != nil {
		return Sample{}, d.Edit
	}
	if err := o.check(); err != nil {
		return Sample{}, err
	}
	id := d.newID(o)
	err := pgx.BeginFunc(ctx, d.Pool, func(tx pgx.Tx) error {
		if drawn, err := d.useKey(ctx, tx, o); drawn || err != nil {
			return err
		}
		kind := ""
		if o.List != nil {
			err := tx.QueryRow(ctx, "SELECT kind FROM lists WHERE list_id = $1 AND NOT removed", *o.List).Scan(&kind)
			if errors.Is(err, pgx.ErrNoRows) {
				return db.Invalid{"of": "There is no such list."}
			}
			if err != nil {
				return err
			}
		}
		population, err := o.population(ctx, tx)
		if err != nil {
			return err
		}
		if len(population) == 0 {
			return o.empty()
		}
		question := Remove
		if kind == "custom" {
			question = Belongs
		}
		seed := rand.Int64N(1 << 31)
		if o.Seed != nil {
			seed = *o.Seed
		}
		chosen := draw(population, seed, o.Size)
		if _, err := tx.Exec(ctx, `INSERT INTO samples (sample_id, list_id, question, since, until, strata, seed,
			population, size, created_by, created_date) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)`,
			id, o.List, question, o.Since, o.Until, o.By, seed, len(population), len(chosen), d.person(),
			d.Now().UTC()); err != nil {
			return err
		}
		_, err = tx.CopyFrom(ctx, pgx.Identifier{"sample_items"}, []string{"sample_id", "message_id", "place", "lang",
			"kind", "actor_id", "reason", "action_id", "decided_at", "first"},
			pgx.CopyFromSlice(len(chosen), func(i int) ([]any, error) {
				c := chosen[i]
				return []any{id, c.MessageID, i + 1, c.Lang, c.Kind, c.ActorID, c.Reason, c.ActionID, c.DecidedAt, c.First}, nil
			}))
		return err
	})
	if err != nil {
		return Sample{}, db.Translate(err)
	}
	return d.ByID(ctx, id)
}

func (o Order) check() error {
	wrong := db.Invalid{}
	if o.Size < 1 || o.Size > MaxSize {
		wrong["size"] = "A sample has 1 to 1,000 messages."
	}
	if o.Since != nil && o.Until != nil && !o.Since.Before(*o.Until) {
		wrong["until"] = "This is not after the beginning."
	}
	if db.OneOf("by", o.By, "", "lang", "kind", "actor") != nil {
		wrong["by"] = "Choose lang, kind or actor."
	}
	if len(wrong) > 0 {
		return wrong
	}
	return nil
}

// empty returns the error of an order that no message fits.
func (o Order) empty() db.Invalid {
	field := "of"
	switch {
	case o.Until != nil:
		field = "until"
	case o.Since != nil:
		field = "since"
	}
	return db.Invalid{field: "There is nothing to draw from: no message fits."}
}

// decidedSQL finds the last decision on each message in a time: a delete, an
// undelete, or a review. One that was undone does not count. A review that is
// pending again withdraws the decisions before it: its first is null. A halt and
// a ban are left out, because they judge a tree and a user.
const decidedSQL = `SELECT DISTINCT ON (a.target_id) a.target_id::uuid AS message_id, a.actor_id, a.reason,
	a.id AS action_id, a.at AS decided_at,
	CASE WHEN a.kind <> 'review' THEN a.kind WHEN r.accepted THEN 'accept' ELSE 'reject' END AS kind,
	a.kind = 'delete' OR a.kind = 'review' AND NOT r.accepted AS first
	FROM actions a LEFT JOIN LATERAL (SELECT (o.after->>'result')::boolean AS accepted FROM action_objects o
		WHERE o.action_id = a.id AND o.object_type = 'message' AND o.aspect = 'review' LIMIT 1) r ON a.kind = 'review'
	WHERE a.kind IN ('delete', 'undelete', 'review') AND a.target_type = 'message'
		AND NOT EXISTS (SELECT FROM actions b WHERE b.undoes = a.id)
		AND a.at >= $1 AND a.at < $2
	ORDER BY a.target_id, a.id DESC`

// listedSQL finds the items of list $3, and the candidates that were refused for
// it. To be on a bad list says that a message should go, to be on a good one that
// it should stay; to be refused says the opposite.
const listedSQL = `SELECT i.message_id, i.added_by AS actor_id, i.note AS reason, i.action_id, i.added_at AS decided_at,
	l.kind, l.kind <> 'good' AS first
	FROM list_items i JOIN lists l USING (list_id)
	WHERE i.list_id = $3 AND i.added_at >= $1 AND i.added_at < $2
	UNION ALL
	SELECT c.message_id, c.decided_by, '', c.decided_action, c.decided_at, 'refused', l.kind = 'good'
	FROM list_candidates c JOIN lists l USING (list_id)
	WHERE c.list_id = $3 AND c.verdict = 'refuse' AND c.decided_at >= $1 AND c.decided_at < $2
		AND NOT EXISTS (SELECT FROM list_items i WHERE i.list_id = c.list_id AND i.message_id = c.message_id)`

// population reads what the sample is drawn from: messages that are here, and
// whose text is the one that the first person judged.
func (o Order) population(ctx context.Context, c db.Conn) ([]candidate, error) {
	since, until := time.Time{}, time.Date(9999, 1, 1, 0, 0, 0, 0, time.UTC)
	if o.Since != nil {
		since = *o.Since
	}
	if o.Until != nil {
		until = *o.Until
	}
	source, args := decidedSQL, []any{since, until}
	if o.List != nil {
		source, args = listedSQL, append(args, *o.List)
	}
	found, err := db.Collect[candidate](ctx, c, `SELECT d.message_id, coalesce(m.lang, '') AS lang, d.kind, d.actor_id,
		d.reason, d.action_id, d.decided_at, d.first
		FROM (`+source+`) d JOIN message_trees x ON x.message_id = d.message_id
		JOIN messages m ON m.tree_id = x.tree_id AND m.message_id = d.message_id
		WHERE d.first IS NOT NULL AND NOT EXISTS (SELECT FROM revisions r
			WHERE r.tree_id = m.tree_id AND r.message_id = m.message_id AND r.at > d.decided_at)`, args...)
	for i := range found {
		found[i].stratum = found[i].group(o.By)
	}
	return found, err
}

// group returns the group of a first judgement: its language, its kind, the
// person or the reason.
func (c candidate) group(by string) string {
	switch by {
	case "lang":
		return c.Lang
	case "kind":
		return c.Kind
	case "reason":
		return strings.ToLower(strings.Join(strings.Fields(c.Reason), " "))
	case "actor":
		if c.ActorID != nil {
			return c.ActorID.String()
		}
	}
	return ""
}
