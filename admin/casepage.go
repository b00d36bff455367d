package admin

import (
	"cmp"
	"crypto/rand"
	"errors"
	"fmt"
	"math"
	"slices"
	"strconv"
	"time"

	"github.com/gofiber/fiber/v2"
	"github.com/google/uuid"

	"treewarden/corpus"
	"treewarden/markup"
	"treewarden/policy"
	"treewarden/scoring"
	"treewarden/store"
	"treewarden/store/cases"
)

// casePanel is an open case: the message in its thread, what speaks for urgency, the
// reporters, the author, and the form that decides.
type casePanel struct {
	store.CaseDetail
	Person    store.Person
	Query     string // the list's filter, for the addresses of the forms
	Thread    []messageView
	Skipped   int // messages left out in the middle of the path
	Siblings  []messageView
	Replies   []messageView
	Card      *authorCard
	Notes     string
	Reporters []reporterLine
	Pairs     []ringLine // of two of these
	Parts     []priorityLine
	Others    []caseLine // more open cases of the author
	Former    []caseLine
	Gone      []goneLine

	MayWork bool
	MayBulk bool // may act on all messages of a wave
	Foreign bool // the message is in a language that the person does not act on
	Mine    bool // the person holds the case
	HeldBy  string
	// The form.
	Outcomes []outcomeChoice
	Reasons  []string
	Body     actBody
	Params   store.ResolveParams
	Wrong    store.Invalid
}

// reporterLine is a person who reported or flagged the message.
type reporterLine struct {
	Name, User string
	Reason     string // empty for a red flag alone
	At         time.Time
	Flag       bool // gave a red flag
	Upheld     int64
	Decided    int64
	Trust      float64
	Banned     bool
	Author     bool // reported their own message
}

// longReason is the number of characters from which on a reason opens on demand.
const longReason = 400

// Long reports whether the reason opens on demand.
func (r reporterLine) Long() bool { return corpus.TooLongFor(r.Reason, longReason) }

// Beginning returns the beginning of a long reason.
func (r reporterLine) Beginning() string { return markup.Excerpt(r.Reason, longReason/2) }

// Record says in words what became of the person's flags.
func (r reporterLine) Record() string {
	switch {
	case r.Banned:
		return "banned: does not count"
	case r.Author:
		return "the author: does not count"
	case r.Decided == 0:
		return "no decided case yet"
	}
	return fmt.Sprintf("%s of %s upheld", number(r.Upheld), number(r.Decided))
}

// priorityLine is a part of the priority in words.
type priorityLine struct {
	scoring.PriorityShare
	Title, Said, Counts string
	Share               float64 // of the highest part, 0 to 1
}

// caseLine is another case in one line.
type caseLine struct {
	store.Case
	Link     string
	Excerpt  string
	Warnings []contentWarning
	Tag      string
	Unseen   bool
	Said     string // the decision in words
}

// goneLine says what was done already to the message or its author.
type goneLine struct {
	cases.Gone
	Said string
	Link string
}

// outcomeChoice is an outcome as a button with its key.
type outcomeChoice struct {
	Value, Text, Key, Icon string
	Effect                 string
	Danger, Chosen         bool
}

// outcomes are the outcomes of a case in the order of their buttons.
var outcomes = []struct {
	outcomeChoice
	permission policy.Permission
}{
	{outcomeChoice{Value: cases.Dismiss, Text: "Dismiss", Key: "n", Icon: "check",
		Effect: "Nothing is wrong. The reports and red flags stop counting."}, policy.QueueWork},
	{outcomeChoice{Value: cases.Delete, Text: "Delete", Key: "d", Icon: "trash", Danger: true,
		Effect: "Deletes the message and all replies below it."}, policy.MessageDelete},
	{outcomeChoice{Value: cases.Reject, Text: "Mark as spam", Key: "s", Icon: "spam", Danger: true,
		Effect: "Rejects the message as spam. It stays readable."}, policy.MessageReview},
	{outcomeChoice{Value: cases.Halt, Text: "Stop tree", Key: "h", Icon: "halt", Danger: true,
		Effect: "Contributors are no longer asked to add messages to the tree."}, policy.TreeHalt},
	{outcomeChoice{Value: cases.Ban, Text: "Ban author", Key: "b", Icon: "ban", Danger: true,
		Effect: "Bans the author and upholds the reports and red flags."}, policy.UserBan},
}

