package store

import (
	"time"

	"treewarden/scoring"
)

// hits are what one row adds to columns of a tally.
type hits struct {
	columns [len(tally{})]uint8
	counts  [len(tally{})]int64
	n       int
}

func (h *hits) add(column int, n int64) {
	if n != 0 {
		h.columns[h.n], h.counts[h.n] = uint8(column), n
		h.n++
	}
}

// both adds to a signal, given by its place in scoring.Signals, as each way of
// counting has it.
func (h *hits) both(signal int, n int64, main, reference bool) {
	if main {
		h.add(signal, n)
	}
	if reference {
		h.add(signal+len(scoring.Signals), n)
	}
}

func (h *hits) addTo(t *tally) {
	for i := range h.n {
		t[h.columns[i]] += h.counts[i]
	}
}

// add adds hits of a moment to an author's tallies.
func (r *recount) add(author int32, at moment, h *hits) {
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

func (s *spanShard) of(key span) *tally {
	t := s.tallies[key]
	if t == nil {
		t = new(tally)
		s.tallies[key] = t
	}
	return t
}

const (
	microsAnHour = moment(time.Hour / time.Microsecond)
	microsADay   = 24 * microsAnHour
)

// spanOf is the hour that a moment lies in where hours are kept, else the day.
func (r *recount) spanOf(author int32, at moment) span {
	if hour := begin(at, microsAnHour); hour >= r.hoursFrom {
		return span{author, byHour, hour}
	}
	return span{author, byDay, begin(at, microsADay)}
}

// begin is the last multiple of a length of time up to a moment.
func begin(at, length moment) moment {
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
			var h hits
			h.add(messagesColumn, 1)
			if m.toxicity >= 0 {
				h.add(toxicitySumColumn, picos(m.toxicity, 1))
				h.add(toxicityCountColumn, 1)
			}
			r.add(m.author, m.created, &h)
			if m.toxicity >= 0 && m.toxicity >= r.toxicFrom {
				r.addSignal(m, scoring.ToxicMessages, max(m.toxicAt, m.created), m.asReference())
			}
		}
		for _, late := range shard.late {
			m := &shard.all[late.message]
			// The old console counted the prompts of aborted trees even where
			// they were deleted.
			r.addSignal(m, late.signal, late.at, late.signal == scoring.SpamPrompts || m.asReference())
		}
	}
}

func (r *recount) addSignal(m *countedMessage, signal scoring.Signal, at moment, reference bool) {
	var h hits
	h.both(columnAt[string(signal)], 1, true, reference)
	r.add(m.author, at, &h)
}

// foldHours adds hours to their days, which hold them too.
func (r *recount) foldHours() {
	for i := range r.spans {
		shard := &r.spans[i]
		hours := make([]span, 0, len(shard.tallies))
		for key := range shard.tallies {
			if key.grain == byHour {
				hours = append(hours, key)
			}
		}
		for _, key := range hours {
			shard.of(span{key.author, byDay, begin(key.at, microsADay)}).Add(shard.tallies[key], 1)
		}
	}
}
