// Package sessions keeps the sessions of staff: passwords, sign-in links, cookies,
// and the limit of failed sign-ins. It writes nothing to the log.
package sessions

import (
	"context"
	"errors"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"treewarden/policy"
	"treewarden/store/db"
	"treewarden/store/policies"
	"treewarden/store/tables"
)

// The limits of sessions: the idle and total life of a session, the
// life of a sign-in link and of an invitation.
const (
	sessionIdle    = 12 * time.Hour // as in tables.SessionOpenSQL
	sessionLife    = 7 * 24 * time.Hour
	linkLife       = 24 * time.Hour
	invitationLife = 7 * 24 * time.Hour
)

// Session is one sign-in of a staff member.
type Session struct {
	SessionID  uuid.UUID `json:"session_id"`
	CreatedAt  time.Time `json:"created_at"`
	LastSeenAt time.Time `json:"last_seen_at"`
	ExpiresAt  time.Time `json:"expires_at"`
	IP         string    `json:"ip"`
	UserAgent  string    `json:"user_agent"`
	Current    bool      `json:"current"`
	// HasPassword reports, for the current session, whether its owner can also sign in
	// by a password.
	HasPassword bool `json:"-" db:"-"`
}

// ErrSignIn is a failed sign-in; it does not give the cause.
var ErrSignIn = errors.New("the name or the password is wrong, or this account may not sign in")

// ErrTooMany is a sign-in that was refused after too many failures.
var ErrTooMany = errors.New("too many failed sign-ins")

// NoAccess is a sign-in with the right password by a person who may not enter the
// console. It is an ErrSignIn.
type NoAccess struct{ Why string }

func (e *NoAccess) Error() string { return e.Why }

// Is reports whether the target is ErrSignIn.
func (e *NoAccess) Is(target error) bool { return target == ErrSignIn }

// SignIn opens a session for a name and password. It takes the same time whether or
// not the account exists. It returns a NoAccess only to a person who knows the
// password.
func SignIn(ctx context.Context, c db.Conn, username, password, ip, userAgent string) (string, error) {
	if !utf8.ValidString(username) || strings.ContainsRune(username, 0) {
		return "", ErrSignIn
	}
	from := network(ip)
	limits := []limit{{"account " + username + " from " + from, attemptsAccount}, {"network " + from, attemptsNetwork}}
	leave, err := takeTurn(ctx, limits[0].subject)
	if err != nil {
		return "", err
	}
	defer leave()
	if err := countGuess(ctx, c, limits...); err != nil {
		return "", err
	}
	var id uuid.UUID
	var role, status string
	var until *time.Time
	hash := noPassword
	err = c.QueryRow(ctx, `SELECT u.user_id, u.password_hash, u.role, `+tables.UserStatusSQL+`, u.banned_until
		FROM users u WHERE u.auth_method = 'local' AND u.username = $1 AND u.account AND u.password_hash IS NOT NULL`,
		username).Scan(&id, &hash, &role, &status, &until)
	if err != nil && !errors.Is(err, pgx.ErrNoRows) {
		return "", db.Translate(err)
	}
	fits, err := PasswordFits(ctx, password, hash)
	if err != nil {
		return "", err
	}
	if !fits || id == uuid.Nil {
		return "", ErrSignIn
	}
	if err := forgive(ctx, c, limits...); err != nil {
		return "", err
	}
	enters, err := mayEnter(ctx, c, role)
	switch {
	case err != nil:
		return "", err
	case status == tables.Banned && until != nil:
		return "", &NoAccess{"You are banned until " + until.UTC().Format("2 January 2006, 15:04 UTC") + "."}
	case status == tables.Banned:
		return "", &NoAccess{"You are banned. An admin can lift the ban."}
	case status == tables.Active && !enters:
		return "", &NoAccess{"Your account has no access to the console. An admin can give you a role that has."}
	}
	// The password may have been taken away while this one was compared.
	return open(ctx, c, id, &hash, ip, userAgent)
}

// open opens a session of an active user whose role enters the console, and notes
// when they came. It returns ErrSignIn if they are not such a user, or have another
// password than hash.
func open(ctx context.Context, c db.Conn, user uuid.UUID, hash *string, ip, userAgent string) (string, error) {
	roles, err := policies.Entering(ctx, c)
	if err != nil {
		return "", err
	}
	token, tokenHash := NewToken()
	if len(userAgent) > 300 {
		userAgent = userAgent[:300]
	}
	tag, err := c.Exec(ctx, `WITH came AS (UPDATE users u SET last_seen_at = now() WHERE u.user_id = $2
			AND ($6::text IS NULL OR u.password_hash = $6) AND (`+tables.UserStatusSQL+`) = 'active'
			AND u.role = ANY ($7) RETURNING u.user_id)
		INSERT INTO sessions (token_hash, user_id, expires_at, ip, user_agent)
		SELECT $1, user_id, now() + $3::interval, $4, $5 FROM came`,
		tokenHash, user, sessionLife, ip, db.ToText(userAgent), hash, roles)
	if err == nil && tag.RowsAffected() == 0 {
		err = ErrSignIn
	}
	return token, db.Translate(err)
}

