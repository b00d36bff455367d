package classify

import (
	"bytes"
	"context"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5/pgtype"

	"treewarden/scoring"
	"treewarden/store/cases"
	"treewarden/store/counters"
	"treewarden/store/db"
	"treewarden/store/derived"
	"treewarden/store/tables"
)

// write writes the outputs of a model with the counts that follow from them, and what it
// refuses, in one transaction. A message that was changed since it was read is left out.
// It returns the number of messages with new outputs. Their rows of the queue go.
func (r *Runner) write(ctx context.Context, m Model, good []scored, refused []refusal) (written int, err error) {
	outputs := map[string]bool{}
	for _, s := range good {
		for name := range s.scores {
			outputs[m.stored(name)] = true
		}
	}
	model, err := r.model(ctx, m.Name, slices.Sorted(maps.Keys(outputs)))
	if err != nil {
		return 0, err
	}
	slices.SortFunc(good, func(a, b scored) int {
		if c := bytes.Compare(a.tree[:], b.tree[:]); c != 0 {
			return c
		}
		return bytes.Compare(a.id[:], b.id[:])
	})
	for i := range good {
		good[i].arrange(m, model)
	}
	err = db.Retry(ctx, func() error {
		c, err := db.Acquire(ctx, r.Pool)
		if err != nil {
			return err
		}
		defer c.Release()
		update, err := counters.Begin(ctx, c, r.Rules)
		if err != nil {
			return err
		}
		defer func() { r.Publisher.Mark(update.Changed) }()
		w := &outputWrite{Pipe: db.Pipe{Conn: c, Ctx: ctx}, model: model, name: m.Name,
			at: r.Now().UTC().Truncate(time.Microsecond), update: update, publisher: r.Publisher}
		if err := w.run(good, refused); err != nil {
			w.Rollback()
			return err
		}
		written = w.written
		return nil
	})
	return written, err
}

// outputWrite is one attempt to write outputs. It locks trees, then counters, as actions do.
type outputWrite struct {
	db.Pipe
	model     *tables.Model
	name      string
	at        time.Time
	update    *counters.Update
	publisher counters.Publisher
	now       map[uuid.UUID]*standing
	settled   []message // messages that need no output
	counting  []message // messages whose new output may change what counts
	written   int
}

// standing is what is known of a message when its output is written.
type standing struct {
	version int
	author  *uuid.UUID
	created pgtype.Timestamptz
	others  bool // other models have a toxicity
	known   bool // this model has an output
	foreign bool // that one came from outside
}

const standingSQL = `SELECT m.message_id, m.version, m.user_id, m.created_date,
		coalesce(o.others, false), coalesce(o.known, false), coalesce(o.from_outside, false)
	FROM unnest($1::uuid[], $2::uuid[]) w(tree_id, message_id)
	JOIN messages m ON m.tree_id = w.tree_id AND m.message_id = w.message_id
	CROSS JOIN LATERAL (SELECT bool_or(a.model_id <> $3 AND a.toxicity IS NOT NULL) AS others,
			bool_or(a.model_id = $3) AS known, bool_or(a.model_id = $3 AND NOT a.run_here) AS from_outside
		FROM classifier_outputs a WHERE a.tree_id = m.tree_id AND a.message_id = m.message_id) o`

