package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"math/rand/v2"
	"strings"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
)

// collector generates the data that front ends send: labels, reactions and
// replies for recent messages, by users as active as in the collection.
type collector struct {
	run    string // makes the ids of its events unique
	next   int
	around []placed
	rated  map[[2]uuid.UUID]bool // message and rater: a rater rates a message once
	random *rand.Rand
}

// placed is a message that signals refer to.
type placed struct {
	Tree, Message, Author uuid.UUID
	Role                  string
	Depth                 int
}

// submission is one line, with the values of its table rows.
type submission struct {
	kind    string // label, reaction or message
	event   string
	about   placed
	user    uuid.UUID
	message uuid.UUID // of the kind message: its own id
	at      time.Time
}

// taskLabels holds the labels of a submission, as many as a task asks for.
var taskLabels = []struct {
	name  string
	value float64
}{{"spam", 1}, {"quality", 0}, {"pii", 0}, {"toxicity", 0.75}, {"hate_speech", 1}}

const replyText = "A reply of the usual length, which says little and takes a line or two of the screen, so that " +
	"its row is about as long as others."

// pool is the number of messages that a collector uses, the newest ones.
const pool = 20_000

func (b *bench) newCollector(ctx context.Context) (*collector, error) {
	c := &collector{run: uuid.NewString()[:8], rated: map[[2]uuid.UUID]bool{}, random: rand.New(rand.NewPCG(2, 1))}
	rows, err := b.ours.Query(ctx, `SELECT m.tree_id, m.message_id, m.user_id, m.role, m.depth FROM messages m
		JOIN users u USING (user_id)
		WHERE NOT m.deleted AND u.banned_at IS NULL ORDER BY m.created_date DESC LIMIT $1`, pool)
	if err != nil {
		return nil, err
	}
	if c.around, err = pgx.CollectRows(rows, pgx.RowToStructByPos[placed]); err != nil {
		return nil, err
	}
	ids := make([]uuid.UUID, len(c.around))
	for i, m := range c.around {
		ids[i] = m.Message
	}
	var message, user uuid.UUID
	for _, table := range []string{"label_votes", "reactions"} {
		rows, err := b.ours.Query(ctx, "SELECT g.message_id, g.user_id FROM message_trees t JOIN "+table+
			" g ON g.tree_id = t.tree_id AND g.message_id = t.message_id WHERE t.message_id = ANY ($1)", ids)
		if err != nil {
			return nil, err
		}
		if _, err := pgx.ForEachRow(rows, []any{&message, &user}, func() error {
			c.rated[[2]uuid.UUID{message, user}] = true
			return nil
		}); err != nil {
			return nil, err
		}
	}
	return c, nil
}

// half returns a collector that uses every second message, so that the two
// halves never use the same message.
func (c *collector) half(which int) *collector {
	half := *c
	half.run, half.around, half.rated = fmt.Sprintf("%s-%d", c.run, which), nil, maps.Clone(c.rated)
	for i := which; i < len(c.around); i += 2 {
		half.around = append(half.around, c.around[i])
	}
	half.random = rand.New(rand.NewPCG(uint64(which), 1))
	return &half
}

// mixed generates the lines of a front end with many users: of 20 lines 11
// labels, 6 reactions, 3 replies.
func (c *collector) mixed(n int) []submission {
	all := make([]submission, n)
	for i := range all {
		kind := "label"
		switch p := c.random.IntN(20); {
		case p < 6:
			kind = "reaction"
		case p < 9:
			kind = "message"
		}
		all[i] = c.submit(kind)
	}
	return all
}

// submit generates one line. It draws the user from the authors of recent
// messages, so that active users are drawn often.
func (c *collector) submit(kind string) submission {
	c.next++
	s := submission{kind: kind, event: fmt.Sprintf("bench-%s-%d", c.run, c.next),
		at: time.Now().UTC().Truncate(time.Microsecond), message: uuid.New()}
	for {
		s.about, s.user = c.around[c.random.IntN(len(c.around))], c.around[c.random.IntN(len(c.around))].Author
		pair := [2]uuid.UUID{s.about.Message, s.user}
		if s.user == s.about.Author || c.rated[pair] {
			continue
		}
		c.rated[pair] = true
		return s
	}
}

