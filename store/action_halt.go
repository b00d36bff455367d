package store

import (
	"strings"

	"github.com/google/uuid"

	"treewarden/policy"
	"treewarden/store/aspects"
	"treewarden/store/cases"
	"treewarden/store/counters"
	"treewarden/store/db"
	"treewarden/store/messages"
	"treewarden/store/tables"
)

func init() {
	isHalted := func(m Message) bool { return m.TreeState == tables.Halted }
	register(Kind{
		Name: "halt", Target: "tree", Path: "halt", Place: 70, Title: "Stop tree", Button: "Stop tree", Past: "Stopped",
		Permission: policy.TreeHalt, Undoable: true, Previewable: true, NeedsReason: true, Destructive: true,
		Effect: always("Contributors are no longer asked to add messages to the tree. A restart brings back its state."),
		Menu: []MenuEntry{{
			Text: "Stop tree…", Icon: "halt", Key: "h", Shows: func(m Message) bool { return !isHalted(m) },
		}},
		aspects: []aspect{stateAspect, caseAspect{}},
	}, halt)
	register(Kind{
		Name: "resume", Target: "tree", Path: "resume", Place: 75,
		Title: "Restart tree", Button: "Restart tree", Past: "Restarted",
		Permission: policy.TreeHalt, Undoable: true, Previewable: true, NeedsReason: true,
		Effect:  effectOfResume,
		Menu:    []MenuEntry{{Text: "Restart tree…", Icon: "resume", Shows: isHalted}},
		aspects: []aspect{stateAspect},
	}, resume)
}

// effectOfResume returns the effect with the state that a restart restores.
func effectOfResume(on Concerned) string {
	if on.Tree == nil || on.Tree.HaltedState == nil {
		return "Contributors are asked to add messages to the tree again."
	}
	before := strings.ReplaceAll(*on.Tree.HaltedState, "_", " ")
	return "The tree goes back to the state that the stop replaced: " + before + "."
}

// haltSet is the SET list that halts a tree and keeps its former state.
const haltSet = `state = '` + tables.Halted +
	`', active = false, halted_state = o.state, halted_active = o.active, state_by_staff = true`

func halt(d *actionTx, p CloseParams) error {
	tree, err := d.aimAtTree()
	if err != nil {
		return err
	}
	if tree.State == tables.Halted {
		return d.withLatest(&Conflict{Why: "This tree is stopped already.", Version: tree.Version})
	}
	if err := d.checkVersion(tree.Version); err != nil {
		return err
	}
	if _, err = d.change(stateAspect, "chosen AS (SELECT $2::uuid AS id)", haltSet, tree.ID); err != nil {
		return err
	}
	return d.closeCases(p, cases.Halt, "c.tree_id = $4", tree.ID)
}

func resume(d *actionTx, _ NoParams) error {
	tree, err := d.aimAtTree()
	if err != nil {
		return err
	}
	if tree.State != tables.Halted {
		return d.withLatest(&Conflict{Why: "This tree is not stopped: its state is " + tree.State + ".",
			Version: tree.Version})
	}
	if err := d.checkVersion(tree.Version); err != nil {
		return err
	}
	state, active := tree.HaltedState, tree.HaltedActive
	if state == nil {
		// An imported tree was halted and its former state is unknown: a tree
		// with replies grows, a lone prompt is reviewed.
		if err := d.QueryRow(d.Ctx, `SELECT CASE
			WHEN EXISTS (SELECT FROM messages WHERE tree_id = $1 AND parent_id IS NOT NULL)
			THEN '`+tables.Growing+`' ELSE '`+tables.InReview+`' END, true`, tree.ID).Scan(&state, &active); err != nil {
			return err
		}
	}
	_, err = d.change(stateAspect, "chosen AS (SELECT $2::uuid AS id)",
		"state = $3, active = $4, halted_state = NULL, halted_active = NULL, state_by_staff = true", tree.ID, state, active)
	return err
}

// aimAtTree locks the target tree and sets its label for the log.
func (d *actionTx) aimAtTree() (aspects.Tree, error) {
	tree, err := aspects.LockTree(d.Ctx, d.Conn, d.act.Target)
	if err != nil {
		return tree, err
	}
	d.affected.Trees = 1
	d.staffAuthor = tree.StaffAuthor
	var prompt string
	err = d.QueryRow(d.Ctx, `SELECT coalesce((SELECT text FROM messages
		WHERE tree_id = $1 AND parent_id IS NULL LIMIT 1), '')`, tree.ID).Scan(&prompt)
	if err != nil {
		return tree, err
	}
	d.label = messages.Excerpt(prompt)
	return tree, d.watchStates(tree.ID)
}

// watchStates makes the counters follow the states of trees, which are locked.
func (d *actionTx) watchStates(trees ...uuid.UUID) error {
	if d.act.Preview || len(trees) == 0 {
		return nil
	}
	return d.update.WatchSubset(d.Ctx, d.Conn, counters.StateSubset, db.IDArray(trees))
}

// notHalted is the condition that a tree is not halted.
const notHalted = "state <> '" + tables.Halted + "'"

// haltTrees halts the locked trees that fulfil a condition. A preview only counts
// them.
func (d *actionTx) haltTrees(condition string, args []any) error {
	trees, err := d.ids("SELECT tree_id FROM trees WHERE "+condition, args...)
	if err != nil {
		return err
	}
	d.affected.Trees += int64(len(trees))
	if err := d.watchStates(trees...); err != nil || d.act.Preview {
		return err
	}
	return db.InParts(len(trees), d.act.Progress, func(from, to int) error {
		_, err := d.change(stateAspect, "chosen AS (SELECT * FROM unnest($2::uuid[]) AS c(id))", haltSet,
			db.IDArray(trees[from:to]))
		return err
	})
}
