package store

import (
	"errors"
	"slices"

	"treewarden/policy"
	"treewarden/store/cases"
	"treewarden/store/db"
	"treewarden/store/selection"
)

// resolveKind is the kind of action that decides cases.
const resolveKind = "resolve"

func init() {
	register(Kind{
		Name: resolveKind, Target: "message", Place: 55, Title: "Decide case", Button: "Decide", Past: "Decided the case of",
		Permission: policy.QueueWork, Undoable: true, Previewable: true, NeedsReason: true,
		Effect:  always("An undo brings everything back and opens the case again."),
		aspects: []aspect{banAspect, deletionAspect, stateAspect, reviewAspect, caseAspect{}},
	}, resolve)
}

// outcomePermissions are the permissions that outcomes need besides queue.work.
var outcomePermissions = map[string]policy.Permission{
	cases.Delete: policy.MessageDelete, cases.Reject: policy.MessageReview, cases.Halt: policy.TreeHalt,
	cases.Ban: policy.UserBan,
}

// aspectPermissions are the permissions that the undo of a decision needs, by what it
// changes back.
var aspectPermissions = map[string]policy.Permission{
	banAspect.Name: policy.UserBan, deletionAspect.Name: policy.MessageDelete, stateAspect.Name: policy.TreeHalt,
	reviewAspect.Name: policy.MessageReview, cases.Aspect: policy.QueueWork,
}

// holders tells who can hold a case now.
func (d *actionTx) holders() cases.Holders {
	return cases.Holders{Now: d.at, Roles: d.actor.Policy.Holders(policy.QueueWork)}
}

func resolve(d *actionTx, p ResolveParams) error {
	if err := p.Check(d.at); err != nil {
		return err
	}
	permission, needsMore := outcomePermissions[p.Outcome]
	if needsMore {
		if err := need(d.actor, permission); err != nil {
			return err
		}
	}
	c, err := cases.RefOf(d.Ctx, d.Conn, p.Case)
	if err != nil {
		return err
	}
	if d.act.Target != c.MessageID {
		return ErrNotFound
	}
	user, err := d.lockCase(c, p)
	if err != nil {
		return err
	}
	decided, err := d.chooseCases(c, p)
	if err != nil {
		return err
	}
	const touched = "SELECT * FROM unnest($1::uuid[], $2::uuid[])"
	trees, messages := db.IDArray(decided.Trees), db.IDArray(decided.Messages)
	for _, of := range []policy.Permission{policy.QueueWork, permission} {
		if err := d.checkLanguages(of, touched, trees, messages); err != nil {
			return err
		}
	}
	switch p.Outcome {
	case cases.Dismiss:
		err = d.watch(touched, trees, messages)
	case cases.Delete:
		var found selection.Chosen
		of := "messages m WHERE (m.tree_id, m.message_id) IN (" + touched + ")"
		if found, err = d.findSubtrees(of, trees, messages); err == nil {
			err = d.delete(found)
		}
	case cases.Reject:
		if err = d.watch(touched, trees, messages); err == nil && !d.act.Preview {
			_, err = d.change(reviewAspect, `chosen AS (SELECT * FROM unnest($2::uuid[], $3::uuid[]) c(tree_id, id))`,
				"review_result = false, review_at = $4, review_by_staff = true", trees, messages, d.at)
		}
	case cases.Halt:
		err = d.haltTrees("tree_id = ANY ($1) AND "+notHalted, []any{trees})
	case cases.Ban:
		err = d.banAuthor(user, p)
	}
	if err != nil {
		return err
	}
	d.affected.Messages = max(d.affected.Messages, int64(len(decided.IDs)))
	return d.decide(p.Outcome, decided.IDs)
}

// lockCase locks the author, if they are banned, and the trees of the cases, and reads
// the message of the case.
func (d *actionTx) lockCase(c cases.Ref, p ResolveParams) (user User, err error) {
	if p.Outcome == cases.Ban {
		if c.UserID == nil {
			return user, &Conflict{Why: "Nobody knows the author of this message, so that they cannot be banned."}
		}
		if user, err = d.lockUser(*c.UserID); err != nil {
			return user, err
		}
		if err := d.checkLanguageOf("user", user.UserID, policy.UserBan); err != nil {
			return user, err
		}
		err = d.lockForBan(user, p.Messages, p.Trees, true)
	} else {
		err = d.lockTrees("SELECT tree_id FROM cases WHERE status = 'open' AND (case_id = $1 OR user_id = $2)",
			c.ID, c.AuthorIf(p.Cases == "author"))
	}
	if err != nil {
		return user, err
	}
	_, err = d.lockMessage(c.MessageID)
	return user, err
}

