package store_test

import (
	"errors"
	"testing"

	"treewarden/policy"
	"treewarden/store"
	"treewarden/store/candidates"
	"treewarden/store/jobs"
)

// TestFindAsJob runs a rule over more messages than one request may read.
func TestFindAsJob(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.SetSearchAtOnce(2) // of three messages that are not deleted
	list, _ := newList(t, w, "Found by a rule")
	var rule candidates.Rule
	rule.ShorterThan = 1000
	_, preview, job, err := w.FindCandidates(ctx, w.moderator, list, rule, true, "", "")
	if err != nil || job != nil || preview.Found != 2 || preview.LookedAt != 2 || preview.Complete {
		t.Errorf("the preview: %+v, %v, %v", preview, job, err)
	}
	var near candidates.Rule
	near.NearDuplicates = 0.9
	var invalid store.Invalid
	if _, _, _, err := w.FindCandidates(ctx, w.moderator, list, near, true, "", ""); !errors.As(err, &invalid) ||
		invalid[candidates.NearDuplicates] == "" {
		t.Errorf("a preview of near-duplicates: %v", err)
	}
	queue := func() jobs.Job {
		t.Helper()
		outcome, _, job, err := w.FindCandidates(ctx, w.moderator, list, rule, false, "", "once")
		if err != nil || job == nil || outcome.Action.ID != 0 {
			t.Fatalf("%+v %+v %v", outcome, job, err)
		}
		return *job
	}
	if job := queue(); job.State != jobs.Queued || job.Total != 3 || queue().JobID != job.JobID {
		t.Errorf("the job is %+v", job)
	}
	if err := w.RunJobs(ctx); err != nil {
		t.Fatal(err)
	}
	done := queue()
	page, err := w.Candidates(ctx, w.moderator, list, candidates.Filter{})
	if err != nil || done.State != jobs.Done || done.Action == nil || len(page.Items) != 3 ||
		page.Items[0].RuleAction != *done.Action {
		t.Errorf("after the job there are %d candidates: %+v, %v", len(page.Items), done, err)
	}
	if _, _, job, err := w.FindCandidates(ctx, w.moderator, list, candidates.Rule{}, false, "", ""); job != nil ||
		!errors.As(err, &invalid) {
		t.Errorf("an empty rule becomes the job %v: %v", job, err)
	}
	contributor := store.Actor{UserID: w.other, Role: policy.General, Policy: w.Policy()}
	if _, _, _, err := w.FindCandidates(ctx, contributor, list, rule, false, "", ""); err == nil {
		t.Error("a contributor may run rules")
	}
	verify(t, w.Store)
}