// outcomeSaid are the outcomes in the log and on pages.
var outcomeSaid = map[string]string{
	cases.Dismiss: "dismissed", cases.Delete: "message deleted", cases.Reject: "marked as spam",
	cases.Halt: "tree stopped", cases.Ban: "author banned",
}

var goneSaid = map[string]string{
	"deleted": "The message is deleted already", "rejected": "The message is marked as spam already",
	"halted": "The tree is stopped already", "banned": "The author is banned already",
}

// Query parameters of the form's buttons.
func (p casePanel) path(act string) string { return casePath(p.ID) + act + p.Query }

// The addresses of the panel's forms.
func (p casePanel) ClaimPath() string   { return p.path("/claim") }
func (p casePanel) ReleasePath() string { return p.path("/release") }
func (p casePanel) SkipPath() string    { return p.path("/skip") }
func (p casePanel) LaterPath() string   { return p.path("/later") }
func (p casePanel) ResolvePath() string { return p.path("/resolve") }

// OthersCount is the number of other open cases of the author.
func (p casePanel) OthersCount() int { return len(p.Others) + p.More }

// AllCount is the number of open cases of the author.
func (p casePanel) AllCount() int { return p.OthersCount() + 1 }

// BanLengths returns the choices of how long a ban lasts.
func (p casePanel) BanLengths() []Choice {
	return choices(p.Params.For, "day", "1 day", "week", "7 days", "month", "30 days", "", "Permanently")
}

// Decision says in words how the case was decided; empty if it is open.
func (p casePanel) Decision() string { return outcomeSaid[orEmpty(p.Outcome)] }

// Elsewhere returns the errors of fields that the form does not show.
func (p casePanel) Elsewhere() string {
	return elsewhere(p.Wrong, "reason", "outcome")
}

// caseShown shows a case beside the list, or to a script the case alone.
func (s *Server) caseShown(c *fiber.Ctx) error {
	id, err := caseID(c)
	if err != nil {
		return err
	}
	if isAPI(c) {
		var frame frameQuery
		if err := decodeQuery(c, &frame); err != nil {
			return err
		}
		return s.sendCase(c, id, scoring.Window(frame.Window))
	}
	return s.showCase(c, fiber.StatusOK, id, decision{})
}

// decision is what a person sent about a case, with the errors of its fields.
type decision struct {
	body   actBody
	params store.ResolveParams
	wrong  store.Invalid
}

// showCase answers with a case beside the list, or to a script with the case alone.
func (s *Server) showCase(c *fiber.Ctx, status int, id int64, sent decision) error {
	var q queueQuery
	if err := decodeQuery(c, &q); err != nil {
		return err
	}
	panel, err := s.casePanel(c, q, id, sent)
	if err != nil {
		return err
	}
	if isPartial(c) {
		return s.renderStatus(c, status, "partials/case", panel)
	}
	p, err := s.queuePage(c, q, panel)
	if err != nil {
		return err
	}
	p.Title = "Case " + strconv.FormatInt(id, 10)
	return s.renderStatus(c, status, "queue", p)
}

func (p *casePanel) api() any { return p.Case }

