package ingest

import (
	"strings"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5/pgtype"

	"treewarden/corpus"
	"treewarden/store/db"
	"treewarden/store/tables"
)

// knownUser is a user that lines refer to.
type knownUser struct {
	id       uuid.UUID
	status   string
	counts   bool // their feedback counts; false from a ban until it is removed
	active   pgtype.Timestamptz
	staff    bool // may sign in to the console
	account  bool // of the console itself, or of a key: no contributor
	named    bool // staff set the display name
	name     string
	method   string
	username string
	created  time.Time
	// since is the line that created the user, 0 for a known user.
	since   int
	changed bool
	// resigned reports whether the sign-in name changes.
	resigned bool
}

// lockUsers locks and reads the users that lines refer to, so that they are not
// banned meanwhile, which would affect the counts of their feedback. The lock is
// that of an update of their activity, so that it is never upgraded. lockUsers
// reports whether there are lines about users.
func (in *run) lockUsers() bool {
	var ids, lines []uuid.UUID
	for _, item := range in.items {
		switch item.kind {
		case "user":
			lines = append(lines, item.user)
			ids = append(ids, item.user)
		case "message", "label", "reaction", "report":
			ids = append(ids, item.user)
		}
	}
	in.users = make(map[uuid.UUID]*knownUser, len(ids))
	if len(ids) == 0 {
		return false
	}
	var u knownUser
	in.Each([]any{&u.id, &u.status, &u.counts, &u.staff, &u.account, &u.name, &u.method, &u.username, &u.active}, func() {
		known := u
		in.users[u.id] = &known
	}, `SELECT u.user_id, `+tables.UserStatusSQL+
		`, u.banned_at IS NULL, u.account OR u.role <> 'general' OR u.auth_method = 'key',
			u.account OR u.auth_method = 'key', u.display_name, u.auth_method, u.username, u.last_activity_date
		FROM users u WHERE u.user_id = ANY ($1) ORDER BY u.user_id FOR NO KEY UPDATE`, db.IDArray(ids))
	if len(lines) == 0 {
		return false
	}
	// A name that staff set, without an undo, stays.
	var id uuid.UUID
	in.Each([]any{&id}, func() { in.users[id].named = true }, `SELECT u.user_id FROM users u, LATERAL (
			SELECT a.undoes FROM action_objects o JOIN actions a ON a.id = o.action_id
			WHERE o.object_type = 'user' AND o.object_id = u.user_id AND o.aspect = 'display_name'
				ORDER BY o.action_id DESC LIMIT 1) l
		WHERE u.user_id = ANY ($1) AND l.undoes IS NULL`, db.IDArray(lines))
	return true
}

// account is a sign-in name, which is unique.
type account struct{ method, username string }

// takeUsers applies the lines about users.
func (in *run) takeUsers(done *Result) error {
	var methods, names []string
	for _, item := range in.items {
		if item.kind == "user" {
			a := in.account(item)
			methods, names = append(methods, a.method), append(names, a.username)
		}
	}
	if len(names) == 0 {
		return nil
	}
	owners := map[account]uuid.UUID{}
	var a account
	var owner uuid.UUID
	in.Each([]any{&a.method, &a.username, &owner}, func() { owners[a] = owner },
		`SELECT u.auth_method, u.username, u.user_id FROM users u JOIN unnest($1::text[], $2::text[]) a(method, username)
		ON u.auth_method = a.method AND u.username = a.username AND NOT u.account`, methods, names)
	if err := in.Flush(); err != nil {
		return err
	}
	for _, item := range in.items {
		if item.kind == "user" {
			in.settle(done, item, func(item *lineItem) error { return in.takeUser(item, owners) })
		}
	}
	in.writeUsers()
	return nil
}

// account returns the sign-in name of a line's user after the line.
func (in *run) account(item *lineItem) account {
	a := account{"ingest", item.user.String()}
	if known := in.users[item.user]; known != nil {
		a = account{known.method, known.username}
	}
	if item.AuthMethod != nil {
		a.method = *item.AuthMethod
	}
	if item.Username != nil {
		a.username = strings.TrimSpace(*item.Username)
	}
	return a
}

