package admin

import (
	"context"
	"strconv"
	"strings"

	"github.com/gofiber/fiber/v2"
	"github.com/google/uuid"

	"treewarden/admin/openapi"
	"treewarden/markup"
	"treewarden/policy"
	"treewarden/store"
)

func init() {
	describe("GET /trees", openapi.Method{
		Summary: "Trees",
		Query:   treesQuery{}, Answer: store.List[store.Tree]{},
	})
	describe("GET /trees/:id", openapi.Method{
		Summary: "A tree with all its messages nested",
		Answer:  store.TreeDetail{},
	})
}

// haltedState is the state of a tree that staff stopped.
const haltedState = "halted_by_moderator"

// treesQuery is the query of the list of trees.
type treesQuery struct {
	pageQuery
	State  string     `form:"state" validate:"max=40"`
	Lang   string     `form:"lang" validate:"max=40"`
	Origin string     `form:"origin" validate:"max=200"`
	Author *uuid.UUID `form:"author"`
}

// treeView is a tree as pages show it.
type treeView struct {
	store.Tree
	Title       string           // of the state
	Mood        string           // ok, warn, bad or info: the class of its badge
	Prompt      string           // the beginning of the prompt
	Warnings    []contentWarning // why Prompt is hidden
	AuthorShown string           // the name of the author; empty where there is none
	Act         string           // the address that stops or restarts it; empty if the person may not
	Halted      bool
	Restarting  string // the state that a restart restores
}

// Tag returns the tree's language for a lang attribute.
func (v treeView) Tag() string { return langTag(v.Lang) }

// viewTree makes the view of a tree. The prompt is its first message; nil if it
// has none.
func viewTree(tree store.Tree, prompt *store.Message, t messagePresenter) treeView {
	v := treeView{Tree: tree, Title: stateTitle(tree.State), Mood: moods[tree.State], Halted: tree.State == haltedState}
	if prompt != nil {
		if v.Warnings = hiddenFrom(t.person, *prompt); v.Warnings == nil {
			v.Prompt = markup.Excerpt(tree.Excerpt, tableExcerpt)
		}
	}
	if tree.Author != nil {
		v.AuthorShown = named(orEmpty(tree.AuthorName), *tree.Author)
	}
	if tree.HaltedState != nil {
		v.Restarting = stateTitle(*tree.HaltedState)
	}
	if t.may[policy.TreeHalt] {
		v.Act = ActPath("tree", tree.TreeID, "halt", t.back)
		if v.Halted {
			v.Act = ActPath("tree", tree.TreeID, "resume", t.back)
		}
	}
	return v
}

// moods maps states to the class of their badge. All other states are in
// progress.
var moods = map[string]string{
	"halted_by_moderator": "bad", "aborted_low_grade": "bad", "scoring_failed": "warn", "ready_for_export": "ok",
	"growing": "info", "ranking": "info",
}

// stateTitle returns a tree's state in words. Pages say "stop" where the names of states
// say "halt".
func stateTitle(state string) string {
	if state == haltedState {
		return "stopped by a moderator"
	}
	return strings.ReplaceAll(state, "_", " ")
}

func stateChoices(chosen string) []Choice {
	all := []Choice{{"", "Any state", chosen == ""}}
	for _, state := range store.TreeStates {
		all = append(all, Choice{state, capital(stateTitle(state)), state == chosen})
	}
	return all
}

type treesPage struct {
	Layout
	List      store.List[store.Tree]
	Filter    treesQuery
	Lines     []treeView
	Languages []Choice
	Limited   *Limited
	States    []Choice
	Of        string // the user whose trees the list is limited to
	Pager     Pager
	CSV       string
}

func (p treesPage) api() any { return p.List }

// Filtered reports whether the list leaves trees out.
func (p treesPage) Filtered() bool {
	return p.Filter.State != "" || p.Filter.Lang != "" && p.Filter.Lang != ownLanguages || p.Filter.Origin != "" ||
		p.Filter.Author != nil
}

// Carry returns the parameters that the filters' form sends along.
func (p treesPage) Carry() []Choice { return carried(p.Query, "author") }

func (p treesPage) csv() (header []string, rows [][]string) {
	header = []string{"id", "state", "active", "goal_tree_size", "max_depth", "max_children_count", "origin", "lang",
		"created_date", "author", "author_name", "messages", "excerpt"}
	whole := func(n *int) string {
		if n == nil {
			return ""
		}
		return strconv.Itoa(*n)
	}
	for _, t := range p.List.Items {
		var author string
		if t.Author != nil {
			author = t.Author.String()
		}
		rows = append(rows, []string{
			t.TreeID.String(), t.State, strconv.FormatBool(t.Active),
			whole(t.GoalTreeSize), whole(t.MaxDepth), whole(t.MaxChildrenCount),
			orEmpty(t.Origin), orEmpty(t.Lang), rfc3339(t.CreatedDate), author, orEmpty(t.AuthorName),
			strconv.Itoa(t.Messages), t.Excerpt,
		})
	}
	return header, rows
}