// NewLink returns the secret of a link that signs a user in once.
func NewLink(ctx context.Context, c db.Conn, user uuid.UUID) (string, error) {
	link, err := newLink(ctx, c, user, linkLife)
	return link.Secret, err
}

// Link opens the console once, for one user.
type Link struct {
	Secret  string
	Expires time.Time
}

// Invite returns a link for a new member of staff, which replaces all other links
// of theirs.
func Invite(ctx context.Context, c db.Conn, user uuid.UUID) (Link, error) {
	if err := EndLinks(ctx, c, user); err != nil {
		return Link{}, err
	}
	return newLink(ctx, c, user, invitationLife)
}

func newLink(ctx context.Context, c db.Conn, user uuid.UUID, life time.Duration) (link Link, err error) {
	secret, hash := NewToken()
	link.Secret = secret
	err = c.QueryRow(ctx, `INSERT INTO sign_in_links (token_hash, user_id, expires_at)
		VALUES ($1, $2, now() + $3::interval) RETURNING expires_at`, hash, user, life).Scan(&link.Expires)
	return link, db.Translate(err)
}

// EndLinks makes all links of a user useless.
func EndLinks(ctx context.Context, c db.Conn, user uuid.UUID) error {
	_, err := c.Exec(ctx, "DELETE FROM sign_in_links WHERE user_id = $1", user)
	return db.Translate(err)
}

// LinkOwner is whom a link is for.
type LinkOwner struct {
	Name    string
	Expires time.Time
}

// ReadLink returns whom a link is for, and does not use it up. It returns ErrSignIn
// if the link was used or has expired, or the user is not active.
func ReadLink(ctx context.Context, c db.Conn, link string) (owner LinkOwner, err error) {
	err = c.QueryRow(ctx, `SELECT u.username, l.expires_at FROM sign_in_links l JOIN users u USING (user_id)
		WHERE l.token_hash = $1 AND l.expires_at > now() AND (`+tables.UserStatusSQL+`) = 'active'`, HashToken(link)).
		Scan(&owner.Name, &owner.Expires)
	if errors.Is(err, pgx.ErrNoRows) {
		return owner, ErrSignIn
	}
	return owner, db.Translate(err)
}

// RedeemLink opens a session for the secret of a sign-in link, once.
func RedeemLink(ctx context.Context, pool *pgxpool.Pool, link, ip, userAgent string) (string, error) {
	return redeem(ctx, pool, link, nil, ip, userAgent)
}

// Accept is RedeemLink for a person who sets a password with it. It ends their
// other sessions and links.
func Accept(ctx context.Context, pool *pgxpool.Pool, link, password, ip, userAgent string) (string, error) {
	if _, err := ReadLink(ctx, pool, link); err != nil {
		return "", err // before the work of a hash
	}
	hash, err := HashPassword(ctx, password)
	if err != nil {
		return "", err
	}
	return redeem(ctx, pool, link, &hash, ip, userAgent)
}

// redeem locks the user before the link, as actions do that take links away.
func redeem(
	ctx context.Context, pool *pgxpool.Pool, link string, password *string, ip, userAgent string,
) (string, error) {
	var token string
	err := pgx.BeginFunc(ctx, pool, func(tx pgx.Tx) error {
		var id uuid.UUID
		err := tx.QueryRow(ctx, `SELECT u.user_id FROM users u JOIN sign_in_links l USING (user_id)
			WHERE l.token_hash = $1 FOR NO KEY UPDATE OF u`, HashToken(link)).Scan(&id)
		if errors.Is(err, pgx.ErrNoRows) {
			return ErrSignIn
		}
		if err != nil {
			return err
		}
		tag, err := tx.Exec(ctx, "DELETE FROM sign_in_links WHERE token_hash = $1 AND expires_at > now()", HashToken(link))
		if err != nil {
			return err
		}
		if tag.RowsAffected() == 0 {
			return ErrSignIn
		}
		if password != nil {
			if err := SetPassword(ctx, tx, id, password); err != nil {
				return err
			}
			if err := errors.Join(EndAll(ctx, tx, id), EndLinks(ctx, tx, id)); err != nil {
				return err
			}
		}
		token, err = open(ctx, tx, id, nil, ip, userAgent)
		return err
	})
	return token, db.Translate(err)
}

