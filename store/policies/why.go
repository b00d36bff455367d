package policies

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"treewarden/policy"
	"treewarden/store/db"
	"treewarden/store/tables"
)

// The rules outside the package policy that a policy.Reason is about.
const (
	RuleBanned    = "banned"     // a banned person may do nothing
	RuleErased    = "erased"     // neither may an erased person, and nobody acts on one
	RuleKey       = "key"        // a key that was revoked or has expired opens nothing
	RuleLastAdmin = "last_admin" // the last admin stays
	RuleGrant     = "grant"      // nobody hands out what they do not hold
)

// Question asks whether a person may use a permission on a target.
type Question struct {
	Who        string // an id, or a name in full
	Permission policy.Permission
	Target     Object
}

// Object is what an act is done to. The zero Object is nothing in particular.
type Object struct {
	Type string // user, message or tree
	ID   uuid.UUID
}

// ReadObject reads an object such as user:0f3a7b1c-5d2e-4f60-8a9b-0c1d2e3f4a5b.
func ReadObject(text string) (Object, error) {
	if text == "" {
		return Object{}, nil
	}
	kind, id, _ := strings.Cut(text, ":")
	target := Object{Type: kind}
	var err error
	if target.ID, err = uuid.Parse(id); err != nil || LanguageSQL[kind] == "" {
		return target, db.Malformed("A target is user:ID, message:ID or tree:ID.")
	}
	return target, nil
}

// String returns the object as ReadObject reads it.
func (t Object) String() string {
	if t.Type == "" {
		return ""
	}
	return t.Type + ":" + t.ID.String()
}

// Answer is the answer to a Question. It allows if all reasons do.
type Answer struct {
	Allowed bool     `json:"allowed"`
	Because []string `json:"because"` // a sentence for each rule
	// Reasons holds the same sentences, each with the page where its rule can be
	// changed.
	Reasons    []policy.Reason   `json:"reasons"`
	User       Somebody          `json:"user"`
	Permission policy.Permission `json:"permission"`
	Target     string            `json:"target"`
}

// Somebody is the person whom an Answer is about.
type Somebody struct {
	ID   uuid.UUID `json:"user_id"`
	Name string    `json:"display_name"`
	Role string    `json:"role"`
}

// Missing is the error of a question about a person or a target that does not exist.
type Missing struct {
	Field string // user or target
	Why   string
}

func (m Missing) Error() string { return m.Why }

// Unwrap returns db.ErrNotFound.
func (m Missing) Unwrap() error { return db.ErrNotFound }

// account is a person or a key, as the rules see them.
type account struct {
	UserID      uuid.UUID
	DisplayName string
	Role        string
	Languages   []string
	Status      string
	BannedUntil *time.Time
	IsKey       bool
	RevokedAt   *time.Time
	ExpiresAt   *time.Time
}

const accountSQL = `SELECT u.user_id, coalesce(k.name, u.display_name) AS display_name, u.role, u.languages,
		` + tables.UserStatusSQL + ` AS status, u.banned_until, k.user_id IS NOT NULL AS is_key, k.revoked_at, k.expires_at
	FROM users u LEFT JOIN api_keys k USING (user_id) WHERE `

// find finds a person by id, or by a name that only one has. Of several, the only
// one who has a role above that of contributors is meant.
func find(ctx context.Context, c db.Conn, who string) (account, error) {
	if id, err := uuid.Parse(who); err == nil {
		return byID(ctx, c, id, "user")
	}
	named, err := db.Collect[account](ctx, c, accountSQL+db.NamedSQL("u.display_name", "$1")+`
		ORDER BY u.role = 'general', u.user_id LIMIT 20`, db.ToText(who))
	if err != nil {
		return account{}, err
	}
	staff := slices.DeleteFunc(slices.Clone(named), func(a account) bool { return a.Role == policy.General })
	switch {
	case len(staff) == 1:
		return staff[0], nil
	case len(named) == 1:
		return named[0], nil
	case len(named) == 0:
		return account{}, Missing{"user", "Nobody has this name. Give the whole name, or an id."}
	}
	return account{}, Missing{"user", "Several people have this name. Give the id of the one you mean."}
}

