package store

import (
	"context"
	"errors"
	"strings"

	"github.com/google/uuid"

	"treewarden/policy"
	"treewarden/store/accounts"
	"treewarden/store/params"
	"treewarden/store/sessions"
)

const (
	inviteStaff, resetStaff = "invite_staff", "reset_staff"
	endSessions, takeAccess = "end_sessions", "take_access"
)

// The kinds of actions on an account. Their routes are below /staff.
var (
	createStaff = Kind{
		Name: "create_staff", Target: "user", Title: "Create account", Button: "Create account", Past: "Created account",
		Permission: policy.StaffManage, WhyNot: "An account cannot be deleted. Remove its access instead.",
	}
	setPassword = Kind{
		Name: "set_password", Target: "user", Title: "Set password", Past: "Set the password of",
		Permission: policy.StaffManage, WhyNot: "The earlier password is not stored.",
	}
	updateStaff = Kind{
		Name: "update_staff", Target: "user", Title: "Change role and languages", Button: "Save", Past: "Changed account",
		Permission: policy.StaffManage, Undoable: true, Previewable: true, NeedsReason: true,
		aspects: []aspect{nameAspect, usernameAspect, roleAspect, languagesAspect},
	}
	// InviteStaff, ResetStaff, EndStaffSessions and TakeAccess have no parameters.
	InviteStaff = Kind{
		Name: inviteStaff, Target: "user", Title: "Invite again", Button: "Make a link", Past: "Invited",
		Permission: policy.StaffManage, WhyNot: "Invite again, or reset the account: that replaces the link.",
		do: (*actionTx).onStaff,
	}
	ResetStaff = Kind{
		Name: resetStaff, Target: "user", Title: "Reset account", Button: "Reset", Past: "Reset the account of",
		Permission: policy.StaffManage, NeedsReason: true, Destructive: true,
		WhyNot: "The earlier password and sessions are not stored.",
		do:     (*actionTx).onStaff,
	}
	EndStaffSessions = Kind{
		Name: endSessions, Target: "user", Title: "End sessions", Button: "End sessions", Past: "Ended the sessions of",
		Permission: policy.StaffManage, NeedsReason: true, Destructive: true, WhyNot: "Ended sessions are not stored.",
		do: (*actionTx).onStaff,
	}
	TakeAccess = Kind{
		Name: takeAccess, Target: "user", Title: "Remove access", Button: "Remove access",
		Past: "Removed the access of", Permission: policy.StaffManage, Undoable: true, NeedsReason: true, Destructive: true,
		aspects: []aspect{roleAspect},
		do:      (*actionTx).onStaff,
	}
)

// Link is a link that opens the console once.
type Link = sessions.Link

// checkGrant checks that an actor may give somebody a role with a limit of
// languages.
func (s *Store) checkGrant(actor Actor, granted policy.Subject, permission policy.Permission) error {
	if err := need(actor, permission); err != nil {
		return err
	}
	if p := s.policyFor(actor); !p.KnownRole(granted.Role) {
		return Invalid{"role": "There is no such role; it is one of " + strings.Join(p.Names(), ", ") + "."}
	}
	if actor.trusted() {
		return nil
	}
	if err := actor.Policy.MayGrant(actor.Subject(), granted); err != nil {
		return &Forbidden{Why: err.Error()}
	}
	return nil
}

// checkStaffRole is checkGrant for a role that enters the console.
func (d *actionTx) checkStaffRole(granted policy.Subject) error {
	if err := d.store.checkGrant(d.actor, granted, d.permission); err != nil {
		return err
	}
	if !d.actor.Policy.EntersConsole(granted.Role) {
		return Invalid{"role": "This role does not enter the console. To remove somebody from it, remove their access."}
	}
	return nil
}

// aim sets the target user and its label.
func (d *actionTx) aim(user uuid.UUID, label string) {
	d.act.Target, d.targetType, d.targetID, d.label = user, "user", user.String(), label
	d.affected.Users = 1
}

// CreateStaff creates an account that can sign in by name and password. Without a
// password, it can sign in only by a link.
func (s *Store) CreateStaff(ctx context.Context, actor Actor, name, role, password string) (User, error) {
	if password != "" {
		if err := accounts.CheckPassword("password", password); err != nil {
			return User{}, err
		}
	}
	outcome, _, err := s.newStaff(ctx, actor, accounts.Params{Name: &name, Role: &role}, password, false, Act{})
	if err != nil {
		return User{}, err
	}
	return userByID(ctx, s.pool, uuid.MustParse(outcome.Action.TargetID))
}

// NewStaff creates an account with an invitation. act holds the reason and the
// idempotency key: a repeated request gets no link.
func (s *Store) NewStaff(ctx context.Context, actor Actor, p accounts.Params, act Act) (Outcome, Link, error) {
	return s.newStaff(ctx, actor, p, "", true, act)
}

