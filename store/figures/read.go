package figures

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"treewarden/store/db"
	"treewarden/store/queue"
)

// Filter selects decisions. Zero fields select all.
type Filter struct {
	// Since and Until limit the hours: whole ones, so that both are rounded outwards.
	// Without Since they begin six days before the last one (UTC).
	Since, Until *time.Time
	Lang         string
	Within       []string   // only these languages and their varieties; nil for all
	Moderator    *uuid.UUID // Nil for the program itself
	Step         string     // hour, day, week or month; empty: as fits the time
}

// Queue holds the figures of the queue.
type Queue struct {
	Since      time.Time         `json:"since"`
	Until      time.Time         `json:"until"`
	All        Counts            `json:"all"`
	Outcomes   []Group           `json:"by_outcome"`
	Languages  []Group           `json:"by_lang"`
	Moderators []Group           `json:"by_moderator"`
	Step       string            `json:"step" enum:"hour,day,week,month"`
	Periods    []Period          `json:"periods" description:"those without a decision too"`
	Open       []queue.Ages      `json:"open" description:"the open cases now, by language and age"`
	Queries    map[string]string `json:"queries" description:"the SQL that made the figures"`
	// Deciders are all who have ever decided a case.
	Deciders []Moderator `json:"-"`
}

// Counts are the figures of some decisions.
type Counts struct {
	Decided   int64    `json:"decided" description:"those that were undone too"`
	Undone    int64    `json:"undone"`
	Dismissed int64    `json:"dismissed"`
	Share     *float64 `json:"dismissed_share" description:"null without a decision"`
	First     Waits    `json:"first_action" description:"from a person's first report or red flag to the first decision"`
}

// Group is what the decisions with one outcome, in one language, or of one moderator
// have in common.
type Group struct {
	Key  string  `json:"key" description:"an outcome, a language, or a user's id (zeros for the program itself)"`
	Name *string `json:"display_name,omitempty"` // of a moderator
	Counts
}

// Moderator is somebody who has decided cases.
type Moderator struct {
	ID   uuid.UUID // Nil for the program itself
	Name *string
}

// Waits are how long cases waited for their first decision.
type Waits struct {
	Cases   int64   `json:"n" description:"cases that were measured"`
	Seconds int64   `json:"seconds" description:"the sum"`
	Classes []int64 `json:"classes" description:"up to 5 and 15 minutes, 1, 4 and 12 hours, 1, 3 and 7 days; longer"`
	Median  *Bound  `json:"median" description:"null without a case"`
	P90     *Bound  `json:"p90" description:"null without a case"`
}

// Bound is the limit of the class in which a percentile is.
type Bound struct {
	Most *int64 `json:"at_most_seconds" description:"null if it is more than 7 days"`
}

// Period is an hour, a day, a week or a month, with its decisions by outcome.
type Period struct {
	Start    time.Time        `json:"start"`
	Outcomes map[string]int64 `json:"outcomes"`
}

// Decided returns the number of decisions.
func (p Period) Decided() (n int64) {
	for _, decided := range p.Outcomes {
		n += decided
	}
	return n
}

// newWaits returns the waiting times of a row: the sum of the seconds, then the classes.
func newWaits(row []int64) Waits {
	w := Waits{Seconds: row[0], Classes: row[1:]}
	for _, n := range w.Classes {
		w.Cases += n
	}
	w.Median, w.P90 = w.percentile(0.5), w.percentile(0.9)
	return w
}

// percentile returns the limit of the first class up to which a share of the cases is.
func (w Waits) percentile(share float64) *Bound {
	if w.Cases == 0 {
		return nil
	}
	reached := int64(0)
	for i, class := range Classes {
		if reached += w.Classes[i]; class.Most > 0 && float64(reached) >= share*float64(w.Cases) {
			return &Bound{new(int64(class.Most.Seconds()))}
		}
	}
	return &Bound{}
}

// sums are the columns of a row of figures.
var sums = func() string {
	waits := make([]string, len(waitColumns))
	for i, column := range waitColumns {
		waits[i] = "coalesce(sum(h." + column + "), 0)::bigint"
	}
	return `coalesce(sum(h.decided), 0)::bigint AS decided, coalesce(sum(h.undone), 0)::bigint AS undone,
	coalesce(sum(h.decided) FILTER (WHERE h.outcome = 'dismiss'), 0)::bigint AS dismissed,
	ARRAY[` + strings.Join(waits, ",\n\t\t") + `] AS waited`
}()

// The names of the queries of Queue.
const (
	ByPeriod    = "periods"
	ByOutcome   = "by_outcome"
	ByLang      = "by_lang"
	ByModerator = "by_moderator"
	Open        = "open"
)