func (w *outputWrite) run(good []scored, refused []refusal) error {
	good, err := w.lock(good)
	if err != nil {
		return err
	}
	var fresh db.CopyRows
	fresh.Reset()
	var replaced replacedRows
	for _, s := range good {
		if w.now[s.id].known {
			replaced.add(s)
			continue
		}
		fresh.Row(8)
		fresh.UUID(s.tree)
		fresh.UUID(s.id)
		fresh.Int16(w.model.ID)
		fresh.Float(s.toxicity)
		fresh.Floats(s.ordered)
		fresh.Time(&w.at)
		fresh.Bytes(derived.HashOf(s.text))
		fresh.Bool(true)
	}
	if err := fresh.Send(w.Ctx, w.Conn, "classifier_outputs", outputColumns); err != nil {
		return err
	}
	if len(replaced.ids) > 0 {
		w.Queue(replaceSQL, db.IDArray(replaced.trees), db.IDArray(replaced.ids), w.model.ID, replaced.toxicity,
			replaced.scores, replaced.hashes, w.at)
	}
	if len(w.counting) > 0 {
		trees, ids := keys(w.counting)
		cases.QueueToxicity(&w.Batch, trees, ids)
	}
	if trees, _ := keys(seen(good)); len(trees) > 0 {
		w.Queue(tables.NoteChangesSQL, db.IDArray(slices.Compact(trees)))
	}
	w.queueEnd(seen(good), refused)
	if err := w.Flush(); err != nil {
		return err
	}
	if err := w.update.Settle(w.Ctx, w.Conn, &w.Batch, w.at); err != nil {
		return err
	}
	w.publisher.Announce(&w.Batch, w.update.Changed)
	w.written = len(good)
	return w.Commit(len(good) > 0)
}

// lock locks the trees of messages and returns the messages whose output is to be written.
// It makes the counters follow.
func (w *outputWrite) lock(good []scored) ([]scored, error) {
	trees, ids := keys(seen(good))
	w.now = make(map[uuid.UUID]*standing, len(good))
	w.Queue("BEGIN")
	w.Queue("SELECT FROM trees WHERE tree_id = ANY ($1) ORDER BY tree_id FOR UPDATE",
		db.IDArray(slices.Compact(slices.Clone(trees))))
	var id uuid.UUID
	var s standing
	w.Each([]any{&id, &s.version, &s.author, &s.created, &s.others, &s.known, &s.foreign}, func() { w.now[id] = new(s) },
		standingSQL, db.IDArray(trees), db.IDArray(ids), w.model.ID)
	if err := w.Flush(); err != nil {
		return nil, err
	}
	good = slices.DeleteFunc(slices.Clone(good), func(s scored) bool {
		now := w.now[s.id]
		if now == nil || now.foreign {
			w.settled = append(w.settled, s.message)
			return true
		}
		return now.version != s.version
	})
	var counted, fresh []scored
	use := w.update.Rule.Uses()(w.name)
	w.update.UsedRule = len(good) > 0
	for _, s := range good {
		now := w.now[s.id]
		counts := use != scoring.Ignored && (use != scoring.Fallback || !now.others)
		if counts {
			w.counting = append(w.counting, s.message)
		}
		switch {
		case now.author == nil:
			w.update.Changed.Add(uuid.Nil)
		case !counts:
		case now.others || now.known:
			counted = append(counted, s)
		case s.toxicity == nil:
		case *s.toxicity < w.update.Rule.From:
			// Nearly all messages of most runs: nothing else has to be read for them.
			var d counters.Deltas
			d.Toxicity(*s.toxicity)
			w.update.Add(*now.author, now.created, 1, &d)
		default:
			fresh = append(fresh, s)
		}
	}
	from, models := counters.RuleArgs(w.update.Rule)
	if len(counted) > 0 {
		trees, ids := keys(seen(counted))
		if err := w.update.WatchSubset(w.Ctx, w.Conn, counters.ToxicitySubset, from, models, db.IDArray(trees),
			db.IDArray(ids)); err != nil {
			return nil, err
		}
	}
	if len(fresh) > 0 {
		trees, ids := keys(seen(fresh))
		w.update.CountSubset(counters.ToxicitySubset, from, models, db.IDArray(trees), db.IDArray(ids))
	}
	return good, nil
}

// arrange puts the scores into the order of the model's outputs, and finds the toxicity
// among them.
func (s *scored) arrange(m Model, model *tables.Model) {
	s.ordered, s.toxicity = make([]*float64, len(model.At)), nil
	values := make([]float64, 0, len(s.scores))
	for name, score := range s.scores {
		values = append(values, score)
		value := &values[len(values)-1]
		s.ordered[model.At[m.stored(name)]] = value
		if name == m.Toxicity && score >= 0 && score <= 1 {
			s.toxicity = value
		}
	}
}

