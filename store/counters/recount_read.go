package counters

import (
	"fmt"
	"strings"
	"treewarden/scoring"
	"treewarden/store/db"
	"treewarden/store/tables"

	"github.com/google/uuid"
)

// Where counters hold what is no signal.
var (
	messagesColumn           = columnAt["messages"]
	toxicitySumColumn        = columnAt["toxicity_sum"]
	toxicityCountColumn      = columnAt["toxicity_count"]
	labelToxicitySumColumn   = columnAt["label_toxicity_sum"]
	labelToxicityCountColumn = columnAt["label_toxicity_count"]
)

// votesSQL reads single votes: a bit for each signal that a label says yes to,
// in the order of scoring.Signals, and the toxicity.
var votesSQL = func() string {
	var bits []string
	for i, info := range scoring.Signals {
		if label, ok := LabelSignals[info.Signal]; ok {
			bits = append(bits, fmt.Sprintf("CASE WHEN %s >= 0.5 THEN %d ELSE 0 END", label, 1<<i))
		}
	}
	return "SELECT message_id, user_id, at, " + strings.Join(bits, " + ") + ", toxicity FROM label_votes WHERE true"
}()

// aggregatesSQL reads what files said of labels, as sources counts it.
var aggregatesSQL = func() string {
	counts := labelAggregateCounts()
	var sums []string
	for _, info := range scoring.Signals {
		if _, ok := LabelSignals[info.Signal]; ok {
			sums = append(sums, "("+counts[string(info.Signal)]+")::bigint")
		}
	}
	return "SELECT message_id, (" + counts["label_toxicity_sum"] + ")::bigint, (" + counts["label_toxicity_count"] + ")::bigint, " +
		strings.Join(sums, ", ") + " FROM label_aggregates l WHERE true"
}()

// recountReader reads one part of each table. It remembers the last message: what
// was given to one lies together, more often than not.
type recountReader struct {
	*recount
	conn   db.Conn
	deltas columnDeltas
	last   uuid.UUID
	shard  *messageShard
	found  *countedMessage
}

// phases are the tables in the order in which they are read: what a later one
// asks of a message, an earlier one told.
func (r *recountReader) phases() [][]tableRead {
	return [][]tableRead{
		{{"messages", `SELECT message_id, user_id, created_date, deleted, lang,
				CASE WHEN review_result = false AND parent_id IS NOT NULL THEN coalesce(review_at, created_date) END,
				CASE WHEN deleted AND deleted_root = message_id THEN coalesce(deleted_at, created_date) END,
				parent_id IS NULL AND tree_id IN (SELECT tree_id FROM trees WHERE state = '` + tables.SpamState + `')
			FROM messages WHERE user_id IS NOT NULL`, r.readMessage}},
		{{"emoji_aggregates", "SELECT message_id, red_flags, upvotes, downvotes FROM emoji_aggregates WHERE true", r.readEmojis},
			{"reactions", `SELECT message_id, user_id, at, CASE emoji WHEN 'red_flag' THEN 0 WHEN '+1' THEN 1 WHEN '-1' THEN 2 ELSE 3 END FROM reactions WHERE true`, r.readReaction}},
		{{"label_votes", votesSQL, r.readVote},
			{"label_aggregates", aggregatesSQL, r.readAggregate},
			{"reports", "SELECT message_id, user_id, at FROM reports WHERE status IN ('open', 'upheld')", r.readReport},
			{"classifier_outputs", "SELECT message_id, toxicity, at FROM classifier_outputs WHERE true", r.readOutput}},
	}
}

func shardOf(id []byte) int { return int(id[15]) % shards }

// find is the message of an id; nil where it has no author.
func (r *recountReader) find(id []byte) (*messageShard, *countedMessage) {
	if key := uuid.UUID(id); key != r.last || r.shard == nil {
		r.last, r.shard, r.found = key, &r.messages[shardOf(id)], nil
		if at, ok := r.shard.at[key]; ok {
			r.found = &r.shard.all[at]
		}
	}
	return r.shard, r.found
}

