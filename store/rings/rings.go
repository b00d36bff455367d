// Package rings finds raters who vote against the same targets within minutes of each
// other, far more often than chance explains. It is a hint for people; no signal and no
// score knows it.
package rings

import (
	"context"
	"time"

	"github.com/google/uuid"

	"treewarden/scoring"
	"treewarden/store/db"
)

// The limits that bound the work for one rater.
const (
	// Limit is the number of a rater's votes against messages that are looked at, the
	// newest ones.
	Limit = 500
	// read is the number of a rater's reactions, the newest ones, among which these are
	// found, and of a partner's reactions in the same time.
	read = 5000
	// perTarget is the number of reactions, and of reports, of one target that are read.
	perTarget = 100
	// compared is the number of partners with the most common targets that are judged.
	compared = 20
	// shown is the number of partners that are named.
	shown = 10
	// Named is the number of common targets that are named, the newest ones.
	Named = 20
)

// Partner is a rater who votes against the same targets as another one.
type Partner struct {
	UserID uuid.UUID `json:"user_id"`
	Name   string    `json:"display_name"`
	Banned bool      `json:"banned"`
	// Shared is the number of targets that both voted against within ten minutes of each
	// other: red flags, downvotes and reports.
	Shared int `json:"shared"`
	// Given is the number of targets of the partner in the same time. It is estimated
	// for a partner with more than 5,000 reactions then.
	Given int `json:"given"`
	scoring.RingOdds
	Targets []uuid.UUID `json:"targets" description:"the newest 20 of the shared targets"`
}

// row is a partner of a rater, with what is known of the rater.
type row struct {
	Since, Until time.Time
	Own          int   // votes of the rater
	Votes        []int // by others, of each target that has any
	People       int   // who gave these
	UserID       uuid.UUID
	DisplayName  string
	Banned       bool
	Shared       int
	Targets      []uuid.UUID
	Given        int
	Read         int        // reactions of the partner that were read
	Oldest       *time.Time // of these
}

const (
	against = "emoji IN ('red_flag', '-1')"
	stands  = "status <> 'withdrawn'"
)

// votesSQL selects the votes of a user against messages: those among so many newest
// reactions for which a condition holds, and among so many newest reports.
func votesSQL(user, condition, most string) string {
	newest := func(table, column string) string {
		return "SELECT tree_id, message_id, at, " + column + " FROM " + table + " WHERE user_id = " + user + condition +
			" ORDER BY at DESC LIMIT " + most
	}
	return "SELECT tree_id, message_id, at FROM (" + newest("reactions", "emoji") + ") r WHERE " + against + `
		UNION ALL SELECT tree_id, message_id, at FROM (` + newest("reports", "status") + ") p WHERE " + stands
}