// queueEnd queues the statements that note the refused messages, and remove those that are
// done from the queue.
func (w *outputWrite) queueEnd(written []message, refused []refusal) {
	var trees, ids []uuid.UUID
	var versions []int
	var hashes [][]byte
	var reasons []string
	for _, f := range refused {
		trees, ids, versions = append(trees, f.tree), append(ids, f.id), append(versions, f.version)
		hashes, reasons = append(hashes, derived.HashOf(f.text)), append(reasons, f.why)
	}
	if len(ids) > 0 {
		w.Queue(`WITH refused AS (SELECT s.* FROM unnest($2::uuid[], $3::uuid[], $4::int[], $5::bytea[], $6::text[])
				s(tree_id, message_id, version, hash, error)
				JOIN messages m ON m.tree_id = s.tree_id AND m.message_id = s.message_id AND m.version = s.version),
			noted AS (INSERT INTO classifier_failures AS f (model_id, tree_id, message_id, text_hash, error)
				SELECT $1, tree_id, message_id, hash, error FROM refused
				ON CONFLICT (model_id, tree_id, message_id) DO UPDATE SET text_hash = excluded.text_hash,
					error = excluded.error, at = now())
			DELETE FROM classifier_queue q USING refused r
			WHERE q.model_id = $1 AND q.tree_id = r.tree_id AND q.message_id = r.message_id`,
			w.model.ID, db.IDArray(trees), db.IDArray(ids), versions, hashes, reasons)
	}
	if done := slices.Concat(written, w.settled); len(done) > 0 {
		trees, ids := keys(done)
		w.Queue("DELETE FROM classifier_queue q USING "+ofKeys("q"), w.model.ID, db.IDArray(trees), db.IDArray(ids))
	}
	if len(written) > 0 {
		trees, ids := keys(written)
		w.Queue("DELETE FROM classifier_failures f USING "+ofKeys("f"), w.model.ID, db.IDArray(trees), db.IDArray(ids))
	}
}

// ofKeys returns the condition on a row that it is of model $1 and of one of the messages
// with the keys $2, $3, after USING or FROM.
func ofKeys(row string) string {
	return fmt.Sprintf(`unnest($2::uuid[], $3::uuid[]) k(tree_id, message_id)
		WHERE %[1]s.model_id = $1 AND %[1]s.tree_id = k.tree_id AND %[1]s.message_id = k.message_id`, row)
}

const outputColumns = "tree_id, message_id, model_id, toxicity, scores, at, text_hash, run_here"

// replaceSQL replaces the program's own outputs.
const replaceSQL = `UPDATE classifier_outputs o SET toxicity = s.toxicity, scores = s.scores::float8[], at = $7,
		text_hash = s.hash
	FROM unnest($1::uuid[], $2::uuid[], $4::float8[], $5::text[], $6::bytea[]) s(tree, message, toxicity, scores, hash)
	WHERE o.tree_id = s.tree AND o.message_id = s.message AND o.model_id = $3 AND o.run_here`

// replacedRows are the columns of replaceSQL.
type replacedRows struct {
	trees, ids []uuid.UUID
	toxicity   []*float64
	scores     []string
	hashes     [][]byte
}

func (r *replacedRows) add(s scored) {
	r.trees, r.ids = append(r.trees, s.tree), append(r.ids, s.id)
	r.toxicity, r.scores = append(r.toxicity, s.toxicity), append(r.scores, db.FloatArray(s.ordered))
	r.hashes = append(r.hashes, derived.HashOf(s.text))
}

// seen returns the messages of outputs.
func seen(of []scored) []message {
	all := make([]message, len(of))
	for i, s := range of {
		all[i] = s.message
	}
	return all
}

// keys returns the keys of messages.
func keys(of []message) (trees, ids []uuid.UUID) {
	trees, ids = make([]uuid.UUID, len(of)), make([]uuid.UUID, len(of))
	for i, s := range of {
		trees[i], ids[i] = s.tree, s.id
	}
	return trees, ids
}