// byID finds the person of an id, who is asked for in a field.
func byID(ctx context.Context, c db.Conn, id uuid.UUID, field string) (account, error) {
	found, err := db.Collect[account](ctx, c, accountSQL+"u.user_id = $1", id)
	if err == nil && len(found) == 0 {
		err = Missing{field, "No user has this id."}
	}
	if err != nil {
		return account{}, err
	}
	return found[0], nil
}

// actsOnUsers holds the permissions to act on a user, which the rules of ranks limit.
var actsOnUsers = []policy.Permission{
	policy.UserEdit, policy.UserRole, policy.UserBan, policy.UserErase, policy.StaffManage,
}

// Why answers a question. An act on users whose target is a message or a tree is
// one on the author.
func Why(ctx context.Context, c db.Conn, p *policy.Policy, q Question) (Answer, error) {
	answer := Answer{Permission: q.Permission, Target: q.Target.String()}
	if !slices.Contains(permissions(), q.Permission) {
		return answer, unknownPermission(q.Permission)
	}
	who, err := find(ctx, c, q.Who)
	if err != nil {
		return answer, err
	}
	target, user, err := resolve(ctx, c, q)
	if err != nil {
		return answer, err
	}
	question := policy.Question{
		Who: policy.Subject{Role: who.Role, Languages: who.Languages}, Permission: q.Permission,
	}
	if target.Type != "" && q.Permission.HasLanguage() {
		if err := c.QueryRow(ctx, LanguageSQL[target.Type], target.ID).Scan(&question.Language); err != nil {
			return answer, db.Translate(err)
		}
	}
	if user != nil && slices.Contains(actsOnUsers, q.Permission) {
		question.TargetRole, question.Self = user.Role, user.UserID == who.UserID
	}
	reasons := slices.Concat(who.standing(), p.Explain(question).Because)
	if user != nil {
		reasons = append(reasons, user.protection()...)
		reasons = append(reasons, grant(p, question, user)...)
		last, err := user.lastAdmin(ctx, c, q.Permission)
		if err != nil {
			return answer, err
		}
		reasons = append(reasons, last...)
	}
	answer.User = Somebody{who.UserID, who.DisplayName, who.Role}
	answer.Allowed, answer.Reasons, answer.Because = true, reasons, make([]string, len(reasons))
	for i, reason := range reasons {
		answer.Because[i] = reason.Sentence
		answer.Allowed = answer.Allowed && reason.Allows
	}
	return answer, nil
}

func unknownPermission(permission policy.Permission) error {
	names := make([]string, len(policy.All))
	for i, name := range permissions() {
		names[i] = string(name)
	}
	return db.Malformed(fmt.Sprintf("There is no permission %q. The permissions are %s.", permission,
		strings.Join(names, ", ")))
}

// resolve returns what a question is about, and the user if it is about an act on
// one.
func resolve(ctx context.Context, c db.Conn, q Question) (Object, *account, error) {
	target := q.Target
	onUser := slices.Contains(actsOnUsers, q.Permission) || q.Permission == policy.KeyManage
	author := map[string]string{
		"message": `SELECT m.user_id FROM message_trees x
			JOIN messages m ON m.tree_id = x.tree_id AND m.message_id = x.message_id WHERE x.message_id = $1`,
		"tree": `SELECT user_id FROM trees WHERE tree_id = $1`,
	}
	if sql := author[target.Type]; sql != "" {
		var id *uuid.UUID
		err := c.QueryRow(ctx, sql, target.ID).Scan(&id)
		if errors.Is(err, pgx.ErrNoRows) {
			err = Missing{"target", fmt.Sprintf("There is no %s of this id.", target.Type)}
		}
		if err != nil || !onUser || id == nil {
			return target, nil, db.Translate(err)
		}
		target = Object{"user", *id}
	}
	if target.Type == "" {
		return target, nil, nil
	}
	user, err := byID(ctx, c, target.ID, "target")
	if err != nil || !onUser {
		return target, nil, err
	}
	return target, &user, nil
}

