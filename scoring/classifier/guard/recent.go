package guard

import "time"

// window is over how many seconds the rate is counted.
const window = 60

// recent counts texts by second.
type recent struct {
	first   int64 // the second of the first text
	seconds [window]struct {
		at    int64
		texts int
	}
}

func (r *recent) add(now time.Time, texts int) {
	at := now.Unix()
	if r.first == 0 {
		r.first = at
	}
	s := &r.seconds[at%window]
	if s.at != at {
		s.at, s.texts = at, 0
	}
	s.texts += texts
}

// rate returns the texts a second over the last minute, or since the first text.
func (r *recent) rate(now time.Time) float64 {
	at, total := now.Unix(), 0
	for _, s := range r.seconds {
		if s.at > at-window && s.at <= at {
			total += s.texts
		}
	}
	return float64(total) / float64(min(max(at-r.first+1, 1), window))
}
