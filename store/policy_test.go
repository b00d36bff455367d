package store_test

import (
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/google/uuid"

	"treewarden/policy"
	"treewarden/store"
	"treewarden/store/storetest"
)

// rolesWith returns the roles in force, with one changed.
func rolesWith(t *testing.T, s *store.Store, name string, change func(*policy.Role)) []policy.Role {
	t.Helper()
	versions, err := s.Policies(ctx, store.CommandLine)
	if err != nil {
		t.Fatal(err)
	}
	roles := slices.Clone(versions[0].Roles)
	for i := range roles {
		if roles[i].Name == name {
			roles[i].Permissions = slices.Clone(roles[i].Permissions)
			change(&roles[i])
		}
	}
	return roles
}

func without(permission policy.Permission) func(*policy.Role) {
	return func(r *policy.Role) {
		r.Permissions = slices.DeleteFunc(r.Permissions, func(p policy.Permission) bool { return p == permission })
	}
}

// TestChangePolicy changes what moderators may do, previews it first, undoes it,
// and restores the shipped roles.
func TestChangePolicy(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	change := store.PolicyChange{Roles: rolesWith(t, w.Store, policy.Moderator, without(policy.UserBan)),
		Reason: "Admins ban."}
	preview := change
	preview.Preview, preview.Reason = true, ""
	seen, err := w.ChangePolicy(ctx, w.admin, preview)
	if err != nil || len(seen.Gains) != 0 || len(seen.Loses) != 1 || seen.Affected.Users != 1 ||
		seen.Loses[0].Name != w.moderator.Name || seen.Loses[0].Permission != policy.UserBan {
		t.Fatalf("the preview: %+v %v", seen, err)
	}
	if versions, err := w.Policies(ctx, w.admin); err != nil || len(versions) != 1 || !versions[0].Shipped {
		t.Fatalf("after the preview: %+v %v", versions, err)
	}
	done, err := w.ChangePolicy(ctx, w.admin, change)
	if err != nil || done.Action.ID == 0 || done.Action.Kind != "set_policy" || done.Action.Reason != "Admins ban." {
		t.Fatalf("%+v %v", done, err)
	}
	mayBan := func() bool { return w.Policy().Allows(policy.Moderator, policy.UserBan) }
	reread(t, w.Store, w.moderator)
	if mayBan() {
		t.Error("moderators still ban")
	}
	if again, err := w.ChangePolicy(ctx, w.admin, change); err != nil || again.Action.ID != 0 {
		t.Errorf("the same change again: %+v %v", again, err)
	}
	undone, err := w.Undo(ctx, w.admin, done.Action.ID, "They are needed.", false, "")
	if err != nil {
		t.Fatal(err)
	}
	reread(t, w.Store, w.moderator)
	if versions, err := w.Policies(ctx, w.admin); !mayBan() || err != nil || len(versions) != 3 ||
		!versions[0].Shipped || versions[1].Shipped || *versions[0].Action != undone.Action.ID {
		t.Errorf("after the undo: %+v %v", versions, err)
	}
	// A later change stands in the way of an undo; once undone, it does not.
	first, err := w.ChangePolicy(ctx, w.admin, change)
	if err != nil {
		t.Fatal(err)
	}
	restored, err := w.ChangePolicy(ctx, w.admin, store.PolicyChange{Reason: "As it ships."})
	if err != nil || restored.Action.Kind != "restore_policy" || len(restored.Gains) != 1 {
		t.Fatalf("%+v %v", restored, err)
	}
	var conflict *store.Conflict
	if _, err := w.Undo(ctx, w.admin, first.Action.ID, "no", false, ""); !errors.As(err, new(store.Invalid)) {
		t.Errorf("an undo with too short a reason: %v", err)
	}
	if _, err := w.Undo(ctx, w.admin, first.Action.ID, "Back again.", false, ""); !errors.As(err, &conflict) ||
		conflict.Action == nil || conflict.Action.ID != restored.Action.ID {
		t.Errorf("the undo of the first: %v", err)
	}
	if _, err := w.VerifyChain(ctx); err != nil {
		t.Error(err)
	}
}

// reread reads a person by a session, as a request does.
func reread(t *testing.T, s *store.Store, actor store.Actor) store.Person {
	t.Helper()
	link, err := s.SignInLink(ctx, store.CommandLine, actor.Name)
	if err != nil {
		t.Fatal(err)
	}
	token, err := s.RedeemLink(ctx, link, "", "")
	if err != nil {
		t.Fatal(err)
	}
	person, err := s.PersonBySession(ctx, token)
	if err != nil {
		t.Fatal(err)
	}
	return person
}

