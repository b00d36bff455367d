package store

import (
	"context"
	"fmt"
	"slices"
	"time"
	"treewarden/corpus/demo"
	"treewarden/store/boards"
	"treewarden/store/counters"
	"treewarden/store/db"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgtype"
)

// loadLock is the advisory lock under which an empty database is filled, so
// that two demonstrations started together fill it once.
const loadLock = 0x7472656577646d

// Empty says whether the database holds no collection yet: no contributor and
// no tree. Staff and keys may be there.
func (s *Store) Empty(ctx context.Context) (bool, error) { return isEmpty(ctx, s.pool) }

func isEmpty(ctx context.Context, c db.Conn) (bool, error) {
	var empty bool
	err := c.QueryRow(ctx, `SELECT NOT EXISTS (SELECT FROM trees) AND NOT EXISTS (SELECT FROM users WHERE role = 'general')`).Scan(&empty)
	return empty, db.Translate(err)
}

// Load adds a generated corpus to the database, in one transaction. Unlike an
// import it knows who gave each vote and reaction, and when. It fails when one
// of the ids is there already.
func (s *Store) Load(ctx context.Context, c demo.Corpus) error {
	defer s.boards.MarkAll()
	return db.Translate(pgx.BeginFunc(ctx, s.pool, func(tx pgx.Tx) error { return s.loadCorpus(ctx, tx, c) }))
}

// Fill loads a corpus into a database that is empty, and says whether it did:
// another process may have been first.
func (s *Store) Fill(ctx context.Context, c demo.Corpus) (filled bool, err error) {
	defer s.boards.MarkAll()
	err = db.Translate(pgx.BeginFunc(ctx, s.pool, func(tx pgx.Tx) error {
		if _, err := tx.Exec(ctx, "SELECT pg_advisory_xact_lock($1)", int64(loadLock)); err != nil {
			return err
		}
		if filled, err = isEmpty(ctx, tx); err != nil || !filled {
			return err
		}
		return s.loadCorpus(ctx, tx, c)
	}))
	return filled && err == nil, err
}

// loadTable is one COPY: rows are written as they are sent, never gathered.
type loadTable struct {
	name    string
	columns []string
	rows    int
	row     func(i int) []any
}

// loadCorpus copies a corpus table by table, those that others refer to first.
func (s *Store) loadCorpus(ctx context.Context, tx pgx.Tx, c demo.Corpus) error {
	model, places, err := classifierModel(ctx, tx, demo.Classifier, demo.ClassifierOutputs[:])
	if err != nil {
		return err
	}
	for _, t := range slices.Concat(usersToLoad(c), treesToLoad(c), signalsToLoad(c), []loadTable{outputsToLoad(c, model, places)}) {
		source := pgx.CopyFromSlice(t.rows, func(i int) ([]any, error) { return t.row(i), nil })
		if _, err := tx.CopyFrom(ctx, pgx.Identifier{t.name}, t.columns, source); err != nil {
			return fmt.Errorf("load %s: %w", t.name, err)
		}
	}
	// Until the server gets round to it by itself, its plans for these tables
	// would be made for empty ones. What is only shown needs no figures.
	if _, err := tx.Exec(ctx, `ANALYZE users, trees, message_trees, reactions, reports,
		messages (tree_id, message_id, parent_id, user_id, created_date, lang, deleted, deleted_root, review_result),
		label_votes (tree_id, message_id, user_id, at), classifier_outputs (tree_id, message_id, toxicity, at)`); err != nil {
		return err
	}
	from, err := s.threshold.Read(ctx, tx)
	if err != nil {
		return err
	}
	if err := counters.RebuildIn(ctx, tx, s.now(), from); err != nil {
		return fmt.Errorf("count the signals: %w", err)
	}
	if _, err := tx.Exec(ctx, "ANALYZE user_signals, user_languages"); err != nil {
		return err
	}
	return boards.AnnounceAll(ctx, tx)
}

func usersToLoad(c demo.Corpus) []loadTable {
	return []loadTable{{
		"users", []string{"user_id", "display_name", "auth_method", "username", "email", "created_date", "last_activity_date"}, len(c.Users),
		func(i int) []any {
			u := c.Users[i]
			return []any{rawID(u.ID), u.DisplayName, u.AuthMethod, u.Username, textOrNull(u.Email), u.Created, dateOrNever(u.LastActivity)}
		},
	}}
}

