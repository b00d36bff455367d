package exports_test

import (
	"bytes"
	"errors"
	"fmt"
	"maps"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"

	"treewarden/policy"
	"treewarden/store"
	"treewarden/store/exports"
	"treewarden/store/storetest"
)

// id returns the id of a name of two hexadecimal digits.
func id(name string) uuid.UUID {
	return uuid.MustParse(name + "000000-0000-4000-8000-000000000000")
}

// names returns the names of the messages of a file, in their order. A message without
// its text has a star.
func names(t testing.TB, file []byte) string {
	t.Helper()
	var all []string
	for _, n := range nodes(t, file) {
		name := n.MessageID.String()[:2]
		if n.Text == "" {
			name += "*"
		}
		all = append(all, name)
	}
	return strings.Join(all, " ")
}

// smallTrees are trees of messages with the names of id. A letter is a tree; the lines
// of a message are its name, its parent's, its author's and more of its JSON.
var smallTrees = []struct{ state, lang, lines string }{
	{"ready_for_export", "en", `a0 - 91
a1 a0 92 "deleted": true
a2 a1 91
a3 a2 93
a4 a0 92 "review_result": false
a5 a4 91
a6 a0 93 "review_result": null
a7 a0 91 "detoxify": {"toxicity": 0.9, "insult": 0.1}
a8 a7 92 "labels": {"spam": {"value": 0.5, "count": 2}}, ` +
		`"events": {"emoji": [{"type": "emoji", "user_id": "USER", "emoji": "+1"}]}
a9 a0 94`},
	{"growing", "en", `b0 - 91
b1 b0 92`},
	{"ready_for_export", "de", `c0 - 92
c1 c0 91`},
	{"ready_for_export", "en", `d0 - 91
d1 d0 - "synthetic": true`},
	{"ready_for_export", "en", `e0 - 94 "deleted": true
e1 e0 91`},
}

// small returns a store with smallTrees. Messages are dated by the second digit of
// their names, in hours after the first of January; those with the digit 9 have no date, which
// places them before their siblings.
func small(t testing.TB) *store.Store {
	t.Helper()
	s := storetest.New(t)
	var file strings.Builder
	for _, tree := range smallTrees {
		for _, line := range strings.Split(tree.lines, "\n") {
			part := strings.SplitN(line, " ", 4)
			fmt.Fprintf(&file, `{"message_id": %q, "text": "text of %s", "lang": %q, "tree_state": %q, "message_tree_id": %q`,
				id(part[0]), part[0], tree.lang, tree.state, id(part[0][:1]+"0"))
			role := "assistant"
			if part[1] == "-" {
				role = "prompter"
			} else {
				fmt.Fprintf(&file, `, "parent_id": %q`, id(part[1]))
			}
			fmt.Fprintf(&file, `, "role": %q`, role)
			if part[2] != "-" {
				fmt.Fprintf(&file, `, "user_id": %q`, id(part[2]))
			}
			if part[0][1] != '9' {
				fmt.Fprintf(&file, `, "created_date": "2026-01-01T0%c:00:00Z"`, part[0][1])
			}
			more := ""
			if len(part) > 3 {
				more = strings.ReplaceAll(part[3], "USER", id("99").String())
				fmt.Fprint(&file, ", ", more)
			}
			if !strings.Contains(more, "review_result") {
				file.WriteString(`, "review_result": true`)
			}
			file.WriteString("}\n")
		}
	}
	if summary := take(t, s, []byte(file.String())); summary.Faults() || summary.Messages != 18 {
		t.Fatalf("%+v", summary)
	}
	return s
}

func day(hour int) *time.Time { return new(time.Date(2026, 1, 1, hour, 0, 0, 0, time.UTC)) }

