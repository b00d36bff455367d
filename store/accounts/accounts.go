// Package accounts reads the accounts that can sign in and the API keys, inserts new
// ones, and makes the changes of them that are not kept for an undo: revoked keys and
// a person's own settings. The package store checks who may do so and logs it.
package accounts

import (
	"context"
	"strings"
	"time"

	"github.com/google/uuid"

	"treewarden/corpus/search"
	"treewarden/policy"
	"treewarden/store/db"
	"treewarden/store/messages"
	"treewarden/store/names"
	"treewarden/store/sessions"
	"treewarden/store/tables"
)

// Invited is the status of an account without a password that was never used.
const Invited = "invited"

// Account is a member of staff.
type Account struct {
	UserID      uuid.UUID `json:"user_id"`
	DisplayName string    `json:"display_name"`
	Username    string    `json:"username"` // the name to sign in with
	Role        string    `json:"role"`
	Languages   []string  `json:"languages"` // the person's own limit, besides the role's; null is none
	Status      string    `json:"status" validate:"oneof=active banned erased invited"`
	CreatedDate time.Time `json:"created_date"`
	// LastSeen is when the person last used the console, null before that.
	LastSeen *time.Time `json:"last_seen"`
	Sessions int64      `json:"sessions"` // sessions that are open now
	Keys     int64      `json:"keys"`     // keys in use that the person made, or that these keys made
	// InvitedUntil is the end of an open invitation, null if there is none.
	InvitedUntil *time.Time `json:"invited_until"`
	// SecondFactor is whether the person signs in with a second factor, which the
	// console does not offer yet: it is false for everybody.
	SecondFactor bool `json:"second_factor" db:"-"`
	Version      int  `json:"version"`
}

// Subject is the account as the policy sees it.
func (a Account) Subject() policy.Subject {
	return policy.Subject{Role: a.Role, Languages: a.Languages}
}

// madeKeys counts the keys in use that user u made, or that those keys made.
const madeKeys = `WITH RECURSIVE made AS (
		SELECT k.user_id, k.revoked_at, k.expires_at FROM api_keys k WHERE k.created_by = u.user_id
		UNION SELECT k.user_id, k.revoked_at, k.expires_at FROM api_keys k JOIN made m ON k.created_by = m.user_id)
	SELECT count(*) FROM made WHERE revoked_at IS NULL AND (expires_at IS NULL OR expires_at > now())`

const columns = `u.user_id, u.display_name, u.username, u.role, u.languages,
	CASE WHEN ` + tables.UserStatusSQL + ` = 'active' AND u.password_hash IS NULL AND u.last_seen_at IS NULL
		AND s.newest IS NULL THEN '` + Invited + `' ELSE ` + tables.UserStatusSQL + ` END AS status,
	u.created_date, greatest(u.last_seen_at, s.newest) AS last_seen, s.open AS sessions,
	(` + madeKeys + `) AS keys, l.until AS invited_until, u.version`

const from = `users u
	CROSS JOIN LATERAL (SELECT max(last_seen_at) AS newest, count(*) FILTER (WHERE ` + sessions.OpenSQL + `) AS open
		FROM sessions s WHERE s.user_id = u.user_id) s
	CROSS JOIN LATERAL (SELECT max(expires_at) AS until FROM sign_in_links l
		WHERE l.user_id = u.user_id AND l.expires_at > now()) l`

// with is the condition for the accounts that are listed.
const with = "u.role <> 'general' AND u.auth_method = 'local'"

// All returns all accounts, by role and name.
func All(ctx context.Context, c db.Conn) ([]Account, error) {
	return db.Collect[Account](ctx, c, "SELECT "+columns+" FROM "+from+" WHERE "+with+
		" ORDER BY u.role, lower(u.display_name), u.user_id")
}

