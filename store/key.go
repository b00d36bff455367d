package store

import (
	"context"
	"strings"
	"time"

	"github.com/google/uuid"

	"treewarden/policy"
	"treewarden/store/accounts"
	"treewarden/store/params"
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

// Key describes an API key, without the key itself; KeyParams are a new one.
type (
	Key       = accounts.Key
	KeyParams = accounts.KeyParams
)

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
	if err := p.Check(s.now()); err != nil {
		return Outcome{}, "", err
	}
	if err := params.CheckReason(act.Reason, false); err != nil {
		return Outcome{}, "", err
	}
	act.Kind, act.Params = createKey.Name, p
	secret, _ := sessions.NewToken()
	key, made := "tw_"+secret, false
	outcome, err := s.perform(ctx, actor, act, createKey, func(d *actionTx) error {
		if err := s.checkGrant(d.actor, p.Subject(), policy.KeyManage); err != nil {
			return err
		}
		d.aim(uuid.New(), strings.TrimSpace(p.Name))
		made = true
		return accounts.InsertKey(d.Ctx, d.Conn, d.id, d.act.Target, p, key, d.actor.id())
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
	if err := params.CheckReason(act.Reason, false); err != nil {
		return Outcome{}, err
	}
	act.Kind = RevokeKeyKind.Name
	return s.perform(ctx, actor, act, RevokeKeyKind, func(d *actionTx) error {
		key, err := accounts.LockKey(d.Ctx, d.Conn, d.act.Target)
		if err != nil {
			return err
		}
		d.aim(key.UserID, key.Name)
		if key.RevokedAt != nil {
			return &Conflict{Why: "This key was revoked already."}
		}
		if err := s.checkGrant(d.actor, key.Subject(), policy.KeyManage); err != nil {
			return err
		}
		return accounts.RevokeKey(d.Ctx, d.Conn, key.UserID, d.at)
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
