package counters

import (
	"fmt"
	"strings"

	"github.com/google/uuid"

	"treewarden/scoring"
	"treewarden/store/db"
	"treewarden/store/tables"
)

// messagesSQL reads messages: whether the prompt of an aborted tree is it, and the
// date of each of messageFacts, null where the fact does not hold.
var messagesSQL = func() string {
	dates := make([]string, len(messageFacts))
	for i, f := range messageFacts {
		src := sources[f.fact]
		dates[i] = fmt.Sprintf("CASE WHEN %s THEN %s END", src.where, src.at)
	}
	return `SELECT message_id, user_id, created_date, deleted, lang,
			parent_id IS NULL AND tree_id IN (SELECT tree_id FROM trees WHERE state = '` + tables.SpamState + `'), ` +
		strings.Join(dates, ", ") + " FROM messages m WHERE user_id IS NOT NULL"
}()

// votesSQL reads single votes: a bit for each of countedLabels that says yes, and
// the toxicity.
var votesSQL = func() string {
	var bits []string
	for i, label := range countedLabels {
		bits = append(bits, fmt.Sprintf("CASE WHEN %s >= %s THEN %d ELSE 0 END", label.Name, yesFromSQL, 1<<i))
	}
	return "SELECT message_id, user_id, at, " + strings.Join(bits, " + ") + ", " + scoring.ToxicityLabel +
		" FROM label_votes WHERE true"
}()

// aggregatesSQL reads imported labels: the votes for each of countedLabels, then
// the sum and number of the toxicity.
var aggregatesSQL = func() string {
	counts := labelAggregateCounts()
	var sums []string
	for _, label := range countedLabels {
		sums = append(sums, "("+counts[string(label.Signal)]+")::bigint")
	}
	for _, column := range []int{scoring.LabelToxicitySumColumn, scoring.LabelToxicityCountColumn} {
		sums = append(sums, "("+counts[scoring.Columns[column]]+")::bigint")
	}
	return "SELECT message_id, " + strings.Join(sums, ", ") + " FROM label_aggregates l WHERE true"
}()

// recountReader reads one part of each table. It caches the last message, because
// rows of one message are mostly adjacent.
type recountReader struct {
	*recount
	conn   db.Conn
	deltas Deltas
	last   uuid.UUID
	shard  *messageShard
	found  *countedMessage
}

// phases returns the tables in the order in which they are read. Later ones
// depend on data of earlier ones.
func (r *recountReader) phases() [][]tableRead {
	return [][]tableRead{
		{{"messages", messagesSQL, r.readMessage}},
		{{"emoji_aggregates",
			"SELECT message_id, red_flags - dismissed_flags, upvotes, downvotes FROM emoji_aggregates WHERE true", r.readEmojis},
			{"reactions", "SELECT message_id, user_id, at, emoji, decision = 'dismissed' FROM reactions WHERE true",
				r.readReaction}},
		{{"label_votes", votesSQL, r.readVote},
			{"label_aggregates", aggregatesSQL, r.readAggregate},
			{"reports", "SELECT message_id, user_id, at FROM reports WHERE status IN ('open', 'upheld')", r.readReport},
			{"classifier_outputs", "SELECT message_id, toxicity, at, model_id FROM classifier_outputs WHERE true", r.readOutput},
		},
	}
}

func shardOf(id []byte) int { return int(id[15]) % shards }

// find returns the message with an id, or nil if it has no author.
func (r *recountReader) find(id []byte) (*messageShard, *countedMessage) {
	if key := uuid.UUID(id); key != r.last || r.shard == nil {
		r.last, r.shard, r.found = key, &r.messages[shardOf(id)], nil
		if at, ok := r.shard.at[key]; ok {
			r.found = &r.shard.all[at]
		}
	}
	return r.shard, r.found
}

// start resets the deltas for the next row.
func (r *recountReader) start() *Deltas {
	r.deltas.Reset()
	return &r.deltas
}

func (r *recount) author(id uuid.UUID, lang []byte) int32 {
	r.authorMu.Lock()
	defer r.authorMu.Unlock()
	at, known := r.authors[id]
	if !known {
		at = int32(len(r.ids))
		r.authors[id] = at
		r.ids = append(r.ids, id)
	}
	if lang != nil {
		place, known := r.langs[string(lang)]
		if !known {
			place = int32(len(r.langs))
			r.langs[string(lang)] = place
		}
		r.languageCounts[authorLang{at, place}]++
	}
	return at
}

