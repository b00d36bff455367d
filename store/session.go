package store

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"time"
	"unicode/utf8"

	"github.com/alexedwards/argon2id"
	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"treewarden/policy"
	"treewarden/store/db"
	"treewarden/store/tables"
)

// How long a session lives without being used, and in all; how long a
// sign-in link can be used; and how many failures an account or an address
// has in a quarter of an hour.
const (
	sessionIdle     = 12 * time.Hour
	sessionLife     = 7 * 24 * time.Hour
	linkLife        = 24 * time.Hour
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
}

// Person is who a session or a key belongs to, as read for one request.
type Person struct {
	Actor
	Session   *Session // nil for a key
	BlurToxic bool
	Theme     string // system, light or dark
}

// ErrSignIn is a sign-in that failed; it does not say at what.
var ErrSignIn = errors.New("name and password do not fit together, or this account may not sign in")

// ErrTooMany is a sign-in that was not tried, after too many failures.
var ErrTooMany = errors.New("too many failed sign-ins; wait a quarter of an hour and try again")

// passwordParams are fixed, so that a hash costs the same on every machine.
var passwordParams = &argon2id.Params{Memory: 64 * 1024, Iterations: 1, Parallelism: 2, SaltLength: 16, KeyLength: 32}

// hashing bounds how many passwords are hashed at once: each takes 64 MiB.
var hashing = make(chan struct{}, 4)

func hashPassword(ctx context.Context, password string) (string, error) {
	select {
	case hashing <- struct{}{}:
		defer func() { <-hashing }()
	case <-ctx.Done():
		return "", ctx.Err()
	}
	return argon2id.CreateHash(password, passwordParams)
}

// noPassword is the hash that a sign-in to no account is compared with, so
// that it takes as long as one to an account that exists.
const noPassword = "$argon2id$v=19$m=65536,t=1,p=2$AAAAAAAAAAAAAAAAAAAAAA$AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"

func passwordFits(ctx context.Context, password, hash string) (bool, error) {
	select {
	case hashing <- struct{}{}:
		defer func() { <-hashing }()
	case <-ctx.Done():
		return false, ctx.Err()
	}
	return argon2id.ComparePasswordAndHash(password, hash)
}

// checkPassword holds a new password to its length.
func checkPassword(field, password string) error {
	if n := utf8.RuneCountInString(password); n < 10 || n > 200 {
		return Invalid{field: "A password has 10 to 200 characters."}
	}
	return nil
}

// newToken makes a secret of 256 bits and the hash that is stored of it.
func newToken() (token string, hash []byte) {
	secret := make([]byte, 32)
	rand.Read(secret) // never fails
	token = base64.RawURLEncoding.EncodeToString(secret)
	return token, hashToken(token)
}

func hashToken(token string) []byte {
	sum := sha256.Sum256([]byte(token))
	return sum[:]
}

// SignIn opens a session for who has a password. It takes as long whether or
// not the account exists.
func (s *Store) SignIn(ctx context.Context, username, password, ip, userAgent string) (string, error) {
	if checkText("", username) != nil {
		return "", ErrSignIn
	}
	subjects := []string{"account " + username, "address " + ip}
	blocked, err := s.blocked(ctx, subjects)
	if err != nil {
		return "", err
	}
	if blocked {
		return "", ErrTooMany
	}
	var id uuid.UUID
	hash := noPassword
	err = s.pool.QueryRow(ctx, `SELECT u.user_id, u.password_hash FROM users u
		WHERE u.auth_method = 'local' AND u.username = $1 AND u.password_hash IS NOT NULL
			AND (`+tables.UserStatusSQL+`) = 'active'`, username).Scan(&id, &hash)
	if err != nil && !errors.Is(err, pgx.ErrNoRows) {
		return "", db.Translate(err)
	}
	fits, err := passwordFits(ctx, password, hash)
	if err != nil {
		return "", err
	}
	if !fits || id == uuid.Nil {
		return "", errors.Join(ErrSignIn, s.failed(ctx, subjects))
	}
	if _, err := s.pool.Exec(ctx, "DELETE FROM sign_in_attempts WHERE subject = $1", subjects[0]); err != nil {
		return "", db.Translate(err)
	}
	return openSession(ctx, s.pool, id, ip, userAgent)
}

