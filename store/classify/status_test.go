package classify_test

import (
	"errors"
	"fmt"
	"testing"

	"treewarden/policy"
	"treewarden/store"
	"treewarden/store/classify"
	"treewarden/store/storetest"
)

// TestStatus reads what is covered, queued and refused, and sends the refused again.
func TestStatus(t *testing.T) {
	t.Parallel()
	s := storetest.New(t)
	author := storetest.User(t, s, "Author")
	ids := forest(t, s, author, 4) // six messages in English, six in German
	refused := storetest.Tree(t, s, storetest.Node{Author: author, Text: "refuse this", Lang: "en"})[0]
	access, err := s.Classifiers(store.CommandLine)
	if err != nil {
		t.Fatal(err)
	}
	status := func() classify.Status {
		t.Helper()
		found, err := access.Status(ctx)
		if err != nil {
			t.Fatal(err)
		}
		return found
	}
	if got := status(); got.AsOf != nil || len(got.Models) != 0 || len(got.Messages) != 0 {
		t.Errorf("at first: %+v", got)
	}
	c := &standIn{}
	all, german := modelOf("all", c), modelOf("german", c, "de")
	if err := access.Register(ctx, []classify.Model{all, german}); err != nil {
		t.Fatal(err)
	}
	count := func() {
		t.Helper()
		figures, err := s.Insights(store.CommandLine)
		if err == nil {
			err = figures.Count(ctx)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	without := func(want string) {
		t.Helper()
		n, exact := status().WithoutOutput()
		if got := fmt.Sprint(n, " ", exact); got != want {
			t.Errorf("without an output are %s, want %s", got, want)
		}
	}
	count()
	without("13 true")
	run(t, s, all, classify.Options{Missing: true, Lang: "en"})
	run(t, s, german, classify.Options{Missing: true, Limit: 4, Workers: 1})
	count()
	without("3 true") // two in German and the one that is refused
	run(t, s, all, classify.Options{Missing: true, Limit: 2, Workers: 1})
	count()
	without("3 false") // the two may be among the four, or not
	storetest.Exec(t, s, `INSERT INTO classifier_queue (model_id, tree_id, message_id, queued_at)
		SELECT model_id, $1, $1, now() - make_interval(mins => model_id) FROM classifier_models`, ids[0])

	got := status()
	if got.AsOf == nil || fmt.Sprint(got.Messages) != "map[de:6 en:7]" || len(got.Models) != 2 {
		t.Fatalf("%+v", got)
	}
	first, second := got.Models[0], got.Models[1]
	if first.Name != "all" || !first.Active || fmt.Sprint(first.Covered) != "map[de:2 en:6]" || first.Queued != 1 ||
		first.OldestQueuedAt == nil || first.Failures != 1 || len(first.Newest) != 1 ||
		first.Newest[0].MessageID != refused ||
		first.Newest[0].Error != "too long" || fmt.Sprint(first.Outputs) != "[spam toxicity]" {
		t.Errorf("%+v", first)
	}
	if fmt.Sprint(second.Covered) != "map[de:4]" || second.Failures != 0 || len(second.Newest) != 0 {
		t.Errorf("%+v", second)
	}
	waiting, err := access.Waiting(ctx)
	if err != nil || len(waiting) != 2 || waiting["all"].Queued != 1 || waiting["all"].Failures != 1 ||
		waiting["german"].OldestQueuedAt == nil {
		t.Errorf("waiting: %+v, %v", waiting, err)
	}

	if _, err := access.RetryFailures(ctx, "nobody"); !errors.Is(err, store.ErrNotFound) {
		t.Errorf("of no model: %v", err)
	}
	moderators, err := s.Classifiers(storetest.Staff(t, s, policy.Moderator))
	if err != nil {
		t.Fatal(err)
	}
	var forbidden *store.Forbidden
	if _, err := moderators.RetryFailures(ctx, "all"); !errors.As(err, &forbidden) {
		t.Errorf("by a moderator: %v", err)
	}
	for want := range 2 {
		if n, err := access.RetryFailures(ctx, "all"); n != int64(1-want) || err != nil {
			t.Errorf("queued %d again: %v", n, err)
		}
	}
	if got := query(t, s, "SELECT message_id FROM classifier_queue WHERE message_id = $1", refused) +
		query(t, s, "SELECT message_id FROM classifier_failures"); got != refused.String() {
		t.Errorf("queued and refused: %s", got)
	}
	verify(t, s)
}
