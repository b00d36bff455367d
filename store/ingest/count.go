package ingest

import (
	"cmp"
	"maps"
	"slices"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5/pgtype"

	"treewarden/corpus"
	"treewarden/scoring"
	"treewarden/store/counters"
	"treewarden/store/db"
	"treewarden/store/tables"
)

// count counts the changes for the messages' authors before they are written: the
// former and the new feedback. It queries the database only if the counts of a
// message depend on more than the lines.
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
			in.countFeedback(who, vote.at, -1, countVote(vote.labels))
		}
		in.countFeedback(who, db.Timestamp(item.at), 1, countVote(item.Labels))
	}
	in.countFlags()
	in.countOutputs()
	return nil
}

// countFeedback counts a user's feedback on a message.
func (in *run) countFeedback(who raterKey, at pgtype.Timestamptz, sign int64,
	count func(*counters.Deltas, counters.Standing)) {
	m := in.messages[who.message]
	if m.author == nil {
		return
	}
	standing := m.standing()
	standing.ByOther = in.users[who.user].counts && who.user != *m.author
	var d counters.Deltas
	count(&d, standing)
	in.update.Add(*m.author, at, sign, &d)
}

// countVote returns a function that counts one user's labels.
func countVote(values map[string]*float64) func(*counters.Deltas, counters.Standing) {
	labels := counters.VoteLabels(values)
	return func(d *counters.Deltas, s counters.Standing) { d.Labels(counters.Vote, &labels, s) }
}

// once counts a fact with one signal.
func (in *run) once(f counters.Fact, author uuid.UUID, at pgtype.Timestamptz, sign int64, s counters.Standing) {
	var d counters.Deltas
	d.Once(f, s)
	in.update.Add(author, at, sign, &d)
}

// flag is a red flag or a report of one user on a message.
type flag struct {
	fact counters.Fact
	at   pgtype.Timestamptz
}

// countFlags counts the red flags and reports of each user on each message before
// and after the changes: which of them counts depends on the others.
func (in *run) countFlags() {
	changed := map[raterKey]bool{}
	for who := range in.changes.reactions {
		if who.emoji == counters.RedFlag {
			changed[who.raterKey] = true
		}
	}
	for who := range in.changes.reports {
		changed[who] = true
	}
	for who := range changed {
		before, after := in.flagsOf(who)
		in.countOfOne(who, before, -1)
		in.countOfOne(who, after, 1)
	}
}

// flagsOf returns the red flag and the reports of one user on a message before and
// after the changes, of known reports the first one.
func (in *run) flagsOf(who raterKey) (before, after []flag) {
	key := reactionKey{who, counters.RedFlag}
	at, had := in.feedback.reactions[key]
	var gone, made bool
	change := in.changes.reactions[key]
	if change != nil {
		gone, made = change.becomes(had)
	}
	counted := had && !in.feedback.dismissed[key]
	if counted {
		before = append(before, flag{counters.Reaction, at})
	}
	if counted && !gone {
		after = append(after, flag{counters.Reaction, at})
	}
	if made {
		after = append(after, flag{counters.Reaction, db.Timestamp(*change.add)})
	}
	known := in.feedback.reports[who]
	if known != nil {
		before = append(before, flag{counters.Report, known.first})
		after = append(after, flag{counters.Report, known.first})
	}
	// Further reasons of an open report do not count.
	if report := in.changes.reports[who]; report != nil && (known == nil || !known.open) {
		after = append(after, flag{counters.Report, db.Timestamp(report.at)})
	}
	return before, after
}

// countOfOne counts the red flag and the reports of one user on a message.
func (in *run) countOfOne(who raterKey, flags []flag, sign int64) {
	slices.SortFunc(flags, func(a, b flag) int {
		return cmp.Or(db.CompareTimes(a.at, b.at), cmp.Compare(a.fact, b.fact))
	})
	for i, f := range flags {
		in.countFeedback(who, f.at, sign, func(d *counters.Deltas, s counters.Standing) {
			s.Repeated = i > 0
			d.Flag(f.fact, s)
		})
	}
}