// blocked says whether one of the subjects failed too often of late.
func (s *Store) blocked(ctx context.Context, subjects []string) (bool, error) {
	var blocked bool
	err := s.pool.QueryRow(ctx, `SELECT EXISTS (SELECT FROM sign_in_attempts WHERE window_start > now() - $3::interval
		AND ((subject = $1 AND failures >= $4) OR (subject = $2 AND failures >= $5)))`,
		subjects[0], subjects[1], attemptWindow, attemptsAccount, attemptsAddress).Scan(&blocked)
	return blocked, db.Translate(err)
}

// failed counts a failure for each subject.
func (s *Store) failed(ctx context.Context, subjects []string) error {
	_, err := s.pool.Exec(ctx, `INSERT INTO sign_in_attempts AS a (subject, window_start, failures)
		SELECT unnest($1::text[]), now(), 1
		ON CONFLICT (subject) DO UPDATE SET
			failures = CASE WHEN a.window_start > now() - $2::interval THEN a.failures + 1 ELSE 1 END,
			window_start = CASE WHEN a.window_start > now() - $2::interval THEN a.window_start
				ELSE now() END`, subjects, attemptWindow)
	return db.Translate(err)
}

func openSession(ctx context.Context, c db.Conn, user uuid.UUID, ip, userAgent string) (string, error) {
	token, hash := newToken()
	if len(userAgent) > 300 {
		userAgent = userAgent[:300]
	}
	_, err := c.Exec(ctx, `INSERT INTO sessions (token_hash, user_id, expires_at, ip, user_agent) VALUES ($1, $2,
		now() + $3::interval, $4, $5)`,
		hash, user, sessionLife, ip, toText(userAgent))
	if err != nil {
		return "", db.Translate(err)
	}
	_, err = c.Exec(ctx, "DELETE FROM sessions WHERE expires_at < now()")
	return token, db.Translate(err)
}

// SignInLink makes a link's secret that signs a member of staff in once.
func (s *Store) SignInLink(ctx context.Context, actor Actor, name string) (string, error) {
	if err := need(actor, policy.StaffManage); err != nil {
		return "", err
	}
	user, err := staffByName(ctx, s.pool, name)
	if err != nil {
		return "", err
	}
	token, hash := newToken()
	_, err = s.pool.Exec(ctx, "INSERT INTO sign_in_links (token_hash, user_id, expires_at) VALUES ($1, $2, now() + "+
		"$3::interval)", hash, user.UserID, linkLife)
	return token, db.Translate(err)
}

// RedeemLink opens a session for the secret of a sign-in link, once.
func (s *Store) RedeemLink(ctx context.Context, link, ip, userAgent string) (string, error) {
	var token string
	err := pgx.BeginFunc(ctx, s.pool, func(tx pgx.Tx) error {
		var id uuid.UUID
		err := tx.QueryRow(ctx, `DELETE FROM sign_in_links l USING users u WHERE l.token_hash = $1 AND u.user_id = l.user_id
			AND l.expires_at > now() AND (`+tables.UserStatusSQL+`) = 'active' RETURNING u.user_id`, hashToken(link)).Scan(&id)
		if errors.Is(err, pgx.ErrNoRows) {
			return ErrSignIn
		}
		if err != nil {
			return err
		}
		token, err = openSession(ctx, tx, id, ip, userAgent)
		return err
	})
	return token, db.Translate(err)
}

// PersonBySession reads who a session's cookie belongs to: their role and ban
// as they are now. ErrNotFound is an ended session, a ban, or a role that
// does not enter the console.
func (s *Store) PersonBySession(ctx context.Context, token string, p *policy.Policy) (Person, error) {
	person, err := s.PersonWatching(ctx, token, p)
	if err != nil {
		return person, err
	}
	// Written at most once a minute: reading pages should not write rows.
	if time.Since(person.Session.LastSeenAt) > time.Minute {
		if _, err := s.pool.Exec(ctx, "UPDATE sessions SET last_seen_at = now() WHERE token_hash = $1",
			hashToken(token)); err != nil {
			return person, db.Translate(err)
		}
	}
	return person, nil
}

