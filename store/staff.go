package store

import (
	"context"
	"errors"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/google/uuid"
	"github.com/jackc/pgerrcode"
	"github.com/jackc/pgx/v5/pgconn"

	"treewarden/policy"
	"treewarden/store/db"
	"treewarden/store/sessions"
	"treewarden/store/users"
)

// Key describes an API key, without the key itself.
type Key struct {
	UserID     uuid.UUID  `json:"user_id"`
	Name       string     `json:"name"`
	Role       string     `json:"role"`
	CreatedAt  time.Time  `json:"created_at"`
	ExpiresAt  *time.Time `json:"expires_at"`
	LastUsedAt *time.Time `json:"last_used_at"`
	RevokedAt  *time.Time `json:"revoked_at"`
}

func checkName(name string) error {
	if n := utf8.RuneCountInString(strings.TrimSpace(name)); n < 1 || n > 100 || checkText("", name) != nil {
		return Invalid{"name": "A name has 1 to 100 characters."}
	}
	return nil
}

// checkGrant checks that an actor may grant a role.
func (s *Store) checkGrant(actor Actor, role string, permission policy.Permission) error {
	if err := need(actor, permission); err != nil {
		return err
	}
	if p := s.policyFor(actor); !p.KnownRole(role) {
		return Invalid{"role": "There is no such role; it is one of " + strings.Join(p.Names(), ", ") + "."}
	}
	if actor.trusted() {
		return nil
	}
	if err := actor.Policy.MayGrant(policy.Subject{Role: actor.Role}, policy.Subject{Role: role}); err != nil {
		return &Forbidden{Why: err.Error()}
	}
	return nil
}

// account performs a logged action on an account or a key; do sets the target.
func (s *Store) account(ctx context.Context, actor Actor, kind string, do func(*actionTx) error) error {
	k, _ := KindNamed(kind)
	_, err := s.perform(ctx, actor, Act{Kind: kind}, k, func(d *actionTx) error {
		d.targetType = "user"
		d.affected.Users = 1
		return do(d)
	})
	return err
}

// aim sets the target user and its label.
func (d *actionTx) aim(user uuid.UUID, label string) {
	d.act.Target, d.targetID, d.label = user, user.String(), label
}

// CreateStaff creates an account that can sign in by name and password. Without a
// password, it can sign in only by a link.
func (s *Store) CreateStaff(ctx context.Context, actor Actor, name, role, password string) (User, error) {
	if err := errors.Join(checkName(name), s.checkGrant(actor, role, policy.StaffManage)); err != nil {
		return User{}, firstOf(err)
	}
	if role == policy.General || role == policy.Collector {
		return User{}, Invalid{"role": "Staff are moderators, data leads or admins."}
	}
	var hash *string
	if password != "" {
		if err := checkPassword("password", password); err != nil {
			return User{}, err
		}
		h, err := sessions.HashPassword(ctx, password)
		if err != nil {
			return User{}, err
		}
		hash = &h
	}
	id := uuid.New()
	err := s.account(ctx, actor, "create_staff", func(d *actionTx) error {
		d.aim(id, name)
		_, err := d.exec(`INSERT INTO users (user_id, display_name, username, role, password_hash)
			VALUES ($1, $2, $2, $3, $4)`, id, strings.TrimSpace(name), role, hash)
		return taken(err, "There is an account of this name. Choose another one.")
	})
	if err != nil {
		return User{}, err
	}
	return userByID(ctx, s.pool, id)
}

// firstOf returns the first of joined errors, so that callers find its type.
func firstOf(err error) error {
	if joined, ok := err.(interface{ Unwrap() []error }); ok {
		return joined.Unwrap()[0]
	}
	return err
}

// taken translates a unique violation to an Invalid.
func taken(err error, why string) error {
	var pg *pgconn.PgError
	if errors.As(err, &pg) && pg.Code == pgerrcode.UniqueViolation {
		return Invalid{"name": why}
	}
	return err
}

// Staff lists all users with access to the console.
func (s *Store) Staff(ctx context.Context, actor Actor) ([]User, error) {
	if err := need(actor, policy.StaffManage); err != nil {
		return nil, err
	}
	rows, err := db.Collect[users.Row](ctx, s.pool, "SELECT "+users.Columns+db.NoCursorKey+` FROM users u
		WHERE u.role <> 'general' AND u.auth_method <> 'key' ORDER BY u.role, lower(u.display_name), u.user_id`)
	return users.Of(rows), err
}

