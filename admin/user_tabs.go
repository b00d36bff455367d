package admin

import (
	"context"
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/gofiber/fiber/v2"
	"github.com/google/uuid"

	"treewarden/policy"
	"treewarden/scoring"
	"treewarden/store"
)

// Lines returns the rows of the tab of messages, in the form of every table of
// messages.
func (p userPage) Lines() []found {
	t := newPresenter(p.Person, p.Here)
	lines := make([]found, len(p.messages.Items))
	for i, m := range p.messages.Items {
		lines[i] = t.found(m)
		lines[i].ByOne = true
	}
	return lines
}

// Note is what people should know of the messages, such as that the search was cut.
func (p userPage) Note() string { return p.messages.Note }

// Filtered reports whether the tab of messages leaves some out.
func (p userPage) Filtered() bool {
	f := p.Filter
	return f.Q != "" || f.Lang != "" || f.spam() == "only" || f.spam() == "exclude" || f.Deleted != "include" ||
		f.Signal != ""
}

// DeletedChoices returns the options of the filter for deleted messages.
func (p userPage) DeletedChoices() []Choice {
	return choices(p.Filter.Deleted, "include", "Include deleted", "exclude", "Not deleted", "only", "Only deleted")
}

// SpamChoices returns the options of the filter for spam.
func (p userPage) SpamChoices() []Choice {
	chosen := ""
	if p.Filter.Spam == "true" || p.Filter.Spam == "only" {
		chosen = "only"
	}
	return choices(chosen, "", "Include spam", "only", "Only spam")
}

// Sorted returns the head of the messages' column of dates.
func (p userPage) Sorted() column {
	if p.Filter.Sort == "old" {
		return column{Title: "Date", Sort: "ascending", Link: mustQuery(p.Query, "sort", "")}
	}
	return column{Title: "Date", Sort: "descending", Link: mustQuery(p.Query, "sort", "old")}
}

// CSV returns the address of the open tab as a file.
func (p userPage) CSV() string {
	return p.Self + "/" + p.Filter.Tab + mustQuery(p.Query, "format", "csv", "tab", "",
		"deleted", p.Filter.Deleted, "cursor", "")
}

func messageCSV(messages []store.Message) (header []string, rows [][]string) {
	header = []string{"message_id", "message_tree_id", "parent_id", "user_id", "created_date", "role", "lang",
		"review_count", "review_result", "deleted", "edited", "upvotes", "downvotes", "red_flags",
		"tree_state", "text"}
	for _, m := range messages {
		var parent, user, count, result string
		if m.ParentID != nil {
			parent = m.ParentID.String()
		}
		if m.UserID != nil {
			user = m.UserID.String()
		}
		if m.ReviewCount != nil {
			count = strconv.Itoa(*m.ReviewCount)
		}
		if m.ReviewResult != nil {
			result = strconv.FormatBool(*m.ReviewResult)
		}
		rows = append(rows, []string{
			m.MessageID.String(), m.TreeID.String(), parent, user, rfc3339(m.CreatedDate), m.Role, orEmpty(m.Lang),
			count, result, strconv.FormatBool(m.Deleted), strconv.FormatBool(m.Edited),
			strconv.Itoa(m.Emojis["+1"]), strconv.Itoa(m.Emojis["-1"]), strconv.Itoa(m.Emojis["red_flag"]),
			m.TreeState, m.Text,
		})
	}
	return header, rows
}

// feedbackLine is a row of a user's feedback.
type feedbackLine struct {
	store.Feedback
	Labels   []feedbackLabel
	Glyph    string           // of a reaction
	Warnings []contentWarning // why the message's text is hidden at first
}

type feedbackLabel struct {
	Name  string
	Value float64
	Good  bool // a high value speaks for the message
}

// Against reports whether the value counts against the message.
func (l feedbackLabel) Against() bool { return !l.Good && l.Value >= scoring.YesFrom }

