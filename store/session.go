package store

import (
	"context"

	"github.com/google/uuid"

	"treewarden/policy"
	"treewarden/store/accounts"
	"treewarden/store/cases"
	"treewarden/store/counters"
	"treewarden/store/db"
	"treewarden/store/sessions"
	"treewarden/store/tables"
)

// Session is one sign-in of a staff member.
type Session = sessions.Session

// Person is the owner of a session or a key, as read for one request.
type Person struct {
	Actor
	Session   *Session // nil for a key
	BlurToxic bool
	Theme     string // system, light or dark
	Wellbeing tables.Wellbeing
}

// Display is how the console looks to a person, and what they set for their wellbeing.
type Display = accounts.Display

// NoAccess is a sign-in with the right password by a person who may not enter.
type NoAccess = sessions.NoAccess

// The errors of a sign-in: a failed one, without the cause, and one that was
// refused after too many failures.
var (
	ErrSignIn  = sessions.ErrSignIn
	ErrTooMany = sessions.ErrTooMany
)

// SignIn opens a session for a name and password. It takes the same time whether
// or not the account exists.
func (s *Store) SignIn(ctx context.Context, username, password, ip, userAgent string) (string, error) {
	return sessions.SignIn(ctx, s.pool, username, password, ip, userAgent)
}

// SignInLink returns the secret of a link that signs in a member of staff once.
func (s *Store) SignInLink(ctx context.Context, actor Actor, name string) (string, error) {
	if err := need(actor, policy.StaffManage); err != nil {
		return "", err
	}
	user, err := accounts.ByName(ctx, s.pool, name)
	if err != nil {
		return "", err
	}
	return sessions.NewLink(ctx, s.pool, user.UserID)
}

// RedeemLink opens a session for the secret of a sign-in link, once.
func (s *Store) RedeemLink(ctx context.Context, link, ip, userAgent string) (string, error) {
	return sessions.RedeemLink(ctx, s.pool, link, ip, userAgent)
}

// ReadLink returns whom a sign-in link is for, and does not use it up. It returns
// ErrSignIn if the link was used or has expired.
func (s *Store) ReadLink(ctx context.Context, link string) (sessions.LinkOwner, error) {
	return sessions.ReadLink(ctx, s.pool, link)
}

// AcceptInvitation is RedeemLink for a person who sets a password with it.
func (s *Store) AcceptInvitation(ctx context.Context, link, password, ip, userAgent string) (string, error) {
	if err := accounts.CheckPassword("password", password); err != nil {
		return "", err
	}
	return sessions.Accept(ctx, s.pool, link, password, ip, userAgent)
}

// PersonBySession returns the owner of a session's cookie with their current
// role. It returns ErrNotFound if the session has ended, or the user is banned or
// has a role without access to the console.
func (s *Store) PersonBySession(ctx context.Context, token string) (Person, error) {
	person, err := s.PersonWatching(ctx, token)
	if err != nil {
		return person, err
	}
	return person, sessions.Seen(ctx, s.pool, token, *person.Session)
}

// PersonWatching is like PersonBySession for the background requests of an open
// page: they do not extend the session, so that it still ends when idle.
func (s *Store) PersonWatching(ctx context.Context, token string) (Person, error) {
	session, owner, err := sessions.ByToken(ctx, s.pool, token)
	if err != nil {
		return Person{}, err
	}
	person, err := s.personOf(ctx, owner, "session")
	person.Session = &session
	if err == nil && !person.Policy.EntersConsole(person.Role) {
		err = ErrNotFound
	}
	return person, err
}

// personOf returns the owner of a session or key with the policy in force.
func (s *Store) personOf(ctx context.Context, owner sessions.Owner, via string) (Person, error) {
	inForce, err := s.policies.At(ctx, s.pool, owner.PolicyVersion)
	return Person{
		Actor: Actor{
			UserID: owner.UserID, Name: owner.Name, Role: owner.Role, Languages: owner.Languages, Via: via, Policy: inForce,
		},
		BlurToxic: owner.BlurToxic, Theme: owner.Theme, Wellbeing: owner.Wellbeing,
	}, err
}

// SignOut ends the session of a cookie.
func (s *Store) SignOut(ctx context.Context, token string) error {
	user, err := sessions.End(ctx, s.pool, token)
	if err != nil {
		return err
	}
	released, err := cases.ReleaseAll(ctx, s.pool, user)
	if err != nil || !released {
		return db.Translate(err)
	}
	return s.announce(ctx, counters.Changed{Claims: true})
}

// current returns the id of the person's session, or uuid.Nil for a key.
func (p Person) current() uuid.UUID {
	if p.Session == nil {
		return uuid.Nil
	}
	return p.Session.SessionID
}

// Sessions lists a person's own sessions and marks the current one.
func (s *Store) Sessions(ctx context.Context, person Person) ([]Session, error) {
	return sessions.Of(ctx, s.pool, person.UserID, person.current())
}

// EndSession ends one of a person's own sessions.
func (s *Store) EndSession(ctx context.Context, person Person, id uuid.UUID) error {
	return sessions.EndOne(ctx, s.pool, person.UserID, id)
}

// ChangePassword sets a person's own password and ends their other sessions. An
// account without a password (created with a link) needs no old one. A key has none.
func (s *Store) ChangePassword(ctx context.Context, person Person, old, password string) error {
	if person.Session == nil {
		return &Forbidden{Why: "An API key has no password. Sign in as a person to set yours."}
	}
	if err := accounts.CheckPassword("new", password); err != nil {
		return err
	}
	return sessions.ChangePassword(ctx, s.pool, person.UserID, old, password, person.current())
}

// ForgetSignIns removes expired links, ended sessions and old failures to sign in.
func (s *Store) ForgetSignIns(ctx context.Context) error { return sessions.Forget(ctx, s.pool) }

// SetDisplay stores a person's display settings.
func (s *Store) SetDisplay(ctx context.Context, person Person, d Display) error {
	return accounts.SetDisplay(ctx, s.pool, person.UserID, d)
}
