package counters

import (
	"bytes"
	"cmp"
	"slices"
	"time"

	"treewarden/scoring"
	"treewarden/store/db"
)

// add adds the deltas of one row at a time to an author's counters.
func (r *recount) add(author int32, at db.Moment, d *Deltas) {
	if d.n == 0 {
		return
	}
	shard := &r.spans[int(author)%shards]
	shard.Lock()
	defer shard.Unlock()
	d.addTo(&r.totals[author], 1)
	if at >= r.daysFrom {
		d.addTo(shard.of(r.spanOf(author, at)), 1)
	}
}

func (s *spanShard) of(key span) *scoring.Counters {
	t := s.counts[key]
	if t == nil {
		t = new(scoring.Counters)
		s.counts[key] = t
	}
	return t
}

const (
	microsAnHour = db.Moment(time.Hour / time.Microsecond)
	microsADay   = 24 * microsAnHour
)

// spanOf returns the hour of a moment if hours are kept, else the day.
func (r *recount) spanOf(author int32, at db.Moment) span {
	if hour := startOf(at, microsAnHour); hour >= r.hoursFrom {
		return span{author, ByHour, hour}
	}
	return span{author, ByDay, startOf(at, microsADay)}
}

// startOf rounds a moment down to a multiple of length.
func startOf(at, length db.Moment) db.Moment {
	over := at % length
	if over < 0 {
		over += length
	}
	return at - over
}

// countMessages counts the facts of the messages themselves, after all tables
// were read.
func (r *recount) countMessages() {
	for i := range r.messages {
		shard := &r.messages[i]
		for k := range shard.all {
			m := &shard.all[k]
			var d Deltas
			d.written()
			outputs, classified := m.chosen()
			if classified {
				d.Toxicity(outputs.toxicity)
			}
			r.add(m.author, m.created, &d)
			if classified && outputs.toxicity >= r.rule.From {
				d.Reset()
				d.Once(ToxicMessage, m.standing())
				r.add(m.author, max(outputs.at, m.created), &d)
			}
		}
		for _, late := range shard.late {
			m := &shard.all[late.message]
			var d Deltas
			d.Once(late.fact, m.standing())
			r.add(m.author, late.at, &d)
		}
		r.countFlags(shard)
	}
}

// countFlags counts red flags and reports, the first of each rater on a message
// before the others.
func (r *recount) countFlags(shard *messageShard) {
	slices.SortFunc(shard.flags, func(a, b flag) int {
		return cmp.Or(cmp.Compare(a.message, b.message), bytes.Compare(a.rater[:], b.rater[:]), cmp.Compare(a.at, b.at),
			cmp.Compare(a.fact, b.fact))
	})
	for i, f := range shard.flags {
		m := &shard.all[f.message]
		standing := r.by(m.author, f.rater, m.standing())
		standing.Repeated = i > 0 && shard.flags[i-1].message == f.message && shard.flags[i-1].rater == f.rater
		var d Deltas
		d.Flag(f.fact, standing)
		r.add(m.author, f.at, &d)
	}
}

// foldHours adds the counters of hours to those of their days.
func (r *recount) foldHours() {
	for i := range r.spans {
		shard := &r.spans[i]
		hours := make([]span, 0, len(shard.counts))
		for key := range shard.counts {
			if key.grain == ByHour {
				hours = append(hours, key)
			}
		}
		for _, key := range hours {
			shard.of(span{key.author, ByDay, startOf(key.at, microsADay)}).Add(shard.counts[key], 1)
		}
	}
}
