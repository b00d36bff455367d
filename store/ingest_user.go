package store

import (
	"strings"
	"time"

	"github.com/google/uuid"
)

// ingestUser is what an ingest knows of a user.
type ingestUser struct {
	id       uuid.UUID
	status   string
	staff    bool // signs in here, by the names that are stored
	named    bool // staff gave the display name
	name     string
	method   string
	username string
	created  time.Time
	// since is the line that made the user; 0: they were known before.
	since   int
	changed bool
	// resigned: they sign in by another name from now on.
	resigned bool
}

// lockUsers locks the users that lines speak of, who must not be banned
// meanwhile: what they gave stops counting with a ban. They are locked as for
// the update of their activity, so that no lock is ever raised.
func (in *ingest) lockUsers() error {
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
	in.users = make(map[uuid.UUID]*ingestUser, len(ids))
	var u ingestUser
	if err := in.each([]any{&u.id, &u.status, &u.staff, &u.name, &u.method, &u.username}, func() {
		known := u
		in.users[u.id] = &known
	}, `SELECT u.user_id, `+userStatus+`, u.role <> 'general' OR u.password_hash IS NOT NULL OR u.auth_method = 'key', u.display_name, u.auth_method, u.username
		FROM users u WHERE u.user_id = ANY ($1) ORDER BY u.user_id FOR NO KEY UPDATE`, ids); err != nil {
		return err
	}
	if len(lines) == 0 {
		return nil
	}
	// A name that staff gave, and did not take back, stays.
	var id uuid.UUID
	return in.each([]any{&id}, func() { in.users[id].named = true }, `SELECT u.user_id FROM users u, LATERAL (
			SELECT a.undoes FROM action_objects o JOIN actions a ON a.id = o.action_id
			WHERE o.object_type = 'user' AND o.object_id = u.user_id AND o.aspect = 'display_name' ORDER BY o.action_id DESC LIMIT 1) l
		WHERE u.user_id = ANY ($1) AND l.undoes IS NULL`, lines)
}

// account is how somebody signs in, which is one person's.
type account struct{ method, username string }

// takeUsers takes in the lines about users.
func (in *ingest) takeUsers(done *Ingested) error {
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
	if err := in.each([]any{&a.method, &a.username, &owner}, func() { owners[a] = owner },
		`SELECT u.auth_method, u.username, u.user_id FROM users u JOIN unnest($1::text[], $2::text[]) a(method, username)
		ON u.auth_method = a.method AND u.username = a.username`, methods, names); err != nil {
		return err
	}
	for _, item := range in.items {
		if item.kind == "user" {
			in.settle(done, item, func(item *ingestItem) error { return in.takeUser(item, owners) })
		}
	}
	return in.writeUsers()
}

// account is how the user of a line signs in once the line is taken.
func (in *ingest) account(item *ingestItem) account {
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

// takeUser takes in what a line says of a user: who they are, never what
// staff made of them.
func (in *ingest) takeUser(item *ingestItem, owners map[account]uuid.UUID) error {
	u := in.users[item.user]
	if u != nil && (u.staff || u.status == Erased) {
		return nil // staff sign in by their names, and erased ones stay gone
	}
	a := in.account(item)
	if owner, taken := owners[a]; taken && owner != item.user {
		return ingestFault(ingestNameTaken, "%.60q, who signs in by %.60q, is another user: %s.", a.username, a.method, owner)
	}
	if u == nil {
		u = &ingestUser{id: item.user, status: Active, created: item.at, since: item.line, changed: true}
		switch {
		case item.Username != nil:
			u.name = a.username
		default:
			u.name = "User " + item.user.String()[:8]
		}
		in.users[item.user] = u
	}
	if item.DisplayName != nil && !u.named && u.name != strings.TrimSpace(*item.DisplayName) {
		u.name, u.changed = strings.TrimSpace(*item.DisplayName), true
	}
	if a.method != u.method || a.username != u.username {
		u.method, u.username, u.changed, u.resigned = a.method, a.username, true, true
	}
	owners[a] = item.user
	return nil
}

// writeUsers makes users and renames known ones. Sign-in names are part of a
// key, and a row of which a key changes is held against all who name the user:
// only these are written so.
func (in *ingest) writeUsers() error {
	var fresh, named, signs ingestUserRows
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
	const from = ` FROM unnest($1::uuid[], $2::text[], $3::text[], $4::text[], $5::timestamptz[]) a(id, name, method, username, created)`
	for _, step := range []struct {
		rows ingestUserRows
		sql  string
	}{
		{fresh, `INSERT INTO users (user_id, display_name, auth_method, username, created_date) SELECT *` + from + ` ORDER BY a.id`},
		{named, `UPDATE users u SET display_name = a.name, version = u.version + 1` + from + ` WHERE u.user_id = a.id`},
		{signs, `UPDATE users u SET display_name = a.name, auth_method = a.method, username = a.username, version = u.version + 1` + from + ` WHERE u.user_id = a.id`},
	} {
		if len(step.rows.ids) == 0 {
			continue
		}
		in.tally.change(step.rows.ids...)
		if err := in.exec(step.sql, step.rows.ids, step.rows.names, step.rows.methods, step.rows.usernames, step.rows.created); err != nil {
			return err
		}
	}
	return nil
}

// ingestUserRows are users as arrays.
type ingestUserRows struct {
	ids                       []uuid.UUID
	names, methods, usernames []string
	created                   []time.Time
}

func (r *ingestUserRows) add(u *ingestUser) {
	r.ids, r.names, r.methods, r.usernames, r.created = append(r.ids, u.id), append(r.names, u.name), append(r.methods, u.method), append(r.usernames, u.username), append(r.created, u.created)
}

// submits checks that the user of a line may submit something.
func (in *ingest) submits(item *ingestItem) error {
	u := in.users[item.user]
	switch {
	case u == nil || u.since > item.line:
		return ingestFault(ingestUnknownUser, "There is no user %s; send a line of type user first.", item.user)
	case u.status == Banned:
		return ingestFault(ingestUserBanned, "The user %s is banned.", item.user)
	case u.status == Erased:
		return ingestFault(ingestUserErased, "The user %s was erased.", item.user)
	}
	return nil
}