// TestPolicyIsInForceElsewhere changes the policy in one process; another one, whose
// notifications are lost, has it with the next request.
func TestPolicyIsInForceElsewhere(t *testing.T) {
	t.Parallel()
	address := storetest.Database(t)
	var processes [2]*store.Store
	for i := range processes {
		s, err := store.Open(ctx, address)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(s.Close)
		processes[i] = s
	}
	here, deaf := processes[0], processes[1]
	user, err := here.CreateStaff(ctx, store.CommandLine, "keeper", policy.Moderator, "")
	if err != nil {
		t.Fatal(err)
	}
	keeper := store.Actor{UserID: user.UserID, Name: "keeper"}
	if !reread(t, deaf, keeper).May(policy.UserBan) {
		t.Fatal("moderators may not ban")
	}
	if _, err := here.ChangePolicy(ctx, store.CommandLine, store.PolicyChange{Reason: "Admins ban.",
		Roles: rolesWith(t, here, policy.Moderator, without(policy.UserBan))}); err != nil {
		t.Fatal(err)
	}
	person := reread(t, deaf, keeper)
	if person.May(policy.UserBan) {
		t.Error("the other process did not hear of it")
	}
}

// TestPolicyIsRefused tries changes that would lock people out, give what the actor
// lacks, or hold faults.
func TestPolicyIsRefused(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	may := func(r *policy.Role) { r.Permissions = append(r.Permissions, policy.PolicyManage) }
	gone := slices.DeleteFunc(rolesWith(t, w.Store, "", nil),
		func(r policy.Role) bool { return r.Name == policy.Moderator })
	stale := 7
	var invalid store.Invalid
	var forbidden *store.Forbidden
	var conflict *store.Conflict
	if _, err := w.ChangePolicy(ctx, w.moderator, store.PolicyChange{Reason: "More."}); !errors.As(err, &forbidden) {
		t.Errorf("a moderator: %v", err)
	}
	if _, err := w.Policies(ctx, w.moderator); !errors.As(err, &forbidden) {
		t.Errorf("a moderator reads: %v", err)
	}
	for name, c := range map[string]struct {
		change store.PolicyChange
		as     any
		says   string
	}{
		"a role that people have": {store.PolicyChange{Roles: gone}, &invalid, "The role moderator cannot go"},
		"no reason": {store.PolicyChange{Reason: " ", Roles: rolesWith(t, w.Store, policy.Moderator, may)}, &invalid,
			"reason"},
		"an unknown permission": {store.PolicyChange{Roles: rolesWith(t, w.Store, policy.Moderator, func(r *policy.Role) {
			r.Permissions = append(r.Permissions, "user.bann")
		})}, &invalid, "user.bann"},
		"no roles": {store.PolicyChange{Roles: []policy.Role{}}, &invalid, "admin"},
		"the admins' own": {store.PolicyChange{Roles: rolesWith(t, w.Store, policy.Admin, without(policy.PolicyManage))},
			&invalid, "keep policy.manage"},
		"a stale version": {store.PolicyChange{Version: &stale, Roles: rolesWith(t, w.Store, policy.Moderator, may)},
			&conflict, "Somebody changed this"},
	} {
		if c.change.Reason == "" {
			c.change.Reason = "To try it."
		}
		_, err := w.ChangePolicy(ctx, w.admin, c.change)
		if !errors.As(err, c.as) || !strings.Contains(err.Error()+conflictText(err), c.says) {
			t.Errorf("%s: %v", name, err)
		}
	}
	// A moderator who may change the policy gives nothing that they lack.
	if _, err := w.ChangePolicy(ctx, w.admin, store.PolicyChange{Reason: "To try it.",
		Roles: rolesWith(t, w.Store, policy.Moderator, may)}); err != nil {
		t.Fatal(err)
	}
	person := reread(t, w.Store, w.moderator)
	_, err := w.ChangePolicy(ctx, person.Actor, store.PolicyChange{Reason: "To try it.",
		Roles: rolesWith(t, w.Store, policy.Moderator, func(r *policy.Role) {
			r.Permissions = append(r.Permissions, policy.UserErase)
		})})
	if !errors.As(err, &forbidden) {
		t.Errorf("a moderator gives what they lack: %v", err)
	}
}

func conflictText(err error) string {
	var conflict *store.Conflict
	if errors.As(err, &conflict) {
		return conflict.Why
	}
	return ""
}

