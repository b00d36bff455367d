package demo

import (
	"context"
	"slices"
	"time"

	"github.com/google/uuid"

	"treewarden/scoring"
	"treewarden/store"
)

// Load adds a corpus to a database, in one transaction. Unlike an import, it
// has the user and the time of each vote and reaction. It fails if one of the
// ids exists already.
func Load(ctx context.Context, s *store.Store, c Corpus) error { return s.Load(ctx, toLoad(c)) }

// Fill loads a corpus into an empty database and reports whether it did:
// another process may have filled the database first.
func Fill(ctx context.Context, s *store.Store, c Corpus) (filled bool, err error) {
	return s.Fill(ctx, toLoad(c))
}

// toLoad returns the tables of a corpus, referenced tables first.
func toLoad(c Corpus) store.Bulk {
	return store.Bulk{
		Model: Classifier, Outputs: ClassifierOutputs[:],
		Tables: func(model int16, places []int) []store.Table {
			outputs := []store.Table{outputsToLoad(c, model, places)}
			return slices.Concat(usersToLoad(c), treesToLoad(c), signalsToLoad(c), outputs)
		},
	}
}

func usersToLoad(c Corpus) []store.Table {
	return []store.Table{{
		Name: "users",
		Columns: []string{"user_id", "display_name", "auth_method", "username",
			"email", "created_date", "last_activity_date"},
		Rows: len(c.Users),
		Row: func(i int) []any {
			u := c.Users[i]
			return []any{rawID(u.ID), u.DisplayName, u.AuthMethod, u.Username,
				textOrNull(u.Email), u.Created, dateOrNone(u.LastActivity)}
		},
	}}
}

func treesToLoad(c Corpus) []store.Table {
	return []store.Table{{
		Name: "trees",
		Columns: []string{"tree_id", "state", "active", "goal_tree_size", "max_depth",
			"max_children_count", "origin", "lang", "created_date", "user_id"},
		Rows: len(c.Trees),
		Row: func(i int) []any {
			t := c.Trees[i]
			return []any{rawID(t.ID), t.State, t.Active, t.GoalSize, t.MaxDepth, t.MaxChildren, textOrNull(t.Origin), t.Lang,
				t.Created, rawIDOrNull(t.Author)}
		},
	}, {
		Name: "messages",
		Columns: []string{
			"tree_id", "message_id", "parent_id", "user_id", "created_date", "role", "lang", "text", "depth", "review_count",
			"review_result", "rank", "synthetic", "model_name", "deleted", "deleted_root",
		},
		Rows: len(c.Messages),
		Row: func(i int) []any {
			m := c.Messages[i]
			return []any{
				rawID(m.Tree), rawID(m.ID), rawIDOrNull(m.Parent), rawIDOrNull(m.Author), m.Created, m.Role, m.Lang, m.Text,
				m.Depth, m.ReviewCount,
				m.ReviewResult, m.Rank, m.Synthetic, textOrNull(m.ModelName), m.Deleted, rawIDOrNull(m.DeletedRoot),
			}
		},
	}, {
		Name:    "message_trees",
		Columns: []string{"message_id", "tree_id"},
		Rows:    len(c.Messages),
		Row:     func(i int) []any { return []any{rawID(c.Messages[i].ID), rawID(c.Messages[i].Tree)} },
	}}
}

func signalsToLoad(c Corpus) []store.Table {
	return []store.Table{{
		Name:    "label_votes",
		Columns: append([]string{"tree_id", "message_id", "user_id", "at"}, scoring.LabelNames...),
		Rows:    len(c.Votes),
		Row: func(i int) []any {
			v := c.Votes[i]
			row := []any{rawID(v.Tree), rawID(v.Message), rawID(v.User), v.At}
			for _, value := range v.Values {
				if value == NotAsked {
					row = append(row, nil)
				} else {
					row = append(row, value)
				}
			}
			return row
		},
	}, {
		Name:    "reactions",
		Columns: []string{"tree_id", "message_id", "user_id", "emoji", "at"},
		Rows:    len(c.Reactions),
		Row: func(i int) []any {
			r := c.Reactions[i]
			return []any{rawID(r.Tree), rawID(r.Message), rawID(r.User), r.Emoji, r.At}
		},
	}, {
		Name:    "reports",
		Columns: []string{"tree_id", "message_id", "user_id", "reason", "at", "status"},
		Rows:    len(c.Reports),
		Row: func(i int) []any {
			r := c.Reports[i]
			return []any{rawID(r.Tree), rawID(r.Message), rawID(r.User), r.Reason, r.At, r.Status}
		},
	}}
}

// outputsToLoad writes a classifier's outputs in the order of the model's own
// list, which may hold other outputs too.
func outputsToLoad(c Corpus, model int16, places []int) store.Table {
	width := 1 + slices.Max(places)
	toxicity := slices.Index(ClassifierOutputs[:], "toxicity")
	return store.Table{
		Name:    "classifier_outputs",
		Columns: []string{"tree_id", "message_id", "model_id", "toxicity", "scores", "at"},
		Rows:    len(c.Outputs),
		Row: func(i int) []any {
			o := c.Outputs[i]
			scores := make([]*float64, width)
			for k := range o.Scores {
				scores[places[k]] = &o.Scores[k]
			}
			return []any{rawID(o.Tree), rawID(o.Message), model, o.Scores[toxicity], scores, o.At}
		},
	}
}

// rawID is an id in the driver's fastest form: the driver would convert a
// uuid.UUID to text.
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

// dateOrNone returns a date, or store.NoDate for the zero time.
func dateOrNone(at time.Time) any {
	if at.IsZero() {
		return store.NoDate
	}
	return at
}
