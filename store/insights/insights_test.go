package insights_test

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"

	"treewarden/corpus"
	"treewarden/policy"
	"treewarden/scoring"
	"treewarden/store"
	"treewarden/store/insights"
	"treewarden/store/storetest"
)

func TestMain(m *testing.M) { os.Exit(storetest.Main(m)) }

var ctx = context.Background()

// message is a message of a file, as far as the figures need it.
type message struct {
	ID       string             `json:"message_id"`
	UserID   *string            `json:"user_id"`
	Role     string             `json:"role"`
	Lang     string             `json:"lang"`
	Deleted  bool               `json:"deleted"`
	Review   *bool              `json:"review_result"`
	Detoxify map[string]float64 `json:"detoxify"`
	Labels   map[string]struct {
		Value *float64 `json:"value"`
	} `json:"labels"`
	Replies []message `json:"replies"`
}

// readFile returns all messages of a file. The sample has some trees twice.
func readFile(t *testing.T, file []byte) (all []message) {
	t.Helper()
	lines := bufio.NewScanner(bytes.NewReader(file))
	lines.Buffer(nil, 1<<24)
	known := map[string]bool{}
	var add func(m message)
	add = func(m message) {
		if !known[m.ID] {
			all = append(all, m)
		}
		known[m.ID] = true
		for _, reply := range m.Replies {
			add(reply)
		}
	}
	for lines.Scan() {
		var tree struct {
			Prompt message `json:"prompt"`
		}
		if err := json.Unmarshal(lines.Bytes(), &tree); err != nil {
			t.Fatal(err)
		}
		add(tree.Prompt)
	}
	if lines.Err() != nil || len(all) == 0 {
		t.Fatalf("%d messages, %v", len(all), lines.Err())
	}
	return all
}

// sample returns the file of the public sample.
func sample(t *testing.T) []byte {
	t.Helper()
	dir := os.Getenv("TREEWARDEN_CORPORA")
	if dir == "" {
		t.Skip("SKIPPED: TREEWARDEN_CORPORA is not set; it names the folder with the public data sets that this test reads")
	}
	file, err := os.ReadFile(filepath.Join(dir, "oasst", "oasst2-sample.trees.jsonl"))
	if err != nil {
		t.Fatal(err)
	}
	return file
}

// imported returns a store with the messages of a file, and these.
func imported(t *testing.T, file []byte) (*store.Store, []message) {
	t.Helper()
	s := storetest.New(t)
	lines := corpus.NewReader(bytes.NewReader(file), "sample").All()
	if _, err := s.Import(ctx, lines, store.ImportOptions{}); err != nil {
		t.Fatal(err)
	}
	all := readFile(t, file)
	return s, all
}

func access(t *testing.T, s *store.Store) insights.Access {
	t.Helper()
	a, err := s.Insights(store.CommandLine)
	if err != nil {
		t.Fatal(err)
	}
	return a
}

// counted counts the figures and checks them by another method.
func counted(t *testing.T, s *store.Store) insights.Access {
	t.Helper()
	a := access(t, s)
	if err := a.Count(ctx); err != nil {
		t.Fatal(err)
	}
	check, err := a.Verify(ctx)
	if err != nil || len(check.Found) > 0 {
		t.Fatalf("%d figures differ, %v:\n%s", len(check.Found), err, strings.Join(check.Found, "\n"))
	}
	return a
}

// values returns the values of an output of some messages.
func values(all []message, output string, of func(message) bool) (x []float64) {
	for _, m := range all {
		if v, ok := m.Detoxify[output]; ok && of(m) {
			x = append(x, v)
		}
	}
	return x
}

// moments returns the mean and the variance, by two passes.
func moments(x []float64) (mean, variance float64) {
	for _, v := range x {
		mean += v
	}
	mean /= float64(len(x))
	for _, v := range x {
		variance += (v - mean) * (v - mean)
	}
	return mean, variance / float64(len(x)-1)
}

func near(a, b float64) bool { return math.Abs(a-b) <= 1e-9*(1+math.Abs(b)) }