// chooseCases returns the cases to decide, whose trees are locked. It returns a
// Conflict if the case itself is closed, or if somebody else holds it.
func (d *actionTx) chooseCases(c cases.Ref, p ResolveParams) (cases.Chosen, error) {
	chosen, err := cases.Choose(d.Ctx, d.Conn, d.holders(), d.actor.worker(), c.ID, c.AuthorIf(p.Cases == "author"),
		d.act.Preview)
	if !d.act.Preview {
		chosen = chosen.Within(d.lockedTrees)
	}
	if err != nil || slices.Contains(chosen.IDs, c.ID) {
		return chosen, err
	}
	now, err := cases.ByID(d.Ctx, d.Conn, d.holders(), c.ID)
	if err != nil {
		return chosen, err
	}
	if now.Status == "open" {
		return chosen, heldConflict(now)
	}
	return chosen, d.closedConflict(now)
}

// heldConflict is the Conflict of a case that somebody else holds.
func heldConflict(c cases.Case) *Conflict {
	conflict := &Conflict{Why: "Somebody else works on this case."}
	if c.ClaimedName != nil && c.ClaimedUntil != nil {
		conflict.Why = *c.ClaimedName + " works on this case. It is free when they leave it, or at " +
			c.ClaimedUntil.UTC().Format("15:04") + " UTC if they do nothing more on it."
	}
	return conflict
}

// closedConflict is the Conflict of a case that is closed.
func (d *actionTx) closedConflict(c cases.Case) error {
	if c.Action == nil {
		return &Conflict{Why: "This case is closed: its reports and red flags were taken back."}
	}
	return d.withLatest(&Conflict{Why: "This case was decided already, by " + *c.DecidedBy + "."})
}

// banAuthor bans the author of a case unless they are banned or erased, and does what
// else the ban asks for.
func (d *actionTx) banAuthor(user User, p ResolveParams) error {
	if user.Status == Active {
		if err := d.setBan(user, p.Until); err != nil {
			return err
		}
	}
	return d.sweep(user, p.Messages, p.Trees)
}

// closeCases decides the open cases c that fulfil a condition, with arguments from $4
// on, if the action asks for it. The trees of the cases are locked.
func (d *actionTx) closeCases(p CloseParams, outcome, where string, args ...any) error {
	if !p.CloseCases || d.act.Preview {
		return nil
	}
	if err := need(d.actor, policy.QueueWork); err != nil {
		return err
	}
	ids, err := cases.Find(d.Ctx, d.Conn, d.holders(), d.actor.UserID, where, args...)
	if err != nil {
		return err
	}
	return d.decide(outcome, ids)
}

// decide decides cases.
func (d *actionTx) decide(outcome string, ids []int64) error {
	if d.act.Preview || len(ids) == 0 {
		return nil
	}
	changed, err := cases.Decide(d.Ctx, d.Conn,
		cases.Decision{Action: d.id, Outcome: outcome, By: d.actor.id(), At: d.at}, ids)
	d.update.Changed.Add(changed...)
	return err
}

func (caseAspect) undo(d *actionTx, id int64) error {
	message, changed, err := cases.Reopen(d.Ctx, d.Conn, d.id, id, &d.flagged)
	if errors.Is(err, cases.ErrLater) {
		return d.laterThan(id, "message", message, cases.Aspect)
	}
	d.update.Changed.Add(changed...)
	return err
}

// mayUndoDecision checks that the actor has the permissions for everything that the
// undo of a decision changes back.
func (d *actionTx) mayUndoDecision(id int64) error {
	type row struct{ Aspect string }
	changed, err := db.Collect[row](d.Ctx, d.Conn,
		"SELECT DISTINCT aspect FROM action_objects WHERE action_id = $1 ORDER BY 1", id)
	for _, c := range changed {
		if permission, ok := aspectPermissions[c.Aspect]; ok {
			if err := need(d.actor, permission); err != nil {
				return err
			}
		}
	}
	return err
}