func (s *Store) newStaff(
	ctx context.Context, actor Actor, p accounts.Params, password string, invite bool, act Act,
) (Outcome, Link, error) {
	if err := need(actor, policy.StaffManage); err != nil {
		return Outcome{}, Link{}, err
	}
	if err := p.CheckNew(); err != nil {
		return Outcome{}, Link{}, err
	}
	if err := params.CheckReason(act.Reason, false); err != nil {
		return Outcome{}, Link{}, err
	}
	var hash *string
	if password != "" {
		h, err := sessions.HashPassword(ctx, password)
		if err != nil {
			return Outcome{}, Link{}, err
		}
		hash = &h
	}
	var link Link
	act.Kind, act.Params = createStaff.Name, p
	outcome, err := s.perform(ctx, actor, act, createStaff, func(d *actionTx) (err error) {
		if err := d.checkStaffRole(policy.Subject{Role: *p.Role, Languages: p.Languages}); err != nil {
			return err
		}
		d.aim(uuid.New(), strings.TrimSpace(*p.Name))
		if err := accounts.Insert(d.Ctx, d.Conn, d.id, d.act.Target, p, hash); err != nil {
			return err
		}
		if invite {
			link, err = sessions.Invite(d.Ctx, d.Conn, d.act.Target)
		}
		return err
	})
	return outcome, link, err
}

// StaffOutcome is what a change of an account does.
type StaffOutcome struct {
	Outcome
	Gains []policy.Change `json:"gains"`
	Loses []policy.Change `json:"loses"`
}

// ChangeStaff changes the name, the role or the languages of an account.
func (s *Store) ChangeStaff(ctx context.Context, actor Actor, act Act, p accounts.Params) (StaffOutcome, error) {
	if err := need(actor, policy.StaffManage); err != nil {
		return StaffOutcome{}, err
	}
	if err := p.CheckChange(); err != nil {
		return StaffOutcome{}, err
	}
	if err := params.CheckReason(act.Reason, !act.Preview); err != nil {
		return StaffOutcome{}, err
	}
	act.Kind, act.Params = updateStaff.Name, p
	var result StaffOutcome
	var err error
	result.Outcome, err = s.perform(ctx, actor, act, updateStaff, func(d *actionTx) (err error) {
		result.Gains, result.Loses, err = d.changeStaff(p)
		return err
	})
	return result, err
}

func (d *actionTx) changeStaff(p accounts.Params) (gains, loses []policy.Change, err error) {
	account, err := d.lockStaff()
	if err != nil {
		return nil, nil, err
	}
	if err := d.checkVersion(account.Version); err != nil {
		return nil, nil, err
	}
	to, moved := p.Change(account)
	if moved {
		if err := d.checkStaffRole(to); err != nil {
			return nil, nil, err
		}
		gains, loses = d.actor.Policy.Changed(policy.Person{
			ID: account.UserID.String(), Name: account.DisplayName, Subject: account.Subject(),
		}, to)
	}
	var changed int64
	for _, field := range []struct {
		aspect columnAspect
		set    string
		value  any
		given  bool
	}{
		{nameAspect, "display_name = $3", trimmed(p.Name), p.Name != nil},
		{usernameAspect, "username = $3", trimmed(p.Name), p.Name != nil},
		{roleAspect, "role = $3", to.Role, moved},
		{languagesAspect, "languages = $3", to.Languages, moved},
	} {
		if !field.given {
			continue
		}
		n, err := d.change(field.aspect, "chosen AS (SELECT $2::uuid AS id)", field.set, account.UserID, field.value)
		if err != nil {
			return nil, nil, accounts.Taken(err)
		}
		changed += n
	}
	if changed == 0 {
		return nil, nil, errUnchanged
	}
	d.affected.Users = 1
	return gains, loses, d.keepAnAdmin()
}

// lockStaff locks the target account. It returns a Forbidden if the actor's sessions
// have been ended since the request began.
func (d *actionTx) lockStaff() (accounts.Account, error) {
	user, err := d.lockUser(d.act.Target)
	if err != nil {
		return accounts.Account{}, err
	}
	account, err := accounts.ByID(d.Ctx, d.Conn, user.UserID)
	if err == nil && account.Role == policy.General {
		err = &Conflict{Why: "This person is no longer a member of staff. " +
			"Create an account, or undo the removal of their access."}
	}
	if err != nil || d.actor.trusted() || d.actor.Via == "key" {
		return account, err
	}
	in, err := sessions.HasAny(d.Ctx, d.Conn, d.actor.UserID)
	if err == nil && !in {
		err = errActorChanged
	}
	return account, err
}

var errActorChanged = &Forbidden{Why: "Your own access has just changed, so nothing was done."}

