package store

import (
	"math"
	"math/big"
	"strconv"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5/pgtype"

	"treewarden/corpus"
	"treewarden/scoring"
)

// tallyFresh has the counters of signals follow the batch's new messages.
// Those of new trees are counted here, because all that they contribute is at
// hand and the database would have to join it together again; score verify
// and the tests hold that it comes to the same. Those of known trees are left
// to the database: what is known there may bear on them.
func (w *importWrite) tallyFresh() {
	var trees, messages []uuid.UUID
	w.tally.take(nil, nil)
	for _, item := range w.batch.items {
		if item.state != importPlaced {
			continue
		}
		tree := w.trees[item.tree]
		for i := range item.record.Messages {
			m := &item.record.Messages[i]
			if _, known := w.known[m.MessageID]; known {
				continue
			}
			if tree.root == nil {
				trees, messages = append(trees, item.tree), append(messages, m.MessageID)
				continue
			}
			w.tallyMessage(m, tree, !m.Deleted || item.roots[i] == m.MessageID)
		}
	}
	w.tally.take(trees, messages)
}

// tallyMessage counts one new message of a new tree. Top says that its
// deletion, if it has one, aimed at it.
func (w *importWrite) tallyMessage(m *corpus.Message, tree *importTree, top bool) {
	if m.UserID == nil {
		return
	}
	if m.Lang != nil {
		w.tally.spoken[tongue{*m.UserID, *m.Lang}]++
	}
	key := slot{*m.UserID, byHour, undated}
	if m.CreatedDate != nil {
		key.at = pgtype.Timestamptz{Time: m.CreatedDate.UTC().Truncate(time.Hour), Valid: true}
	}
	c := importCounter{before: w.tally.before[key], toxicFrom: w.tally.toxicFrom, counts: !m.Deleted && m.Emojis != nil}
	c.measure("messages", 1)
	c.reactions(m)
	c.labels(m.Labels)
	if m == tree.root && tree.info.State != nil && *tree.info.State == spamState {
		c.both(scoring.SpamPrompts, 1)
	}
	if m.ReviewResult != nil && !*m.ReviewResult && m.ParentID != nil {
		c.count(scoring.Rejected, 1)
	}
	if m.Deleted && top {
		c.count(scoring.Deleted, 1)
	}
	c.toxicity(m.Classifiers)
	w.tally.before[key] = c.before
}

// spamState is the state of trees whose prompt was found to be spam.
const spamState = "aborted_low_grade"

// importCounter counts a message's signals as source and countSQL do. It takes
// away from what was before the transaction, which adds to the difference.
type importCounter struct {
	before tally
	counts bool // for the old console, too
	// toxicFrom is the toxicity from which a message counts as toxic.
	toxicFrom float64
}

// columnAt is the place of each column in a tally.
var columnAt = func() map[string]int {
	at := map[string]int{}
	for i, column := range columns {
		at[column] = i
	}
	return at
}()

func (c *importCounter) measure(column string, n int64) { c.before[columnAt[column]] -= n }

// count counts a signal, for the old console where the message counts there.
func (c *importCounter) count(s scoring.Signal, n int64) {
	c.countIf(s, n, c.counts)
}

// both counts a signal for both ways of counting.
func (c *importCounter) both(s scoring.Signal, n int64) { c.countIf(s, n, true) }

func (c *importCounter) countIf(s scoring.Signal, n int64, reference bool) {
	at := columnAt[string(s)]
	c.before[at] -= n
	if reference {
		c.before[at+len(scoring.Signals)] -= n
	}
}

func (c *importCounter) reactions(m *corpus.Message) {
	c.countIf(scoring.RedFlags, int64(m.Emojis["red_flag"]), !m.Deleted)
	c.countIf(scoring.Upvotes, int64(m.Emojis["+1"]), !m.Deleted)
	c.countIf(scoring.Downvotes, int64(m.Emojis["-1"]), !m.Deleted)
}

func (c *importCounter) labels(labels map[string]corpus.Label) {
	for signal, name := range labelSignals {
		if label := labels[name]; label.Value != nil {
			c.count(signal, int64(math.RoundToEven(*label.Value*float64(label.Count))))
		}
	}
	if label := labels["toxicity"]; label.Value != nil {
		people := min(label.Count, mostPeople)
		c.measure("label_toxicity_sum", picos(*label.Value, people))
		c.measure("label_toxicity_count", int64(people))
	}
}

func (c *importCounter) toxicity(classifiers map[string]map[string]*float64) {
	highest := -1.0
	for _, outputs := range classifiers {
		if toxicity := toxicityOf(outputs); toxicity != nil {
			highest = max(highest, *toxicity)
		}
	}
	if highest < 0 {
		return
	}
	c.measure("toxicity_sum", picos(highest, 1))
	c.measure("toxicity_count", 1)
	if highest >= c.toxicFrom {
		c.count(scoring.ToxicMessages, 1)
	}
}

// toxicityOf is the output that scores sum: the one of this name, if it is a
// figure from 0 to 1.
func toxicityOf(outputs map[string]*float64) *float64 {
	if t := outputs["toxicity"]; t != nil && *t >= 0 && *t <= 1 {
		return t
	}
	return nil
}

// picos is value × times in units of 10^-12, rounded as PostgreSQL does it in
// numeric: it takes 15 digits of a double, and rounds a half away from zero.
func picos(value float64, times int) int64 {
	// Almost every figure is so far from a half that no digit beyond the
	// fifteenth, and no error of multiplying, could round it the other way.
	if times == 1 && value >= 0 && value <= 1 {
		f := value * 1e12
		if whole := math.Floor(f); math.Abs(f-whole-0.5) > 0.01 {
			return int64(math.Round(f))
		}
	}
	digits := strconv.FormatFloat(math.Abs(value), 'e', 14, 64) // d.dddddddddddddde-dd
	exponent, err := strconv.Atoi(digits[17:])
	if err != nil || exponent < -40 { // too small to count, however often
		return 0
	}
	n, ok := new(big.Int).SetString(digits[:1]+digits[2:16], 10)
	if !ok {
		return 0
	}
	n.Mul(n, big.NewInt(int64(times)))
	ten := big.NewInt(10)
	if power := int64(exponent) - 14 + 12; power >= 0 {
		n.Mul(n, ten.Exp(ten, big.NewInt(power), nil))
	} else {
		unit := ten.Exp(ten, big.NewInt(-power), nil)
		n.Add(n.Mul(n, big.NewInt(2)), unit) // round(n/unit) = ⌊(2n + unit) / 2unit⌋
		n.Quo(n, unit.Mul(unit, big.NewInt(2)))
	}
	if value < 0 {
		n.Neg(n)
	}
	return n.Int64()
}