// TestFilters exports the small trees with each filter.
func TestFilters(t *testing.T) {
	t.Parallel()
	s := small(t)
	ban(t, s, id("94"))
	f92 := id("92")
	for _, c := range []struct {
		name    string
		f       exports.Filters
		want    string
		leftOut map[string]int64
	}{
		{"nothing", exports.Filters{}, "a0 a9 a7 a8 c0 c1", map[string]int64{"deleted": 2, "below_deleted": 3,
			"not_accepted": 2, "below_not_accepted": 1, "state": 2, "synthetic": 2}},
		{"state", exports.Filters{State: "growing"}, "b0 b1", map[string]int64{"state": 16}},
		{"all states", exports.Filters{State: "all"}, "a0 a9 a7 a8 b0 b1 c0 c1", map[string]int64{"deleted": 2,
			"below_deleted": 3, "not_accepted": 2, "below_not_accepted": 1, "synthetic": 2}},
		{"deleted", exports.Filters{IncludeDeleted: true}, "a0 a9 a1 a2 a3 a7 a8 c0 c1 e0 e1", map[string]int64{
			"not_accepted": 2, "below_not_accepted": 1, "state": 2, "synthetic": 2}},
		{"blank", exports.Filters{DeletedNodes: "blank"}, "a0 a9 a1* a2 a3 a4* a5 a7 a8 c0 c1 e0* e1", map[string]int64{
			"not_accepted": 1, "state": 2, "synthetic": 2}},
		{"spam", exports.Filters{IncludeSpam: true}, "a0 a9 a4 a5 a6 a7 a8 c0 c1", map[string]int64{"deleted": 2,
			"below_deleted": 3, "state": 2, "synthetic": 2}},
		{"synthetic", exports.Filters{IncludeSynthetic: true, Lang: "en"}, "a0 a9 a7 a8 d0 d1", map[string]int64{
			"deleted": 2, "below_deleted": 3, "not_accepted": 2, "below_not_accepted": 1, "state": 2, "lang": 2}},
		{"deleted only", exports.Filters{DeletedOnly: true}, "a1 e0", map[string]int64{"not_deleted": 12, "state": 2,
			"synthetic": 2}},
		{"spam only", exports.Filters{SpamOnly: true}, "a4", map[string]int64{"deleted": 2, "not_rejected": 11, "state": 2,
			"synthetic": 2}},
		{"synthetic only", exports.Filters{SyntheticOnly: true}, "d1", map[string]int64{"deleted": 2, "not_accepted": 2,
			"not_synthetic": 11, "state": 2}},
		{"user", exports.Filters{User: &f92}, "a8 b1 c0", map[string]int64{"deleted": 2, "not_accepted": 2, "user": 9,
			"synthetic": 2}},
		{"prompts", exports.Filters{PromptsOnly: true}, "a0 c0", map[string]int64{"deleted": 2, "not_accepted": 2, "reply": 8,
			"state": 2, "synthetic": 2}},
		{"limit", exports.Filters{Limit: 1}, "a0 a9 a7 a8", map[string]int64{"deleted": 1, "below_deleted": 2,
			"not_accepted": 2, "below_not_accepted": 1, "limit": 8}},
		{"a larger limit", exports.Filters{Limit: 9, State: "growing"}, "b0 b1", map[string]int64{"state": 16}},
		{"banned", exports.Filters{WithoutBanned: true}, "a0 a7 a8 c0 c1", map[string]int64{"deleted": 2, "below_deleted": 3,
			"not_accepted": 2, "below_not_accepted": 1, "banned": 1, "state": 2, "synthetic": 2}},
		{"classifier", exports.Filters{WithoutClassifier: []string{"detoxify.insult>0.5", "detoxify.toxicity>0.8"}},
			"a0 a9 c0 c1", map[string]int64{"deleted": 2, "below_deleted": 3, "not_accepted": 2, "below_not_accepted": 1,
				"classifier": 1, "below_classifier": 1, "state": 2, "synthetic": 2}},
		{"a higher threshold", exports.Filters{WithoutClassifier: []string{"detoxify.toxicity>0.95"}, Lang: "de"}, "c0 c1",
			map[string]int64{"lang": 14, "state": 2}},
		{"since", exports.Filters{Since: day(1)}, "", map[string]int64{"deleted": 2, "below_deleted": 1,
			"not_accepted": 2, "since": 3, "below_since": 6, "state": 2, "synthetic": 2}},
		{"since, blank", exports.Filters{Since: day(8), DeletedNodes: "blank"}, "a0* a7* a8", map[string]int64{"deleted": 2,
			"not_accepted": 2, "since": 7, "state": 2, "synthetic": 2}},
		{"until", exports.Filters{Until: day(8)}, "a0 a9 a7 c0 c1", map[string]int64{"deleted": 2, "below_deleted": 3,
			"not_accepted": 2, "below_not_accepted": 1, "until": 1, "state": 2, "synthetic": 2}},
	} {
		for _, format := range []string{"", exports.Messages} {
			c.f.Format = format
			file, m := export(t, s, c.f)
			if got := names(t, file); got != c.want {
				t.Errorf("%s: %q, want %q", c.name, got, c.want)
			}
			if !maps.Equal(m.LeftOut.Messages, c.leftOut) {
				t.Errorf("%s: left out %v, want %v", c.name, m.LeftOut.Messages, c.leftOut)
			}
			if m.In.Messages != 18 || m.In.Trees != 5 || m.Blanked != int64(strings.Count(c.want, "*")) {
				t.Errorf("%s: in %+v, %d blanked", c.name, m.In, m.Blanked)
			}
		}
	}
	file, _ := export(t, s, exports.Filters{ExportLabels: true})
	if !bytes.Contains(file, []byte(`"spam": {"value": 0.5, "count": 2}`)) || bytes.Contains(file, []byte(`+1`)) {
		t.Errorf("with labels and without events: %s", file)
	}
	file, _ = export(t, s, exports.Filters{ExportEvents: true})
	if bytes.Contains(file, []byte(`"spam"`)) || !bytes.Contains(file, []byte(`"emoji": "+1"`)) {
		t.Errorf("with events and without labels: %s", file)
	}
}

