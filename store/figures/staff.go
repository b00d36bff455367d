package figures

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"treewarden/store/db"
)

// StaffFilter selects actions of the log. Zero fields select all.
type StaffFilter struct {
	// Since and Until limit the time: whole seconds, so that both are rounded outwards.
	// Without Since it begins six days before the last one (UTC).
	Since, Until *time.Time
	Kind         string
	Actor        *uuid.UUID // Nil for the command line
	Own          *uuid.UUID // only actions of this one, whatever Actor says
	Step         string     // hour, day, week or month; empty: as fits the time
}

// Staff holds the figures of what staff did.
type Staff struct {
	Since   time.Time         `json:"since"`
	Until   time.Time         `json:"until"`
	OwnOnly bool              `json:"own_only" description:"true without the permission audit.all: only one's own actions"`
	All     ActionCounts      `json:"all"`
	Kinds   []ActionGroup     `json:"by_kind"`
	People  []ActionGroup     `json:"by_person" description:"staff, API keys and the command line"`
	Step    string            `json:"step" enum:"hour,day,week,month"`
	Periods []ActionPeriod    `json:"periods" description:"those without an action too"`
	Queries map[string]string `json:"queries" description:"the SQL that made the figures"`
}

// ActionCounts are numbers of actions.
type ActionCounts struct {
	Actions int64 `json:"actions" description:"those that were undone too, and undos themselves"`
	Undone  int64 `json:"undone" description:"of these; undone by now, whenever that was"`
}

// ActionGroup is what the actions of one kind, or of one person, have in common.
type ActionGroup struct {
	Key  string  `json:"key" description:"a kind, or a user's id (zeros for the command line)"`
	Name *string `json:"display_name,omitempty"` // of a person
	ActionCounts
}

// ActionPeriod is an hour, a day, a week or a month, with its actions by kind.
type ActionPeriod struct {
	Start time.Time        `json:"start"`
	Kinds map[string]int64 `json:"kinds" description:"those without an action are left out"`
	ActionCounts
}

// The names of the queries of Staff; ByPeriod is the third.
const (
	ByKind   = "by_kind"
	ByPerson = "by_person"
)

// ActionCountsSQL counts what action_counts has from the log.
const ActionCountsSQL = "SELECT s.step, date_trunc(s.step, a.at, 'UTC') AS start, " + actorSQL + ` AS actor, a.kind,
	count(*) AS actions, count(u.id) AS undone FROM actions a LEFT JOIN actions u ON u.undoes = a.id
	CROSS JOIN (VALUES ('hour'), ('day')) s(step) GROUP BY 1, 2, 3, 4`

// actorSQL is who did an action a of the log, zeros for the command line.
const actorSQL = "coalesce(a.actor_id, '00000000-0000-0000-0000-000000000000')"

// ReadStaff counts the actions of the log at a time: by action_counts the whole days in
// the time asked for, then the whole hours, and by the log itself what is left at both ends.
func ReadStaff(ctx context.Context, pool *pgxpool.Pool, f StaffFilter, now time.Time) (Staff, error) {
	s := Staff{OwnOnly: f.Own != nil, Queries: map[string]string{}, Periods: []ActionPeriod{}}
	if f.Since != nil && f.Since.After(now) {
		return s, db.BadParameter{Name: "since", Malformed: "since lies in the future."}
	}
	if f.Since != nil && f.Until != nil && !f.Since.Before(*f.Until) {
		return s, db.BadParameter{Name: "until", Malformed: "until must be after since."}
	}
	// The query that is shown has whole seconds.
	s.Until = now.UTC().Truncate(time.Second).Add(time.Second)
	if f.Until != nil && f.Until.Before(now) {
		s.Until = f.Until.UTC().Add(time.Second - 1).Truncate(time.Second)
	}
	s.Since = s.Until.Add(-1).Truncate(24*time.Hour).AddDate(0, 0, -6)
	if f.Since != nil {
		s.Since = f.Since.UTC().Truncate(time.Second)
	}
	err := db.InSnapshot(ctx, pool, func(tx pgx.Tx) (err error) {
		if s.Kinds, err = s.groups(ctx, tx, f, ByKind, "a.kind AS key, NULL::text AS name", "", "a.kind"); err != nil {
			return err
		}
		if s.People, err = s.groups(ctx, tx, f, ByPerson, "a.actor::text AS key, "+nameSQL+" AS name",
			" LEFT JOIN users w ON w.user_id = a.actor", "a.actor"); err != nil {
			return err
		}
		for _, g := range s.Kinds {
			s.All.Actions += g.Actions
			s.All.Undone += g.Undone
		}
		return s.readPeriods(ctx, tx, f)
	})
	return s, err
}

// nameSQL is the name of an actor, who is a user or, for the program, as the log has it.
const nameSQL = "coalesce(max(w.display_name), " +
	"(SELECT l.actor_name FROM actions l WHERE l.actor_id IS NULL ORDER BY l.id DESC LIMIT 1))"

