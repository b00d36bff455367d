package cases

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"github.com/google/uuid"

	"treewarden/scoring"
	"treewarden/store/counters"
	"treewarden/store/db"
	"treewarden/store/rings"
	"treewarden/store/tables"
)

// Case is a case of the queue.
type Case struct {
	ID        int64      `json:"id"`
	MessageID uuid.UUID  `json:"message_id"`
	TreeID    uuid.UUID  `json:"message_tree_id"`
	UserID    *uuid.UUID `json:"user_id"` // the message's author
	Author    *string    `json:"display_name"`
	Lang      *string    `json:"lang"`
	Status    string     `json:"status" enum:"open,decided,withdrawn"`
	OpenedAt  time.Time  `json:"opened_at"`
	Reports   []Report   `json:"reports" db:"-"`
	RedFlags  []RedFlag  `json:"red_flags" db:"-"`
	// ImportedFlags are red flags of files, which name nobody.
	ImportedFlags int `json:"imported_flags"`
	// Reporters is the number of people who reported or flagged the message.
	Reporters    int        `json:"reporters"`
	Priority     *Priority  `json:"priority" db:"-" description:"null once the case is closed"`
	ClaimedBy    *uuid.UUID `json:"claimed_by"`
	ClaimedName  *string    `json:"claimed_by_name"`
	ClaimedUntil *time.Time `json:"claimed_until"`
	LaterUntil   *time.Time `json:"later_until"`
	Outcome      *string    `json:"outcome"`
	DecidedBy    *string    `json:"decided_by"`
	DecidedAt    *time.Time `json:"decided_at"`
	Action       *int64     `json:"action"`
	// Gone tells what befell the message or its author elsewhere.
	Gone []Gone `json:"gone" db:"-"`
	// Rings are pairs of the people who reported or flagged the message, who vote
	// against the same messages far beyond chance. It is a hint, and counts for nothing.
	Rings []rings.Pair `json:"rings" db:"-" description:"a hint that counts for nothing; empty but where one case is read"`
	// Wave is set where the queue is listed, and where one case is read.
	Wave *tables.InWave `json:"wave,omitempty" db:"-" description:"the wave that the message is in; absent if none"`
}

// Priority is the priority of a case with its parts.
type Priority struct {
	Points float64                 `json:"points"`
	Parts  []scoring.PriorityShare `json:"parts"`
}

// Report is one person's report, with all their reasons.
type Report struct {
	UserID uuid.UUID `json:"user_id"`
	Name   string    `json:"display_name"`
	Reason string    `json:"reason"`
	At     time.Time `json:"at"`
}

// RedFlag is one person's red flag.
type RedFlag struct {
	UserID uuid.UUID `json:"user_id"`
	Name   string    `json:"display_name"`
	At     time.Time `json:"at"`
}

// Gone is something that was done already to the message of a case, or to its author.
type Gone struct {
	What   string     `json:"what" enum:"deleted,rejected,halted,banned"`
	By     *string    `json:"by"` // null if it came so
	At     *time.Time `json:"at"`
	Action *int64     `json:"action"`
}

// row is a case as it is read. The last three are JSON.
type row struct {
	Case
	ReportsJSON, FlagsJSON, GoneJSON []byte
}

// reportsSQL and redFlagsSQL are the open reports and red flags of a case c, or those
// that its decision l was about.
const reportsSQL = `(SELECT coalesce(jsonb_agg(jsonb_build_object('user_id', p.user_id, 'display_name', w.display_name,
		'reason', p.reason, 'at', p.at) ORDER BY p.at DESC, p.report_id DESC), '[]')
	FROM reports p JOIN users w ON w.user_id = p.user_id WHERE p.tree_id = c.tree_id AND p.message_id = c.message_id
		AND CASE WHEN c.status = 'decided' THEN l.after->'reports' @> to_jsonb(p.report_id) ELSE p.status = 'open' END)`

const redFlagsSQL = `(SELECT coalesce(jsonb_agg(jsonb_build_object('user_id', r.user_id, 'display_name', w.display_name,
		'at', r.at) ORDER BY r.at DESC, r.user_id), '[]')
	FROM reactions r JOIN users w ON w.user_id = r.user_id WHERE r.tree_id = c.tree_id AND r.message_id = c.message_id
		AND r.emoji = '` + counters.RedFlag + `' AND CASE WHEN c.status = 'decided'
			THEN l.after->'red_flags' @> to_jsonb(r.user_id) ELSE r.decision IS NULL END)`

// goneSQL tells what was done to the message, its tree or its author, by which action.
const goneSQL = `(SELECT coalesce(jsonb_agg(jsonb_build_object('what', g.what, 'by', x.actor_name,
		'at', coalesce(x.at, g.at), 'action', x.seq) ORDER BY g.place), '[]')
	FROM (VALUES (1, 'deleted', m.deleted, m.deleted_at, m.deleted_action),
		(2, 'rejected', m.review_result IS FALSE, m.review_at, (SELECT max(o.action_id) FROM action_objects o
			WHERE m.review_by_staff AND o.object_type = 'message' AND o.object_id = m.message_id AND o.aspect = 'review')),
		(3, 'halted', t.state = '` + tables.Halted + `', NULL, (SELECT max(o.action_id) FROM action_objects o
			WHERE t.state_by_staff AND o.object_type = 'tree' AND o.object_id = t.tree_id AND o.aspect = 'state')),
		(4, 'banned', (` + tables.UserStatusSQL + `) = 'banned', u.banned_at, u.ban_action)
	) g(place, what, holds, at, action) LEFT JOIN actions x ON x.id = g.action WHERE g.holds)`