// ByID returns an account, or ErrNotFound. A former one has the role general.
func ByID(ctx context.Context, c db.Conn, id uuid.UUID) (Account, error) {
	return one(db.Collect[Account](ctx, c, "SELECT "+columns+" FROM "+from+
		" WHERE u.auth_method = 'local' AND u.user_id = $1", id))
}

// ByName returns the account that signs in with a name, or ErrNotFound.
func ByName(ctx context.Context, c db.Conn, name string) (Account, error) {
	return one(db.Collect[Account](ctx, c, "SELECT "+columns+" FROM "+from+
		" WHERE u.auth_method = 'local' AND u.username = $1 AND u.account", strings.TrimSpace(db.ToText(name))))
}

// SetRoleSQL sets the role of a user o to $3. A contributor who becomes a member of
// staff has an account from then on, and keeps it: its name is unique among staff.
const SetRoleSQL = "role = $3, account = o.account OR o.auth_method = 'local' AND $3 <> 'general'"

// RestoreRoleSQL restores the role of a user o from a jsonb s. A contributor who
// never used their account has none after that.
const RestoreRoleSQL = `role = s #>> '{}', account = o.account AND (s #>> '{}' <> 'general'
	OR o.password_hash IS NOT NULL OR o.last_seen_at IS NOT NULL)`

// Taken translates a unique violation to an Invalid: accounts sign in by their name.
func Taken(err error) error {
	return db.Taken(err, "name", "There is an account of this name. Choose another one.")
}

// NameTaken says why a contributor gets no role.
const NameTaken = "An account signs in by the name of this contributor. Give that account another name first."

// Insert inserts an account that an action makes, and logs its role. Without the hash
// of a password, the account can sign in only by a link.
func Insert(ctx context.Context, c db.Conn, action int64, id uuid.UUID, p Params, passwordHash *string) error {
	if _, err := c.Exec(ctx, `INSERT INTO users (user_id, display_name, username, role, languages, password_hash,
		account) VALUES ($1, $2, $2, $3, $4, $5, true)`,
		id, strings.TrimSpace(*p.Name), *p.Role, p.Languages, passwordHash); err != nil {
		return Taken(err)
	}
	return logRole(ctx, c, action, id, *p.Role)
}

// logRole logs the role that a new account or key has from the start.
func logRole(ctx context.Context, c db.Conn, action int64, id uuid.UUID, role string) error {
	_, err := c.Exec(ctx, `INSERT INTO action_objects (action_id, object_type, object_id, aspect, before, after)
		VALUES ($1, 'user', $2, 'role', NULL, to_jsonb($3::text))`, action, id, role)
	return err
}

// Display is how the console looks to a user, and what they set for their own
// wellbeing. 0 is off.
type Display struct {
	BlurToxic    bool
	Theme        string
	BreakAfter   int
	ToxicPerHour int
}

func (d Display) check() error {
	wrong := db.Invalid{}
	if db.OneOf("theme", d.Theme, "system", "light", "dark") != nil {
		wrong["theme"] = "Choose system, light or dark."
	}
	if d.BreakAfter != 0 && (d.BreakAfter < tables.MinBreakAfter || d.BreakAfter > tables.MaxBreakAfter) {
		wrong["break_after"] = WrongBreakAfter
	}
	if d.ToxicPerHour < 0 || d.ToxicPerHour > tables.MaxToxicPerHour {
		wrong["toxic_per_hour"] = WrongToxicPerHour
	}
	if len(wrong) > 0 {
		return wrong
	}
	return nil
}

// The errors of the settings for a user's wellbeing.
const (
	WrongBreakAfter   = "Enter 15 to 240 minutes, or nothing to get no reminder."
	WrongToxicPerHour = "Enter 1 to 200 cases, or nothing to have no limit."
)

// SetDisplay stores how the console looks to a user, and what they set for their own
// wellbeing.
func SetDisplay(ctx context.Context, c db.Conn, user uuid.UUID, d Display) error {
	if err := d.check(); err != nil {
		return err
	}
	_, err := c.Exec(ctx, `UPDATE users SET blur_toxic = $2, theme = $3, break_after = $4, toxic_per_hour = $5
		WHERE user_id = $1`, user, d.BlurToxic, d.Theme, d.BreakAfter, d.ToxicPerHour)
	return db.Translate(err)
}