// Read returns the figures of the queue at a time, with the open cases of an index.
func Read(ctx context.Context, pool *pgxpool.Pool, open *queue.Index, f Filter, now time.Time) (Queue, error) {
	q := Queue{Queries: map[string]string{Open: f.openSQL()}, Open: open.Ages(now, f.Lang, f.Within), Periods: []Period{}}
	if f.Since != nil && f.Since.After(now) {
		return q, db.BadParameter{Name: "since", Malformed: "since lies in the future."}
	}
	if f.Since != nil && f.Until != nil && !f.Since.Before(*f.Until) {
		return q, db.BadParameter{Name: "until", Malformed: "until must be after since."}
	}
	q.Since, q.Until = f.hours(now)
	err := db.InSnapshot(ctx, pool, func(tx pgx.Tx) error {
		all, err := readGroups(ctx, tx, f.query(q, "'' AS key, NULL::text AS name, "+sums, ""), "")
		if err != nil {
			return err
		}
		if len(all) > 0 {
			q.All = all[0].Counts
		}
		for _, by := range []struct {
			name, columns, users, group string
			into                        *[]Group
		}{
			{ByOutcome, "h.outcome AS key, NULL::text AS name", "", "h.outcome", &q.Outcomes},
			{ByLang, "h.lang AS key, NULL::text AS name", "", "h.lang", &q.Languages},
			{ByModerator, "h.moderator::text AS key, u.display_name AS name", " LEFT JOIN users u ON u.user_id = h.moderator",
				"h.moderator, u.display_name", &q.Moderators},
		} {
			query := f.query(q, by.columns+",\n\t"+sums, by.users)
			rest := "\nGROUP BY " + by.group + " ORDER BY decided DESC, key"
			q.Queries[by.name] = shown(query, rest)
			if *by.into, err = readGroups(ctx, tx, query, rest); err != nil {
				return err
			}
		}
		if q.Deciders, err = readModerators(ctx, tx); err != nil {
			return err
		}
		return q.readPeriods(ctx, tx, f)
	})
	return q, err
}

// hours returns the whole hours that the filter selects.
func (f Filter) hours(now time.Time) (since, until time.Time) {
	until = after(now)
	if f.Until != nil && f.Until.Before(until) {
		until = after(f.Until.Add(-1))
	}
	since = until.Add(-1).Truncate(24*time.Hour).AddDate(0, 0, -6)
	if f.Since != nil {
		since = f.Since.UTC().Truncate(time.Hour)
	}
	return since, until
}

// after returns the end of the hour of a time.
func after(t time.Time) time.Time { return t.UTC().Truncate(time.Hour).Add(time.Hour) }

// query selects columns of the rows that the filter selects.
func (f Filter) query(q Queue, columns, join string) db.Query {
	query := db.Query{Columns: columns, From: "queue_hours h" + join}
	query.Where("h.hour >= ?", q.Since)
	query.Where("h.hour < ?", q.Until)
	if f.Lang != "" {
		query.Where("h.lang = ?", f.Lang)
	}
	query.WithinLanguages("h.lang", f.Within)
	if f.Moderator != nil {
		query.Where("h.moderator = ?", *f.Moderator)
	}
	return query
}

// readModerators returns those who have decided cases, by name.
func readModerators(ctx context.Context, c db.Conn) ([]Moderator, error) {
	return db.Collect[Moderator](ctx, c, `SELECT q.moderator AS id, u.display_name AS name
		FROM (SELECT DISTINCT moderator FROM queue_hours) q LEFT JOIN users u ON u.user_id = q.moderator
		ORDER BY lower(u.display_name), 1`)
}

func readGroups(ctx context.Context, c db.Conn, query db.Query, rest string) ([]Group, error) {
	sql, args := query.SQL()
	rows, err := c.Query(ctx, sql+rest, args...)
	if err != nil {
		return nil, err
	}
	all, err := pgx.CollectRows(rows, func(row pgx.CollectableRow) (g Group, err error) {
		var waited []int64
		if err := row.Scan(&g.Key, &g.Name, &g.Decided, &g.Undone, &g.Dismissed, &waited); err != nil {
			return g, err
		}
		if g.Decided > 0 {
			g.Share = new(float64(g.Dismissed) / float64(g.Decided))
		}
		g.First = newWaits(waited)
		return g, nil
	})
	if all == nil {
		all = []Group{}
	}
	return all, err
}

// periodsOf returns when the periods of a time frame begin, at the earliest with the first
// one of all, which a query returns, and their step: the one asked for, or the one that
// fits. some reports whether there is a first one.
func periodsOf(ctx context.Context, c db.Conn, firstSQL string, since, until time.Time, asked string) (
	from time.Time, step string, some bool, err error) {
	var first *time.Time
	if err := c.QueryRow(ctx, firstSQL).Scan(&first); err != nil {
		return since, "", false, err
	}
	if first != nil && since.Before(*first) {
		since = first.UTC()
	}
	if asked == "" {
		asked = fitting(until.Sub(since))
	}
	return since, asked, first != nil, nil
}