// Owner is the owner of a session or a key.
type Owner struct {
	UserID     uuid.UUID
	Name, Role string
	Languages  []string
	BlurToxic  bool
	Theme      string
	Wellbeing  tables.Wellbeing
	// PolicyVersion is the version of the policy in force.
	PolicyVersion int
}

// ByToken returns the session of a cookie, and its owner as they are now. It
// returns ErrNotFound if the session has ended or the owner is not active.
func ByToken(ctx context.Context, c db.Conn, token string) (session Session, owner Owner, err error) {
	session.Current = true
	err = c.QueryRow(ctx, `SELECT u.user_id, u.display_name, u.role, u.languages, u.blur_toxic, u.theme,
			u.break_after, u.break_dismissed_at, u.toxic_per_hour, `+policies.CurrentSQL+`,
			s.session_id, s.created_at, s.last_seen_at, s.expires_at, s.ip, s.user_agent,
			u.password_hash IS NOT NULL
		FROM sessions s JOIN users u USING (user_id)
		WHERE s.token_hash = $1 AND s.expires_at > now() AND s.last_seen_at > now() - $2::interval
			AND (`+tables.UserStatusSQL+`) = 'active'`, HashToken(token), sessionIdle).
		Scan(&owner.UserID, &owner.Name, &owner.Role, &owner.Languages, &owner.BlurToxic, &owner.Theme,
			&owner.Wellbeing.BreakAfter, &owner.Wellbeing.BreakDismissedAt, &owner.Wellbeing.ToxicPerHour,
			&owner.PolicyVersion, &session.SessionID, &session.CreatedAt, &session.LastSeenAt, &session.ExpiresAt,
			&session.IP, &session.UserAgent, &session.HasPassword)
	return session, owner, db.Translate(err)
}

// ByKey returns the owner of an API key, as they are now. It returns ErrNotFound if
// the key is unknown, revoked or expired, or the owner is not active. It notes the
// use at most once a minute.
func ByKey(ctx context.Context, c db.Conn, key string) (Owner, error) {
	owner := Owner{Theme: "system"}
	var used *time.Time
	err := c.QueryRow(ctx, `SELECT u.user_id, k.name, u.role, u.languages, k.last_used_at, `+policies.CurrentSQL+`
		FROM api_keys k JOIN users u USING (user_id)
		WHERE k.key_hash = $1 AND k.revoked_at IS NULL AND (k.expires_at IS NULL OR k.expires_at > now())
			AND (`+tables.UserStatusSQL+`) = 'active'`, HashToken(key)).
		Scan(&owner.UserID, &owner.Name, &owner.Role, &owner.Languages, &used, &owner.PolicyVersion)
	if err != nil || used != nil && time.Since(*used) <= time.Minute {
		return owner, db.Translate(err)
	}
	_, err = c.Exec(ctx, "UPDATE api_keys SET last_used_at = now() WHERE key_hash = $1", HashToken(key))
	return owner, db.Translate(err)
}

// Seen notes that a session is used. It writes the row at most once a minute, to
// keep most requests read-only.
func Seen(ctx context.Context, c db.Conn, token string, session Session) error {
	if time.Since(session.LastSeenAt) <= time.Minute {
		return nil
	}
	// Two transactions: actions lock a user before they end their sessions.
	if _, err := c.Exec(ctx, "UPDATE sessions SET last_seen_at = now() WHERE token_hash = $1",
		HashToken(token)); err != nil {
		return db.Translate(err)
	}
	_, err := c.Exec(ctx, `UPDATE users SET last_seen_at = now()
		WHERE user_id = (SELECT user_id FROM sessions WHERE token_hash = $1)`, HashToken(token))
	return db.Translate(err)
}

// End ends the session of a cookie, and returns the user. It returns ErrNotFound if
// there is none.
func End(ctx context.Context, c db.Conn, token string) (user uuid.UUID, err error) {
	err = c.QueryRow(ctx, "DELETE FROM sessions WHERE token_hash = $1 RETURNING user_id", HashToken(token)).Scan(&user)
	return user, db.Translate(err)
}

// EndAll ends all sessions of a user.
func EndAll(ctx context.Context, c db.Conn, user uuid.UUID) error {
	_, err := c.Exec(ctx, "DELETE FROM sessions WHERE user_id = $1", user)
	return db.Translate(err)
}

