package accounts

import (
	"context"
	"strings"
	"time"

	"github.com/google/uuid"

	"treewarden/policy"
	"treewarden/store/db"
	"treewarden/store/sessions"
)

// Key describes an API key, without the key itself.
type Key struct {
	UserID     uuid.UUID  `json:"user_id"`
	Name       string     `json:"name"`
	Role       string     `json:"role"`
	Languages  []string   `json:"languages"` // the key's own limit, besides the role's; null is none
	CreatedAt  time.Time  `json:"created_at"`
	CreatedBy  *string    `json:"created_by"` // the name of the maker, null for the command line
	ExpiresAt  *time.Time `json:"expires_at"`
	LastUsedAt *time.Time `json:"last_used_at"`
	RevokedAt  *time.Time `json:"revoked_at"`
}

// The states of a key.
const (
	KeyActive  = "active"
	KeyExpired = "expired"
	KeyRevoked = "revoked"
)

// Subject is the key as the policy sees it.
func (k Key) Subject() policy.Subject { return policy.Subject{Role: k.Role, Languages: k.Languages} }

// State returns the state of a key at a time.
func (k Key) State(now time.Time) string {
	switch {
	case k.RevokedAt != nil:
		return KeyRevoked
	case k.ExpiresAt != nil && !k.ExpiresAt.After(now):
		return KeyExpired
	}
	return KeyActive
}

const (
	keyColumns = `k.user_id, k.name, u.role, u.languages, k.created_at,
		(SELECT m.display_name FROM users m WHERE m.user_id = k.created_by) AS created_by,
		k.expires_at, k.last_used_at, k.revoked_at`
	keyFrom = "api_keys k JOIN users u USING (user_id)"
)

// Keys returns all keys, by name.
func Keys(ctx context.Context, c db.Conn) ([]Key, error) {
	return db.Collect[Key](ctx, c, "SELECT "+keyColumns+" FROM "+keyFrom+" ORDER BY lower(k.name), k.name")
}

// KeyByID returns a key, or ErrNotFound.
func KeyByID(ctx context.Context, c db.Conn, id uuid.UUID) (Key, error) {
	return one(db.Collect[Key](ctx, c, "SELECT "+keyColumns+" FROM "+keyFrom+" WHERE k.user_id = $1", id))
}

// KeyByName returns the key of a name, or ErrNotFound.
func KeyByName(ctx context.Context, c db.Conn, name string) (Key, error) {
	return one(db.Collect[Key](ctx, c, "SELECT "+keyColumns+" FROM "+keyFrom+" WHERE k.name = $1",
		strings.TrimSpace(db.ToText(name))))
}

// KeyPage returns one page of the keys, by name.
func KeyPage(ctx context.Context, c db.Conn, p db.Page) (db.List[Key], error) {
	type row struct {
		db.Keyed
		Key
	}
	rows, next, prev, err := db.Fetch[row](ctx, c, db.Query{Columns: keyColumns, From: keyFrom},
		db.Order{Name: "keys", Keys: []db.Key{
			{Expr: "lower(k.name)", Typ: "text"}, {Expr: "k.user_id", Typ: "uuid"},
		}}, p)
	items := make([]Key, len(rows))
	for i, r := range rows {
		items[i] = r.Key
	}
	return db.List[Key]{Items: items, Next: next, Prev: prev}, err
}

// KeyParams are a new API key.
type KeyParams struct {
	Name      string
	Role      string
	Languages []string   // the key's own limit; nil is none
	Expires   *time.Time // nil is never
}

// Subject is the key as the policy will see it.
func (p KeyParams) Subject() policy.Subject {
	return policy.Subject{Role: p.Role, Languages: p.Languages}
}

// Check returns an Invalid unless the values are right.
func (p KeyParams) Check(now time.Time) error {
	if err := CheckName(p.Name); err != nil {
		return err
	}
	if why := policy.LimitFault(p.Languages); why != "" {
		return db.Invalid{"languages": why}
	}
	if p.Expires != nil && (!p.Expires.After(now) || p.Expires.UTC().Year() > 9999) {
		return db.Invalid{"expires": "The end of a key must be in the future and before the year 10000."}
	}
	return nil
}

// InsertKey inserts a key that an action makes, with its user, and logs its role. maker
// is nil for the command line.
func InsertKey(ctx context.Context, c db.Conn, action int64, id uuid.UUID, p KeyParams, key string,
	maker *uuid.UUID) error {
	name := strings.TrimSpace(p.Name)
	if _, err := c.Exec(ctx, `INSERT INTO users (user_id, display_name, auth_method, username, role, languages,
			show_on_leaderboard) VALUES ($1, $2, 'key', $1::uuid::text, $3, $4, false)`,
		id, name, p.Role, p.Languages); err != nil {
		return err
	}
	if err := logRole(ctx, c, action, id, p.Role); err != nil {
		return err
	}
	_, err := c.Exec(ctx, `INSERT INTO api_keys (key_hash, user_id, name, expires_at, created_by)
		VALUES ($1, $2, $3, $4, $5)`, sessions.HashToken(key), id, name, p.Expires, maker)
	return db.Taken(err, "name", "There is a key of this name. Choose another one.")
}

// LockKey locks a key and reads it. It returns ErrNotFound if there is none.
func LockKey(ctx context.Context, c db.Conn, id uuid.UUID) (Key, error) {
	if _, err := c.Exec(ctx, "SELECT FROM api_keys WHERE user_id = $1 FOR UPDATE", id); err != nil {
		return Key{}, err
	}
	return KeyByID(ctx, c, id)
}

// RevokeKey revokes a key for good.
func RevokeKey(ctx context.Context, c db.Conn, id uuid.UUID, at time.Time) error {
	_, err := c.Exec(ctx, "UPDATE api_keys SET revoked_at = $2 WHERE user_id = $1", id, at)
	return err
}

// RevokeKeys revokes the keys that a user made, and those that these keys made. A
// key may make another one at the same moment, so it looks until there is none.
func RevokeKeys(ctx context.Context, c db.Conn, maker uuid.UUID, at time.Time) error {
	for {
		tag, err := c.Exec(ctx, `WITH RECURSIVE made AS (
				SELECT user_id FROM api_keys WHERE created_by = $1
				UNION SELECT k.user_id FROM api_keys k JOIN made m ON k.created_by = m.user_id)
			UPDATE api_keys k SET revoked_at = $2 FROM made WHERE made.user_id = k.user_id AND k.revoked_at IS NULL`, maker, at)
		if err != nil || tag.RowsAffected() == 0 {
			return db.Translate(err)
		}
	}
}