// countReactions counts reactions but red flags. If a message gained or lost its reaction
// record, it queries the signals that Open-Assistant counts only with a record.
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
	if who.emoji == counters.RedFlag {
		return // see countFlags
	}
	in.countFeedback(who.raterKey, at, sign, func(d *counters.Deltas, s counters.Standing) { d.Reaction(who.emoji, s) })
}

// askRecords queues a query for the signals of messages that Open-Assistant
// counts only with a reaction record, and counts them with a sign.
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
	from, models := counters.RuleArgs(in.update.Rule)
	in.Each(targets, func() {
		hour := in.update.Hour(author, at)
		for i, n := range sums {
			hour[scoring.NumSignals+i] += sign * n
		}
	}, counters.LegacyRecordSQL, from, models, db.IDArray(trees), db.IDArray(ids))
}

// countMessage counts a new message. It has no review, and if it is deleted, it
// was not the target of the delete.
func (in *run) countMessage(m *knownMessage) {
	var d counters.Deltas
	asWritten := corpus.Message{
		MessageID: m.id, ParentID: m.parent, UserID: m.author, Text: *m.text, Role: m.role, Lang: m.item.Lang,
		Synthetic: m.item.Synthetic != nil && *m.item.Synthetic, ModelName: m.item.ModelName, Deleted: m.deleted,
	}
	d.Message(&asWritten, false, m.standing())
	if m.parent == nil && in.trees[m.tree].state == tables.SpamState {
		d.Once(counters.SpamPrompt, m.standing())
	}
	in.update.Add(*m.author, m.created, 1, &d)
	if m.item.Lang != nil {
		in.update.AddMessages(*m.author, *m.item.Lang, 1)
	}
}

// askPrompts queues a query for the known prompts of trees that became spam or no
// longer are, and counts them.
func (in *run) askPrompts() {
	for _, spam := range []bool{true, false} {
		var trees []uuid.UUID
		for _, t := range in.trees {
			if !t.fresh && (t.was == tables.SpamState) != (t.state == tables.SpamState) &&
				spam == (t.state == tables.SpamState) {
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
			in.once(counters.SpamPrompt, author, at, sign, counters.Standing{})
		}, `SELECT user_id, created_date FROM messages
			WHERE tree_id = ANY ($1) AND parent_id IS NULL AND user_id IS NOT NULL`, db.IDArray(trees))
	}
}

// countOutputs counts the toxicity of each message with new outputs.
func (in *run) countOutputs() {
	after := map[uuid.UUID]map[int16]knownOutput{}
	for key, o := range in.changes.outputs {
		if after[key.message] == nil {
			after[key.message] = map[int16]knownOutput{}
			maps.Copy(after[key.message], in.feedback.outputs[key.message])
		}
		known := after[key.message][key.model]
		known.model, known.at = o.model, db.Timestamp(o.at)
		if o.toxicity != nil {
			known.toxicity = o.toxicity
		}
		after[key.message][key.model] = known
	}
	uses := in.update.Rule.Uses()
	for id, outputs := range after {
		in.weighed = true
		in.countToxicity(in.messages[id], in.feedback.outputs[id], uses, -1)
		in.countToxicity(in.messages[id], outputs, uses, 1)
	}
}

// countToxicity counts the outputs for a message: the toxicity that counts, and the
// toxic message from the first output of the models that count, or from the date of the
// message if that is later.
func (in *run) countToxicity(
	m *knownMessage, outputs map[int16]knownOutput, uses func(model string) scoring.Use, sign int64,
) {
	var chosen counters.ChosenToxicity
	var firsts [scoring.NumUses]pgtype.Timestamptz
	for _, o := range outputs {
		use := uses(o.model)
		if use == scoring.Ignored {
			continue
		}
		chosen.Add(use, o.toxicity)
		if first := &firsts[use]; !first.Valid || db.CompareTimes(o.at, *first) < 0 {
			*first = o.at
		}
	}
	highest, classified := chosen.Value()
	if m.author == nil || !classified {
		return
	}
	first := firsts[chosen.Use()]
	var d counters.Deltas
	d.Toxicity(highest)
	in.update.Add(*m.author, m.created, sign, &d)
	if highest < in.update.Rule.From {
		return
	}
	if db.CompareTimes(first, m.created) < 0 {
		first = m.created
	}
	in.once(counters.ToxicMessage, *m.author, first, sign, m.standing())
}