// partnersSQL reads the partners of the user $1. $2 is the number of votes that are
// looked at, among $3 reactions and as many reports; $4 that of the reactions and of the
// reports of each target; $5 the time between two votes; $6 the number of partners, and $7
// the least number of their common targets, of which the newest $8 are named.
//
// Each part reads by an index: reactions_by_user and reports_by_user for the votes of
// a user, the primary keys of both tables for those of a target.
var partnersSQL = `WITH mine AS MATERIALIZED (SELECT * FROM (` + votesSQL("$1", "", "$3") + `) v
		WHERE EXISTS (SELECT FROM users WHERE user_id = $1 AND role = 'general') ORDER BY at DESC LIMIT $2),
	span AS MATERIALIZED (SELECT min(at) - $5::interval AS since, max(at) + $5::interval AS until, count(*)::int AS own
		FROM mine HAVING count(*) > 0),
	votes AS MATERIALIZED (SELECT t.message_id, t.at, o.user_id,
			CASE WHEN t.first = t.at THEN o.at BETWEEN t.at - $5::interval AND t.at + $5::interval
				ELSE EXISTS (SELECT FROM unnest(t.times) m(at) WHERE o.at BETWEEN m.at - $5::interval AND m.at + $5::interval)
				END AS near
		FROM span s
		CROSS JOIN (SELECT tree_id, message_id, array_agg(at) AS times, min(at) AS first, max(at) AS at
			FROM mine GROUP BY 1, 2) t
		CROSS JOIN LATERAL (SELECT user_id, at FROM (SELECT user_id, emoji, at FROM reactions r
				WHERE r.tree_id = t.tree_id AND r.message_id = t.message_id ORDER BY user_id, emoji LIMIT $4) r
				WHERE ` + against + `
			UNION ALL SELECT user_id, at FROM (SELECT user_id, status, at FROM reports p
				WHERE p.tree_id = t.tree_id AND p.message_id = t.message_id ORDER BY report_id LIMIT $4) p WHERE ` + stands + `) o
		WHERE o.user_id <> $1 AND o.at BETWEEN s.since AND s.until),
	partners AS MATERIALIZED (SELECT u.user_id, u.display_name, u.banned_at IS NOT NULL AS banned, count(*)::int AS shared,
			(array_agg(n.message_id ORDER BY n.at DESC, n.message_id))[1:$8] AS targets
		FROM (SELECT user_id, message_id, max(at) AS at FROM votes WHERE near GROUP BY 1, 2) n
		JOIN users u ON u.user_id = n.user_id AND u.role = 'general'
		GROUP BY u.user_id HAVING count(*) >= $7 ORDER BY shared DESC, u.user_id LIMIT $6)
	SELECT s.since, s.until, s.own,
		(SELECT array_agg(n) FROM (SELECT count(*)::int AS n FROM votes GROUP BY message_id) c) AS votes,
		(SELECT count(DISTINCT v.user_id)::int FROM votes v JOIN users u ON u.user_id = v.user_id AND u.role = 'general')
			AS people,
		p.user_id, p.display_name, p.banned, p.shared, p.targets, g.given, e.read, e.oldest
	FROM span s CROSS JOIN partners p
	CROSS JOIN LATERAL (SELECT count(DISTINCT message_id)::int AS given
		FROM (` + votesSQL("p.user_id", " AND at BETWEEN s.since AND s.until", "$3") + `) v) g
	CROSS JOIN LATERAL (SELECT count(*)::int AS read, min(at) AS oldest FROM (SELECT at FROM reactions
		WHERE user_id = p.user_id AND at BETWEEN s.since AND s.until ORDER BY at DESC LIMIT $3) r) e
	ORDER BY p.shared DESC, p.user_id`

// Of returns the partners of a user, those with the most common targets first. Nobody is a
// partner of staff, and no staff is a partner; banned users are.
func Of(ctx context.Context, c db.Conn, user uuid.UUID) ([]Partner, error) {
	partners := []Partner{}
	rows, err := db.Collect[row](ctx, c, partnersSQL, user, Limit, read, perTarget, scoring.RingWithin, compared,
		scoring.RingTargets, Named)
	if err != nil || len(rows) == 0 {
		return partners, err
	}
	all, err := votesOfAll(ctx, c, rows[0].Since, rows[0].Until)
	if err != nil {
		return nil, err
	}
	for _, r := range rows {
		p := Partner{UserID: r.UserID, Name: r.DisplayName, Banned: r.Banned, Shared: r.Shared, Given: r.given(),
			Targets: r.Targets}
		p.RingOdds = scoring.OddsOf(p.Shared, scoring.ExpectedTogether(r.Votes, all-r.Own, p.Given), r.People)
		if p.Together(p.Shared) && len(partners) < shown {
			partners = append(partners, p)
		}
	}
	return partners, nil
}

// given returns the number of targets of the partner in the whole time, at least the
// shared ones. Of a partner whose reactions were not all read it takes them to be as
// frequent before.
func (r row) given() int {
	whole := r.Until.Sub(r.Since)
	if r.Read < read || r.Oldest == nil || whole <= 0 {
		return max(r.Given, r.Shared)
	}
	covered := max(r.Until.Sub(*r.Oldest), time.Second)
	return max(int(float64(r.Given)*max(1, whole.Seconds()/covered.Seconds())), r.Shared)
}

// votesOfAll estimates the number of all votes against messages within a time. No index
// has the votes of everybody by time, and counting them would read the whole table.
// Before a table has statistics the estimate is too small, and nobody is named.
func votesOfAll(ctx context.Context, c db.Conn, since, until time.Time) (int, error) {
	sum := 0
	for table, condition := range map[string]string{"reactions": against, "reports": stands} {
		q := db.Query{Columns: "at", From: table}
		q.Where(condition)
		q.Where("at BETWEEN ? AND ?", since, until)
		n, err := db.Estimate(ctx, c, q)
		if err != nil {
			return 0, err
		}
		sum += n
	}
	return sum, nil
}