// trees lists conversation trees, the newest first.
func (s *Server) trees(c *fiber.Ctx) error {
	var q treesQuery
	if err := decodeQuery(c, &q); err != nil {
		return err
	}
	q.Lang = defaultLanguage(c, q.Lang)
	f := store.TreeFilter{State: q.State, Origin: strings.TrimSpace(q.Origin), Author: q.Author, Page: q.page()}
	f.Lang, f.Within = languageFilter(s.actor(c), q.Lang)
	actor := s.actor(c)
	if wantsCSV(c) {
		return s.sendCSV(c, "trees", func(ctx context.Context, page store.Page) (listPage, *string, error) {
			f.Page = page
			list, err := s.store.Trees(ctx, actor, f)
			return treesPage{List: list}, list.Next, err
		})
	}
	list, err := s.store.Trees(c.UserContext(), actor, f)
	if err != nil {
		return err
	}
	p := treesPage{List: list, Filter: q}
	if isAPI(c) {
		return s.render(c, "trees", p)
	}
	p.Layout = s.layout(c, "Trees")
	p.Limited = p.limited(q.Lang)
	languages, err := s.store.Languages(c.UserContext())
	if err != nil {
		return err
	}
	if q.Author != nil {
		if p.Of, err = s.nameOf(c, *q.Author); err != nil {
			return err
		}
	}
	p.Languages, p.States = p.languages(languages, q.Lang), stateChoices(q.State)
	p.CSV = mustQuery(p.Query, "format", "csv", "cursor", "")
	p.Pager = p.pager(list.Prev, list.Next, "")
	t := newPresenter(p.Person, hereWithout(c, "done", "notice"))
	ids := make([]uuid.UUID, len(list.Items))
	for i, tree := range list.Items {
		ids[i] = tree.TreeID
	}
	prompts, err := s.store.MessagesNamed(c.UserContext(), s.actor(c), ids) // a prompt has its tree's id
	if err != nil {
		return err
	}
	for _, tree := range list.Items {
		var prompt *store.Message
		if m, ok := prompts[tree.TreeID]; ok {
			prompt = &m
		}
		p.Lines = append(p.Lines, viewTree(tree, prompt, t))
	}
	return s.render(c, "trees", p)
}

// treePage shows one tree as an outline.
type treePage struct {
	Layout
	Detail        store.TreeDetail
	Tree          treeView
	Outline       *outlineNode // nil if the tree has no message yet
	Shown         int          // messages in the outline
	RecentActions []actionEntry
	Here          string
	Reveal        *reveal
}

func (p treePage) api() any { return p.Detail }

// Left returns the number of messages that the outline leaves out.
func (p treePage) Left() int { return p.Detail.Messages - p.Shown }

// tree shows one tree with all its messages.
func (s *Server) tree(c *fiber.Ctx) error {
	id, err := pathID(c)
	if err != nil {
		return err
	}
	var p treePage
	limit := outlineText
	if isAPI(c) {
		limit = 0
	}
	if p.Detail, err = s.store.Tree(c.UserContext(), s.actor(c), id, limit); err != nil {
		return err
	}
	if isAPI(c) {
		return s.render(c, "tree", p)
	}
	p.Layout = s.layout(c, "Tree")
	p.Here = hereWithout(c, "done", "notice")
	shown := p.withReveal(c)
	p.Reveal = revealLink(p.Query, shown, hidesAny(p.Person, messagesOf(p.Detail.Prompt)))
	t := newPresenter(p.Person, p.Here)
	var prompt *store.Message
	if p.Detail.Prompt != nil {
		prompt = &p.Detail.Prompt.Message
	}
	p.Tree = viewTree(p.Detail.Tree, prompt, t)
	o := outline{messagePresenter: t, menus: true, left: new(outlineNodes)}
	p.Outline = o.of(p.Detail.Prompt)
	p.Shown = outlineNodes - *o.left
	if p.RecentActions, err = s.recentActions(c, id); err != nil {
		return err
	}
	return s.render(c, "tree", p)
}

// The limits of an outline: its messages, its levels, and the characters that it reads
// of a text to show an excerpt of it. Only hostile data exceeds them.
const (
	outlineNodes  = 1500
	outlineLevels = 60
	outlineText   = 10 * tableExcerpt
)

// outlineNode is a message in the outline of its tree.
type outlineNode struct {
	store.Message
	Author    string
	Excerpt   string
	Warnings  []contentWarning
	Current   bool
	Badges    []badge
	Reactions []reactionCount
	Place     string // among its siblings, by rank
	Menu      *menuLink
	Replies   []*outlineNode
	Cut       int // the number of replies that are left out
}

// Tag returns the message's language for a lang attribute.
func (n outlineNode) Tag() string { return langTag(n.Lang) }

// outline makes the nodes for the messages of a tree.
type outline struct {
	messagePresenter
	current uuid.UUID
	menus   bool
	left    *int // the number of nodes that may still be shown
}

func (o outline) of(prompt *store.Node) *outlineNode {
	if prompt == nil {
		return nil
	}
	if o.left == nil {
		o.left = new(outlineNodes)
	}
	return o.node(prompt, 0)
}

func (o outline) node(n *store.Node, level int) *outlineNode {
	*o.left--
	node := &outlineNode{Message: n.Message, Author: authorName(n.Message), Excerpt: markup.Excerpt(n.Text, tableExcerpt),
		Current: n.MessageID == o.current, Badges: badges(n.Message), Reactions: reactionCounts(n.Emojis)}
	node.Warnings = hiddenFrom(o.person, n.Message)
	if o.menus {
		menu := o.menuLink(n.Message)
		node.Menu = &menu
	}
	for _, reply := range n.Replies {
		if *o.left <= 0 || level >= outlineLevels {
			node.Cut++
			continue
		}
		child := o.node(reply, level+1)
		child.Place = placeBy(reply.Rank, len(n.Replies))
		node.Replies = append(node.Replies, child)
	}
	return node
}
