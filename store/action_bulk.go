package store

import (
	"context"

	"github.com/google/uuid"

	"treewarden/policy"
	"treewarden/store/db"
	"treewarden/store/jobs"
	"treewarden/store/lists"
	"treewarden/store/selection"
	"treewarden/store/users"
)

// bulkKind is the kind of actions on many messages. Its target is the act itself.
const bulkKind = "bulk"

// bulkAspects are the aspects that each kind of bulk act changes.
var bulkAspects = map[string][]aspect{
	selection.Delete: {deletionAspect, caseAspect{}}, selection.Reject: {reviewAspect, caseAspect{}},
	selection.Accept: {reviewAspect, caseAspect{}}, selection.Ban: {banAspect, caseAspect{}},
	selection.Halt: {stateAspect, caseAspect{}}, selection.List: {itemsAspect{}},
}

func init() {
	register(Kind{
		Name: bulkKind, Target: bulkKind, Place: 118, Title: "Act on many messages", Button: "Act", Past: "Acted in bulk:",
		Permission: policy.BulkAct, Undoable: true, Previewable: true, NeedsReason: true, Destructive: true,
		Effect: always("Acts on all these messages at once. Those outside your languages and those that staff reviewed " +
			"otherwise stay as they are, and a ban leaves out staff. One undo brings everything back."),
		aspects: []aspect{banAspect, deletionAspect, stateAspect, reviewAspect, itemsAspect{}, caseAspect{}},
	}, bulkAct)
}

// BulkParams are the parameters of a bulk act.
type BulkParams struct {
	selection.Act
	found   []uuid.UUID  // the messages that it selects
	preview *BulkPreview // receives what a preview counts, if it is not nil
}

// prepare finds the messages before the action begins, so that nothing is locked
// meanwhile.
func (p BulkParams) prepare(ctx context.Context, s *Store, _ Act) (_ any, err error) {
	if err := p.Check(s.now()); err != nil {
		return nil, err
	}
	p.found, err = p.On.Find(ctx, s.pool, s.searcher)
	return p, err
}

func bulkAct(d *actionTx, p BulkParams) error {
	if err := need(d.actor, selection.Permissions[p.Kind]); err != nil {
		return err
	}
	if p.CloseCases {
		if err := need(d.actor, policy.QueueWork); err != nil {
			return err
		}
	}
	d.aspects = bulkAspects[p.Kind]
	list, err := d.lockForBulk(p)
	if err != nil {
		return err
	}
	on, err := selection.Read(d.Ctx, d.Conn, p.Act, p.found, selection.Actor{
		ID: d.actor.UserID, Languages: d.actor.ActsOn(), MayActOn: func(role string, key bool) bool {
			user := User{Role: role}
			if key {
				user.AuthMethod = "key"
			}
			return d.mayActOn(user) == nil
		},
	})
	if err != nil {
		return err
	}
	found, err := on.Below(d.Ctx, d.Conn, p.Kind)
	if err != nil {
		return err
	}
	d.affected = on.Affected(p.Kind, found)
	if err := d.mayActOnMany(p, on.IDs(p.Kind, found)); err != nil {
		return err
	}
	d.label = selection.Label(p.Kind, d.affected.Most(), list.Name)
	if p.preview != nil {
		p.preview.Measured, err = selection.Measure(d.Ctx, d.Conn, p.Kind, on, found, d.actor.UserID, d.holders())
	}
	if err != nil || d.act.Preview {
		return err
	}
	if err := d.changeMany(p, on, found, list); err != nil {
		return err
	}
	outcome, where, args := on.Cases(p.Kind, found, db.IDArray(d.lockedTrees))
	return d.closeCases(p.Close, outcome, where, args...)
}

// changeMany changes the targets of a bulk act.
func (d *actionTx) changeMany(p BulkParams, on selection.Targets, found selection.Chosen, list lists.List) error {
	switch p.Kind {
	case selection.Delete:
		return d.delete(found)
	case selection.Ban:
		return d.writeBans(on.Users, d.at, p.Until)
	case selection.Halt:
		d.affected.Trees = 0 // haltTrees counts them
		return d.haltTrees("tree_id = ANY ($1)", []any{db.IDArray(on.TreesOnce)})
	case selection.List:
		_, _, err := lists.Add(d.Ctx, d.Conn, list, d.id, d.actor.id(), d.at, lists.NewItems(on.Messages), d.act.Progress)
		return err
	}
	if err := d.watch("SELECT * FROM unnest($1::uuid[], $2::uuid[])", db.IDArray(on.Trees),
		db.IDArray(on.Messages)); err != nil {
		return err
	}
	return db.InParts(len(on.Messages), d.act.Progress, func(from, to int) error {
		_, err := d.change(reviewAspect, "chosen AS (SELECT * FROM unnest($2::uuid[], $3::uuid[]) AS c(tree_id, id))",
			"review_result = $4, review_at = $5, review_by_staff = true", db.IDArray(on.Trees[from:to]),
			db.IDArray(on.Messages[from:to]), p.Kind == selection.Accept, d.at)
		return err
	})
}

