package store

import (
	"maps"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5/pgtype"

	"treewarden/scoring"
)

// finite is a time as the database has it.
func finite(at time.Time) pgtype.Timestamptz { return pgtype.Timestamptz{Time: at, Valid: true} }

// count counts what the lines change for their messages' authors, before any
// of it is written: what was given before and what is given now. The database
// is asked only where more of a message counts from now on than lines touch.
func (in *ingest) count() error {
	in.askPrompts()
	in.countReactions()
	if err := in.flush(); err != nil {
		return err
	}
	for _, m := range in.write.messages {
		in.countMessage(m)
	}
	for who, item := range in.write.labels {
		if vote := in.given.votes[who]; vote != nil {
			in.countGiven(who, vote.at, -1, func(c *hourCount) { c.vote(vote.labels) })
		}
		in.countGiven(who, finite(item.at), 1, func(c *hourCount) { c.vote(item.Labels) })
	}
	for who, report := range in.write.reports {
		if !in.given.reports[who] { // reasons that join an open report count no more
			in.countGiven(who, finite(report.at), 1, func(c *hourCount) { c.count(scoring.RedFlags, 1) })
		}
	}
	in.countOutputs()
	return nil
}

// countGiven counts something that a user gave to a message.
func (in *ingest) countGiven(who giver, at pgtype.Timestamptz, sign int64, count func(*hourCount)) {
	m := in.messages[who.message]
	if m.author == nil {
		return
	}
	c := in.tally.counts(*m.author, at, sign)
	c.ours = in.users[who.user].counts && who.user != *m.author
	c.reference = !m.deleted && m.recorded()
	count(&c)
}

// countReactions counts reactions, and asks for what counts for the old
// console once a message has a reaction record, where it got or lost that.
func (in *ingest) countReactions() {
	was := map[*ingestMessage]bool{}
	for who, what := range in.write.reactions {
		m := in.messages[who.message]
		if _, seen := was[m]; !seen {
			was[m] = m.recorded()
		}
		at, had := in.given.reactions[who]
		gone, made := what.becomes(had)
		if gone {
			m.reactions--
			in.countReaction(who, at, -1)
		}
		if made {
			m.reactions++
			in.countReaction(who, finite(*what.add), 1)
		}
	}
	var got, lost []*ingestMessage
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

func (in *ingest) countReaction(who reactor, at pgtype.Timestamptz, sign int64) {
	signal, counts := reactionSignals[who.emoji]
	if !counts {
		return
	}
	in.countGiven(who.giver, at, sign, func(c *hourCount) {
		c.reference = !in.messages[who.message].deleted // it is a record itself
		c.count(signal, 1)
	})
}

// askRecords asks for what messages come to, in the way of the old console,
// with a reaction record, and counts that with a sign.
func (in *ingest) askRecords(messages []*ingestMessage, sign int64) {
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
	sums := make([]int64, len(referenceColumns))
	targets := []any{&author, &at}
	for i := range sums {
		targets = append(targets, &sums[i])
	}
	in.each(targets, func() {
		hour := in.tally.hour(author, at)
		for i, n := range sums {
			hour[len(scoring.Signals)+i] += sign * n
		}
	}, recordSQL, in.tally.toxicFrom, idArray(trees), idArray(ids))
}

// countMessage counts a new message. It was not reviewed, and if it is deleted
// nobody aimed at it.
func (in *ingest) countMessage(m *ingestMessage) {
	c := in.tally.counts(*m.author, m.created, 1)
	c.measure("messages", 1)
	if m.parent == nil && in.trees[m.tree].state == spamState {
		c.reference = true
		c.count(scoring.SpamPrompts, 1)
	}
	if m.item.Lang != nil {
		in.tally.spoken[tongue{*m.author, *m.item.Lang}]++
	}
}

// askPrompts asks for the known prompts of trees that lines found to be spam,
// or to be none after all, and counts that.
func (in *ingest) askPrompts() {
	for _, spam := range []bool{true, false} {
		var trees []uuid.UUID
		for _, t := range in.trees {
			if !t.fresh && (t.was == spamState) != (t.state == spamState) && spam == (t.state == spamState) {
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
		in.each([]any{&author, &at}, func() {
			c := in.tally.counts(author, at, sign)
			c.reference = true
			c.count(scoring.SpamPrompts, 1)
		}, "SELECT user_id, created_date FROM messages WHERE tree_id = ANY ($1) AND parent_id IS NULL AND user_id IS NOT NULL", idArray(trees))
	}
}

// countOutputs counts the highest toxicity of each message that models have
// something new to say of.
func (in *ingest) countOutputs() {
	after := map[uuid.UUID]map[int16]ingestKnownOutput{}
	for key, o := range in.write.outputs {
		if after[key.message] == nil {
			after[key.message] = map[int16]ingestKnownOutput{}
			maps.Copy(after[key.message], in.given.outputs[key.message])
		}
		known := after[key.message][key.model]
		known.at = finite(o.at)
		if o.toxicity != nil {
			known.toxicity = o.toxicity
		}
		after[key.message][key.model] = known
	}
	for id, outputs := range after {
		in.weighed = true
		in.countToxicity(in.messages[id], in.given.outputs[id], -1)
		in.countToxicity(in.messages[id], outputs, 1)
	}
}

// countToxicity counts what models say of a message: the highest toxicity, and
// that they find it toxic from when the first of them spoke, or it was written.
func (in *ingest) countToxicity(m *ingestMessage, outputs map[int16]ingestKnownOutput, sign int64) {
	highest, first := -1.0, pgtype.Timestamptz{}
	for _, o := range outputs {
		if o.toxicity != nil {
			highest = max(highest, *o.toxicity)
		}
		if !first.Valid || compareTimes(o.at, first) < 0 {
			first = o.at
		}
	}
	if m.author == nil || highest < 0 {
		return
	}
	c := in.tally.counts(*m.author, m.created, sign)
	c.measure("toxicity_sum", picos(highest, 1))
	c.measure("toxicity_count", 1)
	if highest < in.tally.toxicFrom {
		return
	}
	if compareTimes(first, m.created) < 0 {
		first = m.created
	}
	c = in.tally.counts(*m.author, first, sign)
	c.reference = !m.deleted && m.recorded()
	c.count(scoring.ToxicMessages, 1)
}