// DismissBreak stores when a user dismissed the reminder to take a break.
func DismissBreak(ctx context.Context, c db.Conn, user uuid.UUID, now time.Time) error {
	_, err := c.Exec(ctx, "UPDATE users SET break_dismissed_at = $2 WHERE user_id = $1", user, now)
	return db.Translate(err)
}

// Found is a person whom a name or an id means.
type Found struct {
	UserID                      uuid.UUID
	DisplayName, Username, Role string
	CreatedDate                 time.Time
	// Account reports whether this is a member of staff, or was one.
	Account bool
}

// Named returns the account that signs in with a name or has an id. Without one, it
// returns the contributors with the name or id, or else with the display name, at
// most 10. It returns ErrNotFound if there is nobody.
func Named(ctx context.Context, c db.Conn, who string) ([]Found, error) {
	found, err := db.Collect[Found](ctx, c, `WITH named AS (
			SELECT user_id, display_name, username, role, created_date, account, CASE WHEN account THEN 1
				WHEN username = $1 OR user_id::text = lower($1) THEN 2 ELSE 3 END AS place
			FROM users WHERE auth_method = 'local' AND (username = $1 OR user_id::text = lower($1)
				OR NOT account AND lower(display_name) = lower($1)))
		SELECT user_id, display_name, username, role, created_date, account FROM named
		WHERE place = (SELECT min(place) FROM named) ORDER BY user_id LIMIT 10`, strings.TrimSpace(db.ToText(who)))
	if err == nil && len(found) == 0 {
		err = db.ErrNotFound
	}
	return found, err
}

// NoAdminLeft reports whether an action changed an admin, and no admin is left who can
// sign in.
func NoAdminLeft(ctx context.Context, c db.Conn, action int64) (none bool, err error) {
	err = c.QueryRow(ctx, `SELECT NOT EXISTS (SELECT FROM users u WHERE u.role = 'admin' AND `+tables.CanSignInSQL+`)
		AND EXISTS (SELECT FROM action_objects o JOIN users u ON u.user_id = o.object_id WHERE o.action_id = $1
			AND (u.role = 'admin' OR o.before #>> '{}' = 'admin'))`, action).Scan(&none)
	return none, db.Translate(err)
}

func one[T any](found []T, err error) (T, error) {
	if err == nil && len(found) == 0 {
		err = db.ErrNotFound
	}
	if err != nil {
		var none T
		return none, err
	}
	return found[0], nil
}

// Filter narrows the list of accounts by a line that finds names, and to a role.
type Filter struct {
	Q, Role string
	db.Page
}

// Page returns one page of the accounts, by name.
func Page(ctx context.Context, c db.Conn, s messages.Searcher, f Filter) (db.List[Account], error) {
	q := db.Query{Columns: columns, From: from}
	q.Where(with)
	line, err := search.ParseNames(f.Q)
	if err != nil {
		return db.List[Account]{}, err
	}
	if f.Role != "" {
		q.Where("u.role = ?", f.Role)
	}
	type row struct {
		db.Keyed
		Account
	}
	byName := db.Order{Name: "staff", Keys: []db.Key{
		{Expr: "lower(u.display_name)", Typ: "text"}, {Expr: "u.user_id", Typ: "uuid"},
	}}
	rows, next, prev, err := names.Fetch[row](ctx, c, s, q, byName,
		names.Filter{Line: line, SQL: "SELECT u.user_id, u.display_name, u.username FROM users u WHERE " + with}, f.Page)
	items := make([]Account, len(rows))
	for i, r := range rows {
		items[i] = r.Account
	}
	return db.List[Account]{Items: items, Next: next, Prev: prev}, err
}
