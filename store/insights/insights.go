// Package insights keeps figures of the whole collection: outputs of classifiers by
// group, their correlations with human labels, who contributed how much, and how far
// raters agree. They are counted whole in one snapshot of the database, and stand in
// tables. Figures that add up by tree follow changes within seconds: whoever writes notes
// the trees, and the parts of the collection with these trees are counted again. Pages
// read a few thousand rows, or one for each user, whatever the number of messages.
package insights

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"treewarden/store/db"
)

// Access reads and keeps the figures.
type Access struct {
	Pool *pgxpool.Pool
	Now  func() time.Time
	// Part is the least number of trees that are counted together, SmallPart if it is 0.
	Part int
	// Lists is why the lists may not be read; nil if they may.
	Lists error
	// Log is why the log may not be read; nil if it may. Own is the user whose actions
	// alone may be read; nil if all may.
	Log error
	Own *uuid.UUID
}

// State says when the figures were counted.
type State struct {
	AsOf    time.Time // of the last whole count; zero: never
	changes int64     // what changesSQL gave before
	took    time.Duration
	// updated is when parts were counted again since, zero if never; updateTook is how
	// long that took.
	updated    time.Time
	updateTook time.Duration
	noted      int // about the number of trees and users that have changed since, 2 * (few + 1) at most
}

// readState reads the state.
func readState(ctx context.Context, c db.Conn) (s State, err error) {
	var seconds, updateSeconds float64
	var updated *time.Time
	err = c.QueryRow(ctx, `SELECT as_of, changes, seconds, updated_at, coalesce(update_seconds, 0),
			(SELECT count(*) FROM (SELECT FROM insight_changes LIMIT $1) n) +
			(SELECT count(*) FROM (SELECT FROM insight_changed_users LIMIT $1) n) FROM insight_state`, few+1).
		Scan(&s.AsOf, &s.changes, &seconds, &updated, &updateSeconds, &s.noted)
	if errors.Is(err, pgx.ErrNoRows) {
		return State{}, nil
	}
	if updated != nil {
		s.updated = updated.UTC()
	}
	s.AsOf, s.took = s.AsOf.UTC(), time.Duration(seconds*float64(time.Second))
	s.updateTook = time.Duration(updateSeconds * float64(time.Second))
	return s, err
}

// Head is what the answers of the API have in common.
type Head struct {
	AsOf    *time.Time        `json:"as_of" description:"when they were counted; null if they never were"`
	Queries map[string]string `json:"queries" description:"the SQL that made the figures"`
	// Follow is true for figures that follow changes within seconds.
	Follow bool `json:"-"`
}

// head returns the head of figures that are counted whole, and of those of a time frame,
// which begins at a distance from the whole count.
func (s State) head() Head {
	h := Head{Queries: map[string]string{}}
	if !s.AsOf.IsZero() {
		h.AsOf = &s.AsOf
	}
	return h
}

// current returns the head of figures that add up by tree.
func (s State) current() Head {
	h := s.head()
	h.Follow = true
	if s.updated.After(s.AsOf) {
		h.AsOf = &s.updated
	}
	return h
}

// Model is a classifier with the number of messages that it has outputs of.
type Model struct {
	Name     string `json:"name"`
	Messages int64  `json:"messages"`
}

const modelsSQL = `SELECT c.name, max(o.messages)::bigint AS messages FROM classifier_models c
	JOIN (SELECT model_id, output, sum(messages) AS messages FROM insight_outputs GROUP BY model_id, output) o
		USING (model_id)
	GROUP BY c.name ORDER BY messages DESC, c.name`

// models returns the models, those with the most messages first, and the one that was
// asked for; without a name it is the first. It is empty if there are none.
func models(ctx context.Context, c db.Conn, asked string) (all []Model, model string, err error) {
	all, err = db.Collect[Model](ctx, c, modelsSQL)
	if err != nil {
		return nil, "", err
	}
	names := make([]string, len(all))
	for i, m := range all {
		names[i] = m.Name
	}
	switch {
	case asked == "" && len(all) > 0:
		return all, names[0], nil
	case asked == "":
		return []Model{}, "", nil
	case len(all) == 0:
		return nil, "", db.BadParameter{Name: "model", Malformed: "model: the figures have no classifier."}
	}
	return all, asked, db.OneOf("model", asked, names...)
}

// outputsOf returns the outputs of a model, in its order.
func outputsOf(ctx context.Context, c db.Conn, model string) (outputs []string, err error) {
	err = c.QueryRow(ctx, `SELECT coalesce((SELECT outputs FROM classifier_models WHERE name = $1), '{}')`, model).
		Scan(&outputs)
	return outputs, err
}

// inSnapshot reads in one snapshot, so that the figures are all of one count.
func (a Access) inSnapshot(ctx context.Context, do func(tx pgx.Tx, s State) error) error {
	return db.InSnapshot(ctx, a.Pool, func(tx pgx.Tx) error {
		s, err := readState(ctx, tx)
		if err != nil {
			return fmt.Errorf("read when the figures were counted: %w", err)
		}
		return do(tx, s)
	})
}

// shown returns a query as it can be run by hand.
func shown(sql string, args ...any) string {
	return strings.ReplaceAll(db.WithValues(sql, args...), "\n\t\t", "\n") + ";"
}
