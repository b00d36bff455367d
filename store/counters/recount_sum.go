package counters

import (
	"time"
	"treewarden/scoring"
	"treewarden/store/db"
)

// columnDeltas are what one row adds to columns of counters.
type columnDeltas struct {
	columns [len(scoring.Counters{})]uint8
	counts  [len(scoring.Counters{})]int64
	n       int
}

func (h *columnDeltas) add(column int, n int64) {
	if n != 0 {
		h.columns[h.n], h.counts[h.n] = uint8(column), n
		h.n++
	}
}

// both adds to a signal, given by its place in scoring.Signals, as each way of
// counting has it.
func (h *columnDeltas) both(signal int, n int64, main, reference bool) {
	if main {
		h.add(signal, n)
	}
	if reference {
		h.add(signal+len(scoring.Signals), n)
	}
}

func (h *columnDeltas) addTo(t *scoring.Counters) {
	for i := range h.n {
		t[h.columns[i]] += h.counts[i]
	}
}

// add adds what one row counts at a moment to an author's counters.
func (r *recount) add(author int32, at db.Moment, h *columnDeltas) {
	if h.n == 0 {
		return
	}
	shard := &r.spans[int(author)%shards]
	shard.Lock()
	defer shard.Unlock()
	h.addTo(&r.totals[author])
	if at >= r.daysFrom {
		h.addTo(shard.of(r.spanOf(author, at)))
	}
}

func (s *spanShard) of(key span) *scoring.Counters {
	t := s.tallies[key]
	if t == nil {
		t = new(scoring.Counters)
		s.tallies[key] = t
	}
	return t
}

const (
	microsAnHour = db.Moment(time.Hour / time.Microsecond)
	microsADay   = 24 * microsAnHour
)

// spanOf is the hour that a moment lies in where hours are kept, else the day.
func (r *recount) spanOf(author int32, at db.Moment) span {
	if hour := startOf(at, microsAnHour); hour >= r.hoursFrom {
		return span{author, ByHour, hour}
	}
	return span{author, ByDay, startOf(at, microsADay)}
}

// startOf is the last multiple of a length of time up to a moment.
func startOf(at, length db.Moment) db.Moment {
	over := at % length
	if over < 0 {
		over += length
	}
	return at - over
}

// countMessages counts what hangs on the messages themselves, once everything
// about them is known.
func (r *recount) countMessages() {
	for i := range r.messages {
		shard := &r.messages[i]
		for k := range shard.all {
			m := &shard.all[k]
			var h columnDeltas
			h.add(messagesColumn, 1)
			if m.toxicity >= 0 {
				h.add(toxicitySumColumn, ToFixed(m.toxicity, 1))
				h.add(toxicityCountColumn, 1)
			}
			r.add(m.author, m.created, &h)
			if m.toxicity >= 0 && m.toxicity >= r.toxicFrom {
				r.addSignal(m, scoring.ToxicMessages, max(m.toxicAt, m.created), m.asLegacy())
			}
		}
		for _, late := range shard.late {
			m := &shard.all[late.message]
			// Open-Assistant counted the prompts of aborted trees even where
			// they were deleted.
			r.addSignal(m, late.signal, late.at, late.signal == scoring.SpamPrompts || m.asLegacy())
		}
	}
}

func (r *recount) addSignal(m *countedMessage, signal scoring.Signal, at db.Moment, reference bool) {
	var h columnDeltas
	h.both(columnAt[string(signal)], 1, true, reference)
	r.add(m.author, at, &h)
}

// foldHours adds hours to their days, which hold them too.
func (r *recount) foldHours() {
	for i := range r.spans {
		shard := &r.spans[i]
		hours := make([]span, 0, len(shard.tallies))
		for key := range shard.tallies {
			if key.grain == ByHour {
				hours = append(hours, key)
			}
		}
		for _, key := range hours {
			shard.of(span{key.author, ByDay, startOf(key.at, microsADay)}).Add(shard.tallies[key], 1)
		}
	}
}
