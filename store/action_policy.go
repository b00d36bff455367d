package store

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"treewarden/policy"
	"treewarden/store/params"
	"treewarden/store/policies"
)

// setPolicy and restorePolicy are the kinds of actions that change what roles may do.
var (
	setPolicy = Kind{
		Name: "set_policy", Target: policies.Target,
		Title: "Change what roles may do", Button: "Save", Past: "Changed what roles may do",
		Permission: policy.PolicyManage, Undoable: true, Previewable: true, NeedsReason: true,
		aspects: []aspect{policyAspect{}},
	}
	restorePolicy = Kind{
		Name: "restore_policy", Target: policies.Target,
		Title: "Restore the shipped roles", Button: "Restore", Past: "Restored the shipped roles",
		Permission: policy.PolicyManage, Undoable: true, Previewable: true, NeedsReason: true,
		aspects: []aspect{policyAspect{}},
	}
)

// PolicyChange is a change of what roles may do.
type PolicyChange = policies.Change

// PolicyOutcome is what a change of the policy does.
type PolicyOutcome struct {
	Outcome
	policies.Difference
}

// Policies returns the policy in force and the versions before it, the newest first.
func (s *Store) Policies(ctx context.Context, actor Actor) ([]policies.Version, error) {
	if err := need(actor, policy.PolicyManage); err != nil {
		return nil, err
	}
	return policies.All(ctx, s.pool, shownVersions)
}

// ChangePolicy puts other roles in force, as a new version. It returns an Invalid
// that names each fault, a Forbidden if the actor would give what they do not have
// or lose their own access, and a Conflict if another version is in force. If
// nothing changes, the outcome's action has no id.
func (s *Store) ChangePolicy(ctx context.Context, actor Actor, change PolicyChange) (PolicyOutcome, error) {
	if err := need(actor, policy.PolicyManage); err != nil {
		return PolicyOutcome{}, err
	}
	if err := params.CheckReason(change.Reason, !change.Preview); err != nil {
		return PolicyOutcome{}, err
	}
	kind := setPolicy
	if change.Roles == nil {
		kind = restorePolicy
	}
	next, err := policies.Of(change.Roles)
	if err != nil {
		return PolicyOutcome{}, faulty(err)
	}
	act := Act{
		Kind: kind.Name, Target: policies.ID, Reason: strings.TrimSpace(change.Reason), Version: change.Version,
		Preview: change.Preview, IdempotencyKey: change.IdempotencyKey, Params: change.Roles,
	}
	var result PolicyOutcome
	result.Outcome, err = s.perform(ctx, actor, act, kind, func(d *actionTx) error {
		now, err := d.lockPolicy()
		if err != nil {
			return err
		}
		if err := d.checkVersion(now.Version); err != nil {
			return err
		}
		result.Difference, err = d.putPolicy(now, next)
		return err
	})
	return result, err
}

// faulty returns what is wrong with roles as an Invalid.
func faulty(err error) error {
	var faults policy.Faults
	if errors.As(err, &faults) {
		return Invalid(faults)
	}
	return err
}

// lockPolicy prevents other changes of the policy, and reads the version in force.
func (d *actionTx) lockPolicy() (policies.Version, error) {
	if err := policies.Lock(d.Ctx, d.Conn); err != nil {
		return policies.Version{}, err
	}
	now, err := policies.Current(d.Ctx, d.Conn)
	d.label = "roles"
	return now, err
}

// putPolicy puts the next version in force and logs the change.
func (d *actionTx) putPolicy(now, next policies.Version) (policies.Difference, error) {
	if now.Same(next) {
		return policies.Difference{}, errUnchanged
	}
	people, err := policies.People(d.Ctx, d.Conn)
	if err != nil {
		return policies.Difference{}, err
	}
	if wrong := next.Orphans(people); wrong != "" {
		return policies.Difference{}, Invalid{"roles": wrong}
	}
	if !d.actor.trusted() {
		who := policy.Subject{Role: d.actor.Role, Languages: d.actor.Languages}
		if err := policy.MayChange(now.Policy, next.Policy, who); err != nil {
			return policies.Difference{}, &Forbidden{Why: err.Error()}
		}
	}
	difference := policies.Compare(now, next, people)
	d.affected.Users = difference.People()
	next.Version, next.Note, next.At, next.Action = now.Version+1, d.act.Reason, d.at, &d.id
	next.Author = d.actor.Name
	if d.actor.UserID != uuid.Nil {
		next.AuthorID = &d.actor.UserID
	}
	if err := policies.Insert(d.Ctx, d.Conn, next); err != nil {
		return difference, err
	}
	d.update.Changed.Policy = !d.act.Preview
	_, err = d.exec(`INSERT INTO action_objects (action_id, object_type, object_id, aspect, before, after)
		VALUES ($1, $2, $3, $4, $5, $6)`, d.id, policies.Target, policies.ID, policyAspectName, now.State(), next.State())
	return difference, err
}

// policyAspect is the aspect of the policy that actions change.
type policyAspect struct{}

// policyAspectName is the name of policyAspect in the log.
const policyAspectName = "roles"

func (policyAspect) event() string { return "" }

// undo restores the roles that an action replaced, as a new version. It compares
// roles and not version numbers, so that a later change that was undone is no
// conflict.
func (policyAspect) undo(d *actionTx, id int64) error {
	var before, after policies.State
	err := d.QueryRow(d.Ctx, `SELECT before, after FROM action_objects
		WHERE action_id = $1 AND object_type = $2 AND aspect = $3`, id, policies.Target, policyAspectName).
		Scan(&before, &after)
	if errors.Is(err, pgx.ErrNoRows) {
		return nil
	}
	if err != nil {
		return err
	}
	now, err := d.lockPolicy()
	if err != nil {
		return err
	}
	was, err := after.Read()
	if err != nil {
		return fmt.Errorf("read action %d: %w", id, err)
	}
	if !now.Same(was) {
		return d.laterThan(id, policies.Target, policies.ID, policyAspectName)
	}
	next, err := before.Read()
	if err != nil {
		return faulty(err)
	}
	_, err = d.putPolicy(now, next)
	return err
}
