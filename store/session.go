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

// The limits of sessions and sign-ins: the idle and total life of a session, the
// life of a sign-in link, and the failures of an account or an address per
// quarter of an hour.
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

// Person is the owner of a session or a key, as read for one request.
type Person struct {
	Actor
	Session   *Session // nil for a key
	BlurToxic bool
	Theme     string // system, light or dark
}

// ErrSignIn is a failed sign-in; it does not give the cause.
var ErrSignIn = errors.New("name and password do not fit together, or this account may not sign in")

// ErrTooMany is a sign-in that was refused after too many failures.
var ErrTooMany = errors.New("too many failed sign-ins; wait a quarter of an hour and try again")

// passwordParams are fixed, so that a hash has the same cost on every machine.
var passwordParams = &argon2id.Params{Memory: 64 * 1024, Iterations: 1, Parallelism: 2, SaltLength: 16, KeyLength: 32}

// hashing limits the number of concurrent password hashes, which take 64 MiB each.
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

// noPassword is the hash for a sign-in to an unknown account, so that it takes as
// long as one to a known account.
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

// checkPassword checks the length of a new password.
func checkPassword(field, password string) error {
	if n := utf8.RuneCountInString(password); n < 10 || n > 200 {
		return Invalid{field: "A password has 10 to 200 characters."}
	}
	return nil
}

// newToken returns a secret of 256 bits and its hash, which is stored.
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

// SignIn opens a session for a name and password. It takes the same time whether
// or not the account exists.
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

// blocked reports whether one of the subjects has too many recent failures.
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
			window_start = CASE WHEN a.window_start > now() - $2::interval THEN a.window_start ELSE now() END`,
		subjects, attemptWindow)
	return db.Translate(err)
}

func openSession(ctx context.Context, c db.Conn, user uuid.UUID, ip, userAgent string) (string, error) {
	token, hash := newToken()
	if len(userAgent) > 300 {
		userAgent = userAgent[:300]
	}
	_, err := c.Exec(ctx, `INSERT INTO sessions (token_hash, user_id, expires_at, ip, user_agent)
		VALUES ($1, $2, now() + $3::interval, $4, $5)`,
		hash, user, sessionLife, ip, toText(userAgent))
	if err != nil {
		return "", db.Translate(err)
	}
	_, err = c.Exec(ctx, "DELETE FROM sessions WHERE expires_at < now()")
	return token, db.Translate(err)
}

// SignInLink returns the secret of a link that signs in a member of staff once.
func (s *Store) SignInLink(ctx context.Context, actor Actor, name string) (string, error) {
	if err := need(actor, policy.StaffManage); err != nil {
		return "", err
	}
	user, err := staffByName(ctx, s.pool, name)
	if err != nil {
		return "", err
	}
	token, hash := newToken()
	_, err = s.pool.Exec(ctx, `INSERT INTO sign_in_links (token_hash, user_id, expires_at)
		VALUES ($1, $2, now() + $3::interval)`, hash, user.UserID, linkLife)
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

// PersonBySession returns the owner of a session's cookie with their current
// role. It returns ErrNotFound if the session has ended, or the user is banned or
// has a role without access to the console.
func (s *Store) PersonBySession(ctx context.Context, token string, p *policy.Policy) (Person, error) {
	person, err := s.PersonWatching(ctx, token, p)
	if err != nil {
		return person, err
	}
	// The row is written at most once a minute, to keep most requests read-only.
	if time.Since(person.Session.LastSeenAt) > time.Minute {
		if _, err := s.pool.Exec(ctx, "UPDATE sessions SET last_seen_at = now() WHERE token_hash = $1",
			hashToken(token)); err != nil {
			return person, db.Translate(err)
		}
	}
	return person, nil
}

// PersonWatching is like PersonBySession for the background requests of an open
// page: they do not extend the session, so that it still ends after sessionIdle.
func (s *Store) PersonWatching(ctx context.Context, token string, p *policy.Policy) (Person, error) {
	person := Person{Actor: Actor{Via: "session", Policy: p}, Session: &Session{Current: true}}
	err := s.pool.QueryRow(ctx, `SELECT u.user_id, u.display_name, u.role, u.blur_toxic, u.theme, s.session_id,
		s.created_at, s.last_seen_at, s.expires_at, s.ip, s.user_agent
		FROM sessions s JOIN users u USING (user_id)
		WHERE s.token_hash = $1 AND s.expires_at > now() AND s.last_seen_at > now() - $2::interval
			AND (`+tables.UserStatusSQL+`) = 'active'`, hashToken(token), sessionIdle).
		Scan(&person.UserID, &person.Name, &person.Role, &person.BlurToxic, &person.Theme, &person.Session.SessionID,
			&person.Session.CreatedAt, &person.Session.LastSeenAt, &person.Session.ExpiresAt,
			&person.Session.IP, &person.Session.UserAgent)
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

// Sessions lists a person's own sessions and marks the current one.
func (s *Store) Sessions(ctx context.Context, person Person) ([]Session, error) {
	var current uuid.UUID
	if person.Session != nil {
		current = person.Session.SessionID
	}
	return db.Collect[Session](ctx, s.pool, `SELECT
			session_id, created_at, last_seen_at, expires_at, ip, user_agent, session_id = $2 AS current
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

// ChangePassword sets a person's own password and ends their other sessions. An
// account without a password (created with a link) needs no old one.
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

// SetDisplay stores a person's display settings.
func (s *Store) SetDisplay(ctx context.Context, person Person, blurToxic bool, theme string) error {
	if err := db.OneOf("theme", theme, "system", "light", "dark"); err != nil {
		return Invalid{"theme": "Choose system, light or dark."}
	}
	_, err := s.pool.Exec(ctx, "UPDATE users SET blur_toxic = $2, theme = $3 WHERE user_id = $1",
		person.UserID, blurToxic, theme)
	return db.Translate(err)
}
