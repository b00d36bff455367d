package boards

import (
	"strings"
	"time"

	"github.com/google/uuid"

	"treewarden/scoring"
	"treewarden/scoring/board"
	"treewarden/store/counters"
	"treewarden/store/db"
	"treewarden/store/tables"
)

// loader reads users for the board: first the rows of users, then their languages
// and counters. A user created in between is left out, and is marked to be read
// again.
type loader struct {
	users  []board.User
	places map[uuid.UUID]int
	week   db.Moment         // the start of the week, which is a part of the month
	known  map[string]string // strings that users share

	last   uuid.UUID // the user of the last counters; the next ones mostly follow
	latest *board.User
}

func newLoader(hour time.Time) *loader {
	week, _ := scoring.Week.Since(hour)
	return &loader{places: map[uuid.UUID]int{}, week: db.MomentOf(week), known: map[string]string{}}
}

// boardUsersSQL returns a query for users without their languages and counts;
// whose is a condition on an id.
func boardUsersSQL(whose string) string {
	return `SELECT user_id, display_name, auth_method, role, ` + tables.UserStatusSQL +
		`, nullif(last_activity_date, '-infinity')
		FROM users u WHERE auth_method <> 'key' AND user_id ` + whose
}

func (g *loader) user(raw [][]byte) {
	u := board.User{
		ID: uuid.UUID(raw[0]), Name: string(raw[1]), AuthMethod: g.word(raw[2]),
		Role: g.word(raw[3]), Status: g.word(raw[4]),
	}
	if raw[5] != nil {
		u.LastActivity = db.ReadMoment(raw[5]).Time()
	}
	g.places[u.ID] = len(g.users)
	g.users = append(g.users, u)
}

// word returns a shared copy of a string.
func (g *loader) word(raw []byte) string {
	word, known := g.known[string(raw)]
	if !known {
		word = string(raw)
		g.known[word] = word
	}
	return word
}

// boardLanguagesSQL returns a query for the languages of users, the most used first.
func boardLanguagesSQL(whose string) string {
	return "SELECT user_id, lang FROM user_languages WHERE messages > 0 AND user_id " + whose +
		" ORDER BY messages DESC, lang"
}

func (g *loader) language(raw [][]byte) {
	if at, known := g.places[uuid.UUID(raw[0])]; known {
		g.users[at].Languages = append(g.users[at].Languages, g.word(raw[1]))
	}
}

// boardCountersSQL returns a query for the counters of all windows as of an hour:
// hours of the day, days of the month, and totals.
func boardCountersSQL(whose string, hour time.Time) string {
	day, _ := scoring.Day.Since(hour)
	month, _ := scoring.Month.Since(hour)
	return "SELECT user_id, grain, at, " + strings.Join(scoring.Columns, ", ") +
		" FROM user_signals WHERE (grain = 0 OR grain = 2 AND at >= " + db.SQLMoment(day) +
		" OR grain = 1 AND at >= " + db.SQLMoment(month) + ") AND user_id " + whose
}

func (g *loader) counters(raw [][]byte) {
	if id := uuid.UUID(raw[0]); g.latest == nil || id != g.last {
		at, known := g.places[id]
		if !known {
			return
		}
		g.last, g.latest = id, &g.users[at]
	}
	frames := &g.latest.Windows
	switch int16(raw[1][1]) {
	case counters.Total:
		addRaw(&frames[3], raw[3:])
	case counters.ByHour:
		addRaw(&frames[0], raw[3:])
	case counters.ByDay:
		if db.ReadMoment(raw[2]) >= g.week {
			addRaw(&frames[1], raw[3:])
		}
		addRaw(&frames[2], raw[3:])
	}
}

// addRaw adds counts in PostgreSQL's binary format to counters, which it
// allocates if nil. Most counts are null.
func addRaw(frame **scoring.Counters, counts [][]byte) {
	if *frame == nil {
		*frame = new(scoring.Counters)
	}
	for i, n := range counts {
		if n != nil {
			(*frame)[i] += db.ReadInt8(n)
		}
	}
}