// actionCounts are the columns of ActionCounts.
const actionCounts = ", sum(a.actions)::bigint AS actions, sum(a.undone)::bigint AS undone"

// query selects columns of the actions that the filter selects. The times of its rows are
// good for hours if hours says so, else for days.
func (s *Staff) query(f StaffFilter, columns, join string, hours bool) db.Query {
	query := db.Query{Columns: columns + actionCounts}
	days := 24 * time.Hour
	if hours {
		days = time.Hour
	}
	query.From = "(" + strings.Join(parts(&query, s.Since, s.Until, days), "\n\tUNION ALL\n\t") + ") a" + join
	if f.Kind != "" {
		query.Where("a.kind = ?", f.Kind)
	}
	if f.Own != nil {
		query.Where("a.actor = ?", *f.Own)
	}
	if f.Actor != nil {
		query.Where("a.actor = ?", *f.Actor)
	}
	return query
}

// parts returns the queries of the actions from a time until another one: of the periods of
// a length in between, and by shorter ones of what is left at both ends.
func parts(query *db.Query, since, until time.Time, length time.Duration) []string {
	if !since.Before(until) {
		return nil
	}
	first, last := since.Add(length-1).Truncate(length), until.Truncate(length)
	var step string
	var shorter time.Duration
	switch {
	case length == 24*time.Hour:
		step, shorter = "day", time.Hour
	case length == time.Hour:
		step = "hour"
	default:
		return []string{"SELECT a.at, " + actorSQL + ` AS actor, a.kind, 1::bigint AS actions,
		(SELECT count(*) FROM actions u WHERE u.undoes = a.id) AS undone
	FROM actions a WHERE a.at >= ` + query.Arg(since) + " AND a.at < " + query.Arg(until)}
	}
	if !first.Before(last) {
		return parts(query, since, until, shorter)
	}
	whole := "SELECT start AS at, actor, kind, actions, undone FROM action_counts\n\tWHERE step = '" + step +
		"' AND start >= " + query.Arg(first) + " AND start < " + query.Arg(last)
	return slices.Concat([]string{whole}, parts(query, since, first, shorter), parts(query, last, until, shorter))
}

// run runs a query, and keeps it as it can be run by hand.
func run[T any](ctx context.Context, c db.Conn, s *Staff, name string, query db.Query, rest string) ([]T, error) {
	sql, args := query.SQL()
	s.Queries[name] = strings.NewReplacer(" FROM (SELECT", "\nFROM (SELECT", " LEFT JOIN", "\n\tLEFT JOIN",
		" WHERE a.actor", "\nWHERE a.actor", " WHERE a.kind", "\nWHERE a.kind").Replace(db.WithValues(sql, args...)) +
		rest + ";"
	rows, err := db.Collect[T](ctx, c, sql+rest, args...)
	if err != nil {
		return nil, fmt.Errorf("count the actions, %s: %w", name, err)
	}
	return rows, nil
}

func (s *Staff) groups(ctx context.Context, c db.Conn, f StaffFilter, name, columns, join, group string) (
	[]ActionGroup, error) {
	all, err := run[ActionGroup](ctx, c, s, name, s.query(f, columns, join, false),
		"\nGROUP BY "+group+" ORDER BY actions DESC, key")
	if all == nil {
		all = []ActionGroup{}
	}
	return all, err
}

// readPeriods reads the actions by period and kind. There are no periods from before the
// first action of all.
func (s *Staff) readPeriods(ctx context.Context, c db.Conn, f StaffFilter) error {
	since, step, some, err := periodsOf(ctx, c, "SELECT min(at) FROM actions", s.Since, s.Until, f.Step)
	if err != nil {
		return err
	}
	s.Step = step
	type row struct {
		Start time.Time
		Kind  string
		ActionCounts
	}
	rows, err := run[row](ctx, c, s, ByPeriod,
		s.query(f, "date_trunc('"+s.Step+"', a.at, 'UTC') AS start, a.kind", "", s.Step == "hour"),
		"\nGROUP BY start, a.kind ORDER BY start, a.kind")
	if err != nil || !some {
		return err
	}
	places := map[time.Time]int{}
	for at := start(s.Step, since); at.Before(s.Until); at = next(s.Step, at) {
		if len(s.Periods) == maxPeriods {
			return tooManyPeriods
		}
		places[at] = len(s.Periods)
		s.Periods = append(s.Periods, ActionPeriod{Start: at, Kinds: map[string]int64{}})
	}
	for _, r := range rows {
		if place, ok := places[r.Start.UTC()]; ok {
			p := &s.Periods[place]
			p.Kinds[r.Kind] = r.Actions
			p.Actions += r.Actions
			p.Undone += r.Undone
		}
	}
	return nil
}