// standing returns the rules by which a person may do nothing at all.
func (a account) standing() []policy.Reason {
	refusal := policy.Reason{Where: "/users/" + a.UserID.String()}
	now := time.Now()
	switch {
	case a.Status == tables.Erased:
		refusal = policy.Reason{Code: RuleErased, Sentence: "This person was erased and may no longer do anything."}
	case a.Status == tables.Banned && a.BannedUntil != nil:
		refusal.Code, refusal.Needs = RuleBanned, policy.UserBan
		refusal.Sentence = fmt.Sprintf("%s is banned until %s and may not do anything until then.", a.DisplayName,
			a.BannedUntil.UTC().Format("2 January 2006, 15:04 UTC"))
	case a.Status == tables.Banned:
		refusal.Code, refusal.Needs = RuleBanned, policy.UserBan
		refusal.Sentence = a.DisplayName + " is banned and may not do anything until they are unbanned."
	case a.RevokedAt != nil:
		refusal = policy.Reason{Code: RuleKey, Sentence: "This key was revoked and no longer works."}
	case a.ExpiresAt != nil && !a.ExpiresAt.After(now):
		refusal = policy.Reason{Code: RuleKey, Sentence: "This key has expired and no longer works."}
	default:
		return nil
	}
	return []policy.Reason{refusal}
}

// protection returns the rule that protects an erased user from further acts.
func (a account) protection() []policy.Reason {
	if a.Status != tables.Erased {
		return nil
	}
	return []policy.Reason{{Code: RuleErased, Sentence: "The user was erased: there is nothing left to act on."}}
}

// grant returns the rule that nobody hands out what they do not hold. It refuses
// acts on a key; of those on an account it refuses some.
func grant(p *policy.Policy, q policy.Question, target *account) []policy.Reason {
	account := q.Permission == policy.StaffManage
	if !account && q.Permission != policy.KeyManage || target.Role == policy.General {
		return nil
	}
	err := p.MayGrant(q.Who, policy.Subject{Role: target.Role, Languages: target.Languages})
	if err == nil {
		return nil
	}
	r := policy.Reason{Code: RuleGrant, Sentence: err.Error(), Where: "/settings/roles", Needs: policy.PolicyManage}
	if account {
		r.Allows, r.Sentence = true, "That leaves out inviting and resetting them. "+r.Sentence
	}
	return []policy.Reason{r}
}

// lastAdmin returns the rule that keeps the last admin who can sign in.
func (a account) lastAdmin(ctx context.Context, c db.Conn, permission policy.Permission) ([]policy.Reason, error) {
	removes := permission == policy.UserBan || permission == policy.UserRole || permission == policy.UserErase
	if a.Role != policy.Admin || a.IsKey || a.Status != tables.Active || !removes {
		return nil, nil
	}
	var others int
	err := c.QueryRow(ctx, `SELECT count(*) FROM users u WHERE u.role = 'admin' AND u.user_id <> $1
		AND `+tables.CanSignInSQL, a.UserID).Scan(&others)
	if err != nil || others > 0 {
		return nil, db.Translate(err)
	}
	return []policy.Reason{{
		Code:     RuleLastAdmin,
		Sentence: a.DisplayName + " is the last admin who can sign in. Nobody can ban or erase them, or change their role.",
		Where:    "/settings/staff", Needs: policy.StaffManage,
	}}, nil
}

// Held counts who has a role.
type Held struct{ People, Keys int }

// Holders counts the people and the keys that have each role above that of
// contributors.
func Holders(ctx context.Context, c db.Conn) (map[string]Held, error) {
	type row struct {
		Role         string
		People, Keys int
	}
	rows, err := db.Collect[row](ctx, c, `SELECT role, count(*) FILTER (WHERE auth_method <> 'key') AS people,
		count(*) FILTER (WHERE auth_method = 'key') AS keys
		FROM users u WHERE role <> 'general' AND `+notRevoked+` GROUP BY role`)
	held := make(map[string]Held, len(rows))
	for _, r := range rows {
		held[r.Role] = Held{r.People, r.Keys}
	}
	return held, err
}
