package store

import (
	"context"
	"strings"
	"time"

	"github.com/google/uuid"

	"treewarden/policy"
	"treewarden/store/accounts"
	"treewarden/store/db"
	"treewarden/store/sessions"
)

// The kinds of actions on keys.
var (
	createKey = Kind{
		Name: "create_key", Target: "user", Title: "Create key", Button: "Create key", Past: "Created key",
		Permission: policy.KeyManage, WhyNot: "Revoke the key instead.",
	}
	// RevokeKeyKind is the kind of the actions that revoke a key.
	RevokeKeyKind = Kind{
		Name: "revoke_key", Target: "user", Title: "Revoke key", Button: "Revoke", Past: "Revoked key",
		Permission: policy.KeyManage, Destructive: true, WhyNot: "A revoked key stays revoked; make a new one.",
	}
)

// Key describes an API key, without the key itself.
type Key = accounts.Key

// KeyParams are a new API key.
type KeyParams struct {
	Name      string
	Role      string
	Languages []string   // the key's own limit; nil is none
	Expires   *time.Time // nil is never
}

// CreateKey creates an API key and returns it. The key cannot be read again.
func (s *Store) CreateKey(ctx context.Context, actor Actor, name, role string, expires *time.Time) (string, error) {
	_, key, err := s.NewKey(ctx, actor, KeyParams{Name: name, Role: role, Expires: expires}, Act{})
	return key, err
}

// NewKey creates an API key and returns it, once: a repeated request gets none. act
// holds the reason and the idempotency key.
func (s *Store) NewKey(ctx context.Context, actor Actor, p KeyParams, act Act) (Outcome, string, error) {
	if err := need(actor, policy.KeyManage); err != nil {
		return Outcome{}, "", err
	}
	if err := accounts.CheckKey(p.Name, p.Languages, p.Expires, s.now()); err != nil {
		return Outcome{}, "", err
	}
	if err := checkReason(act.Reason, false); err != nil {
		return Outcome{}, "", err
	}
	act.Kind, act.Params = createKey.Name, p
	secret, _ := sessions.NewToken()
	key, name := "tw_"+secret, strings.TrimSpace(p.Name)
	made := false
	outcome, err := s.perform(ctx, actor, act, createKey, func(d *actionTx) error {
		if err := s.checkGrant(d.actor, policy.Subject{Role: p.Role, Languages: p.Languages}, policy.KeyManage); err != nil {
			return err
		}
		d.aim(uuid.New(), name)
		if _, err := d.exec(`INSERT INTO users (user_id, display_name, auth_method, username, role, languages,
				show_on_leaderboard) VALUES ($1, $2, 'key', $1::uuid::text, $3, $4, false)`,
			d.act.Target, name, p.Role, p.Languages); err != nil {
			return err
		}
		if err := d.logRole(p.Role); err != nil {
			return err
		}
		made = true
		_, err := d.exec(`INSERT INTO api_keys (key_hash, user_id, name, expires_at, created_by)
			VALUES ($1, $2, $3, $4, $5)`, sessions.HashToken(key), d.act.Target, name, p.Expires, d.actor.id())
		return db.Taken(err, "name", "There is a key of this name. Choose another one.")
	})
	if err != nil || !made {
		key = ""
	}
	return outcome, key, err
}

// Keys lists all keys, without the keys themselves.
func (s *Store) Keys(ctx context.Context, actor Actor) ([]Key, error) {
	if err := need(actor, policy.KeyManage); err != nil {
		return nil, err
	}
	return accounts.Keys(ctx, s.pool)
}

// KeyPage returns one page of the keys, by name.
func (s *Store) KeyPage(ctx context.Context, actor Actor, p Page) (List[Key], error) {
	if err := need(actor, policy.KeyManage); err != nil {
		return List[Key]{}, err
	}
	return accounts.KeyPage(ctx, s.pool, p)
}

// KeyByID returns a key, or ErrNotFound.
func (s *Store) KeyByID(ctx context.Context, actor Actor, id uuid.UUID) (Key, error) {
	if err := need(actor, policy.KeyManage); err != nil {
		return Key{}, err
	}
	return accounts.KeyByID(ctx, s.pool, id)
}

// RevokeKey revokes the key of a name for good.
func (s *Store) RevokeKey(ctx context.Context, actor Actor, name string) error {
	if err := need(actor, policy.KeyManage); err != nil {
		return err
	}
	key, err := accounts.KeyByName(ctx, s.pool, name)
	if err == nil {
		_, err = s.RevokeKeyByID(ctx, actor, Act{Target: key.UserID})
	}
	return err
}

// RevokeKeyByID revokes a key for good. Whoever may make such a key may revoke it.
func (s *Store) RevokeKeyByID(ctx context.Context, actor Actor, act Act) (Outcome, error) {
	if err := need(actor, policy.KeyManage); err != nil {
		return Outcome{}, err
	}
	if err := checkReason(act.Reason, false); err != nil {
		return Outcome{}, err
	}
	act.Kind = RevokeKeyKind.Name
	return s.perform(ctx, actor, act, RevokeKeyKind, func(d *actionTx) error {
		if _, err := d.exec("SELECT FROM api_keys WHERE user_id = $1 FOR UPDATE", d.act.Target); err != nil {
			return err
		}
		key, err := accounts.KeyByID(d.Ctx, d.Conn, d.act.Target)
		if err != nil {
			return err
		}
		d.aim(key.UserID, key.Name)
		if key.RevokedAt != nil {
			return &Conflict{Why: "This key was revoked already."}
		}
		if err := s.checkGrant(d.actor, policy.Subject{Role: key.Role, Languages: key.Languages},
			policy.KeyManage); err != nil {
			return err
		}
		_, err = d.exec("UPDATE api_keys SET revoked_at = $2 WHERE user_id = $1", key.UserID, d.at)
		return err
	})
}

// PersonByKey returns the owner of an API key, or ErrNotFound if the key is
// unknown, revoked or expired.
func (s *Store) PersonByKey(ctx context.Context, key string) (Person, error) {
	owner, err := sessions.ByKey(ctx, s.pool, key)
	if err != nil {
		return Person{}, err
	}
	return s.personOf(ctx, owner, "key")
}