// onStaff performs an act on the target account, without the new link.
func (d *actionTx) onStaff() error {
	account, err := d.lockStaff()
	if err != nil {
		return err
	}
	d.affected.Users = 1
	what := d.kind.Name
	if what == inviteStaff || what == resetStaff {
		if err := d.store.checkGrant(d.actor, account.Subject(), d.permission); err != nil {
			return err
		}
		if account.Status == Banned {
			return &Conflict{Why: "This person is banned, so a link would not work. Unban them first."}
		}
	}
	if what != endSessions {
		if err := sessions.EndLinks(d.Ctx, d.Conn, account.UserID); err != nil {
			return err
		}
	}
	if what != inviteStaff {
		if err := sessions.EndAll(d.Ctx, d.Conn, account.UserID); err != nil {
			return err
		}
	}
	switch what {
	case resetStaff:
		err = sessions.SetPassword(d.Ctx, d.Conn, account.UserID, nil)
	case takeAccess:
		if err := accounts.RevokeKeys(d.Ctx, d.Conn, account.UserID, d.at); err != nil {
			return err
		}
		if _, err := d.change(roleAspect, "chosen AS (SELECT $2::uuid AS id)", "role = $3", account.UserID,
			policy.General); err != nil {
			return err
		}
		err = d.keepAnAdmin()
	}
	return err
}

// ActOnStaff performs an act of kind InviteStaff, ResetStaff, EndStaffSessions or
// TakeAccess. The first two return a link; a repeated request gets none.
func (s *Store) ActOnStaff(ctx context.Context, actor Actor, kind Kind, act Act) (Outcome, Link, error) {
	if err := need(actor, kind.Permission); err != nil {
		return Outcome{}, Link{}, err
	}
	if err := params.CheckReason(act.Reason, kind.NeedsReason); err != nil {
		return Outcome{}, Link{}, err
	}
	act.Kind = kind.Name
	var link Link
	outcome, err := s.perform(ctx, actor, act, kind, func(d *actionTx) error {
		err := kind.do(d)
		if err == nil && (kind.Name == inviteStaff || kind.Name == resetStaff) {
			link, err = sessions.Invite(d.Ctx, d.Conn, d.act.Target)
		}
		return err
	})
	return outcome, link, err
}

// Staff lists all users with access to the console.
func (s *Store) Staff(ctx context.Context, actor Actor) ([]accounts.Account, error) {
	if err := need(actor, policy.StaffManage); err != nil {
		return nil, err
	}
	return accounts.All(ctx, s.pool)
}

// StaffPage returns one page of the users with access to the console, by name.
func (s *Store) StaffPage(ctx context.Context, actor Actor, f accounts.Filter) (List[accounts.Account], error) {
	if err := need(actor, policy.StaffManage); err != nil {
		return List[accounts.Account]{}, err
	}
	return accounts.Page(ctx, s.pool, s.searcher, f)
}

// StaffByID returns an account, or ErrNotFound.
func (s *Store) StaffByID(ctx context.Context, actor Actor, id uuid.UUID) (accounts.Account, error) {
	if err := need(actor, policy.StaffManage); err != nil {
		return accounts.Account{}, err
	}
	return accounts.ByID(ctx, s.pool, id)
}

// SetStaffPassword sets the password of an account and ends its sessions and links.
func (s *Store) SetStaffPassword(ctx context.Context, actor Actor, name, password string) error {
	if err := errors.Join(need(actor, policy.StaffManage), accounts.CheckPassword("password", password)); err != nil {
		return err
	}
	account, err := accounts.ByName(ctx, s.pool, name)
	if err != nil {
		return err
	}
	hash, err := sessions.HashPassword(ctx, password)
	if err != nil {
		return err
	}
	_, err = s.perform(ctx, actor, Act{Kind: setPassword.Name, Target: account.UserID}, setPassword,
		func(d *actionTx) error {
			d.affected.Users = 1
			if _, err := d.lockUser(account.UserID); err != nil {
				return err
			}
			if err := sessions.SetPassword(d.Ctx, d.Conn, account.UserID, &hash); err != nil {
				return err
			}
			return errors.Join(sessions.EndLinks(d.Ctx, d.Conn, account.UserID), sessions.EndAll(d.Ctx, d.Conn, account.UserID))
		})
	return err
}

// PeopleNamed returns the account of a name, or else the contributors of it.
func (s *Store) PeopleNamed(ctx context.Context, actor Actor, name string) ([]accounts.Found, error) {
	if err := need(actor, policy.StaffManage); err != nil {
		return nil, err
	}
	return accounts.Named(ctx, s.pool, name)
}

// SetStaffRole changes the role of a person. The role general removes the access to
// the console.
func (s *Store) SetStaffRole(ctx context.Context, actor Actor, id uuid.UUID, role string) (Outcome, error) {
	return s.Act(ctx, actor, Act{Kind: "update_user", Target: id, Params: UserPatch{Role: &role}})
}