// readPeriods reads the decisions by outcome and period. There are none from before the
// first decision of all.
func (q *Queue) readPeriods(ctx context.Context, c db.Conn, f Filter) error {
	since, step, some, err := periodsOf(ctx, c, "SELECT min(hour) FROM queue_hours", q.Since, q.Until, f.Step)
	if err != nil {
		return err
	}
	q.Step = step
	query := f.query(*q, "date_trunc('"+q.Step+
		"', h.hour, 'UTC') AS start, h.outcome,\n\tsum(h.decided)::bigint AS decided", "")
	const rest = "\nGROUP BY start, h.outcome ORDER BY start, h.outcome"
	q.Queries[ByPeriod] = shown(query, rest)
	if !some {
		return nil
	}
	places := map[time.Time]int{}
	for at := start(q.Step, since); at.Before(q.Until); at = next(q.Step, at) {
		if len(q.Periods) == maxPeriods {
			return tooManyPeriods
		}
		places[at] = len(q.Periods)
		q.Periods = append(q.Periods, Period{at, map[string]int64{}})
	}
	sql, args := query.SQL()
	rows, err := c.Query(ctx, sql+rest, args...)
	if err != nil {
		return err
	}
	var at time.Time
	var outcome string
	var decided int64
	_, err = pgx.ForEachRow(rows, []any{&at, &outcome, &decided}, func() error {
		if place, ok := places[at.UTC()]; ok {
			q.Periods[place].Outcomes[outcome] = decided
		}
		return nil
	})
	return err
}

// openSQL returns a query for the open cases by age. It counts what the index in memory
// has: cases that only banned people flagged are left out.
func (f Filter) openSQL() string {
	columns := []string{LangSQL + " AS lang"}
	lower := ""
	for _, limit := range queue.AgeLimits {
		upper := fmt.Sprintf("now() - c.opened_at < interval '%d hours'", int(limit.Hours()))
		columns = append(columns, fmt.Sprintf("count(*) FILTER (WHERE %s) AS under_%dh", lower+upper, int(limit.Hours())))
		lower = strings.Replace(upper, "<", ">=", 1) + " AND "
	}
	lower = strings.TrimSuffix(lower, " AND ")
	columns = append(columns, "count(*) FILTER (WHERE "+lower+") AS older", "count(*) AS cases",
		"min(c.opened_at) AS oldest")
	query := db.Query{Columns: strings.Join(columns, ",\n\t"), From: "cases c"}
	query.Where("c.status = 'open'")
	query.Where(`(c.imported_flags > 0 OR EXISTS (SELECT FROM unnest(c.reporters) r(id)
		JOIN users u ON u.user_id = r.id AND u.banned_at IS NULL))`)
	if f.Lang != "" {
		query.Where(LangSQL+" = ?", f.Lang)
	}
	query.WithinLanguages(LangSQL, f.Within)
	return shown(query, "\nGROUP BY 1 ORDER BY cases DESC, lang")
}

// maxPeriods is the number of periods up to which a chart can be read.
const maxPeriods = 400

var tooManyPeriods = db.BadParameter{Name: "step", Malformed: db.Malformed(fmt.Sprintf(
	"step: there are more than %d of them in this time. Choose longer ones.", maxPeriods))}

// Steps are the lengths of periods.
var Steps = []string{"hour", "day", "week", "month"}

// fitting returns the step that divides a time into some ten to a hundred periods.
func fitting(length time.Duration) string {
	const day = 24 * time.Hour
	switch {
	case length <= 3*day:
		return "hour"
	case length <= 100*day:
		return "day"
	case length <= 2*366*day:
		return "week"
	}
	return "month"
}

// start returns the start of the period of a time, as PostgreSQL's date_trunc.
func start(step string, at time.Time) time.Time {
	at = at.UTC()
	day := time.Date(at.Year(), at.Month(), at.Day(), 0, 0, 0, 0, time.UTC)
	switch step {
	case "hour":
		return at.Truncate(time.Hour)
	case "week":
		return day.AddDate(0, 0, -(int(at.Weekday())+6)%7)
	case "month":
		return day.AddDate(0, 0, 1-at.Day())
	}
	return day
}

// next returns the start of the next period.
func next(step string, at time.Time) time.Time {
	switch step {
	case "hour":
		return at.Add(time.Hour)
	case "week":
		return at.AddDate(0, 0, 7)
	case "month":
		return at.AddDate(0, 1, 0)
	}
	return at.AddDate(0, 0, 1)
}

// shown returns a query as it can be run by hand: with the values of its arguments.
func shown(query db.Query, rest string) string {
	sql, args := query.SQL()
	return strings.NewReplacer(" FROM queue_hours", "\nFROM queue_hours", " FROM cases", "\nFROM cases",
		" WHERE h.hour >=", "\nWHERE h.hour >=", " WHERE c.status", "\nWHERE c.status", " AND h.", "\n\tAND h.").
		Replace(db.WithValues(sql, args...)) + rest + ";"
}