// FeedbackLines returns the rows of the tab of the user's feedback.
func (p userPage) FeedbackLines() []feedbackLine {
	lines := make([]feedbackLine, len(p.feedback.Items))
	for i, g := range p.feedback.Items {
		lines[i].Feedback, lines[i].Glyph, lines[i].Warnings = g, g.Emoji, p.warnings[g.MessageID]
		for _, r := range reactions {
			if r.Emoji == g.Emoji {
				lines[i].Glyph = r.Symbol + " " + r.Name
			}
		}
		for _, name := range slices.Sorted(maps.Keys(g.Labels)) {
			lines[i].Labels = append(lines[i].Labels, feedbackLabel{labelTitle(name), g.Labels[name], isGoodLabel(name)})
		}
	}
	return lines
}

// warnOfFeedback finds the messages with the user's feedback whose texts are
// hidden from this person at first.
func (s *Server) warnOfFeedback(c *fiber.Ctx, p *userPage) error {
	if isAPI(c) || !p.Person.BlurToxic {
		return nil
	}
	ids := make([]uuid.UUID, len(p.feedback.Items))
	for i, g := range p.feedback.Items {
		ids[i] = g.MessageID
	}
	messages, err := s.store.MessagesNamed(c.UserContext(), s.actor(c), ids)
	p.warnings = make(map[uuid.UUID][]contentWarning, len(messages))
	for id, m := range messages {
		p.warnings[id] = hiddenFrom(p.Person, m)
	}
	return err
}

func feedbackCSV(feedback []store.Feedback) (header []string, rows [][]string) {
	header = []string{"kind", "message_id", "at", "labels", "emoji", "reason", "excerpt"}
	for _, g := range feedback {
		var labels []string
		for _, name := range slices.Sorted(maps.Keys(g.Labels)) {
			value := g.Labels[name]
			labels = append(labels, name+"="+figure(&value))
		}
		rows = append(rows, []string{g.Kind, g.MessageID.String(), rfc3339(&g.At),
			strings.Join(labels, " "), g.Emoji, g.Reason, g.Excerpt})
	}
	return header, rows
}

// actionLine is a row of the tab of actions on a user.
type actionLine struct {
	store.Action
	MayUndo bool
}

// ActionLines returns the rows of the tab of actions on the user.
func (p userPage) ActionLines() []actionLine {
	lines := make([]actionLine, len(p.actions.Items))
	for i, a := range p.actions.Items {
		lines[i] = actionLine{a, a.Undoable && a.UndoneBy == nil && mayUndo(p.Person, a)}
	}
	return lines
}

// DoneBy returns the address of the user's own actions, if they are staff and the
// person may see them.
func (p userPage) DoneBy() string {
	own := p.User.UserID == p.Person.UserID && p.Person.May(policy.AuditOwn)
	if !own && !p.Person.May(policy.AuditAll) || !p.Person.Policy.EntersConsole(p.User.Role) {
		return ""
	}
	return "/audit?actor=" + p.User.UserID.String()
}

// readTab reads a page of the rows of the open tab.
func (s *Server) readTab(
	ctx context.Context, actor store.Actor, p *userPage, page store.Page,
) (next, prev *string, err error) {
	id := p.User.UserID
	switch p.Filter.Tab {
	case "given":
		p.feedback, err = s.store.UserFeedback(ctx, actor, id, page)
		return p.feedback.Next, p.feedback.Prev, err
	case "actions":
		p.actions, err = s.store.Actions(ctx, actor, store.ActionFilter{Concerning: &id, Page: page})
		return p.actions.Next, p.actions.Prev, err
	}
	f := p.Filter.filter(id)
	f.Page, f.TextLimit = page, p.textLimit
	if f.Behind, err = p.behind(); err != nil {
		return nil, nil, err
	}
	p.messages, err = s.store.Messages(ctx, actor, f)
	return p.messages.Next, p.messages.Prev, err
}