// lockForBulk locks what a bulk act changes: a list, which it returns, or the users and
// the trees. A preview locks nothing but the list.
func (d *actionTx) lockForBulk(p BulkParams) (list lists.List, err error) {
	found := db.IDArray(p.found)
	switch {
	case p.Kind == selection.List:
		list, err = lists.Lock(d.Ctx, d.Conn, *p.List)
		switch {
		case err != nil:
			return list, Invalid{"list": "There is no such list."}
		case list.Archived:
			return list, &Conflict{Why: "This list is archived. Remove it from the archive first.", Version: list.Version}
		}
	case d.act.Preview:
	case p.Kind == selection.Ban:
		authors, err := d.ids(selection.AuthorsSQL, found)
		if err != nil {
			return list, err
		}
		if _, err := d.lockUsers(authors...); err != nil {
			return list, err
		}
		touched := users.FeedbackTreesSQL("SELECT unnest($1::uuid[])")
		if p.CloseCases {
			touched += " UNION ALL SELECT tree_id FROM cases WHERE user_id = ANY ($1) AND status = 'open'"
		}
		return list, d.lockTrees(touched, db.IDArray(authors))
	default:
		err = d.lockTrees("SELECT tree_id FROM message_trees WHERE message_id = ANY ($1)", found)
	}
	return list, err
}

// mayActOnMany checks the targets of a bulk act: that they are the expected ones and,
// for many, that the actor knows their number and holds the permission.
func (d *actionTx) mayActOnMany(p BulkParams, targets []uuid.UUID) error {
	now := int64(len(targets))
	if why := selection.Changed(p.Expected, p.ExpectedSet, targets); why != "" {
		return &Conflict{Why: why, Expected: &now}
	}
	switch {
	case p.preview != nil:
		return nil
	case now == 0 && !d.act.Preview:
		return errUnchanged
	case now <= selection.Large:
		return nil
	case p.Expected == nil:
		return Invalid{"expected": "This changes more than 100 things. Give the number that a preview counted."}
	}
	return need(d.actor, policy.BulkLarge)
}

// BulkPreview tells what a bulk act would do.
type BulkPreview struct {
	Outcome
	selection.Measured
}

// PreviewBulk counts what a bulk act would do.
func (s *Store) PreviewBulk(ctx context.Context, actor Actor, act Act, p BulkParams) (BulkPreview, error) {
	var preview BulkPreview
	p.preview = &preview
	act.Kind, act.Target, act.Preview, act.Params = bulkKind, uuid.New(), true, p
	outcome, err := s.Act(ctx, actor, act)
	preview.Outcome = outcome
	return preview, err
}

// Bulk performs a bulk act or, if it has more than 500 targets, makes a job of it.
// Either the outcome or the job is set.
func (s *Store) Bulk(ctx context.Context, actor Actor, act Act, p BulkParams) (Outcome, *jobs.Job, error) {
	act.Kind, act.Target, act.Params = bulkKind, uuid.New(), p
	if act.IdempotencyKey != "" { // a repeated request is the same act
		act.Target = uuid.NewSHA1(actor.UserID, []byte("bulk "+act.IdempotencyKey))
	}
	return s.ActOrQueue(ctx, actor, act)
}

// beginUndoOfBulk finds what kind of bulk act an undo is of, with its aspects, and checks
// that the actor may undo it.
func (d *actionTx) beginUndoOfBulk(id int64) error {
	kind, _, err := selection.KindOf(d.Ctx, d.Conn, id)
	if err != nil {
		return err
	}
	d.aspects, d.permission = bulkAspects[kind], selection.Permissions[kind]
	if err := need(d.actor, d.permission); err != nil {
		return err
	}
	return d.refuseLanguages(d.permission, selection.LanguagesSQL, id)
}