// PersonWatching is PersonBySession for what an open page asks by itself: that
// nobody is at it must still end a session after sessionIdle.
func (s *Store) PersonWatching(ctx context.Context, token string, p *policy.Policy) (Person, error) {
	person := Person{Actor: Actor{Via: "session", Policy: p}, Session: &Session{Current: true}}
	err := s.pool.QueryRow(ctx, `SELECT u.user_id, u.display_name, u.role, u.blur_toxic, u.theme, s.session_id,
		s.created_at, s.last_seen_at, s.expires_at, s.ip, s.user_agent
		FROM sessions s JOIN users u USING (user_id)
		WHERE s.token_hash = $1 AND s.expires_at > now() AND s.last_seen_at > now() - $2::interval
			AND (`+tables.UserStatusSQL+`) = 'active'`, hashToken(token), sessionIdle).
		Scan(&person.UserID, &person.Name, &person.Role, &person.BlurToxic, &person.Theme, &person.Session.SessionID,
			&person.Session.CreatedAt,
			&person.Session.LastSeenAt, &person.Session.ExpiresAt, &person.Session.IP, &person.Session.UserAgent)
	if err != nil {
		return person, db.Translate(err)
	}
	if !p.EntersConsole(person.Role) {
		return person, ErrNotFound
	}
	return person, nil
}

// SignOut ends the session of a cookie.
func (s *Store) SignOut(ctx context.Context, token string) error {
	_, err := s.pool.Exec(ctx, "DELETE FROM sessions WHERE token_hash = $1", hashToken(token))
	return db.Translate(err)
}

// Sessions lists a person's own sessions, the one in use marked.
func (s *Store) Sessions(ctx context.Context, person Person) ([]Session, error) {
	var current uuid.UUID
	if person.Session != nil {
		current = person.Session.SessionID
	}
	return db.Collect[Session](ctx, s.pool, `SELECT session_id, created_at, last_seen_at, expires_at, ip, user_agent,
		session_id = $2 AS current
		FROM sessions WHERE user_id = $1 AND expires_at > now() AND last_seen_at > now() - $3::interval
			ORDER BY last_seen_at DESC`, person.UserID, current, sessionIdle)
}

// EndSession ends one of a person's own sessions.
func (s *Store) EndSession(ctx context.Context, person Person, id uuid.UUID) error {
	tag, err := s.pool.Exec(ctx, "DELETE FROM sessions WHERE user_id = $1 AND session_id = $2", person.UserID, id)
	if err == nil && tag.RowsAffected() == 0 {
		return ErrNotFound
	}
	return db.Translate(err)
}

// ChangePassword sets a person's own password; their other sessions end. Who
// has none yet (they came by a link) need not know it.
func (s *Store) ChangePassword(ctx context.Context, person Person, old, password string) error {
	if err := checkPassword("new", password); err != nil {
		return err
	}
	var before *string
	if err := s.pool.QueryRow(ctx, "SELECT password_hash FROM users WHERE user_id = $1",
		person.UserID).Scan(&before); err != nil {
		return db.Translate(err)
	}
	if before != nil {
		fits, err := passwordFits(ctx, old, *before)
		if err != nil {
			return err
		}
		if !fits {
			return Invalid{"old": "This is not your password."}
		}
	}
	hash, err := hashPassword(ctx, password)
	if err != nil {
		return err
	}
	keep := uuid.Nil
	if person.Session != nil {
		keep = person.Session.SessionID
	}
	return db.Translate(pgx.BeginFunc(ctx, s.pool, func(tx pgx.Tx) error {
		if _, err := tx.Exec(ctx, "UPDATE users SET password_hash = $2 WHERE user_id = $1", person.UserID, hash); err != nil {
			return err
		}
		_, err := tx.Exec(ctx, "DELETE FROM sessions WHERE user_id = $1 AND session_id <> $2", person.UserID, keep)
		return err
	}))
}

// SetDisplay keeps how a person wants the console to look.
func (s *Store) SetDisplay(ctx context.Context, person Person, blurToxic bool, theme string) error {
	if err := db.OneOf("theme", theme, "system", "light", "dark"); err != nil {
		return Invalid{"theme": "Choose system, light or dark."}
	}
	_, err := s.pool.Exec(ctx, "UPDATE users SET blur_toxic = $2, theme = $3 WHERE user_id = $1", person.UserID, blurToxic,
		theme)
	return db.Translate(err)
}