// casePanel reads a case. Its form holds what the person sent.
func (s *Server) casePanel(c *fiber.Ctx, q queueQuery, id int64, sent decision) (*casePanel, error) {
	ctx, actor, person := c.UserContext(), s.actor(c), s.person(c)
	p := casePanel{Person: person, Body: sent.body, Params: sent.params, Wrong: sent.wrong}
	p.Body.Key = rand.Text()
	p.Query = mustQuery(query(c), "done", "", "notice", "", "not", "", "except", "")
	var err error
	if p.CaseDetail, err = s.store.CaseDetail(ctx, actor, id, scoring.Window(q.Window)); err != nil {
		return nil, err
	}
	if err := s.setCaseWaves(ctx, actor, &p.Case); err != nil {
		return nil, err
	}
	p.MayBulk = len(bulkChoices(person)) > 0
	covered := policy.Covers(actor.ActsOn(), cmp.Or(orEmpty(p.Lang), policy.Undetermined))
	p.MayWork, p.Foreign = person.May(policy.QueueWork) && covered, !covered
	message, err := s.store.Message(ctx, actor, p.MessageID)
	if err != nil {
		return nil, err
	}
	p.Mine = p.ClaimedBy != nil && *p.ClaimedBy == person.UserID
	if p.ClaimedName != nil && !p.Mine {
		p.HeldBy = named(*p.ClaimedName)
	}
	p.layOut(newPresenter(person, casePath(id)), message)
	if p.Card, err = s.authorCard(c, message.Message); err != nil {
		return nil, err
	}
	if p.Card != nil {
		p.Notes = p.Card.Notes
	}
	p.reporters()
	p.Pairs = pairLines(p.Rings)
	p.parts()
	if err := s.otherCases(c, &p); err != nil {
		return nil, err
	}
	for _, g := range p.CaseDetail.Gone {
		line := goneLine{Gone: g, Said: goneSaid[g.What]}
		if g.By != nil {
			line.Said += ", by " + named(*g.By)
		}
		if g.Action != nil {
			line.Link = "/actions/" + strconv.FormatInt(*g.Action, 10)
		}
		p.Gone = append(p.Gone, line)
	}
	for _, o := range outcomes {
		if person.May(o.permission) && (o.Value != cases.Ban || p.UserID != nil) {
			choice := o.outcomeChoice
			choice.Chosen = o.Value == sent.params.Outcome
			p.Outcomes = append(p.Outcomes, choice)
		}
	}
	if p.Reasons, err = s.store.RecentReasons(ctx, actor, "resolve"); err != nil {
		return nil, fmt.Errorf("read the last used reasons: %w", err)
	}
	p.Reasons = withUsualReasons(p.Reasons)
	return &p, nil
}

// usualReasons stand first, so that each keeps its key.
var usualReasons = []string{"Spam", "Insults or threats", "Wrong language", "Nothing wrong", "Sexual content",
	"Personal data"}

// ownReasons is the number of a person's own reasons beside the usual ones.
const ownReasons = 3

// withUsualReasons returns the usual reasons and a few others that the person used last,
// these in the order of the alphabet: a key means the same as long as they stay.
func withUsualReasons(last []string) []string {
	own := slices.DeleteFunc(slices.Clone(last), func(reason string) bool { return slices.Contains(usualReasons, reason) })
	own = own[:min(len(own), ownReasons)]
	slices.Sort(own)
	return append(slices.Clone(usualReasons), own...)
}

// shownSiblings is the number of siblings and of replies beside a case.
const shownSiblings = 5

// layOut sets the thread of the message.
func (p *casePanel) layOut(t messagePresenter, m store.MessageDetail) {
	path := m.Path
	if p.Skipped = len(path) - shownSiblings; p.Skipped > 0 {
		path = append(append([]store.Message{}, path[:1]...), path[1+p.Skipped:]...)
	}
	p.Thread = t.views(path)
	current := &p.Thread[len(p.Thread)-1]
	current.Current = true
	current.Long = len(current.Text) > longTextCurrent
	for _, sibling := range m.Siblings {
		if sibling.MessageID != m.MessageID && len(p.Siblings) < shownSiblings {
			p.Siblings = append(p.Siblings, t.views([]store.Message{sibling})...)
		}
	}
	p.Replies = t.views(m.Replies[:min(len(m.Replies), shownSiblings)])
}

// reporters sets the people who reported or flagged the message, the newest first.
func (p *casePanel) reporters() {
	at := map[uuid.UUID]int{}
	add := func(user uuid.UUID, name, reason string, when time.Time, flag bool) {
		if i, known := at[user]; known {
			p.Reporters[i].Flag = p.Reporters[i].Flag || flag
			return
		}
		record := p.Reporting[user]
		at[user] = len(p.Reporters)
		p.Reporters = append(p.Reporters, reporterLine{Name: named(name, user), User: "/users/" + user.String(),
			Reason: reason, At: when, Flag: flag, Upheld: record.Upheld, Decided: record.Upheld + record.Dismissed,
			Trust: record.Trust, Banned: record.Banned, Author: p.UserID != nil && *p.UserID == user})
	}
	for _, r := range p.Reports {
		add(r.UserID, r.Name, r.Reason, r.At, false)
	}
	for _, f := range p.RedFlags {
		add(f.UserID, f.Name, "", f.At, true)
	}
}