// takeUser applies a line about a user, except to data set by staff.
func (in *run) takeUser(item *lineItem, owners map[account]uuid.UUID) error {
	u := in.users[item.user]
	switch {
	case u == nil:
	case u.status == tables.Erased && (item.DisplayName != nil || item.AuthMethod != nil || item.Username != nil):
		return refuse(corpus.UserErased, "The user %s was erased; their names cannot be set again.", item.user)
	case u.staff || u.status == tables.Erased:
		return nil // staff keep their names
	}
	a := in.account(item)
	if owner, taken := owners[a]; taken && owner != item.user {
		return refuse(nameTaken, "%.60q, who signs in by %.60q, is another user: %s.", a.username, a.method, owner)
	}
	if u == nil {
		u = &knownUser{id: item.user, status: tables.Active, counts: true, active: db.Undated, created: item.at,
			since: item.line, changed: true}
		switch {
		case item.Username != nil:
			u.name = a.username
		default:
			u.name = "User " + item.user.String()[:8]
		}
		in.users[item.user] = u
	}
	if item.DisplayName != nil && !u.named && u.name != *item.DisplayName {
		u.name, u.changed = *item.DisplayName, true
	}
	if a.method != u.method || a.username != u.username {
		u.method, u.username, u.changed, u.resigned = a.method, a.username, true, true
	}
	owners[a] = item.user
	return nil
}

// writeUsers creates users and renames known ones. Sign-in names are part of a
// key, and an update of a key blocks inserts that refer to the user, so that only
// changed sign-in names are written.
func (in *run) writeUsers() {
	var fresh, named, signs userRows
	for _, u := range in.users {
		switch {
		case u.since > 0:
			fresh.add(u)
		case u.resigned:
			signs.add(u)
		case u.changed:
			named.add(u)
		}
	}
	const from = ` FROM unnest($1::uuid[], $2::text[], $3::text[], $4::text[], $5::timestamptz[])
		a(id, name, method, username, created)`
	for _, step := range []struct {
		rows userRows
		sql  string
	}{
		{fresh, `INSERT INTO users (user_id, display_name, auth_method, username, created_date) SELECT *` + from +
			` ORDER BY a.id`},
		{named, `UPDATE users u SET display_name = a.name, version = u.version + 1` + from + ` WHERE u.user_id = a.id`},
		{signs, `UPDATE users u SET display_name = a.name, auth_method = a.method, username = a.username,
			version = u.version + 1` + from + ` WHERE u.user_id = a.id`},
	} {
		if len(step.rows.ids) == 0 {
			continue
		}
		in.update.Changed.Add(step.rows.ids...)
		in.Queue(step.sql, db.IDArray(step.rows.ids),
			step.rows.names, step.rows.methods, step.rows.usernames, step.rows.created)
	}
}

// userRows holds users by column.
type userRows struct {
	ids                       []uuid.UUID
	names, methods, usernames []string
	created                   []time.Time
}

func (r *userRows) add(u *knownUser) {
	r.ids, r.names, r.methods = append(r.ids, u.id), append(r.names, u.name), append(r.methods, u.method)
	r.usernames, r.created = append(r.usernames, u.username), append(r.created, u.created)
}

// submits checks that the user of a line may contribute.
func (in *run) submits(item *lineItem) error {
	u := in.users[item.user]
	switch {
	case u == nil || u.since > item.line:
		return refuse(unknownUser, "There is no user %s; send a line of type user first.", item.user)
	case u.status == tables.Banned:
		return refuse(userBanned, "The user %s is banned.", item.user)
	case u.status == tables.Erased:
		return refuse(corpus.UserErased, "The user %s was erased.", item.user)
	case u.account:
		return refuse(staffUser, "%s is an account of the console, not a contributor; what they give, they give there.",
			item.user)
	}
	return nil
}
