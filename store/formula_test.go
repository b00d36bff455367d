package store_test

import (
	"errors"
	"fmt"
	"math"
	"reflect"
	"strings"
	"sync"
	"testing"
	"time"

	"treewarden/policy"
	"treewarden/scoring"
	"treewarden/store"
	"treewarden/store/storetest"
)

// weigh makes a change of weights from pairs of a signal's name and a float64.
func weigh(pairs ...any) scoring.Change {
	c := scoring.Change{Weights: map[string]float64{}}
	for i := 0; i+1 < len(pairs); i += 2 {
		c.Weights[fmt.Sprint(pairs[i])] = pairs[i+1].(float64)
	}
	return c
}

func saveFormula(t *testing.T, s *store.Store, actor store.Actor, c scoring.Change, note string) store.Outcome {
	t.Helper()
	outcome, err := s.SaveFormula(ctx, actor, c, note, nil, "")
	if err != nil {
		t.Fatal(err)
	}
	return outcome
}

func inForce(t *testing.T, s *store.Store) scoring.Formula {
	t.Helper()
	f, err := s.FormulaNamed(ctx, "")
	if err != nil {
		t.Fatal(err)
	}
	return f
}

// TestShippedFormula checks that a new database has the formulas of package
// scoring.
func TestShippedFormula(t *testing.T) {
	t.Parallel()
	s := storetest.New(t)
	found := inForce(t, s)
	if !found.Same(scoring.Treewarden) || found.Version != 1 || found.Name != "treewarden" {
		t.Errorf("%+v", found)
	}
	all, err := s.Formulas(ctx)
	if err != nil || len(all) != 2 || !reflect.DeepEqual(all[1], scoring.OpenAssistant) {
		t.Errorf("%+v %v", all, err)
	}
	if f, err := s.FormulaNamed(ctx, "open-assistant"); err != nil || !f.Legacy {
		t.Errorf("%+v %v", f, err)
	}
	var malformed store.Malformed
	if _, err := s.FormulaNamed(ctx, "x"); !errors.As(err, &malformed) {
		t.Errorf("a formula x: %v", err)
	}
}

