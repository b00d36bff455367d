// Package sessions keeps the sessions of staff: passwords, sign-in links, cookies,
// and the limit of failed sign-ins. It writes nothing to the log.
package sessions

import (
	"context"
	"errors"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"treewarden/store/db"
	"treewarden/store/policies"
	"treewarden/store/tables"
)

// The limits of sessions and sign-ins: the idle and total life of a session, the
// life of a sign-in link and of an invitation, and the failures of an account or an address per
// quarter of an hour.
const (
	sessionIdle     = 12 * time.Hour
	sessionLife     = 7 * 24 * time.Hour
	linkLife        = 24 * time.Hour
	invitationLife  = 7 * 24 * time.Hour
	attemptWindow   = 15 * time.Minute
	attemptsAccount = 10
	attemptsAddress = 50
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
var ErrSignIn = errors.New("name and password do not fit together, or this account may not sign in")

// ErrTooMany is a sign-in that was refused after too many failures.
var ErrTooMany = errors.New("too many failed sign-ins; wait a quarter of an hour and try again")

// SignIn opens a session for a name and password. It takes the same time whether
// or not the account exists.
func SignIn(ctx context.Context, c db.Conn, username, password, ip, userAgent string) (string, error) {
	if !utf8.ValidString(username) || strings.ContainsRune(username, 0) {
		return "", ErrSignIn
	}
	subjects := []string{"account " + username, "address " + ip}
	blocked, err := blocked(ctx, c, subjects)
	if err != nil {
		return "", err
	}
	if blocked {
		return "", ErrTooMany
	}
	var id uuid.UUID
	hash := noPassword
	err = c.QueryRow(ctx, `SELECT u.user_id, u.password_hash FROM users u
		WHERE u.auth_method = 'local' AND u.username = $1 AND u.password_hash IS NOT NULL
			AND (`+tables.UserStatusSQL+`) = 'active'`, username).Scan(&id, &hash)
	if err != nil && !errors.Is(err, pgx.ErrNoRows) {
		return "", db.Translate(err)
	}
	fits, err := PasswordFits(ctx, password, hash)
	if err != nil {
		return "", err
	}
	if !fits || id == uuid.Nil {
		return "", errors.Join(ErrSignIn, failed(ctx, c, subjects))
	}
	if _, err := c.Exec(ctx, "DELETE FROM sign_in_attempts WHERE subject = $1", subjects[0]); err != nil {
		return "", db.Translate(err)
	}
	// The password may have been taken away while this one was compared.
	return open(ctx, c, id, &hash, ip, userAgent)
}

// blocked reports whether one of the subjects has too many recent failures.
func blocked(ctx context.Context, c db.Conn, subjects []string) (bool, error) {
	var blocked bool
	err := c.QueryRow(ctx, `SELECT EXISTS (SELECT FROM sign_in_attempts WHERE window_start > now() - $3::interval
		AND ((subject = $1 AND failures >= $4) OR (subject = $2 AND failures >= $5)))`,
		subjects[0], subjects[1], attemptWindow, attemptsAccount, attemptsAddress).Scan(&blocked)
	return blocked, db.Translate(err)
}

// failed counts a failure for each subject.
func failed(ctx context.Context, c db.Conn, subjects []string) error {
	_, err := c.Exec(ctx, `INSERT INTO sign_in_attempts AS a (subject, window_start, failures)
		SELECT unnest($1::text[]), now(), 1
		ON CONFLICT (subject) DO UPDATE SET
			failures = CASE WHEN a.window_start > now() - $2::interval THEN a.failures + 1 ELSE 1 END,
			window_start = CASE WHEN a.window_start > now() - $2::interval THEN a.window_start ELSE now() END`,
		subjects, attemptWindow)
	return db.Translate(err)
}

// open opens a session of an active user, and notes when they came. It returns
// ErrSignIn if they are not active, or have another password than hash.
func open(ctx context.Context, c db.Conn, user uuid.UUID, hash *string, ip, userAgent string) (string, error) {
	token, tokenHash := NewToken()
	if len(userAgent) > 300 {
		userAgent = userAgent[:300]
	}
	tag, err := c.Exec(ctx, `WITH came AS (UPDATE users u SET last_seen_at = now() WHERE u.user_id = $2
			AND ($6::text IS NULL OR u.password_hash = $6) AND (`+tables.UserStatusSQL+`) = 'active' RETURNING u.user_id)
		INSERT INTO sessions (token_hash, user_id, expires_at, ip, user_agent)
		SELECT $1, user_id, now() + $3::interval, $4, $5 FROM came`,
		tokenHash, user, sessionLife, ip, db.ToText(userAgent), hash)
	if err == nil && tag.RowsAffected() == 0 {
		err = ErrSignIn
	}
	if err != nil {
		return "", db.Translate(err)
	}
	_, err = c.Exec(ctx, "DELETE FROM sessions WHERE expires_at < now()")
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
// other sessions.
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
			if _, err := tx.Exec(ctx, "UPDATE users SET password_hash = $2 WHERE user_id = $1", id, password); err != nil {
				return err
			}
			if err := EndAll(ctx, tx, id); err != nil {
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
	// PolicyVersion is the version of the policy in force.
	PolicyVersion int
}

// ByToken returns the session of a cookie, and its owner as they are now. It
// returns ErrNotFound if the session has ended or the owner is not active.
func ByToken(ctx context.Context, c db.Conn, token string) (session Session, owner Owner, err error) {
	session.Current = true
	err = c.QueryRow(ctx, `SELECT u.user_id, u.display_name, u.role, u.languages, u.blur_toxic, u.theme,
			`+policies.CurrentSQL+`, s.session_id, s.created_at, s.last_seen_at, s.expires_at, s.ip, s.user_agent,
			u.password_hash IS NOT NULL
		FROM sessions s JOIN users u USING (user_id)
		WHERE s.token_hash = $1 AND s.expires_at > now() AND s.last_seen_at > now() - $2::interval
			AND (`+tables.UserStatusSQL+`) = 'active'`, HashToken(token), sessionIdle).
		Scan(&owner.UserID, &owner.Name, &owner.Role, &owner.Languages, &owner.BlurToxic, &owner.Theme,
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

// End ends the session of a cookie.
func End(ctx context.Context, c db.Conn, token string) error {
	_, err := c.Exec(ctx, "DELETE FROM sessions WHERE token_hash = $1", HashToken(token))
	return db.Translate(err)
}

// EndAll ends all sessions of a user.
func EndAll(ctx context.Context, c db.Conn, user uuid.UUID) error {
	_, err := c.Exec(ctx, "DELETE FROM sessions WHERE user_id = $1", user)
	return db.Translate(err)
}

// OpenSQL is the condition for a session s that is open.
const OpenSQL = "s.expires_at > now() AND s.last_seen_at > now() - interval '12 hours'" // sessionIdle

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

// SetPassword sets the password of a user and ends their other sessions.
func SetPassword(ctx context.Context, pool *pgxpool.Pool, user uuid.UUID, password string, keep uuid.UUID) error {
	hash, err := HashPassword(ctx, password)
	if err != nil {
		return err
	}
	return db.Translate(pgx.BeginFunc(ctx, pool, func(tx pgx.Tx) error {
		if _, err := tx.Exec(ctx, "UPDATE users SET password_hash = $2 WHERE user_id = $1", user, hash); err != nil {
			return err
		}
		_, err := tx.Exec(ctx, "DELETE FROM sessions WHERE user_id = $1 AND session_id <> $2", user, keep)
		return err
	}))
}
