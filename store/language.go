package store

import (
	"context"
	"strings"

	"github.com/google/uuid"

	"treewarden/policy"
	"treewarden/store/cases"
	"treewarden/store/db"
	"treewarden/store/policies"
)

// Subject is the actor as the policy sees them.
func (a Actor) Subject() policy.Subject {
	return policy.Subject{Role: a.Role, Languages: a.Languages}
}

// ActsOn returns the languages that the actor may act on; nil is no limit.
func (a Actor) ActsOn() []string {
	if a.trusted() {
		return nil
	}
	return a.Policy.Languages(a.Subject())
}

// worker returns the actor as who decides cases.
func (a Actor) worker() cases.Worker {
	w := cases.Worker{ID: a.UserID}
	for _, lang := range a.ActsOn() {
		w.Languages = append(w.Languages, strings.ToLower(lang))
	}
	return w
}

// checkLanguage returns a Forbidden if the target is in a language that the actor
// may not act on.
func (d *actionTx) checkLanguage(permission policy.Permission) error {
	return d.checkLanguageOf(d.targetType, d.act.Target, permission)
}

// checkLanguageOf is checkLanguage for another object.
func (d *actionTx) checkLanguageOf(kind string, id uuid.UUID, permission policy.Permission) error {
	sql, ok := policies.LanguageSQL[kind]
	if !ok || d.actor.ActsOn() == nil || !permission.HasLanguage() {
		return nil
	}
	var language string
	if err := d.QueryRow(d.Ctx, sql, id).Scan(&language); err != nil {
		return err
	}
	return d.refuseLanguage(permission, language)
}

// checkLanguages is checkLanguage for the messages that a query for tree_id and
// message_id returns.
func (d *actionTx) checkLanguages(permission policy.Permission, query string, args ...any) error {
	return d.refuseLanguages(permission, `SELECT DISTINCT coalesce(m.lang, 'und') AS language
		FROM (`+query+`) AS g(tree_id, message_id)
		JOIN messages m ON m.tree_id = g.tree_id AND m.message_id = g.message_id ORDER BY 1`, args...)
}

// refuseLanguages is refuseLanguage for each language that a query returns.
func (d *actionTx) refuseLanguages(permission policy.Permission, query string, args ...any) error {
	if d.actor.ActsOn() == nil || !permission.HasLanguage() {
		return nil
	}
	type row struct{ Language string }
	languages, err := db.Collect[row](d.Ctx, d.Conn, query, args...)
	for _, of := range languages {
		if err := d.refuseLanguage(permission, of.Language); err != nil {
			return err
		}
	}
	return err
}

// refuseLanguage returns a Forbidden if the actor may not use a permission on
// something in a language.
func (d *actionTx) refuseLanguage(permission policy.Permission, language string) error {
	who := d.actor.Subject()
	if d.actor.Policy.Decide(who, permission, language) {
		return nil
	}
	answer := d.actor.Policy.Explain(policy.Question{Who: who, Permission: permission, Language: language})
	for _, reason := range answer.Because {
		if !reason.Allows {
			return &Forbidden{Why: reason.Sentence}
		}
	}
	return nil
}

// Why tells whether somebody may use a permission on a target, and by which rules.
// Everybody may ask about themselves. It returns a policies.Missing if the person or
// the target does not exist.
func (s *Store) Why(ctx context.Context, actor Actor, q policies.Question) (policies.Answer, error) {
	err := need(actor, policy.Read)
	id, noID := uuid.Parse(q.Who)
	if own := q.Who == "" || q.Who == actor.Name || noID == nil && id == actor.UserID; own && !actor.trusted() {
		q.Who = actor.UserID.String()
	} else if err == nil && !actor.May(policy.StaffManage) {
		err = need(actor, policy.PolicyManage)
	}
	if err != nil {
		return policies.Answer{}, err
	}
	return policies.Why(ctx, s.pool, s.policyFor(actor), q)
}

// RoleHolders counts the people and the keys that have each role above that of
// contributors.
func (s *Store) RoleHolders(ctx context.Context, actor Actor) (map[string]policies.Held, error) {
	if err := need(actor, policy.PolicyManage); err != nil {
		return nil, err
	}
	return policies.Holders(ctx, s.pool)
}