// TestFormulaVersions saves versions, undoes them, and saves an earlier one again.
func TestFormulaVersions(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	first := saveFormula(t, w.Store, w.admin, weigh("red_flags", 4.5, "pii", -0.25), "  flags weigh more  ")
	if a := first.Action; a.Kind != "set_formula" || a.TargetType != "formula" || !a.Undoable ||
		a.Reason != "flags weigh more" || a.TargetLabel != "treewarden" ||
		!strings.Contains(string(a.Before), `"red_flags": 3`) || !strings.Contains(string(a.After), `"red_flags": 4.5`) ||
		!strings.Contains(string(a.After), `"version": 2`) {
		t.Errorf("the log holds %+v\n%s\n%s", a, a.Before, a.After)
	}
	if f := inForce(t, w.Store); f.Version != 2 || f.Weights[scoring.RedFlags] != 4.5 || f.Weights[scoring.PII] != -0.25 ||
		f.Weights[scoring.Upvotes] != -1 {
		t.Errorf("%+v", f)
	}
	if same := saveFormula(t, w.Store, w.admin, weigh("red_flags", 4.5), "the same again"); same.Action.ID != 0 ||
		inForce(t, w.Store).Version != 2 {
		t.Errorf("a change without a difference was logged as %+v", same.Action)
	}
	second := saveFormula(t, w.Store, w.admin, weigh("upvotes", -2.0), "upvotes too")
	var conflict *store.Conflict
	if _, err := w.Undo(ctx, w.admin, first.Action.ID, "not right", false, ""); !errors.As(err, &conflict) ||
		conflict.Action == nil || conflict.Action.ID != second.Action.ID {
		t.Errorf("an undo of a version that is not the last: %v", err)
	}
	if _, err := w.Undo(ctx, w.admin, second.Action.ID, "not right", true, ""); err != nil ||
		inForce(t, w.Store).Version != 3 {
		t.Errorf("the preview of an undo: %v, version %d", err, inForce(t, w.Store).Version)
	}
	undo := func(id int64) store.Outcome {
		t.Helper()
		outcome, err := w.Undo(ctx, w.admin, id, "not right", false, "")
		if err != nil {
			t.Fatal(err)
		}
		return outcome
	}
	undone := undo(second.Action.ID)
	if a := undone.Action; a.TargetType != "formula" || *a.Undoes != second.Action.ID ||
		!strings.Contains(string(a.After), `"upvotes": -1`) {
		t.Errorf("the undo was logged as %+v", a)
	}
	undo(first.Action.ID)
	if f := inForce(t, w.Store); !f.Same(scoring.Treewarden) || f.Version != 5 || f.Note != "not right" {
		t.Errorf("after all undos: %+v", f)
	}
	if _, err := w.Undo(ctx, w.admin, first.Action.ID, "once more", false, ""); !errors.As(err, &conflict) {
		t.Errorf("undone twice: %v", err)
	}
	// Each undo added a version.
	page, err := w.Scoring(ctx, w.admin)
	if err != nil || len(page.Earlier) != 4 || page.Version != 5 || page.Earlier[3].Version != 1 ||
		page.Earlier[3].Action != nil || *page.Action == 0 || page.Author != w.admin.Name ||
		*page.AuthorID != w.admin.UserID {
		t.Errorf("%+v %v", page, err)
	}
	back := scoring.Change{Weights: map[string]float64{}, ToxicFrom: &page.Earlier[1].ToxicFrom}
	for signal, weight := range page.Earlier[1].Weights {
		back.Weights[string(signal)] = weight
	}
	saveFormula(t, w.Store, w.admin, back, "back to version 3")
	if f := inForce(t, w.Store); f.Version != 6 || !f.Same(page.Earlier[1].Formula) || f.Weights[scoring.Upvotes] != -2 {
		t.Errorf("version 3 saved again: %+v", f)
	}
	verify(t, w.Store)
	for _, sql := range []string{"UPDATE formula_versions SET note = ''", "DELETE FROM formula_versions",
		"TRUNCATE formula_versions"} {
		if _, err := storetest.DB(t, w.Store).Exec(ctx, sql); err == nil {
			t.Errorf("the database allows %s", sql)
		}
	}
}

