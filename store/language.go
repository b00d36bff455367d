package store

import (
	"github.com/google/uuid"

	"treewarden/policy"
	"treewarden/store/db"
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

// languageOf holds, by type of target, a query for the language of target $1.
// Everything has one: policy.Undetermined if no message gives it another.
var languageOf = map[string]string{
	"message": `SELECT coalesce((SELECT m.lang FROM message_trees x
		JOIN messages m ON m.tree_id = x.tree_id AND m.message_id = x.message_id WHERE x.message_id = $1), 'und')`,
	"tree": `SELECT coalesce((SELECT lang FROM messages WHERE tree_id = $1 AND parent_id IS NULL LIMIT 1), 'und')`,
	// A user is where most of their messages are.
	"user": `SELECT coalesce((SELECT lang FROM user_languages WHERE user_id = $1 AND messages > 0
		ORDER BY messages DESC, lang LIMIT 1), 'und')`,
}

// checkLanguage returns a Forbidden if the target is in a language that the actor
// may not act on.
func (d *actionTx) checkLanguage(permission policy.Permission) error {
	sql, ok := languageOf[d.targetType]
	if !ok || d.actor.ActsOn() == nil || !permission.HasLanguage() {
		return nil
	}
	var language string
	if err := d.QueryRow(d.Ctx, sql, d.act.Target).Scan(&language); err != nil {
		return err
	}
	return d.refuseLanguage(permission, language)
}

// checkLanguages is checkLanguage for messages.
func (d *actionTx) checkLanguages(permission policy.Permission, trees, messages []uuid.UUID) error {
	if d.actor.ActsOn() == nil {
		return nil
	}
	type row struct{ Language string }
	languages, err := db.Collect[row](d.Ctx, d.Conn, `SELECT DISTINCT coalesce(m.lang, 'und') AS language
		FROM unnest($1::uuid[], $2::uuid[]) AS g(tree_id, message_id)
		JOIN messages m ON m.tree_id = g.tree_id AND m.message_id = g.message_id ORDER BY 1`, trees, messages)
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