// TestPolicyOfAnOlderProgram grants a permission that came after a version was saved
// as it ships, and leaves out one that is gone.
func TestPolicyOfAnOlderProgram(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	storetest.Exec(t, w.Store, `INSERT INTO policy_versions (version, known, note, author, rules)
		SELECT 2, '{console.read,account.own,user.role,policy.manage,staff.manage,message.fly}', '', '', jsonb_build_array(
			'["p2", "general", "general", "0", "*"]'::jsonb, '["p2", "collector", "collector", "0", "*"]'::jsonb,
			'["p2", "moderator", "keeper", "1", "de fr"]'::jsonb, '["p2", "admin", "admin", "2", "*"]'::jsonb,
			'["p", "admin", "console.read"]'::jsonb, '["p", "admin", "account.own"]'::jsonb,
			'["p", "admin", "user.role"]'::jsonb, '["p", "admin", "policy.manage"]'::jsonb,
			'["p", "admin", "staff.manage"]'::jsonb, '["p", "moderator", "message.fly"]'::jsonb)`)
	person := reread(t, w.Store, w.admin)
	role, _ := person.Policy.Role(policy.Moderator)
	if role.Title != "keeper" || !slices.Equal(role.Languages, []string{"de", "fr"}) ||
		!slices.Contains(role.Permissions, policy.UserBan) || slices.Contains(role.Permissions, policy.Read) ||
		person.Policy.KnownRole(policy.DataLead) {
		t.Errorf("%+v", role)
	}
}

// TestLanguages limits a role and a person to languages: they act on messages and
// trees in these, and on users who write most in these.
func TestLanguages(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	write := func(name, lang string, n int) (uuid.UUID, uuid.UUID) {
		author := storetest.User(t, w.Store, name)
		ids := storetest.Tree(t, w.Store, storetest.Node{Author: author, Lang: lang,
			Replies: slices.Repeat([]storetest.Node{{Author: author, Lang: lang}}, n)})
		storetest.Tree(t, w.Store, storetest.Node{Author: author, Lang: "en"})
		return author, ids[0]
	}
	german, prompt := write("Writes German", "de", 2)
	french, other := write("Writes French", "fr", 2)
	if err := w.RebuildScores(ctx); err != nil {
		t.Fatal(err)
	}
	if _, err := w.ChangePolicy(ctx, w.admin, store.PolicyChange{Reason: "By language.",
		Roles: rolesWith(t, w.Store, policy.Moderator,
			func(r *policy.Role) { r.Languages = []string{"de", "es"} })}); err != nil {
		t.Fatal(err)
	}
	keeper := reread(t, w.Store, w.moderator).Actor
	tree := func(message uuid.UUID) uuid.UUID {
		m, err := w.Message(ctx, w.admin, message)
		if err != nil {
			t.Fatal(err)
		}
		return m.TreeID
	}
	limit := func(actor store.Actor, languages ...string) store.Actor {
		storetest.Exec(t, w.Store, "UPDATE users SET languages = $2 WHERE user_id = $1", actor.UserID, languages)
		return reread(t, w.Store, actor).Actor
	}
	personal := limit(storetest.Staff(t, w.Store, policy.Moderator), "es")
	for _, c := range []struct {
		actor  store.Actor
		kind   string
		target uuid.UUID
		may    bool
	}{
		{keeper, "delete", prompt, true}, {keeper, "delete", other, false}, {keeper, "delete", w.prompt, false},
		{keeper, "halt", tree(prompt), true}, {keeper, "halt", tree(other), false},
		{keeper, "ban", german, true}, {keeper, "ban", french, false},
		{keeper, "ban", storetest.User(t, w.Store, "Writes nothing"), false},
		{personal, "delete", prompt, false}, {personal, "ban", german, false},
		{w.admin, "delete", other, true}, {w.admin, "ban", french, true},
	} {
		_, err := w.Act(ctx, c.actor, store.Act{Kind: c.kind, Target: c.target, Reason: "To try it.", Preview: true})
		var forbidden *store.Forbidden
		if c.may && err != nil || !c.may && !errors.As(err, &forbidden) {
			t.Errorf("%s %s by %s: %v", c.kind, c.target, c.actor.Role, err)
		}
	}
	// An undo is an act on the same target.
	done, err := w.Act(ctx, w.admin, store.Act{Kind: "ban", Target: french, Reason: "A troll."})
	if err != nil {
		t.Fatal(err)
	}
	// A list is applied, and that is undone, if all messages are in one's languages.
	list, _ := newList(t, w, "Mixed")
	_, present := write("Writes French too", "fr", 1) // the other one is banned
	add(t, w, list, prompt, present)
	apply := store.Act{Kind: "apply_list", Target: list, Reason: "To try it."}
	unlimited := storetest.Staff(t, w.Store, policy.Admin)
	limited := limit(w.admin, "de")
	const refusal = "German only, but this is in French"
	if _, err := w.Undo(ctx, limited, done.Action.ID, "To try it.", false, ""); err == nil ||
		!strings.Contains(err.Error(), refusal) {
		t.Errorf("an undo outside of one's languages: %v", err)
	}
	if _, err = w.Act(ctx, limited, apply); err == nil || !strings.Contains(err.Error(), refusal) {
		t.Errorf("a list with another language: %v", err)
	}
	applied := act(t, w.Store, unlimited, apply)
	if _, err = w.Undo(ctx, limited, applied.Action.ID, "To try it.", false, ""); err == nil ||
		!strings.Contains(err.Error(), refusal) {
		t.Errorf("the undo of a list with another language: %v", err)
	}
}