// TestMeansOfTheSample compares the paper's Table 1 of the public sample, and the other
// groups, with figures computed from the file.
func TestMeansOfTheSample(t *testing.T) {
	t.Parallel()
	s, all := imported(t, sample(t))
	a := counted(t, s)
	by := map[string]func(m message) string{
		insights.ByDeleted: func(m message) string {
			return map[bool]string{true: insights.Deleted, false: insights.Retained}[m.Deleted]
		},
		insights.ByReview: func(m message) string {
			switch {
			case m.Review == nil:
				return insights.Pending
			case *m.Review:
				return insights.Accepted
			}
			return insights.Rejected
		},
		insights.ByLang: func(m message) string { return m.Lang },
	}
	for name, group := range by {
		o, err := a.Outputs(ctx, name, "")
		if err != nil || o.Model != "detoxify" || len(o.Outputs) != 7 || o.AsOf == nil {
			t.Fatalf("%s: %v, %+v", name, err, o)
		}
		keys := map[string]bool{}
		for _, m := range all {
			if m.Detoxify != nil {
				keys[group(m)] = true
			}
		}
		if len(o.Groups) != len(keys) || len(keys) < 2 {
			t.Errorf("%s: %d groups, want %v", name, len(o.Groups), keys)
		}
		for _, g := range o.Groups {
			for _, got := range g.Means {
				checkMean(t, g.Key, got, values(all, got.Output, func(m message) bool { return group(m) == g.Key }),
					values(all, got.Output, func(m message) bool { return group(m) != g.Key }))
			}
		}
	}
}

// checkMean compares an output in a group with its values, and those of the rest.
func checkMean(t *testing.T, group string, got insights.OutputMean, in, rest []float64) {
	t.Helper()
	mean, variance := moments(in)
	other, otherVariance := moments(rest)
	if got.N != int64(len(in)) || !near(*got.Mean, mean) || !near(*got.Difference, mean-other) {
		t.Errorf("%s, %s: n %d, mean %v, difference %v; want %d, %v, %v", group, got.Output, got.N, *got.Mean,
			*got.Difference, len(in), mean, mean-other)
	}
	if len(in) < 2 {
		if got.SD != nil || got.Low != nil {
			t.Errorf("%s, %s: one message has an interval", group, got.Output)
		}
		return
	}
	if math.Abs(*got.SD-math.Sqrt(variance)) > 1e-9 {
		t.Errorf("%s, %s: standard deviation %v, want %v", group, got.Output, *got.SD, math.Sqrt(variance))
	}
	// With more than 50 messages in both groups the factor lies between those of the
	// normal distribution and of 49 degrees of freedom.
	half, deviation := (*got.High-*got.Low)/2, math.Sqrt(variance/float64(len(in))+otherVariance/float64(len(rest)))
	if !near((*got.High+*got.Low)/2, mean-other) ||
		len(in) > 50 && len(rest) > 50 && (half < 1.9599*deviation || half > 2.0096*deviation) {
		t.Errorf("%s, %s: the interval is %v to %v, of %v ± %v", group, got.Output, *got.Low, *got.High, mean-other,
			1.96*deviation)
	}
}

// TestCorrelationsOfTheSample compares with figures computed from the file.
func TestCorrelationsOfTheSample(t *testing.T) {
	t.Parallel()
	s, all := imported(t, sample(t))
	a := counted(t, s)
	for scope, in := range map[string]func(message) bool{
		insights.All: func(message) bool { return true }, insights.Deleted: func(m message) bool { return m.Deleted },
		insights.Retained: func(m message) bool { return !m.Deleted },
	} {
		r, err := a.Correlations(ctx, "detoxify", scope)
		if err != nil || len(r.Outputs) != 7 || len(r.Labels) != 13 {
			t.Fatalf("%s: %v, %v, %v", scope, err, r.Outputs, r.Labels)
		}
		for _, row := range r.Cells {
			for _, got := range row {
				var x, y []float64
				for _, m := range all {
					if label := m.Labels[got.Label]; in(m) && m.Detoxify != nil && label.Value != nil {
						x, y = append(x, m.Detoxify[got.Output]), append(y, *label.Value)
					}
				}
				want := pearson(x, y)
				if got.N != int64(len(x)) || (got.R == nil) != math.IsNaN(want) ||
					got.R != nil && math.Abs(*got.R-want) > 1e-9 {
					t.Errorf("%s: %s and %s: %d, %v; want %d, %v", scope, got.Output, got.Label, got.N, got.R, len(x), want)
				}
			}
		}
	}
}