func treesToLoad(c demo.Corpus) []loadTable {
	return []loadTable{{
		"trees", []string{"tree_id", "state", "active", "goal_tree_size", "max_depth", "max_children_count", "origin", "lang", "created_date", "user_id"}, len(c.Trees),
		func(i int) []any {
			t := c.Trees[i]
			return []any{rawID(t.ID), t.State, t.Active, t.GoalSize, t.MaxDepth, t.MaxChildren, textOrNull(t.Origin), t.Lang, t.Created, rawIDOrNull(t.Author)}
		},
	}, {
		"messages", []string{
			"tree_id", "message_id", "parent_id", "user_id", "created_date", "role", "lang", "text", "depth", "review_count",
			"review_result", "rank", "synthetic", "model_name", "deleted", "deleted_root",
		}, len(c.Messages),
		func(i int) []any {
			m := c.Messages[i]
			return []any{
				rawID(m.Tree), rawID(m.ID), rawIDOrNull(m.Parent), rawIDOrNull(m.Author), m.Created, m.Role, m.Lang, m.Text, m.Depth, m.ReviewCount,
				m.ReviewResult, m.Rank, m.Synthetic, textOrNull(m.ModelName), m.Deleted, rawIDOrNull(m.DeletedRoot),
			}
		},
	}, {
		"message_trees", []string{"message_id", "tree_id"}, len(c.Messages),
		func(i int) []any { return []any{rawID(c.Messages[i].ID), rawID(c.Messages[i].Tree)} },
	}}
}

func signalsToLoad(c demo.Corpus) []loadTable {
	return []loadTable{{
		"label_votes", append([]string{"tree_id", "message_id", "user_id", "at"}, demo.LabelNames[:]...), len(c.Votes),
		func(i int) []any {
			v := c.Votes[i]
			row := []any{rawID(v.Tree), rawID(v.Message), rawID(v.User), v.At}
			for _, value := range v.Values {
				row = append(row, pgtype.Float8{Float64: value, Valid: value != demo.NotGiven})
			}
			return row
		},
	}, {
		"reactions", []string{"tree_id", "message_id", "user_id", "emoji", "at"}, len(c.Reactions),
		func(i int) []any {
			r := c.Reactions[i]
			return []any{rawID(r.Tree), rawID(r.Message), rawID(r.User), r.Emoji, r.At}
		},
	}, {
		"reports", []string{"tree_id", "message_id", "user_id", "reason", "at", "status"}, len(c.Reports),
		func(i int) []any {
			r := c.Reports[i]
			return []any{rawID(r.Tree), rawID(r.Message), rawID(r.User), r.Reason, r.At, r.Status}
		},
	}}
}

// outputsToLoad writes a classifier's outputs in the order of the model's own
// list, which may hold others too.
func outputsToLoad(c demo.Corpus, model int16, places []int) loadTable {
	width := 1 + slices.Max(places)
	toxicity := slices.Index(demo.ClassifierOutputs[:], "toxicity")
	return loadTable{
		"classifier_outputs", []string{"tree_id", "message_id", "model_id", "toxicity", "scores", "at"}, len(c.Outputs),
		func(i int) []any {
			o := c.Outputs[i]
			scores := make([]*float64, width)
			for k := range o.Scores {
				scores[places[k]] = &o.Scores[k]
			}
			return []any{rawID(o.Tree), rawID(o.Message), model, o.Scores[toxicity], scores, o.At}
		},
	}
}

// classifierModel makes sure that a model is known with its outputs, and
// returns its id and where each output stands in the model's arrays, from 0.
func classifierModel(ctx context.Context, tx pgx.Tx, name string, outputs []string) (id int16, places []int, err error) {
	var known []string
	// The no-op update locks the row, so that two loads append one after the other.
	if err := tx.QueryRow(ctx, `INSERT INTO classifier_models AS m (name) VALUES ($1)
		ON CONFLICT (name) DO UPDATE SET name = m.name RETURNING model_id, outputs`, name).Scan(&id, &known); err != nil {
		return 0, nil, err
	}
	for _, output := range outputs {
		if !slices.Contains(known, output) {
			known = append(known, output)
		}
		places = append(places, slices.Index(known, output))
	}
	_, err = tx.Exec(ctx, "UPDATE classifier_models SET outputs = $2 WHERE model_id = $1 AND outputs <> $2", id, known)
	return id, places, err
}

// rawID is an id as the driver writes it fastest: a uuid.UUID would go by way of
// its text.
func rawID(u uuid.UUID) [16]byte { return u }

func rawIDOrNull(u uuid.UUID) any {
	if u == uuid.Nil {
		return nil
	}
	return rawID(u)
}

func textOrNull(text string) any {
	if text == "" {
		return nil
	}
	return text
}

// dateOrNever writes the zero time as the date of what never happened.
func dateOrNever(at time.Time) pgtype.Timestamptz {
	if at.IsZero() {
		return pgtype.Timestamptz{InfinityModifier: pgtype.NegativeInfinity, Valid: true}
	}
	return pgtype.Timestamptz{Time: at, Valid: true}
}
