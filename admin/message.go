package admin

import (
	"slices"

	"github.com/gofiber/fiber/v2"
	"github.com/google/uuid"

	"treewarden/admin/openapi"
	"treewarden/markup"
	"treewarden/policy"
	"treewarden/store"
)

func init() {
	describe("GET /messages/:id", openapi.Method{
		Summary: "A message",
		Answer:  store.MessageDetail{},
	})
}

// The limits of a message's page for its thread and its tree. Only hostile data
// exceeds them; the tree's page shows more.
const (
	shownPath    = 40
	shownReplies = 100
	shownOutline = 150
)

// messageQuery is the query of a message's page.
type messageQuery struct {
	View string `form:"view" validate:"omitempty,oneof=raw"`
	Full bool   `form:"full"` // the whole of big texts
}

// messagePage is the page of a message: its thread and all that is known of the
// message.
type messagePage struct {
	Layout
	Full          bool // the whole of a big text is shown
	Message       store.MessageDetail
	Thread        []messageView // from the prompt down to the message itself
	Skipped       int           // messages left out in the middle of the path
	Replies       []messageView
	MoreReplies   int
	Outline       *outlineNode // nil if the tree is too large
	Tree          treeView
	Scores        []scoreTable
	Labels        scoreTable
	Votes         []voteLine
	Reactions     []reactionLine
	RecentActions []actionEntry
	Lists         []listView // that the message is on
	Views         []Choice
	Here          string
	MayBan        bool
	Card          *authorCard // nil if no user wrote the message
	Prompt        string      // the first words of the tree's prompt; empty if they are hidden
	Reveal        *reveal
}

func (p messagePage) api() any { return p.Message }

// Author returns the text that the page shows as the message's author.
func (p messagePage) Author() string { return authorName(p.Message.Message) }

// DeletedWith reports whether the message was deleted with one above it.
func (p messagePage) DeletedWith() bool {
	d := p.Message.Deletion
	return d != nil && d.Root != nil && *d.Root != p.Message.MessageID
}

// Verdict returns the result of the review in words.
func (p messagePage) Verdict() string {
	switch result := p.Message.ReviewResult; {
	case result == nil:
		return "under review"
	case *result:
		return "accepted"
	}
	return "rejected (spam)"
}

// reactionLine is one person's reaction.
type reactionLine struct {
	store.Reaction
	Shown []reactionCount
}

// voteLine is one person's labels.
type voteLine struct {
	store.Vote
	Rows []scoreRow
}

// message shows one message in its thread.
func (s *Server) message(c *fiber.Ctx) error {
	id, err := pathID(c)
	if err != nil {
		return err
	}
	var q messageQuery
	if err := decodeQuery(c, &q); err != nil {
		return err
	}
	var p messagePage
	if p.Message, err = s.store.Message(c.UserContext(), s.actor(c), id); err != nil {
		return err
	}
	p.Message.Reports, p.Message.Votes, p.Message.Reactions = orNone(p.Message.Reports), orNone(p.Message.Votes),
		orNone(p.Message.Reactions)
	one := []store.Message{p.Message.Message}
	if err := s.setWaves(c.UserContext(), s.actor(c), one); err != nil {
		return err
	}
	p.Message.Wave = one[0].Wave
	if isAPI(c) {
		return s.render(c, "message", p)
	}
	p.Layout = s.layout(c, "Message by "+markup.Excerpt(authorName(p.Message.Message), 60))
	p.Here = hereWithout(c, "done", "notice")
	p.Views = []Choice{{mustQuery(p.Query, "view", ""), "Formatted", q.View == ""},
		{mustQuery(p.Query, "view", "raw"), "Raw", q.View == "raw"}}
	shown := p.withReveal(c)
	p.Reveal = revealLink(p.Query, shown, hidesAny(p.Person, p.Message.Path, p.Message.Replies))
	if prompt := p.Message.Path[0]; !hidesAny(p.Person, []store.Message{prompt}) {
		p.Prompt = markup.Excerpt(prompt.Text, tableExcerpt)
	}
	t := newPresenter(p.Person, p.Here)
	t.raw, t.full = q.View == "raw", q.Full
	p.Full = q.Full
	p.layOut(t)
	p.Tree = viewTree(p.Message.Tree, &p.Message.Path[0], t)
	p.MayBan = t.mayBan(p.Message.Message)
	p.Scores, p.Labels = scoreTables(p.Message.Message), labelTable(p.Message.Message)
	for _, v := range p.Message.Votes {
		p.Votes = append(p.Votes, voteLine{v, voteRows(v)})
	}
	for _, r := range p.Message.Reactions {
		p.Reactions = append(p.Reactions, reactionLine{r, reactionCounts(map[string]int{r.Emoji: 1})})
	}
	if p.Message.Tree.Messages <= shownOutline {
		tree, err := s.store.Tree(c.UserContext(), s.actor(c), p.Message.TreeID, outlineText)
		if err != nil {
			return err
		}
		p.Outline = outline{messagePresenter: t, current: id}.of(tree.Prompt)
	}
	if p.RecentActions, err = s.recentActions(c, id); err != nil {
		return err
	}
	if p.Lists, err = s.listsWith(c, id); err != nil {
		return err
	}
	if p.Card, err = s.authorCard(c, p.Message.Message); err != nil {
		return err
	}
	return s.render(c, "message", p)
}