// pearson returns Pearson's r, by two passes.
func pearson(x, y []float64) float64 {
	mx, _ := moments(x)
	my, _ := moments(y)
	var xx, yy, xy float64
	for i := range x {
		xx, yy, xy = xx+(x[i]-mx)*(x[i]-mx), yy+(y[i]-my)*(y[i]-my), xy+(x[i]-mx)*(y[i]-my)
	}
	return xy / math.Sqrt(xx*yy)
}

// TestContributorsOfTheSample compares the share of the top users, the curve and the Gini
// coefficient with figures computed from the file.
func TestContributorsOfTheSample(t *testing.T) {
	t.Parallel()
	s, all := imported(t, sample(t))
	a := counted(t, s)
	for _, role := range insights.Roles {
		by := map[string]int64{}
		var messages int64
		for _, m := range all {
			if m.UserID != nil && (role == insights.AnyRole || m.Role == role) {
				by[*m.UserID]++
				messages++
			}
		}
		numbers := slices.Sorted(maps.Values(by))
		// Half of the mean difference between any two users, over the mean.
		var differences int64
		for _, x := range numbers {
			for _, y := range numbers {
				differences += max(x-y, y-x)
			}
		}
		gini := float64(differences) / (2 * float64(len(by)) * float64(messages))
		for _, n := range []int{1, insights.DefaultTop, insights.MaxTop} {
			var first int64
			for _, x := range numbers[len(numbers)-n:] {
				first += x
			}
			c, err := a.Contributors(ctx, role, "", n)
			if err != nil || c.Messages != messages || c.Users != int64(len(by)) || c.TopMessages != first ||
				!near(*c.Share, float64(first)/float64(messages)) || !near(*c.Gini, gini) || len(c.Items) != n {
				t.Fatalf("%s, top %d: %v, %+v; want %d messages of %d users, %d of the first, Gini %v", role, n, err, c,
					messages, len(by), first, gini)
			}
			for i, item := range c.Items {
				if item.Rank != i+1 || item.Messages != by[item.UserID.String()] ||
					item.Messages != numbers[len(numbers)-1-i] {
					t.Errorf("%s: %+v has %d messages", role, item, by[item.UserID.String()])
				}
			}
			checkCurve(t, c, numbers)
		}
	}
}

// checkCurve checks that each point of the curve is the sum of the smallest numbers.
func checkCurve(t *testing.T, c insights.Contributors, numbers []int64) {
	t.Helper()
	if first, last := c.Curve[0], c.Curve[len(c.Curve)-1]; first != (insights.Point{}) ||
		last != (insights.Point{Users: 1, Messages: 1, Most: numbers[len(numbers)-1], N: c.Messages}) {
		t.Errorf("the curve goes from %v to %v", first, last)
	}
	for _, p := range c.Curve {
		var sum int64
		for _, x := range numbers[:int(math.Round(p.Users*float64(len(numbers))))] {
			sum += x
		}
		if p.N != sum || !near(p.Messages, float64(sum)/float64(c.Messages)) {
			t.Errorf("%v of the users wrote %v, want %v", p.Users, p.Messages, float64(sum)/float64(c.Messages))
		}
	}
}

// small is a store with a few messages, some with outputs of a model, labels by people
// and of files, and on a list.
func small(t *testing.T) (s *store.Store, ids []uuid.UUID, list uuid.UUID) {
	t.Helper()
	s = storetest.New(t)
	author, rater := storetest.User(t, s, "Author"), storetest.User(t, s, "Rater")
	now := time.Now()
	ids = storetest.Tree(t, s, storetest.Node{Author: author, At: now.AddDate(0, 0, -20), Replies: []storetest.Node{
		{Author: rater, At: now.Add(-time.Hour), Lang: "de"}, {Author: author, At: now.AddDate(0, 0, -3), Deleted: true},
		{Author: author, At: now.AddDate(-1, 0, 0), Deleted: true}}})
	storetest.Exec(t, s, "INSERT INTO classifier_models (name, outputs) VALUES ('it''s a model $1', '{bad,worse}')")
	for i, scores := range []string{"{0.1,NULL}", "{0.3}", "{0.8,0.5}", "{0.9,NaN}"} {
		storetest.Exec(t, s, `INSERT INTO classifier_outputs (tree_id, message_id, model_id, scores)
			SELECT $1, $2, model_id, $3::text::float8[] FROM classifier_models`, ids[0], ids[i], scores)
	}
	storetest.Exec(t, s, `INSERT INTO label_aggregates (tree_id, message_id, toxicity, toxicity_count)
		VALUES ($1, $1, 0.2, 3)`,
		ids[0])
	for i, value := range []float64{1, 0.5, 0.75} {
		storetest.Vote(t, s, ids[i], rater, "toxicity", value, now)
	}
	storetest.Vote(t, s, ids[2], author, "toxicity", 0.25, now)
	list = uuid.New()
	storetest.Exec(t, s, "INSERT INTO lists (list_id, name, kind, created_date) VALUES ($1, 'Bad ones', 'bad', now())",
		list)
	for _, id := range []uuid.UUID{ids[2], ids[1], uuid.New()} {
		storetest.Exec(t, s, "INSERT INTO list_items (list_id, message_id, added_at, action_id) VALUES ($1, $2, now(), 1)",
			list, id)
	}
	return s, ids, list
}

