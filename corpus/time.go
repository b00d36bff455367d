package corpus

import "time"

// ParseTime reads a time as RFC 3339 has it: with a fraction after a point, an offset
// below 24 hours or Z, in upper or lower case. It also reads what databases and data
// frames write: a space in place of the T, an offset in hours alone, no offset, which
// is UTC, and a day alone. zoned reports whether there was an offset. The time is in
// UTC and to the microsecond; its year there lies between 1 and 9999.
func ParseTime(text string) (t time.Time, zoned, ok bool) {
	r := timeReader{text, true}
	year := r.number(4, 0, 9999)
	r.char("-")
	month := r.number(2, 1, 12)
	r.char("-")
	day := r.number(2, 1, 31)
	var hour, minute, second, nanosecond, offset int
	if r.rest != "" {
		r.char("Tt ")
		hour = r.number(2, 0, 23)
		r.char(":")
		minute = r.number(2, 0, 59)
		r.char(":")
		second = r.number(2, 0, 59)
		nanosecond = r.fraction()
		zoned = r.rest != ""
		offset = r.offset()
	}
	if !r.good || r.rest != "" {
		return time.Time{}, false, false
	}
	t = time.Date(year, time.Month(month), day, hour, minute, second, nanosecond, time.UTC)
	if t.Day() != day { // such as 30 February
		return time.Time{}, false, false
	}
	t = t.Add(-time.Duration(offset) * time.Minute).Truncate(time.Microsecond)
	if t.Year() < 1 || t.Year() > 9999 { // an offset can lead there
		return time.Time{}, false, false
	}
	return t, zoned, true
}

// timeReader reads a time from its beginning.
type timeReader struct {
	rest string
	good bool
}

// number reads a number of n digits from low to high.
func (r *timeReader) number(n, low, high int) int {
	if len(r.rest) < n {
		r.good = false
		return 0
	}
	value := 0
	for _, c := range []byte(r.rest[:n]) {
		if c < '0' || c > '9' {
			r.good = false
			return 0
		}
		value = 10*value + int(c-'0')
	}
	r.rest = r.rest[n:]
	r.good = r.good && value >= low && value <= high
	return value
}

// char reads one of several characters and returns it.
func (r *timeReader) char(allowed string) byte {
	if r.rest != "" {
		for _, c := range []byte(allowed) {
			if r.rest[0] == c {
				r.rest = r.rest[1:]
				return c
			}
		}
	}
	r.good = false
	return 0
}

// fraction reads the fraction of a second, if there is one, in nanoseconds.
func (r *timeReader) fraction() int {
	if r.rest == "" || r.rest[0] != '.' {
		return 0
	}
	digits := 1
	for digits < len(r.rest) && r.rest[digits] >= '0' && r.rest[digits] <= '9' {
		digits++
	}
	value, unit := 0, int(time.Second)
	for _, c := range []byte(r.rest[1:digits]) {
		unit /= 10
		value += int(c-'0') * unit
	}
	r.good = r.good && digits > 1
	r.rest = r.rest[digits:]
	return value
}

// offset reads an offset from UTC, if there is one, in minutes.
func (r *timeReader) offset() int {
	if r.rest == "" {
		return 0
	}
	sign := r.char("Zz+-")
	if sign == 'Z' || sign == 'z' {
		return 0
	}
	minutes := 60 * r.number(2, 0, 23)
	if r.rest != "" {
		r.char(":")
		minutes += r.number(2, 0, 59)
	}
	if sign == '-' {
		return -minutes
	}
	return minutes
}