// staffByName finds an account by the name it signs in with.
func staffByName(ctx context.Context, c db.Conn, name string) (User, error) {
	var id uuid.UUID
	if err := c.QueryRow(ctx, "SELECT user_id FROM users WHERE auth_method = 'local' AND username = $1",
		strings.TrimSpace(db.ToText(name))).Scan(&id); err != nil {
		return User{}, db.Translate(err)
	}
	return userByID(ctx, c, id)
}

// SetStaffPassword sets the password of an account and ends its sessions.
func (s *Store) SetStaffPassword(ctx context.Context, actor Actor, name, password string) error {
	if err := need(actor, policy.StaffManage); err != nil {
		return err
	}
	if err := checkPassword("password", password); err != nil {
		return err
	}
	user, err := staffByName(ctx, s.pool, name)
	if err != nil {
		return err
	}
	hash, err := sessions.HashPassword(ctx, password)
	if err != nil {
		return err
	}
	return s.account(ctx, actor, "set_password", func(d *actionTx) error {
		d.aim(user.UserID, user.DisplayName)
		if _, err := d.lockUser(user.UserID); err != nil {
			return err
		}
		if _, err := d.exec("UPDATE users SET password_hash = $2 WHERE user_id = $1", user.UserID, hash); err != nil {
			return err
		}
		_, err := d.exec("DELETE FROM sessions WHERE user_id = $1", user.UserID)
		return err
	})
}

// SetStaffRole changes the role of an account. The role general removes its
// access to the console.
func (s *Store) SetStaffRole(ctx context.Context, actor Actor, name, role string) (Outcome, error) {
	user, err := staffByName(ctx, s.pool, name)
	if err != nil {
		return Outcome{}, err
	}
	return s.Act(ctx, actor, Act{Kind: "update_user", Target: user.UserID, Params: UserPatch{Role: &role}})
}

// CreateKey creates an API key and returns it. The key cannot be read again.
func (s *Store) CreateKey(ctx context.Context, actor Actor, name, role string, expires *time.Time) (string, error) {
	if err := errors.Join(checkName(name), s.checkGrant(actor, role, policy.KeyManage)); err != nil {
		return "", firstOf(err)
	}
	if expires != nil && !expires.After(s.now()) {
		return "", Invalid{"expires": "The end of a key lies in the future."}
	}
	name = strings.TrimSpace(name)
	secret, _ := sessions.NewToken()
	key := "tw_" + secret
	id := uuid.New()
	err := s.account(ctx, actor, "create_key", func(d *actionTx) error {
		d.aim(id, name)
		if _, err := d.exec("INSERT INTO users (user_id, display_name, auth_method, username, role, show_on_leaderboard) "+
			"VALUES ($1, $2, 'key', $1::uuid::text, $3, false)", id, name, role); err != nil {
			return err
		}
		_, err := d.exec("INSERT INTO api_keys (key_hash, user_id, name, expires_at) VALUES ($1, $2, $3, $4)",
			sessions.HashToken(key), id, name, expires)
		return taken(err, "There is a key of this name. Choose another one.")
	})
	if err != nil {
		return "", err
	}
	return key, nil
}

// Keys lists all keys, without the keys themselves.
func (s *Store) Keys(ctx context.Context, actor Actor) ([]Key, error) {
	if err := need(actor, policy.KeyManage); err != nil {
		return nil, err
	}
	return db.Collect[Key](ctx, s.pool, `SELECT
			k.user_id, k.name, u.role, k.created_at, k.expires_at, k.last_used_at, k.revoked_at
		FROM api_keys k JOIN users u USING (user_id) ORDER BY lower(k.name), k.name`)
}

// RevokeKey revokes a key for good.
func (s *Store) RevokeKey(ctx context.Context, actor Actor, name string) error {
	if err := need(actor, policy.KeyManage); err != nil {
		return err
	}
	return s.account(ctx, actor, "revoke_key", func(d *actionTx) error {
		var id uuid.UUID
		var revoked *time.Time
		if err := d.QueryRow(d.Ctx, "SELECT user_id, revoked_at FROM api_keys WHERE name = $1 FOR UPDATE",
			strings.TrimSpace(db.ToText(name))).Scan(&id, &revoked); err != nil {
			return err
		}
		d.aim(id, strings.TrimSpace(name))
		if revoked != nil {
			return &Conflict{Why: "This key was revoked already."}
		}
		_, err := d.exec("UPDATE api_keys SET revoked_at = $2 WHERE user_id = $1", id, d.at)
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