// HasAny reports whether a user has a session.
func HasAny(ctx context.Context, c db.Conn, user uuid.UUID) (has bool, err error) {
	err = c.QueryRow(ctx, "SELECT EXISTS (SELECT FROM sessions WHERE user_id = $1)", user).Scan(&has)
	return has, db.Translate(err)
}

// OpenSQL is the condition for a session s that is open.
const OpenSQL = tables.SessionOpenSQL

// Of lists the sessions of a user and marks the current one.
func Of(ctx context.Context, c db.Conn, user, current uuid.UUID) ([]Session, error) {
	return db.Collect[Session](ctx, c, `SELECT
			session_id, created_at, last_seen_at, expires_at, ip, user_agent, session_id = $2 AS current
		FROM sessions WHERE user_id = $1 AND expires_at > now() AND last_seen_at > now() - $3::interval
			ORDER BY last_seen_at DESC`, user, current, sessionIdle)
}

// EndOne ends one session of a user. It returns ErrNotFound if there is none.
func EndOne(ctx context.Context, c db.Conn, user, id uuid.UUID) error {
	tag, err := c.Exec(ctx, "DELETE FROM sessions WHERE user_id = $1 AND session_id = $2", user, id)
	if err == nil && tag.RowsAffected() == 0 {
		return db.ErrNotFound
	}
	return db.Translate(err)
}

// QueueEndLost queues statements that end the sessions and links of the users whom
// an action banned, demoted, or left with a role that does not enter the console.
func QueueEndLost(b *pgx.Batch, action int64, p *policy.Policy) {
	from, to := p.Demotions()
	queueEnd(b, `EXISTS (SELECT FROM action_objects o
		WHERE o.action_id = $2 AND o.object_type = 'user' AND o.object_id = u.user_id AND o.aspect IN ('ban', 'role')
			AND ((`+tables.UserStatusSQL+`) <> 'active' OR u.role <> ALL ($1) OR o.aspect = 'role'
				AND (o.before #>> '{}', o.after #>> '{}') IN (SELECT * FROM unnest($3::text[], $4::text[]))))`,
		p.Entering(), action, from, to)
}

// QueueEndOutside queues statements that end the sessions and links of all users with
// a role that is not among those that enter the console.
func QueueEndOutside(b *pgx.Batch, entering []string) { queueEnd(b, "u.role <> ALL ($1)", entering) }

func queueEnd(b *pgx.Batch, users string, args ...any) {
	for _, table := range []string{"sign_in_links", "sessions"} {
		b.Queue("DELETE FROM "+table+" t USING users u WHERE u.user_id = t.user_id AND "+users, args...)
	}
}

// mayEnter reports whether a role enters the console.
func mayEnter(ctx context.Context, c db.Conn, role string) (bool, error) {
	roles, err := policies.Entering(ctx, c)
	return slices.Contains(roles, role), err
}

// ChangePassword sets the password of a user who gives their old one, and ends their
// other sessions and all links. A user without a password needs no old one. It
// returns an Invalid that names the field of a wrong old password.
func ChangePassword(
	ctx context.Context, pool *pgxpool.Pool, user uuid.UUID, old, password string, keep uuid.UUID,
) error {
	guess := limit{"password of " + user.String(), attemptsOld}
	leave, err := takeTurn(ctx, guess.subject)
	if err != nil {
		return err
	}
	defer leave()
	var before *string
	if err := pool.QueryRow(ctx, "SELECT password_hash FROM users WHERE user_id = $1", user).Scan(&before); err != nil {
		return db.Translate(err)
	}
	if before != nil {
		if err := countGuess(ctx, pool, guess); err != nil {
			return err
		}
		fits, err := PasswordFits(ctx, old, *before)
		if err != nil {
			return err
		}
		if !fits {
			return db.Invalid{"old": "This is not your password."}
		}
		if err := forgive(ctx, pool, guess); err != nil {
			return err
		}
	}
	hash, err := HashPassword(ctx, password)
	if err != nil {
		return err
	}
	return db.Translate(pgx.BeginFunc(ctx, pool, func(tx pgx.Tx) error {
		// Another request, or an admin, may have changed the password meanwhile.
		tag, err := tx.Exec(ctx, `UPDATE users SET password_hash = $2 WHERE user_id = $1
			AND password_hash IS NOT DISTINCT FROM $3`, user, hash, before)
		if err == nil && tag.RowsAffected() == 0 {
			return db.Invalid{"old": "Your password was changed a moment ago. Sign in again."}
		}
		if err != nil {
			return err
		}
		if _, err := tx.Exec(ctx, "DELETE FROM sessions WHERE user_id = $1 AND session_id <> $2", user, keep); err != nil {
			return err
		}
		return EndLinks(ctx, tx, user)
	}))
}
