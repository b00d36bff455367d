package ingest

import (
	"maps"
	"treewarden/scoring"
	"treewarden/store/counters"
	"treewarden/store/db"
	"treewarden/store/tables"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5/pgtype"
)

// count counts what the lines change for their messages' authors, before any
// of it is written: what was given before and what is given now. The database
// is asked only where more of a message counts from now on than lines touch.
func (in *run) count() error {
	in.askPrompts()
	in.countReactions()
	if err := in.Flush(); err != nil {
		return err
	}
	for _, m := range in.changes.messages {
		in.countMessage(m)
	}
	for who, item := range in.changes.labels {
		if vote := in.feedback.votes[who]; vote != nil {
			in.countFeedback(who, vote.at, -1, func(c *counters.HourCount) { c.CountVote(vote.labels) })
		}
		in.countFeedback(who, db.Timestamp(item.at), 1, func(c *counters.HourCount) { c.CountVote(item.Labels) })
	}
	for who, report := range in.changes.reports {
		if !in.feedback.reports[who] { // reasons that join an open report count no more
			in.countFeedback(who, db.Timestamp(report.at), 1, func(c *counters.HourCount) { c.Count(scoring.RedFlags, 1) })
		}
	}
	in.countOutputs()
	return nil
}

// countFeedback counts something that a user gave to a message.
func (in *run) countFeedback(who raterKey, at pgtype.Timestamptz, sign int64, count func(*counters.HourCount)) {
	m := in.messages[who.message]
	if m.author == nil {
		return
	}
	c := in.update.At(*m.author, at, sign)
	c.Current = in.users[who.user].counts && who.user != *m.author
	c.Legacy = !m.deleted && m.recorded()
	count(&c)
}

// countReactions counts reactions, and asks for what counts for the old
// console once a message has a reaction record, where it got or lost that.
func (in *run) countReactions() {
	was := map[*knownMessage]bool{}
	for who, what := range in.changes.reactions {
		m := in.messages[who.message]
		if _, seen := was[m]; !seen {
			was[m] = m.recorded()
		}
		at, had := in.feedback.reactions[who]
		gone, made := what.becomes(had)
		if gone {
			m.reactions--
			in.countReaction(who, at, -1)
		}
		if made {
			m.reactions++
			in.countReaction(who, db.Timestamp(*what.add), 1)
		}
	}
	var got, lost []*knownMessage
	for m, was := range was {
		switch {
		case m.fresh || m.deleted || m.author == nil || was == m.recorded():
		case was:
			lost = append(lost, m)
		default:
			got = append(got, m)
		}
	}
	in.askRecords(got, 1)
	in.askRecords(lost, -1)
}

func (in *run) countReaction(who reactionKey, at pgtype.Timestamptz, sign int64) {
	signal, counts := counters.ReactionSignals[who.emoji]
	if !counts {
		return
	}
	in.countFeedback(who.raterKey, at, sign, func(c *counters.HourCount) {
		c.Legacy = !in.messages[who.message].deleted // it is a record itself
		c.Count(signal, 1)
	})
}

// askRecords asks for what messages come to, in the way of Open-Assistant,
// with a reaction record, and counts that with a sign.
func (in *run) askRecords(messages []*knownMessage, sign int64) {
	if len(messages) == 0 {
		return
	}
	in.weighed = true
	trees, ids := make([]uuid.UUID, len(messages)), make([]uuid.UUID, len(messages))
	for i, m := range messages {
		trees[i], ids[i] = m.tree, m.id
	}
	var author uuid.UUID
	var at pgtype.Timestamptz
	sums := make([]int64, len(counters.LegacyColumns))
	targets := []any{&author, &at}
	for i := range sums {
		targets = append(targets, &sums[i])
	}
	in.Each(targets, func() {
		hour := in.update.Hour(author, at)
		for i, n := range sums {
			hour[len(scoring.Signals)+i] += sign * n
		}
	}, counters.LegacyRecordSQL, in.update.ToxicFrom, db.IDArray(trees), db.IDArray(ids))
}

// countMessage counts a new message. It was not reviewed, and if it is deleted
// nobody aimed at it.
func (in *run) countMessage(m *knownMessage) {
	c := in.update.At(*m.author, m.created, 1)
	c.Measure("messages", 1)
	if m.parent == nil && in.trees[m.tree].state == tables.SpamState {
		c.Legacy = true
		c.Count(scoring.SpamPrompts, 1)
	}
	if m.item.Lang != nil {
		in.update.AddMessages(*m.author, *m.item.Lang, 1)
	}
}

// askPrompts asks for the known prompts of trees that lines found to be spam,
// or to be none after all, and counts that.
func (in *run) askPrompts() {
	for _, spam := range []bool{true, false} {
		var trees []uuid.UUID
		for _, t := range in.trees {
			if !t.fresh && (t.was == tables.SpamState) != (t.state == tables.SpamState) && spam == (t.state == tables.SpamState) {
				trees = append(trees, t.id)
			}
		}
		if len(trees) == 0 {
			continue
		}
		sign := int64(-1)
		if spam {
			sign = 1
		}
		var author uuid.UUID
		var at pgtype.Timestamptz
		in.Each([]any{&author, &at}, func() {
			c := in.update.At(author, at, sign)
			c.Legacy = true
			c.Count(scoring.SpamPrompts, 1)
		}, "SELECT user_id, created_date FROM messages WHERE tree_id = ANY ($1) AND parent_id IS NULL AND user_id IS NOT NULL", db.IDArray(trees))
	}
}

// countOutputs counts the highest toxicity of each message that models have
// something new to say of.
func (in *run) countOutputs() {
	after := map[uuid.UUID]map[int16]knownOutput{}
	for key, o := range in.changes.outputs {
		if after[key.message] == nil {
			after[key.message] = map[int16]knownOutput{}
			maps.Copy(after[key.message], in.feedback.outputs[key.message])
		}
		known := after[key.message][key.model]
		known.at = db.Timestamp(o.at)
		if o.toxicity != nil {
			known.toxicity = o.toxicity
		}
		after[key.message][key.model] = known
	}
	for id, outputs := range after {
		in.weighed = true
		in.countToxicity(in.messages[id], in.feedback.outputs[id], -1)
		in.countToxicity(in.messages[id], outputs, 1)
	}
}

// countToxicity counts what models say of a message: the highest toxicity, and
// that they find it toxic from when the first of them spoke, or it was written.
func (in *run) countToxicity(m *knownMessage, outputs map[int16]knownOutput, sign int64) {
	highest, first := -1.0, pgtype.Timestamptz{}
	for _, o := range outputs {
		if o.toxicity != nil {
			highest = max(highest, *o.toxicity)
		}
		if !first.Valid || db.CompareTimes(o.at, first) < 0 {
			first = o.at
		}
	}
	if m.author == nil || highest < 0 {
		return
	}
	c := in.update.At(*m.author, m.created, sign)
	c.Measure("toxicity_sum", counters.ToFixed(highest, 1))
	c.Measure("toxicity_count", 1)
	if highest < in.update.ToxicFrom {
		return
	}
	if db.CompareTimes(first, m.created) < 0 {
		first = m.created
	}
	c = in.update.At(*m.author, first, sign)
	c.Legacy = !m.deleted && m.recorded()
	c.Count(scoring.ToxicMessages, 1)
}