// layOut sets the thread.
func (p *messagePage) layOut(t messagePresenter) {
	path, replies := p.Message.Path, p.Message.Replies
	if p.Skipped = len(path) - shownPath; p.Skipped > 0 {
		// The prompt stays, because all other messages answer it.
		path = slices.Concat(path[:1], path[1+p.Skipped:])
	}
	if p.MoreReplies = len(replies) - shownReplies; p.MoreReplies > 0 {
		replies = replies[:shownReplies]
	}
	p.Thread, p.Replies = t.views(path), t.views(replies)
	for i := 1; i < len(path); i++ {
		parent := path[i-1]
		if path[i].ParentID != nil && *path[i].ParentID == parent.MessageID { // none was left out between them
			p.Thread[i].Place = placeBy(path[i].Rank, parent.Children)
		}
	}
	for i, m := range replies {
		p.Replies[i].Place = placeBy(m.Rank, p.Message.Children)
	}
	current := &p.Thread[len(p.Thread)-1]
	current.Current = true
	// After an act the page must not scroll.
	current.Focus = len(p.Thread) > 1 && p.Toast == nil
	current.Long = len(current.Text) > longTextCurrent
	current.Acts = t.buttons(current.Message)
	current.Siblings = siblingsOf(p.Message)
}

// buttons returns the acts that stand below the message that the page is about.
func (t messagePresenter) buttons(m store.Message) []menuItem {
	var buttons []menuItem
	all := slices.Concat(t.acts(m, false), t.acts(m, true))
	for _, icon := range []string{"trash", "undo", "spam", "check", "ban", "label"} {
		for _, item := range all {
			if item.Icon == icon {
				buttons = append(buttons, item)
			}
		}
	}
	return buttons
}

func voteRows(v store.Vote) []scoreRow {
	var rows []scoreRow
	for _, name := range sortedKeys(v.Labels) {
		value := v.Labels[name]
		rows = append(rows, scoreRow{Name: labelTitle(name), Value: &value, Bad: !isGoodLabel(name)})
	}
	return rows
}

// shownActions is the number of actions on the page of their target.
const shownActions = 20

// actionEntry is an action as the page of its target shows it.
type actionEntry struct {
	store.Action
	Text    string
	MayUndo bool
}

// recentActions returns the last actions on a message or a tree, if the person
// may see them.
func (s *Server) recentActions(c *fiber.Ctx, id uuid.UUID) ([]actionEntry, error) {
	person := s.person(c)
	if !person.May(policy.AuditOwn) && !person.May(policy.AuditAll) {
		return nil, nil
	}
	list, err := s.store.Actions(c.UserContext(), person.Actor,
		store.ActionFilter{Target: id.String(), Page: store.Page{Limit: shownActions}})
	if err != nil {
		return nil, err
	}
	if err := s.quoteAll(c, list.Items); err != nil {
		return nil, err
	}
	entries := make([]actionEntry, len(list.Items))
	for i, a := range list.Items {
		entries[i] = actionEntry{a, s.sentence(a), a.Undoable && a.UndoneBy == nil && mayUndo(person, a)}
		// The top of the page names the target.
		switch kind, _ := store.KindNamed(a.Kind); {
		case a.TargetID == id.String() && a.Undoes != nil:
			undone, _ := store.KindNamed(a.UndoesKind)
			entries[i].Text = kind.Past + " “" + undone.Past + "”"
		case a.TargetID == id.String():
			entries[i].Text = kind.Past
		}
	}
	return entries, nil
}

// EditDiff returns what the typed text would change in a newer text.
func (p actPage) EditDiff() []markup.Piece {
	edit, ok := p.Params.(*store.EditParams)
	if !ok || p.Message == nil || p.Conflict == nil || edit.Text == p.Message.Text {
		return nil
	}
	return markup.Diff(p.Message.Text, edit.Text)
}