// TestFiguresOfLabelsAndLists checks means of labels from files and votes together, the
// groups of a list, values that are no numbers, and time frames.
func TestFiguresOfLabelsAndLists(t *testing.T) {
	t.Parallel()
	s, _, list := small(t)
	a := counted(t, s)
	r, err := a.Correlations(ctx, "", "")
	// (0.2 · 3 + 1) / 4 = 0.4, 0.5, (0.75 + 0.25) / 2 = 0.5; the fourth message has none.
	if want := pearson([]float64{0.1, 0.3, 0.8}, []float64{0.4, 0.5, 0.5}); err != nil || len(r.Cells) != 2 ||
		r.Cells[0][0].N != 3 || math.Abs(*r.Cells[0][0].R-want) > 1e-9 {
		t.Errorf("%v, %+v, want %v", err, r.Cells, want)
	}
	if worse := r.Cells[1][0]; worse.N != 1 || worse.R != nil {
		t.Errorf("one message: %+v", worse)
	}
	o, err := a.Outputs(ctx, insights.ListPrefix+strings.ToUpper(list.String()), "")
	if err != nil || *o.List != "Bad ones" || len(o.Groups) != 2 || o.By != insights.ListPrefix+list.String() {
		t.Fatalf("%v, %+v", err, o)
	}
	listed, others := o.Groups[0], o.Groups[1]
	if listed.Key != insights.Listed || listed.Means[0].N != 2 || !near(*listed.Means[0].Mean, 0.55) ||
		others.Means[0].N != 2 || !near(*others.Means[0].Mean, 0.5) || !near(*listed.Means[0].Difference, 0.05) {
		t.Errorf("the list: %+v", o.Groups)
	}
	if worse := others.Means[1]; worse.N != 0 || worse.Mean != nil || listed.Means[1].Difference != nil {
		t.Errorf("an output of no other message: %+v, %+v", worse, listed.Means[1])
	}
	for frame, want := range map[string]int64{"day": 1, "week": 2, "month": 3, "total": 4, "": 4} {
		if c, err := a.Contributors(ctx, "", frame, 0); err != nil || c.Messages != want || c.Top != insights.DefaultTop {
			t.Errorf("%s: %v, %+v, want %d", frame, err, c, want)
		}
	}
	for name, wrong := range map[string]func() error{
		"model": func() error { _, err := a.Correlations(ctx, "none", ""); return err },
		"scope": func() error { _, err := a.Correlations(ctx, "", "some"); return err },
		"by":    func() error { _, err := a.Outputs(ctx, "list:x", ""); return err },
		"role":  func() error { _, err := a.Contributors(ctx, "admin", "", 1); return err },
		"frame": func() error { _, err := a.Contributors(ctx, "", "year", 1); return err },
		"top":   func() error { _, err := a.Contributors(ctx, "", "", insights.MaxTop+1); return err },
	} {
		var parameter store.BadParameter
		if err := wrong(); !errors.As(err, &parameter) || parameter.Name != name {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := a.Outputs(ctx, insights.ListPrefix+uuid.NewString(), ""); !errors.Is(err, store.ErrNotFound) {
		t.Errorf("a list that does not exist: %v", err)
	}
	if _, err := s.Insights(store.Actor{}); err == nil {
		t.Error("nobody may read the figures")
	}
}

// TestQueriesOfInsights runs the queries that the figures name: they give the same.
func TestQueriesOfInsights(t *testing.T) {
	t.Parallel()
	s, _, list := small(t)
	a := counted(t, s)
	db := storetest.DB(t, s)
	run := func(sql string) (all [][]any) {
		t.Helper()
		rows, err := db.Query(ctx, sql)
		if err != nil {
			t.Fatalf("%v\n%s", err, sql)
		}
		defer rows.Close()
		for rows.Next() {
			row, err := rows.Values()
			if err != nil {
				t.Fatal(err)
			}
			all = append(all, row)
		}
		if rows.Err() != nil {
			t.Fatalf("%v\n%s", rows.Err(), sql)
		}
		return all
	}
	for _, by := range []string{insights.ByDeleted, insights.ByReview, insights.ByLang,
		insights.ListPrefix + list.String()} {
		o, err := a.Outputs(ctx, by, "it's a model $1")
		if err != nil {
			t.Fatal(err)
		}
		of := map[string]insights.OutputMean{}
		for _, g := range o.Groups {
			for _, m := range g.Means {
				if m.N > 0 {
					of[g.Key+" "+m.Output] = m
				}
			}
		}
		rows := run(o.Queries["outputs"])
		if len(rows) != len(of) || len(rows) == 0 {
			t.Errorf("%s: %d rows, want %d", by, len(rows), len(of))
		}
		for _, row := range rows {
			m := of[fmt.Sprint(row[0], " ", row[1])]
			if m.N != row[2] || m.Mean == nil || !near(*m.Mean, row[5].(float64)) {
				t.Errorf("%s: %v, want %+v", by, row, m)
			}
		}
	}
	for _, scope := range []string{insights.All, insights.Deleted, insights.Retained} {
		r, err := a.Correlations(ctx, "", scope)
		if err != nil {
			t.Fatal(err)
		}
		of := map[string]insights.Cell{}
		for _, row := range r.Cells {
			for _, cell := range row {
				of[cell.Output+" "+cell.Label] = cell
			}
		}
		for _, row := range run(r.Queries["cells"]) {
			cell := of[fmt.Sprint(row[0], " ", row[1])]
			if cell.N != row[2] || (cell.R == nil) != (row[3] == nil) || cell.R != nil && *cell.R != row[3] {
				t.Errorf("%s: %v, want %+v", scope, row, cell)
			}
		}
	}
	for _, frame := range scoring.Windows {
		c, err := a.Contributors(ctx, "prompter", string(frame), 1)
		if err != nil {
			t.Fatal(err)
		}
		var messages int64
		for _, row := range run(c.Queries["curve"]) {
			messages += row[0].(int64) * row[1].(int64)
		}
		if messages != c.Messages {
			t.Errorf("%s: %d messages, want %d", frame, messages, c.Messages)
		}
		if rows := run(c.Queries["top"]); len(rows) != len(c.Items) || len(rows) > 0 && rows[0][3] != c.Items[0].Messages {
			t.Errorf("%s: %v, want %+v", frame, rows, c.Items)
		}
	}
}

// TestInsightsFollowChanges checks that the figures are counted again after changes, not
// without any, and not more often than they should.
func TestInsightsFollowChanges(t *testing.T) {
	t.Parallel()
	s, ids, _ := small(t)
	now := time.Now().UTC().Truncate(time.Second)
	s.SetClock(func() time.Time { return now })
	a := access(t, s)
	keep := func(after time.Duration) time.Time {
		t.Helper()
		now = now.Add(after)
		// The server's statistics come seconds late: this makes them come now.
		storetest.Exec(t, s, "SELECT pg_stat_force_next_flush()")
		if err := a.KeepUp(ctx); err != nil {
			t.Fatal(err)
		}
		c, err := a.Contributors(ctx, "", "", 0)
		if err != nil || c.AsOf == nil {
			t.Fatalf("%v, %+v", err, c)
		}
		return *c.AsOf
	}
	first := keep(0)
	if again := keep(time.Minute); !again.Equal(first) {
		// Statistics of the test's own connections may have come late, once.
		first = keep(time.Minute)
		if again := keep(time.Minute); !again.Equal(first) {
			t.Errorf("counted again without a change")
		}
	}
	if again := keep(2 * time.Hour); !again.Equal(now) {
		t.Errorf("the figures stay as of %v at %v", again, now)
	}
	storetest.Exec(t, s, "UPDATE insight_state SET changes = changes - 1")
	storetest.Exec(t, s, "UPDATE insight_state SET seconds = 60")
	before := now
	if again := keep(time.Minute); !again.Equal(before) {
		t.Errorf("a count of a minute is made again after a minute")
	}
	if again := keep(20 * time.Minute); !again.Equal(now) {
		t.Errorf("the figures stay as of %v at %v after a change", again, now)
	}

	// Differences are found, and a change since is known as one.
	for _, sql := range []string{
		"UPDATE insight_outputs SET sum = sum + 0.001", "UPDATE insight_lists SET messages = messages + 1",
		"UPDATE insight_pairs SET xy = 0", "DELETE FROM insight_writers WHERE frame = 'day'",
		"UPDATE insight_writers SET user_id = gen_random_uuid() WHERE role = 'any' AND frame = 'total'",
	} {
		counted(t, s)
		storetest.Exec(t, s, sql)
		if check, err := a.Verify(ctx); err != nil || len(check.Found) == 0 {
			t.Errorf("%s is not found: %v, %+v", sql, err, check)
		}
	}
	counted(t, s)
	storetest.Exec(t, s, "UPDATE messages SET deleted = true WHERE message_id = $1", ids[1])
	if check, err := a.Verify(ctx); err != nil || len(check.Found) == 0 {
		t.Errorf("a change of a message is not found: %v, %+v", err, check)
	}
}

// TestUpdate changes messages in several ways after a count, and checks that the figures
// follow without another whole count, each part by itself, and that a part that grows
// becomes two.
func TestUpdate(t *testing.T) {
	t.Parallel()
	s, ids, _ := small(t)
	author, admin := storetest.User(t, s, "Other"), storetest.Staff(t, s, policy.Admin)
	for range 5 {
		storetest.Tree(t, s, storetest.Node{Author: author})
	}
	a := access(t, s)
	a.Part = 2
	if more, err := a.Update(ctx); more || err != nil {
		t.Errorf("before the first count: %v, %v", more, err)
	}
	if err := a.Count(ctx); err != nil {
		t.Fatal(err)
	}
	parts := func() (n, trees int) {
		if err := storetest.DB(t, s).QueryRow(ctx, "SELECT count(*), sum(trees) FROM insight_parts").
			Scan(&n, &trees); err != nil {
			t.Fatal(err)
		}
		return n, trees
	}
	if n, trees := parts(); n != 4 || trees != 6 { // the last one is of what is to come
		t.Errorf("%d parts of %d trees", n, trees)
	}
	changed := func(what string) {
		t.Helper()
		before, err := a.Outputs(ctx, "", "")
		if err != nil {
			t.Fatal(err)
		}
		for more := true; more; {
			if more, err = a.Update(ctx); err != nil {
				t.Fatal(err)
			}
		}
		check, err := a.Verify(ctx)
		if err != nil {
			t.Fatal(err)
		}
		for _, found := range check.Found {
			t.Errorf("after %s: %s", what, found)
		}
		after, err := a.Outputs(ctx, "", "")
		if err != nil || !after.AsOf.After(*before.AsOf) {
			t.Errorf("%v; after %s the figures are as of %v, before it of %v", err, what, after.AsOf, before.AsOf)
		}
	}
	act := func(kind string, params any) store.Outcome {
		t.Helper()
		done, err := s.Act(ctx, admin, store.Act{Kind: kind, Target: ids[1], Reason: "because", Params: params})
		if err != nil {
			t.Fatal(err)
		}
		return done
	}
	done := act("delete", store.CloseParams{})
	changed("a deletion")
	if o, err := a.Outputs(ctx, "", ""); err != nil || o.Groups[0].Key != "deleted" || o.Groups[0].N() != 3 {
		t.Errorf("%v, %+v", err, o.Groups)
	}
	if _, err := s.Undo(ctx, admin, done.Action.ID, "because", false, ""); err != nil {
		t.Fatal(err)
	}
	changed("an undo")
	act("review", store.ReviewParams{Result: "rejected"})
	changed("a review")
	act("label", store.LabelParams{Labels: map[string]float64{"spam": 1, "quality": 0.5}})
	changed("a label")
	var lines strings.Builder
	for range 40 {
		fmt.Fprintf(&lines, `{"type":"message","id":%q,"message_id":%q,"user_id":%q,"role":"prompter","text":"x"}`+"\n",
			uuid.New(), uuid.New(), author)
	}
	fmt.Fprintf(&lines, `{"type":"classifier_output","id":%q,"message_id":%q,"model":"m","scores":{"x":7}}`+"\n",
		uuid.New(), ids[0])
	if done, err := s.Ingest(ctx, store.CommandLine, []byte(lines.String())); err != nil || done.Accepted != 41 {
		t.Fatalf("%v, %+v", err, done)
	}
	changed("an ingest")
	if n, trees := parts(); n < 8 || trees != 46 {
		t.Errorf("%d parts of %d trees", n, trees)
	}
	storetest.Exec(t, s, "UPDATE insight_parts SET figures = 'x'")
	act("edit", store.EditParams{Text: "another"})
	if _, err := a.Update(ctx); err == nil {
		t.Error("a part that cannot be read is no error")
	}
	storetest.Exec(t, s, "UPDATE insight_state SET update_seconds = 0") // no rest
	if err := a.KeepUp(ctx); err != nil {
		t.Fatal(err)
	}
	act("edit", store.EditParams{Text: "a third"})
	changed("an edit")
	none(t, s, "SELECT FROM insight_changes UNION ALL SELECT FROM insight_changed_users")
}

// TestKeepUpRests checks how long after an update of ten seconds the next one comes: soon
// after few changes, later after many.
func TestKeepUpRests(t *testing.T) {
	t.Parallel()
	s := storetest.New(t)
	a := access(t, s)
	tree := storetest.Tree(t, s, storetest.Node{Author: storetest.User(t, s, "author")})[0]
	if err := a.Count(ctx); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		notes   int
		after   time.Duration
		updated bool
	}{
		{1, 39 * time.Second, false}, {1, 41 * time.Second, true},
		{1500, 199 * time.Second, false}, {1500, 201 * time.Second, true},
	} {
		now := time.Now().UTC().Truncate(time.Microsecond)
		// The last whole count took so long that the next one is not due.
		storetest.Exec(t, s, `UPDATE insight_state SET as_of = $1, seconds = 100000, updated_at = $1, update_seconds = 10`,
			now.Add(-c.after))
		storetest.Exec(t, s, "DELETE FROM insight_changes")
		storetest.Exec(t, s, "INSERT INTO insight_changes SELECT $1::uuid FROM generate_series(1, $2::int)", tree, c.notes)
		a.Now = func() time.Time { return now }
		if err := a.KeepUp(ctx); err != nil {
			t.Fatal(err)
		}
		var updated bool
		err := storetest.DB(t, s).QueryRow(ctx, "SELECT updated_at = $1 FROM insight_state", now).Scan(&updated)
		if err != nil || updated != c.updated {
			t.Errorf("%v; %d changes, %s after the last update: updated is %t", err, c.notes, c.after, updated)
		}
	}
}

// none checks that a query has no rows.
func none(t *testing.T, s *store.Store, sql string) {
	t.Helper()
	var n int
	if err := storetest.DB(t, s).QueryRow(ctx, "SELECT count(*) FROM ("+sql+") q").Scan(&n); err != nil || n != 0 {
		t.Errorf("%d rows, %v: %s", n, err, sql)
	}
}

// TestInsightsOfNothing reads and counts the figures of an empty database.
func TestInsightsOfNothing(t *testing.T) {
	t.Parallel()
	s := storetest.New(t)
	a := access(t, s)
	for range 2 {
		o, err := a.Outputs(ctx, "", "")
		if err != nil || len(o.Groups) != 0 || o.Model != "" {
			t.Errorf("%v, %+v", err, o)
		}
		r, err := a.Correlations(ctx, "", "")
		if err != nil || len(r.Cells) != 0 {
			t.Errorf("%v, %+v", err, r)
		}
		c, err := a.Contributors(ctx, "", "", 0)
		if err != nil || c.Share != nil || c.Gini != nil || len(c.Curve) != 0 || len(c.Items) != 0 {
			t.Errorf("%v, %+v", err, c)
		}
		counted(t, s)
	}
	if _, err := a.Outputs(ctx, "", "detoxify"); err == nil {
		t.Error("a model that does not exist is taken")
	}
}
