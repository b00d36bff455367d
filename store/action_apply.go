package store

import (
	"context"

	"treewarden/policy"
	"treewarden/store/db"
	"treewarden/store/lists"
	"treewarden/store/selection"
)

func init() {
	register(Kind{
		Name: "apply_list", Target: "list", Place: 114, Title: "Delete the messages on the list",
		Button: "Delete", Past: "Deleted the messages on the list",
		Permission: policy.ListApply, Undoable: true, Previewable: true, NeedsReason: true, Destructive: true,
		Effect: always("Deletes the messages on the list that are present, with all replies below them, also replies that " +
			"are on the list in another state. Other items that were edited since, whose tree is stopped or whose author is " +
			"banned, stay. One undo brings back exactly these."),
		aspects: []aspect{deletionAspect},
	}, applyList)
}

// ApplyParams limits the deletion of what is on a list.
type ApplyParams struct {
	// Expected is the number of messages that a preview counted. With another
	// number now, nothing is done; nil is not checked.
	Expected *int64 `json:"expected" form:"expected" validate:"omitempty,min=0"`
	// ExpectedSet is the set of the messages that a preview counted; empty is not checked.
	ExpectedSet string `json:"set" form:"set" validate:"max=64"`

	preview *ListPreview // receives what a preview measures, if it is not nil
}

// applyList deletes the messages of a list that are present, with their subtrees.
func applyList(d *actionTx, p ApplyParams) error {
	list, err := d.openList()
	if err != nil {
		return err
	}
	if _, err := d.exec("SELECT FROM trees WHERE tree_id IN ("+lists.TreesSQL+") ORDER BY tree_id FOR UPDATE",
		list.ListID); err != nil {
		return err
	}
	found, err := d.findSubtrees(lists.PresentFrom, list.ListID)
	if err != nil {
		return err
	}
	if err := d.checkLanguages(d.permission, "SELECT * FROM unnest($1::uuid[], $2::uuid[])",
		db.IDArray(found.Trees), db.IDArray(found.Messages)); err != nil {
		return err
	}
	now := int64(len(found.Messages))
	if why := selection.Changed(p.Expected, p.ExpectedSet, found.Messages); why != "" {
		return &Conflict{Why: why, Expected: &now}
	}
	if now == 0 && !d.act.Preview {
		return errUnchanged
	}
	if p.preview != nil {
		p.preview.Set = selection.Set(found.Messages)
		mayActOn := func(role string) bool {
			return d.actor.trusted() || d.actor.Policy.MayActOn(d.actor.Role, role, false) == nil
		}
		p.preview.Extent, err = lists.Measure(d.Ctx, d.Conn, d.actor.UserID, mayActOn, found.Trees, found.Messages)
		if err != nil {
			return err
		}
		if p.preview.Left, err = lists.CountLeft(d.Ctx, d.Conn, list.ListID, found.Messages); err != nil {
			return err
		}
	}
	if found.Others, err = lists.CountOutside(d.Ctx, d.Conn, list.ListID, found.Messages); err != nil {
		return err
	}
	return d.delete(found)
}

// ListPreview tells what the deletion of what is on a list would do.
type ListPreview struct {
	Outcome
	lists.Extent
	// Expected is the number of messages, for the parameter of the same name.
	Expected int64 `json:"expected"`
	// Set stands for the messages, for the parameter of the same name.
	Set string `json:"set"`
	// Left counts the items that stay as they are, by state.
	Left map[string]int64 `json:"left"`
	// Sample holds up to 10 of the items that go.
	Sample []lists.Item `json:"sample"`
}

// PreviewList counts what an act that applies a list would do.
func (s *Store) PreviewList(ctx context.Context, actor Actor, act Act) (ListPreview, error) {
	var preview ListPreview
	params, _ := act.Params.(ApplyParams)
	params.preview = &preview
	act.Kind, act.Preview, act.Params = "apply_list", true, params
	outcome, err := s.Act(ctx, actor, act)
	if err != nil {
		return ListPreview{}, err
	}
	preview.Outcome, preview.Expected = outcome, outcome.Affected.Messages
	sample, err := lists.Items(ctx, s.pool, s.searcher, act.Target,
		lists.ItemFilter{State: lists.Present, Page: Page{Limit: 10}})
	preview.Sample = sample.Items
	return preview, err
}