func ban(t testing.TB, s *store.Store, user uuid.UUID) {
	t.Helper()
	act(t, s, store.Act{Kind: "ban", Target: user, Reason: "for the test"})
}

func act(t testing.TB, s *store.Store, request store.Act) store.Outcome {
	t.Helper()
	outcome, err := s.Act(ctx, store.CommandLine, request)
	if err != nil {
		t.Fatal(err)
	}
	return outcome
}

// TestWrongFilters tries filters that do not go together.
func TestWrongFilters(t *testing.T) {
	t.Parallel()
	s := small(t)
	user, unknown := id("92"), id("ff")
	for name, f := range map[string]exports.Filters{
		"state":               {State: "grown"},
		"format":              {Format: "xml"},
		"deleted_nodes":       {DeletedNodes: "keep"},
		"limit":               {Limit: -1},
		"until":               {Since: day(2), Until: day(2)},
		"without_classifier":  {WithoutClassifier: []string{"detoxify.toxicity"}},
		"classifier":          {WithoutClassifier: []string{"detoxify.toxicty>0.5"}},
		"without_list":        {WithoutList: []string{"nowhere"}},
		"user":                {User: &unknown},
		"state growing":       {User: &user, State: "growing"},
		"deleted_only":        {DeletedOnly: true, IncludeDeleted: true},
		"spam_only":           {SpamOnly: true, IncludeSpam: true},
		"synthetic_only":      {SyntheticOnly: true, IncludeSynthetic: true},
		"format trees":        {Format: exports.Trees, SpamOnly: true},
		"deleted_nodes blank": {DeletedOnly: true, DeletedNodes: exports.Blank},
	} {
		var out bytes.Buffer
		_, err := access(t, s).Write(ctx, &out, exports.Options{Filters: f})
		var bad store.BadParameter
		if !errors.As(err, &bad) || bad.Name != name || out.Len() > 0 {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// TestListedMessagesAreNowhere looks for the ids of a list in files of all kinds.
func TestListedMessagesAreNowhere(t *testing.T) {
	t.Parallel()
	s := small(t)
	listed := []string{"a1", "a7", "c0", "ff"}
	name, kind, list := "bad ones", "bad", uuid.New()
	act(t, s, store.Act{Kind: "create_list", Target: list, Params: store.ListParams{Name: &name, Kind: &kind}})
	var p store.AddParams
	for _, l := range listed {
		p.Items = append(p.Items, store.NewItem{MessageID: id(l)})
	}
	if _, _, err := s.AddToList(ctx, store.CommandLine, list, p, "", ""); err != nil {
		t.Fatal(err)
	}
	for _, by := range []string{name, list.String()} {
		for _, format := range exports.Formats {
			for _, nodes := range []string{exports.Drop, exports.Blank} {
				f := everything(format)
				f.WithoutList, f.DeletedNodes = []string{by}, nodes
				file, m := export(t, s, f)
				for _, l := range listed {
					if bytes.Contains(asLines(t, file), []byte(id(l).String())) {
						t.Errorf("the file of %s with %s holds %s", format, nodes, l)
					}
				}
				if got := names(t, file); got != "a0 a9 a4 a5 a6 b0 b1 d0 d1 e0 e1" {
					t.Errorf("%s with %s: %s", format, nodes, got)
				}
				if m.LeftOut.Messages["list"] != 3 || m.LeftOut.Messages["below_list"] != 4 || len(m.Lists) != 1 ||
					m.Lists[0].ListID != list || m.Lists[0].Name != name || m.Lists[0].Items != 4 {
					t.Errorf("%+v, %+v", m.LeftOut, m.Lists)
				}
			}
		}
	}
	f := exports.Filters{WithoutList: []string{name}, DeletedOnly: true}
	if file, _ := export(t, s, f); names(t, file) != "e0" {
		t.Errorf("single messages: %s", names(t, file))
	}
	other := uuid.New()
	act(t, s, store.Act{Kind: "create_list", Target: other, Params: store.ListParams{Name: &name, Kind: &kind}})
	var bad store.BadParameter
	if _, err := access(t, s).Write(ctx, &bytes.Buffer{}, exports.Options{Filters: f}); !errors.As(err, &bad) ||
		!strings.Contains(err.Error(), "2 lists") {
		t.Errorf("two lists of one name: %v", err)
	}
}

// TestAnonymizedFile looks for former ids, and imports the file.
func TestAnonymizedFile(t *testing.T) {
	t.Parallel()
	s := small(t)
	for _, format := range exports.Formats {
		f := everything(format)
		f.Seed = "a seed"
		file, _ := export(t, s, f)
		lines := asLines(t, file)
		if found := bytes.Index(lines, []byte("000000-0000-4000-8000")); found >= 0 {
			t.Errorf("a former id is in %s: %s", format, lines[max(0, found-100):found+100])
		}
		events := bytes.Contains(lines, []byte(`"emoji":"+1"`))
		if bytes.Count(lines, []byte("\n")) == 0 || events != (format != exports.Parquet) {
			t.Errorf("something is missing in %s", lines)
		}
		if same, _ := export(t, s, f); !bytes.Equal(file, same) {
			t.Error("the same seed gives other ids")
		}
		users := map[uuid.UUID]bool{}
		for _, n := range nodes(t, file) {
			if n.UserID != nil {
				users[*n.UserID] = true
			}
		}
		if len(users) != 4 {
			t.Errorf("4 users became %d", len(users))
		}
		other := storetest.New(t)
		if summary := take(t, other, file); summary.Faults() || summary.Messages != 18 || summary.Users != 4 {
			t.Errorf("the file is taken as %+v", summary)
		}
		f.Seed = "another seed"
		if differs, _ := export(t, s, f); bytes.Equal(file, differs) {
			t.Error("another seed gives the same ids")
		}
	}
}

// TestExportsWhileModeratorsAct exports while messages are deleted and undeleted again.
func TestExportsWhileModeratorsAct(t *testing.T) {
	t.Parallel()
	s, ids := medium(t, 300)
	moderator := storetest.Staff(t, s, policy.Moderator)
	stop := make(chan struct{})
	var working sync.WaitGroup
	var acts int
	working.Go(func() {
		for i := 0; ; i++ {
			select {
			case <-stop:
				return
			default:
			}
			outcome, err := s.Act(ctx, moderator, store.Act{Kind: "delete", Target: ids[i*37%len(ids)], Reason: "for the test"})
			if err != nil {
				continue // it is deleted already
			}
			acts++
			if i%2 == 0 {
				if _, err := s.Undo(ctx, moderator, outcome.Action.ID, "for the test", false, ""); err != nil {
					t.Error(err)
				}
			}
		}
	})
	sums := map[string]bool{}
	for i := range 20 {
		f := exports.Filters{Format: exports.Formats[i%len(exports.Formats)], State: exports.AllStates, IncludeSpam: true}
		_, m := export(t, s, f) // which checks the file
		sums[m.SHA256] = true
		if m.In.Messages != int64(len(ids)) {
			t.Errorf("%d messages were there, not %d", m.In.Messages, len(ids))
		}
		if deleted := m.LeftOut.Messages["deleted"] + m.LeftOut.Messages["below_deleted"]; deleted !=
			m.In.Messages-m.Out.Messages {
			t.Errorf("%d messages are left out, but %d of them as deleted", m.In.Messages-m.Out.Messages, deleted)
		}
	}
	close(stop)
	working.Wait()
	if acts < 5 || len(sums) < 3 {
		t.Errorf("only %d actions came between the exports, which gave %d files", acts, len(sums))
	}
}

// TestExportIsOneSnapshot bans a user and deletes their messages after the first trees of
// an export were read. Some thousand messages are read later.
func TestExportIsOneSnapshot(t *testing.T) {
	t.Parallel()
	s, _ := medium(t, 1100)
	for i, format := range exports.Formats {
		t.Run(format, func(t *testing.T) {
			testSnapshot(t, s, exports.Filters{Format: format}, id(fmt.Sprintf("%02x", i+1)))
		})
	}
}

func testSnapshot(t *testing.T, s *store.Store, f exports.Filters, user uuid.UUID) {
	t.Helper()
	_, before := export(t, s, f)
	var once sync.Once
	var out bytes.Buffer
	m, err := access(t, s).Write(ctx, &out, exports.Options{Filters: f, Progress: func(int64, int64) {
		once.Do(func() {
			act(t, s, store.Act{Kind: "ban", Target: user, Reason: "for the test",
				Params: store.BanParams{Messages: "delete"}})
		})
	}})
	if err != nil {
		t.Fatal(err)
	}
	check(t, out.Bytes(), m)
	if m.Out != before.Out {
		t.Errorf("%+v is in a file that was begun before messages were deleted, %+v in the one before", m.Out, before.Out)
	}
	_, after := export(t, s, f)
	if deleted := after.LeftOut.Messages["deleted"] - before.LeftOut.Messages["deleted"]; deleted < 500 {
		t.Errorf("the next file leaves out %+v, the one before %+v", after.LeftOut, before.LeftOut)
	}
}

// TestCompare changes the database after an export.
func TestCompare(t *testing.T) {
	t.Parallel()
	for _, format := range []string{exports.Messages, exports.CSV, exports.Parquet} {
		testCompare(t, format)
	}
}

func testCompare(t *testing.T, format string) {
	t.Helper()
	s := small(t)
	compare := func(s *store.Store, file []byte, m exports.Manifest, seed string) (exports.Comparison, error) {
		t.Helper()
		return access(t, s).Compare(ctx, m, contentOf(t, m, file), seed, nil)
	}
	act(t, s, store.Act{Kind: "delete", Target: id("b1"), Reason: "for the test"})
	for _, seed := range []string{"", "a seed"} {
		f := exports.Filters{Format: format, State: exports.AllStates, Seed: seed}
		file, m := export(t, s, f)
		if found, err := compare(s, file, m, seed); err != nil || !found.Same() || found.Now != m.Out {
			t.Errorf("an unchanged database differs: %+v, %v", found, err)
		}
		var bad store.BadParameter
		if _, err := compare(s, file, m, map[string]string{"": "x", "a seed": ""}[seed]); !errors.As(err, &bad) {
			t.Errorf("a missing seed, or one too many: %v", err)
		}
	}
	file, m := export(t, s, exports.Filters{Format: format, State: exports.AllStates})
	act(t, s, store.Act{Kind: "delete", Target: id("c1"), Reason: "for the test"})
	act(t, s, store.Act{Kind: "review", Target: id("a6"), Reason: "for the test",
		Params: store.ReviewParams{Result: "accepted"}})
	act(t, s, store.Act{Kind: "edit", Target: id("a0"), Reason: "for the test",
		Params: store.EditParams{Text: "another text"}})
	found, err := compare(s, file, m, "")
	if err != nil || found.Broken != nil || fmt.Sprint(found.Changed.IDs, found.Added.IDs, found.Gone.IDs) !=
		fmt.Sprint([]uuid.UUID{id("a0")}, []uuid.UUID{id("a6")}, []uuid.UUID{id("c1")}) {
		t.Errorf("%+v, %v", found, err)
	}
	other := small(t)
	act(t, other, store.Act{Kind: "delete", Target: id("b1"), Reason: "somewhere else"})
	if found, err := compare(other, file, m, ""); err != nil || found.Broken == nil || found.Broken.Seq != 1 ||
		found.Changed.Count+found.Added.Count+found.Gone.Count > 0 {
		t.Errorf("another database with the same trees: %+v, %v", found, err)
	}
}

// TestDifferences changes a file after its export.
func TestDifferences(t *testing.T) {
	t.Parallel()
	s := small(t)
	file, m := export(t, s, exports.Filters{State: exports.AllStates})
	for name, c := range map[string]struct {
		file  []byte
		wants []string
	}{
		"another text": {bytes.Replace(file, []byte("text of a0"), []byte("text of a1"), 1), []string{"SHA-256"}},
		"cut":          {file[:len(file)-10], []string{"SHA-256", "bytes", "1 lines cannot", "messages"}[:2]},
		"a line less": {file[bytes.IndexByte(file, '\n')+1:], []string{"2 lines, the manifest says 3", "2 trees",
			"4 messages"}},
		"no JSON": {append(bytes.Clone(file), "{\n"...), []string{"4 lines", "line 4"}},
		"empty":   {nil, []string{"0 bytes", "0 trees", "0 messages"}},
	} {
		all := strings.Join(m.Differences(contentOf(t, m, c.file)), "\n")
		for _, want := range c.wants {
			if !strings.Contains(all, want) {
				t.Errorf("%s: %q does not speak of %q", name, all, want)
			}
		}
	}
	m.LeftOut.Messages["deleted"]++
	if got := m.Differences(contentOf(t, m, file)); len(got) != 1 || !strings.Contains(got[0], "left out, of 18") {
		t.Errorf("a manifest that does not add up: %q", got)
	}
}