// lines encodes submissions in the format of an ingest.
func lines(all ...submission) []byte {
	var out bytes.Buffer
	encoder := json.NewEncoder(&out)
	for _, s := range all {
		line := map[string]any{"type": s.kind, "id": s.event, "user_id": s.user, "at": s.at, "message_id": s.about.Message}
		switch s.kind {
		case "label":
			labels := map[string]float64{}
			for _, l := range taskLabels {
				labels[l.name] = l.value
			}
			line["labels"] = labels
		case "reaction":
			line["emoji"] = "-1"
		case "message":
			line["message_id"], line["parent_id"], line["role"], line["text"], line["lang"] = s.message, s.about.Message,
				otherRole(s.about.Role), replyText, "en"
			line["created_date"] = s.at
		}
		if err := encoder.Encode(line); err != nil {
			panic(err) // these values can always be encoded
		}
	}
	return out.Bytes()
}

func otherRole(role string) string {
	return map[string]string{"prompter": "assistant", "assistant": "prompter"}[role]
}

// plain inserts the rows of submissions, with one multi-row INSERT per table,
// and nothing else: no counters, no event ids.
func (s submissions) plain(ctx context.Context, tx pgx.Tx) error {
	for _, t := range []struct {
		into string
		kind string
		row  func(submission) []any
	}{
		{"message_trees (message_id, tree_id)", "message",
			func(s submission) []any { return []any{s.message, s.about.Tree} }},
		{"messages (tree_id, message_id, parent_id, user_id, created_date, role, lang, text, depth)", "message",
			func(s submission) []any {
				return []any{s.about.Tree, s.message, s.about.Message, s.user, s.at,
					otherRole(s.about.Role), "en", replyText, s.about.Depth + 1}
			}},
		{"label_votes (tree_id, message_id, user_id, at, spam, quality, pii, toxicity, hate_speech)", "label",
			func(s submission) []any {
				row := []any{s.about.Tree, s.about.Message, s.user, s.at}
				for _, l := range taskLabels {
					row = append(row, l.value)
				}
				return row
			}},
		{"reactions (tree_id, message_id, user_id, emoji, at)", "reaction", func(s submission) []any {
			return []any{s.about.Tree, s.about.Message, s.user, "-1", s.at}
		}},
	} {
		var values []string
		var args []any
		for _, one := range s {
			if one.kind != t.kind {
				continue
			}
			row := t.row(one)
			marks := make([]string, len(row))
			for i := range row {
				marks[i] = fmt.Sprintf("$%d", len(args)+i+1)
			}
			values, args = append(values, "("+strings.Join(marks, ",")+")"), append(args, row...)
		}
		if len(values) == 0 {
			continue
		}
		if _, err := tx.Exec(ctx, "INSERT INTO "+t.into+" VALUES "+strings.Join(values, ","), args...); err != nil {
			return err
		}
	}
	return nil
}

// submissions are those of one batch.
type submissions []submission

// remove deletes plain rows, which no counter includes.
func (s submissions) remove(ctx context.Context, b *bench) error {
	var trees, about, users, own []uuid.UUID
	for _, one := range s {
		trees, about, users, own = append(trees, one.about.Tree), append(about, one.about.Message), append(users, one.user),
			append(own, one.message)
	}
	return pgx.BeginFunc(ctx, b.ours, func(tx pgx.Tx) error {
		for _, table := range []string{"label_votes", "reactions"} {
			if _, err := tx.Exec(ctx, "DELETE FROM "+table+` t
				USING unnest($1::uuid[], $2::uuid[], $3::uuid[]) x(tree, message, rater)
				WHERE t.tree_id = x.tree AND t.message_id = x.message AND t.user_id = x.rater`, trees, about, users); err != nil {
				return err
			}
		}
		for _, sql := range []string{"DELETE FROM messages m USING unnest($1::uuid[], $2::uuid[]) x(tree, message) WHERE " +
			"m.tree_id = x.tree AND m.message_id = x.message",
			"DELETE FROM message_trees WHERE message_id = ANY ($2) AND tree_id = ANY ($1)"} {
			if _, err := tx.Exec(ctx, sql, trees, own); err != nil {
				return err
			}
		}
		return nil
	})
}