func (r *recountReader) readMessage(raw [][]byte) {
	m := countedMessage{
		author: r.author(uuid.UUID(raw[1]), raw[4]), created: db.ReadMoment(raw[2]),
		deleted: raw[3][0] == 1,
	}
	for use := range m.outputs {
		m.outputs[use] = noOutputs
	}
	shard := &r.messages[shardOf(raw[0])]
	shard.Lock()
	defer shard.Unlock()
	at := int32(len(shard.all))
	shard.at[uuid.UUID(raw[0])] = at
	shard.all = append(shard.all, m)
	if raw[5][0] == 1 {
		shard.late = append(shard.late, lateSignal{at, SpamPrompt, m.created})
	}
	for i, f := range messageFacts {
		if date := raw[6+i]; date != nil {
			shard.late = append(shard.late, lateSignal{at, f.fact, db.ReadMoment(date)})
		}
	}
}

// record marks a message as having a reaction record and returns its standing.
// Readers of the same message write at the same time.
func record(shard *messageShard, m *countedMessage) Standing {
	shard.Lock()
	defer shard.Unlock()
	m.recorded = true
	return m.standing()
}

func (r *recountReader) readEmojis(raw [][]byte) {
	shard, m := r.find(raw[0])
	if m == nil {
		return
	}
	d := r.start()
	d.Reactions(db.ReadInt4(raw[1]), db.ReadInt4(raw[2]), db.ReadInt4(raw[3]), record(shard, m))
	r.add(m.author, m.created, d)
}

func (r *recountReader) readReaction(raw [][]byte) {
	shard, m := r.find(raw[0])
	if m == nil {
		return
	}
	standing, at := record(shard, m), db.ReadMoment(raw[2])
	if raw[4] != nil && raw[4][0] == 1 {
		return // dismissed
	}
	if string(raw[3]) == RedFlag {
		shard.flag(raw[0], Reaction, raw[1], at)
		return
	}
	d := r.start()
	d.Reaction(string(raw[3]), r.by(m.author, uuid.UUID(raw[1]), standing))
	r.add(m.author, at, d)
}

// flag keeps a red flag or a report of a message.
func (s *messageShard) flag(message []byte, f Fact, rater []byte, at db.Moment) {
	s.Lock()
	defer s.Unlock()
	s.flags = append(s.flags, flag{s.at[uuid.UUID(message)], f, uuid.UUID(rater), at})
}

// by adds to the standing of feedback whether it comes from somebody other than
// the author who is not banned.
func (r *recount) by(author int32, rater uuid.UUID, s Standing) Standing {
	s.ByOther = rater != r.ids[author] && (len(r.banned) == 0 || !r.banned[rater])
	return s
}

// standing returns the standing of facts without a rater.
func (m *countedMessage) standing() Standing {
	return Standing{Deleted: m.deleted, Recorded: m.recorded}
}

func (r *recountReader) readVote(raw [][]byte) {
	_, m := r.find(raw[0])
	if m == nil {
		return
	}
	var l Labels
	for i, bits := 0, db.ReadInt4(raw[3]); bits != 0; i, bits = i+1, bits>>1 {
		l.Yes[i] = bits & 1
	}
	if raw[4] != nil {
		l.Sum, l.Number = toFixed(db.ReadFloat8(raw[4]), 1), 1
	}
	d := r.start()
	d.Labels(Vote, &l, r.by(m.author, uuid.UUID(raw[1]), m.standing()))
	r.add(m.author, db.ReadMoment(raw[2]), d)
}

func (r *recountReader) readAggregate(raw [][]byte) {
	_, m := r.find(raw[0])
	if m == nil {
		return
	}
	var l Labels
	for i := range countedLabels {
		l.Yes[i] = db.ReadInt8(raw[1+i])
	}
	last := 1 + len(countedLabels)
	l.Sum, l.Number = db.ReadInt8(raw[last]), db.ReadInt8(raw[last+1])
	d := r.start()
	d.Labels(LabelMeans, &l, m.standing())
	r.add(m.author, m.created, d)
}

func (r *recountReader) readReport(raw [][]byte) {
	if shard, m := r.find(raw[0]); m != nil {
		shard.flag(raw[0], Report, raw[1], db.ReadMoment(raw[2]))
	}
}

func (r *recountReader) readOutput(raw [][]byte) {
	use := r.uses[db.ReadInt2(raw[3])]
	if use == scoring.Ignored {
		return
	}
	shard, m := r.find(raw[0])
	if m == nil {
		return
	}
	shard.Lock()
	defer shard.Unlock()
	of := &m.outputs[use]
	of.at = min(of.at, db.ReadMoment(raw[2]))
	if raw[1] != nil {
		of.toxicity = max(of.toxicity, db.ReadFloat8(raw[1]))
	}
}