// TestSaveFormulaRefuses checks the permission to save, the limits of weights and
// notes, and the conflict with a version that was saved meanwhile.
func TestSaveFormulaRefuses(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	lead := storetest.Staff(t, w.Store, policy.DataLead)
	good := weigh("pii", 2.0)
	var forbidden *store.Forbidden
	for _, actor := range []store.Actor{w.moderator, {Role: policy.General, Policy: w.moderator.Policy},
		{Role: policy.Collector, Policy: w.moderator.Policy}} {
		if _, err := w.SaveFormula(ctx, actor, good, "for the test", nil, ""); !errors.As(err, &forbidden) ||
			forbidden.Permission != policy.ScoringSave {
			t.Errorf("%s saves: %v", actor.Role, err)
		}
		if _, err := w.Scoring(ctx, actor); (err == nil) != (actor.Role == policy.Moderator) {
			t.Errorf("%s reads: %v", actor.Role, err)
		}
		_, err := w.TryFormula(ctx, actor, good, scoring.TruthBanned, scoring.Total)
		if (err == nil) != (actor.Role == policy.Moderator) {
			t.Errorf("%s tries: %v", actor.Role, err)
		}
	}
	two, nan := 2.0, math.NaN()
	for name, c := range map[string]struct {
		change scoring.Change
		note   string
		fields string
	}{
		"no note":       {good, "", "note"},
		"a short note":  {good, " a  ", "note"},
		"a long note":   {good, strings.Repeat("ж", 501), "note"},
		"a broken note": {good, "abc\x00", "note"},
		"all at once": {scoring.Change{Weights: map[string]float64{"x": 1, "pii": 101, "deleted": math.Inf(-1)},
			ToxicFrom: &two}, "", "note toxic_from weights.deleted weights.pii weights.x"},
		"no number": {scoring.Change{Weights: map[string]float64{"pii": nan}, ToxicFrom: &nan}, "for the test",
			"toxic_from weights.pii"},
	} {
		var invalid store.Invalid
		_, err := w.SaveFormula(ctx, lead, c.change, c.note, nil, "")
		if !errors.As(err, &invalid) || len(invalid) != len(strings.Fields(c.fields)) {
			t.Errorf("%s: %v", name, err)
			continue
		}
		for _, field := range strings.Fields(c.fields) {
			if invalid[field] == "" {
				t.Errorf("%s: the error does not name %s: %v", name, field, invalid)
			}
		}
	}
	one := 1
	if outcome, err := w.SaveFormula(ctx, lead, good, "for the test", &one, "key"); err != nil ||
		outcome.Action.ActorName != lead.Name {
		t.Fatalf("%+v %v", outcome, err)
	}
	if again, err := w.SaveFormula(ctx, lead, good, "for the test", &one, "key"); err != nil || again.Action.ID == 0 {
		t.Errorf("sent again with the same key: %+v %v", again, err)
	}
	var conflict *store.Conflict
	if _, err := w.SaveFormula(ctx, w.admin, good, "for the test", &one, ""); !errors.As(err, &conflict) ||
		conflict.Version != 2 || conflict.Action == nil || conflict.Action.ActorName != lead.Name {
		t.Errorf("based on a version that is not in force: %v", err)
	}
	if _, err := w.Undo(ctx, lead, conflict.Action.ID, "for the test", false, ""); !errors.As(err, &forbidden) {
		t.Errorf("a data lead undoes: %v", err)
	}
	if f := inForce(t, w.Store); f.Version != 2 {
		t.Errorf("version %d is in force, want 2", f.Version)
	}
}

// TestSaveFormulaAtOnce saves many formulas that are based on the same version.
// One succeeds.
func TestSaveFormulaAtOnce(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	one := 1
	var group sync.WaitGroup
	errs := make([]error, 8)
	for i := range errs {
		group.Go(func() {
			_, errs[i] = w.SaveFormula(ctx, w.admin, weigh("pii", float64(i+2)), "for the test", &one, "")
		})
	}
	group.Wait()
	succeeded := 0
	for _, err := range errs {
		var conflict *store.Conflict
		if err == nil {
			succeeded++
		} else if !errors.As(err, &conflict) || conflict.Version != 2 {
			t.Error(err)
		}
	}
	if succeeded != 1 || inForce(t, w.Store).Version != 2 {
		t.Errorf("%d were saved, want 1", succeeded)
	}
	verify(t, w.Store)
}

// TestSavedFormulaIsUsed checks that boards, explanations and the home page use a
// saved formula.
func TestSavedFormulaIsUsed(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	storetest.Report(t, w.Store, w.prompt, w.other, "for the test", time.Now())
	saveFormula(t, w.Store, w.admin, weigh("red_flags", 40.0), "for the test")
	formula := inForce(t, w.Store)
	b, err := w.Board(ctx, w.moderator, store.BoardFilter{Window: scoring.Total, Formula: formula})
	if err != nil || b.Items[0].UserID != w.troll || b.Items[0].Score != 40 {
		t.Errorf("%+v %v", b.Items, err)
	}
	score, err := w.Score(ctx, w.moderator, w.troll, scoring.Total, formula)
	if err != nil || score.Score != 40 {
		t.Errorf("%+v %v", score, err)
	}
	home, err := w.Home(ctx, w.moderator, nil)
	if err != nil || len(home.Flagged) == 0 || home.Flagged[0].Score != 40 {
		t.Errorf("%+v %v", home.Flagged, err)
	}
}