// start empties the deltas for another row.
func (r *recountReader) start() *columnDeltas {
	r.deltas.n = 0
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
	m := countedMessage{author: r.author(uuid.UUID(raw[1]), raw[4]), created: db.ReadMoment(raw[2]), deleted: raw[3][0] == 1, toxicity: -1}
	shard := &r.messages[shardOf(raw[0])]
	shard.Lock()
	defer shard.Unlock()
	at := int32(len(shard.all))
	shard.at[uuid.UUID(raw[0])] = at
	shard.all = append(shard.all, m)
	if raw[5] != nil {
		shard.late = append(shard.late, lateSignal{at, scoring.Rejected, db.ReadMoment(raw[5])})
	}
	if raw[6] != nil {
		shard.late = append(shard.late, lateSignal{at, scoring.Deleted, db.ReadMoment(raw[6])})
	}
	if raw[7][0] == 1 {
		shard.late = append(shard.late, lateSignal{at, scoring.SpamPrompts, m.created})
	}
}

// record notes that a message has a reaction record.
func record(shard *messageShard, m *countedMessage) {
	shard.Lock()
	m.recorded = true
	shard.Unlock()
}

func (r *recountReader) readEmojis(raw [][]byte) {
	shard, m := r.find(raw[0])
	if m == nil {
		return
	}
	record(shard, m)
	h := r.start()
	for i := range 3 { // red flags, upvotes, downvotes: as the signals stand
		h.both(i, db.ReadInt4(raw[1+i]), true, !m.deleted)
	}
	r.add(m.author, m.created, h)
}

func (r *recountReader) readReaction(raw [][]byte) {
	shard, m := r.find(raw[0])
	if m == nil {
		return
	}
	record(shard, m)
	if signal := db.ReadInt4(raw[3]); signal < 3 {
		h := r.start()
		h.both(int(signal), 1, r.counts(m, raw[1]), !m.deleted)
		r.add(m.author, db.ReadMoment(raw[2]), h)
	}
}

// counts says whether what somebody gave a message counts in treewarden's way:
// they are neither banned nor its author.
func (r *recount) counts(m *countedMessage, giver []byte) bool {
	id := uuid.UUID(giver)
	return id != r.ids[m.author] && (len(r.banned) == 0 || !r.banned[id])
}

// asLegacy says whether Open-Assistant counted what was said of a message.
func (m *countedMessage) asLegacy() bool { return !m.deleted && m.recorded }

func (r *recountReader) readVote(raw [][]byte) {
	_, m := r.find(raw[0])
	if m == nil {
		return
	}
	main, reference := r.counts(m, raw[1]), m.asLegacy()
	h := r.start()
	for i, bits := 0, db.ReadInt4(raw[3]); bits != 0; i, bits = i+1, bits>>1 {
		if bits&1 == 1 {
			h.both(i, 1, main, reference)
		}
	}
	if main && raw[4] != nil {
		h.add(labelToxicitySumColumn, ToFixed(db.ReadFloat8(raw[4]), 1))
		h.add(labelToxicityCountColumn, 1)
	}
	r.add(m.author, db.ReadMoment(raw[2]), h)
}

func (r *recountReader) readAggregate(raw [][]byte) {
	_, m := r.find(raw[0])
	if m == nil {
		return
	}
	h := r.start()
	h.add(labelToxicitySumColumn, db.ReadInt8(raw[1]))
	h.add(labelToxicityCountColumn, db.ReadInt8(raw[2]))
	next := 3
	for i, info := range scoring.Signals {
		if _, ok := LabelSignals[info.Signal]; ok {
			h.both(i, db.ReadInt8(raw[next]), true, m.asLegacy())
			next++
		}
	}
	r.add(m.author, m.created, h)
}

func (r *recountReader) readReport(raw [][]byte) {
	if _, m := r.find(raw[0]); m != nil {
		h := r.start()
		h.both(columnAt[string(scoring.RedFlags)], 1, r.counts(m, raw[1]), m.asLegacy())
		r.add(m.author, db.ReadMoment(raw[2]), h)
	}
}

func (r *recountReader) readOutput(raw [][]byte) {
	shard, m := r.find(raw[0])
	if m == nil {
		return
	}
	shard.Lock()
	defer shard.Unlock()
	if at := db.ReadMoment(raw[2]); !m.classified || at < m.toxicAt {
		m.toxicAt, m.classified = at, true
	}
	if raw[1] != nil {
		m.toxicity = max(m.toxicity, db.ReadFloat8(raw[1]))
	}
}