// parts sets the parts of the priority.
func (p *casePanel) parts() {
	if p.Priority == nil {
		return
	}
	highest := 0.0
	for _, part := range p.Priority.Parts {
		highest = max(highest, math.Abs(part.Points))
	}
	for i, part := range p.Priority.Parts {
		info := scoring.PriorityParts[i]
		line := priorityLine{PriorityShare: part, Title: info.Title, Counts: info.Counts,
			Said: number(math.Round(part.Value*10)/10) + " " + info.Unit}
		if most := info.Most; most > 0 && part.Value > most {
			line.Said = number(most) + " of " + line.Said
		}
		if highest > 0 {
			line.Share = math.Abs(part.Points) / highest
		}
		p.Parts = append(p.Parts, line)
	}
}

// otherCases sets the lines of the author's other cases and of the decided ones.
func (s *Server) otherCases(c *fiber.Ctx, p *casePanel) error {
	ids := []uuid.UUID{}
	for _, other := range p.CaseDetail.Others {
		ids = append(ids, other.MessageID)
	}
	messages, err := s.store.MessagesNamed(c.UserContext(), p.Person.Actor, ids)
	if err != nil {
		return err
	}
	for _, other := range p.CaseDetail.Others {
		m := messages[other.MessageID]
		p.Others = append(p.Others, caseLine{Case: other, Link: casePath(other.ID) + p.Query, Tag: langTag(m.Lang),
			Excerpt: markup.Excerpt(m.Text, evidenceExcerpt), Warnings: hiddenFrom(p.Person, m), Unseen: p.Unseen[other.ID]})
	}
	for _, former := range p.CaseDetail.Former {
		p.Former = append(p.Former,
			caseLine{Case: former, Link: casePath(former.ID), Said: outcomeSaid[orEmpty(former.Outcome)]})
	}
	return nil
}

// resolveCase decides a case.
func (s *Server) resolveCase(c *fiber.Ctx) error {
	id, err := caseID(c)
	if err != nil {
		return err
	}
	var body actBody
	var params store.ResolveParams
	err = decodeBody(c, &body, &params)
	var outcome store.Outcome
	if err == nil {
		outcome, err = s.resolve(c, id, body, params)
	}
	var invalid store.Invalid
	switch {
	case errors.As(err, &invalid) && !isAPI(c):
		return s.showCase(c, fiber.StatusUnprocessableEntity, id, decision{body, params, invalid})
	case err != nil:
		return err
	case isAPI(c):
		return sendJSON(c, outcome)
	case outcome.Preview:
		return c.Redirect(casePath(id)+mustQuery(query(c), "done", ""), fiber.StatusSeeOther)
	case isPartial(c), outcome.Repeated: // a double click claims no second case
		return done(c, queuePath+mustQuery(query(c), "done", ""), outcome.Action)
	}
	return s.openNext(c, strconv.FormatInt(outcome.Action.ID, 10))
}

func (s *Server) resolve(c *fiber.Ctx, id int64, body actBody, params store.ResolveParams) (store.Outcome, error) {
	whole, err := params.Complete(time.Now())
	if err != nil {
		return store.Outcome{}, err
	}
	params, ok := whole.(store.ResolveParams)
	if !ok {
		return store.Outcome{}, fmt.Errorf("a decision was completed as %T", whole)
	}
	params.Case = id
	message, err := s.store.CaseMessage(c.UserContext(), s.actor(c), id)
	if err != nil {
		return store.Outcome{}, err
	}
	kind, _ := store.KindNamed("resolve")
	act := body.act(kind, message, params)
	if act.IdempotencyKey, err = idempotencyKey(c, body.Key); err != nil {
		return store.Outcome{}, err
	}
	return s.store.Act(c.UserContext(), s.actor(c), act)
}