// selectSQL reads cases c that fulfil a condition. $1 is the time, $2 the roles that may
// hold a case.
func selectSQL(rest string) string { return selectWith(reportsSQL, redFlagsSQL, rest) }

func selectWith(reports, redFlags, rest string) string {
	return `SELECT c.case_id AS id, c.message_id, c.tree_id, c.user_id, u.display_name AS author, m.lang, c.status,
			c.opened_at, c.imported_flags, cardinality(c.reporters) AS reporters,
			holder.user_id AS claimed_by, holder.display_name AS claimed_name,
			CASE WHEN holder.user_id IS NOT NULL THEN c.claimed_until END AS claimed_until,
			CASE WHEN c.later_until > $1 AND c.status = 'open' THEN c.later_until END AS later_until,
			c.outcome, a.actor_name AS decided_by, c.decided_at, a.seq AS action,
			` + reports + ` AS reports_json, ` + redFlags + ` AS flags_json, ` + goneSQL + ` AS gone_json
		FROM cases c JOIN messages m ON m.tree_id = c.tree_id AND m.message_id = c.message_id
			JOIN trees t ON t.tree_id = c.tree_id
			LEFT JOIN users u ON u.user_id = c.user_id
			LEFT JOIN users holder ON holder.user_id = ` + heldSQL + `
			LEFT JOIN actions a ON a.id = c.action_id
			LEFT JOIN action_objects l ON l.action_id = c.action_id AND l.object_type = 'message'
				AND l.object_id = c.message_id AND l.aspect = '` + Aspect + `' ` + rest
}

// byIDs selects cases by the ids $3, in their order.
const byIDs = `JOIN unnest($3::bigint[]) WITH ORDINALITY i(id, place) ON i.id = c.case_id ORDER BY i.place`

// Read returns cases by their ids, in that order. Those that do not exist are left out.
func Read(ctx context.Context, c db.Conn, h Holders, ids []int64) ([]Case, error) {
	return read(ctx, c, selectSQL(byIDs), h.Now, h.Roles, ids)
}

// readHeads is Read without the reports and red flags.
func readHeads(ctx context.Context, c db.Conn, h Holders, ids []int64) ([]Case, error) {
	const none = "'[]'::jsonb"
	return read(ctx, c, selectWith(none, none, byIDs), h.Now, h.Roles, ids)
}

// Ref is what names a case in its tree.
type Ref struct {
	ID                int64
	TreeID, MessageID uuid.UUID
	UserID            *uuid.UUID
	Lang              *string
}

// RefOf returns what names a case, or ErrNotFound.
func RefOf(ctx context.Context, c db.Conn, id int64) (r Ref, err error) {
	r.ID = id
	err = c.QueryRow(ctx, `SELECT c.tree_id, c.message_id, c.user_id, m.lang FROM cases c
		JOIN messages m ON m.tree_id = c.tree_id AND m.message_id = c.message_id WHERE c.case_id = $1`, id).
		Scan(&r.TreeID, &r.MessageID, &r.UserID, &r.Lang)
	return r, db.Translate(err)
}

// AuthorIf returns the author if all their cases are meant, else nil.
func (r Ref) AuthorIf(all bool) *uuid.UUID {
	if all {
		return r.UserID
	}
	return nil
}

// ByID returns a case, or ErrNotFound.
func ByID(ctx context.Context, c db.Conn, h Holders, id int64) (Case, error) {
	found, err := read(ctx, c, selectSQL("WHERE c.case_id = $3"), h.Now, h.Roles, id)
	if err == nil && len(found) == 0 {
		err = db.ErrNotFound
	}
	if err != nil {
		return Case{}, db.Translate(err)
	}
	return found[0], nil
}

// Former returns the closed cases on the message of a case, the newest first.
func Former(ctx context.Context, c db.Conn, h Holders, of Case) ([]Case, error) {
	return read(ctx, c, selectSQL(`WHERE c.tree_id = $3 AND c.message_id = $4 AND c.case_id <> $5 AND c.status = 'decided'
		ORDER BY c.case_id DESC LIMIT 20`), h.Now, h.Roles, of.TreeID, of.MessageID, of.ID)
}

func read(ctx context.Context, c db.Conn, sql string, args ...any) ([]Case, error) {
	rows, err := db.Collect[row](ctx, c, sql, args...)
	if err != nil {
		return nil, err
	}
	all := make([]Case, len(rows))
	for i := range rows {
		r := &rows[i]
		for _, part := range []struct {
			json []byte
			into any
		}{{r.ReportsJSON, &r.Reports}, {r.FlagsJSON, &r.RedFlags}, {r.GoneJSON, &r.Gone}} {
			if err := json.Unmarshal(part.json, part.into); err != nil {
				return nil, fmt.Errorf("read case %d: %w", r.ID, err)
			}
		}
		r.OpenedAt, r.Rings = r.OpenedAt.UTC(), []rings.Pair{}
		all[i] = r.Case
	}
	return all, nil
}
