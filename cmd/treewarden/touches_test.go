package main

import (
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// insertion adds text to a file of the tree, before the first line that begins
// with an anchor; a file without an anchor is new.
type insertion struct{ file, before, text string }

// addition is one thing that somebody adds to the program: its row in the table of
// CONTRIBUTING.md, and what it takes. Migrations and tests are not counted.
type addition struct {
	row   string
	takes []insertion
}

// additions are a throw-away one of each. An action marks a message as synthetic;
// a signal counts such messages; a label is asked for; a page lists classifiers.
var additions = []addition{{
	row: "an action",
	takes: []insertion{
		{"store/action_mark.go", "", `package store

import (
	"treewarden/policy"
	"treewarden/store/aspects"
)

// MarkParams are the parameters of the action mark.
type MarkParams struct {
	On bool ` + "`json:\"on\" form:\"on\"`" + `
}

var syntheticAspect = columnAspect{aspects.Column{
	Name: "synthetic", Object: "message", State: "to_jsonb(o.synthetic)", Restore: "synthetic = s::boolean",
}}

func init() {
	register(Kind{
		Name: "mark", Target: "message", Path: "mark", Place: 55, Title: "Mark message", Button: "Mark", Past: "Marked",
		Permission: policy.MessageMark, Undoable: true, NeedsReason: true, Fields: "mark",
		Menu: []MenuEntry{{Text: "Mark…", Icon: "label"}}, aspects: []aspect{syntheticAspect},
	}, mark)
}

func mark(d *actionTx, p MarkParams) error {
	m, err := d.lockMessage(d.act.Target)
	if err != nil {
		return err
	}
	if err := d.checkVersion(m.Version); err != nil {
		return err
	}
	d.affected.Messages = 1
	_, err = d.change(syntheticAspect, "chosen AS (SELECT $2::uuid AS tree_id, $3::uuid AS id)", "synthetic = $4",
		m.TreeID, m.MessageID, p.On)
	return err
}
`},
		{"views/partials/fields/mark.html", "", `<label class="check"><input type="checkbox" name="on" value="true"` +
			`{{if .Params.On}} checked{{end}}><span>Written by a model</span></label>
`},
		{"policy/permission.go", "	MessageDelete Permission", "	MessageMark Permission = \"message.mark\"\n"},
		{"policy/permission.go", "	{MessageDelete,", "	{MessageMark, \"mark messages as written by a model\"},\n"},
		{"policy/policy.csv", "p, moderator, message.delete", "p, moderator, message.mark\n"},
		{"store/touches_test.go", "", `package store_test

import (
	"testing"

	"github.com/google/uuid"

	"treewarden/store"
	"treewarden/store/storetest"
)

func TestAddedAction(t *testing.T) {
	s := storetest.New(t)
	message := storetest.Tree(t, s, storetest.Node{Author: storetest.User(t, s, "author"), Replies: nil})[0]
	act := store.Act{Kind: "mark", Target: message, Reason: "to try it", Params: store.MarkParams{On: true}}
	outcome, err := s.Act(ctx, store.CommandLine, act)
	if err != nil || outcome.Action.ID == 0 {
		t.Fatal(outcome, err)
	}
	if m, err := s.Message(ctx, store.CommandLine, message); err != nil || !m.Synthetic {
		t.Error("the action did nothing", err)
	}
	if _, err := s.Undo(ctx, store.CommandLine, outcome.Action.ID, "and back", false, ""); err != nil {
		t.Error(err)
	}
	if m, err := s.Message(ctx, store.CommandLine, message); err != nil || m.Synthetic || m.MessageID == uuid.Nil {
		t.Error("the undo did nothing", err)
	}
}
`},
	},
}, {
	row: "a signal",
	takes: []insertion{
		{"scoring/signals.go", "	ToxicMessages    Signal", "	SyntheticMessages Signal = \"synthetic_messages\"\n"},
		{"scoring/signals.go", "		Signal: ToxicMessages,", `		Signal: SyntheticMessages, Title: "Synthetic messages",
		Counts: "messages that a model wrote",
	}, {
`},
		{"store/counters/source.go", "	numFacts", "	Synthetic // a model wrote it\n"},
		{"store/counters/source.go", "	Toxicity: {", `	Synthetic: {
		at: "m.created_date", where: "m.synthetic", counts: map[string]string{"synthetic_messages": "1"},
	},
`},
		{"store/counters/fact.go", "		Deletion: scoring.Deleted.Place()",
			"		Synthetic: scoring.SyntheticMessages.Place(),\n"},
		{"store/counters/fact.go", "	{Deletion, func(",
			"	{Synthetic, func(m *corpus.Message, _ bool) bool { return m.Synthetic }},\n"},
		{"migrations/9000_added.sql", "", `-- +goose Up
ALTER TABLE user_signals ADD synthetic_messages bigint, ADD legacy_synthetic_messages bigint;
`},
	},
}, {
	row: "a label",
	takes: []insertion{
		{"scoring/labels.go", "		Name: \"violence\",", `		Name: "sarcasm", Title: "sarcasm", Answer: Scale,
		Place: 14, Question: "Sarcasm", Low: "meant", High: "sarcastic",
	}, {
`},
		{"migrations/9001_added.sql", "", `-- +goose Up
ALTER TABLE label_votes ADD sarcasm double precision;
ALTER TABLE label_aggregates ADD sarcasm double precision, ADD sarcasm_count integer;
`},
	},
}, {
	row: "a page with a filter",
	takes: []insertion{
		{"store/detector.go", "", `package store

import (
	"context"

	"treewarden/policy"
	"treewarden/store/db"
)

// DetectorModel is a classifier whose outputs are stored.
type DetectorModel struct {
	Name    string   ` + "`json:\"name\"`" + `
	Outputs []string ` + "`json:\"outputs\"`" + `
}

// DetectorModels lists classifiers whose names hold a text.
func (s *Store) DetectorModels(ctx context.Context, actor Actor, q string) ([]DetectorModel, error) {
	if err := need(actor, policy.Read); err != nil {
		return nil, err
	}
	return db.Collect[DetectorModel](ctx, s.pool,
		"SELECT name, outputs FROM classifier_models WHERE name ILIKE $1 ORDER BY name", "%"+db.EscapeLike(q)+"%")
}
`},
		{"admin/detector.go", "", `package admin

import (
	"github.com/gofiber/fiber/v2"

	"treewarden/admin/openapi"
	"treewarden/store"
)

func init() {
	describe("GET /detectors", openapi.Method{
		Summary: "Detectors", Query: detectorsQuery{}, Answer: store.List[store.DetectorModel]{},
	})
}

type detectorsQuery struct {
	Q string ` + "`form:\"q\" validate:\"max=200\"`" + `
}

type detectorsPage struct {
	Layout
	Filter detectorsQuery
	List   store.List[store.DetectorModel]
}

func (p detectorsPage) api() any { return p.List }

func (s *Server) detectors(c *fiber.Ctx) error {
	var q detectorsQuery
	if err := decodeQuery(c, &q); err != nil {
		return err
	}
	found, err := s.store.DetectorModels(c.UserContext(), s.actor(c), q.Q)
	if err != nil {
		return err
	}
	p := detectorsPage{Layout: s.layout(c, "Detectors"), Filter: q, List: store.List[store.DetectorModel]{Items: found}}
	return s.render(c, "detectors", p)
}
`},
		{"admin/routes.go", "		{get, \"/audit\"", "		{get, \"/detectors\", policy.Read, (*Server).detectors, both},\n\n"},
		{"admin/page.go", "	{\"Audit log\",", "	{\"Detectors\", \"/detectors\", \"weights\", \"z\", policy.Read, \"\"},\n"},
		{"views/detectors.html", "", `{{template "partials/top" .}}
<div class="page-head"><h1>Classifiers</h1></div>
<form class="filters" method="get" action="/detectors">
<input type="search" name="q" aria-label="Name" value="{{.Filter.Q}}"><button class="btn">Filter</button></form>
<ul>{{range .List.Items}}<li>{{.Name}}: {{len .Outputs}} outputs</li>{{end}}</ul>
{{template "partials/bottom" .}}
`},
		{"admin/touches_test.go", "", `package admin

func init() { pageTypes["detectors"] = detectorsPage{} }
`},
	},
}}

// testsOfAdditions are the tests that know of what was added, by package.
var testsOfAdditions = [][2]string{
	{"./scoring", "TestSignalsAreWhole|TestLabelsAreWhole|TestEveryFormulaWeighsEverySignal"},
	{"./store/counters", "TestEverySignalIsCounted"},
	{"./store", "TestAddedAction|TestEverySignalAndLabelHasColumns|TestIngestCountsAsTheDatabase"},
	{"./admin", "TestViews|TestEveryViewIsKnown|TestEveryKindHasItsRoutes|TestEveryRouteIsGuarded|TestOpenAPI"},
}

// TestTouches holds the table of CONTRIBUTING.md: it adds a throw-away one of each
// to a copy of the tree, which must build and pass the tests that know of it, and
// counts the files.
func TestTouches(t *testing.T) {
	t.Parallel()
	table, err := os.ReadFile("../../CONTRIBUTING.md")
	if err != nil {
		t.Fatal(err)
	}
	tree := copyTree(t, "../..")
	for _, a := range additions {
		touched := map[string]bool{}
		for _, in := range a.takes {
			in.into(t, tree)
			if !strings.HasSuffix(in.file, "_test.go") && !strings.HasPrefix(in.file, "migrations/") {
				touched[in.file] = true
			}
		}
		if row := fmt.Sprintf("| %s | %d |", a.row, len(touched)); !strings.Contains(string(table), row) {
			t.Errorf("CONTRIBUTING.md does not hold the row %q", row)
		}
	}
	for _, test := range testsOfAdditions {
		runIn(t, tree, "go", "test", test[0], "-run", "^("+test[1]+")$")
	}
}

// into makes the insertion in a tree.
func (in insertion) into(t *testing.T, tree string) {
	t.Helper()
	path := filepath.Join(tree, in.file)
	text := in.text
	if in.before != "" {
		old, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		at := regexp.MustCompile(`(?m)^` + regexp.QuoteMeta(in.before)).FindIndex(old)
		if at == nil {
			t.Fatalf("%s has no line that begins with %q", in.file, in.before)
		}
		text = string(old[:at[0]]) + in.text + string(old[at[0]:])
	}
	if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
}

// copyTree copies what the program is built from.
func copyTree(t *testing.T, from string) string {
	t.Helper()
	to := t.TempDir()
	err := filepath.WalkDir(from, func(path string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		name, err := filepath.Rel(from, path)
		if err != nil {
			return err
		}
		if entry.IsDir() {
			if strings.HasPrefix(entry.Name(), ".") && name != "." || name == "bin" || name == "bench" {
				return filepath.SkipDir
			}
			return os.MkdirAll(filepath.Join(to, name), 0o755)
		}
		if !entry.Type().IsRegular() {
			return nil
		}
		text, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		return os.WriteFile(filepath.Join(to, name), text, 0o644)
	})
	if err != nil {
		t.Fatal(err)
	}
	return to
}

// runIn runs a command in a tree; a failure ends the test.
func runIn(t *testing.T, tree, name string, args ...string) {
	t.Helper()
	command := exec.Command(name, args...)
	command.Dir = tree
	if out, err := command.CombinedOutput(); err != nil {
		t.Fatalf("%s %s: %v\n%s", name, strings.Join(args, " "), err, out)
	}
}
