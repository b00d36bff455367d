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

// loader is users as they are read for the board: first the users, then
// what hangs on them. Who was made between the two is left out, and was marked
// to be read since.
type loader struct {
	users  []board.User
	places map[uuid.UUID]int
	week   db.Moment         // where the week begins, which is a part of the month
	known  map[string]string // the few words that users have in common

	last   uuid.UUID // whose counters came last, whose follow as a rule
	latest *board.User
}

func newLoader(hour time.Time) *loader {
	week, _ := scoring.Week.Since(hour)
	return &loader{places: map[uuid.UUID]int{}, week: db.MomentOf(week), known: map[string]string{}}
}

// boardUsersSQL reads what boards show of users besides their languages and
// counts; whose is a condition on an id.
func boardUsersSQL(whose string) string {
	return `SELECT user_id, display_name, auth_method, role, ` + tables.UserStatusSQL +
		`, nullif(last_activity_date, '-infinity')
		FROM users u WHERE auth_method <> 'key' AND user_id ` + whose
}

func (g *loader) user(raw [][]byte) {
	u := board.User{ID: uuid.UUID(raw[0]), Name: string(raw[1]), AuthMethod: g.word(raw[2]), Role: g.word(raw[3]),
		Status: g.word(raw[4])}
	if raw[5] != nil {
		u.LastActivity = db.ReadMoment(raw[5]).Time()
	}
	g.places[u.ID] = len(g.users)
	g.users = append(g.users, u)
}

// word keeps one copy of a word.
func (g *loader) word(raw []byte) string {
	word, known := g.known[string(raw)]
	if !known {
		word = string(raw)
		g.known[word] = word
	}
	return word
}

// boardLanguagesSQL reads the languages of users, what each wrote most first.
func boardLanguagesSQL(whose string) string {
	return "SELECT user_id, lang FROM user_languages WHERE messages > 0 AND user_id " + whose +
		" ORDER BY messages DESC, lang"
}

func (g *loader) language(raw [][]byte) {
	if at, known := g.places[uuid.UUID(raw[0])]; known {
		g.users[at].Languages = append(g.users[at].Languages, g.word(raw[1]))
	}
}

// boardCountersSQL reads the counters that make up frames as of an hour: hours
// of the day, days of the month, and the sums of all.
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

// addRaw adds counts as PostgreSQL sends them, most of which are null, to counters
// that is made where there is none.
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
