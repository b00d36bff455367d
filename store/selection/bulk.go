package selection

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"treewarden/policy"
	"treewarden/store/audit"
	"treewarden/store/cases"
	"treewarden/store/db"
	"treewarden/store/lists"
	"treewarden/store/messages"
	"treewarden/store/params"
	"treewarden/store/tables"
	"treewarden/store/waves"
)

// The kinds of bulk acts.
const (
	Delete = "delete"
	Reject = "reject"
	Accept = "accept"
	Ban    = "ban"
	Halt   = "halt"
	List   = "list"
)

// Kinds are the kinds of bulk acts, in the order of menus.
var Kinds = []string{Delete, Reject, Accept, Ban, Halt, List}

// Permissions are the permissions that kinds of bulk acts need, besides that to act in
// bulk.
var Permissions = map[string]policy.Permission{
	Delete: policy.MessageDelete, Reject: policy.MessageReview, Accept: policy.MessageReview, Ban: policy.UserBan,
	Halt: policy.TreeHalt, List: policy.ListEdit,
}

// Most is the maximum number of messages that a bulk act selects. Large is the number of
// targets above which it needs a permission of its own, and the number that a preview
// counted.
const (
	Most  = 100_000
	Large = 100
)

// On tells on which messages a bulk act is. One field is set.
type On struct {
	IDs    []uuid.UUID      `json:"ids,omitempty"`
	Filter *messages.Filter `json:"filter,omitempty"`
	Wave   *uuid.UUID       `json:"wave,omitempty"`
}

// Act holds the parameters of a bulk act.
type Act struct {
	Kind  string     `json:"kind"`
	On    On         `json:"on"`
	List  *uuid.UUID `json:"list,omitempty"`  // for the kind List
	Until *time.Time `json:"until,omitempty"` // for the kind Ban; nil is until the user is unbanned
	// Expected is the number of targets that a preview counted. With another number now,
	// nothing is done; nil is not checked.
	Expected *int64 `json:"expected,omitempty"`
	// ExpectedSet is the Set of the targets that a preview counted. With other targets
	// now, nothing is done; empty is not checked.
	ExpectedSet string `json:"set,omitempty"`
	params.Close
}

// Check returns an Invalid that names each wrong parameter.
func (a Act) Check(now time.Time) error {
	wrong := db.Invalid{}
	if !slices.Contains(Kinds, a.Kind) {
		wrong["kind"] = "Choose delete, reject, accept, ban, halt or list."
	}
	given := 0
	for _, is := range []bool{a.On.IDs != nil, a.On.Filter != nil, a.On.Wave != nil} {
		if is {
			given++
		}
	}
	switch {
	case given != 1:
		wrong["on"] = `Give the messages in one way: {"ids": […]}, {"filter": {…}} or {"wave": ID}.`
	case a.On.IDs != nil && len(a.On.IDs) == 0:
		wrong["on"] = "Select at least one message."
	case len(a.On.IDs) > Most:
		wrong["on"] = tooMany
	case a.On.Filter != nil:
		if err := a.On.Filter.Narrow(new(db.Query)); err != nil {
			wrong["on"] = err.Error()
		}
	}
	switch {
	case a.Kind == List && a.List == nil:
		wrong["list"] = "Choose the list to which the messages are added."
	case a.Kind != List && a.List != nil:
		wrong["list"] = "Only the kind list takes a list."
	}
	switch {
	case a.Until == nil:
	case a.Kind != Ban:
		wrong["until"] = "Only the kind ban takes an end."
	case !a.Until.After(now):
		wrong["until"] = "The end of a ban must be in the future. Leave it empty for a permanent ban."
	case a.Until.UTC().Year() > 9999:
		wrong["until"] = "The end of a ban must be before the year 10000. Leave it empty for a permanent ban."
	}
	if a.Kind == List && a.CloseCases {
		wrong["close_cases"] = "To add messages to a list settles no case."
	}
	if a.Expected != nil && *a.Expected < 0 {
		wrong["expected"] = "Give the number that a preview counted."
	}
	if len(wrong) > 0 {
		return wrong
	}
	return nil
}

const tooMany = "A bulk act is on at most 100,000 messages; these are more. Narrow the filter."

// Find returns the ids of the messages on which a bulk act is, each once. It returns
// an Invalid for more than Most, and ErrNotFound for a wave that does not exist.
func (o On) Find(ctx context.Context, c db.Conn, search messages.Searcher) (ids []uuid.UUID, err error) {
	switch {
	case o.Filter != nil:
		ids, err = messages.IDs(ctx, c, search, *o.Filter, Most+1)
		if wrong := (db.Invalid{}); errors.As(err, &wrong) {
			err = db.Invalid{"on": cmp.Or(wrong["filter"], wrong.Error())}
		}
	case o.Wave != nil:
		var wave waves.Wave
		if wave, err = (waves.Reader{Conn: c}).ByID(ctx, *o.Wave, 1); err != nil {
			return nil, err
		}
		var rows pgx.Rows
		if rows, err = c.Query(ctx, "SELECT message_id FROM ("+waves.MembersSQL+") m", wave.WaveID); err == nil {
			ids, err = pgx.CollectRows(rows, pgx.RowTo[uuid.UUID])
		}
	default:
		seen := make(map[uuid.UUID]bool, len(o.IDs))
		for _, id := range o.IDs {
			if !seen[id] {
				seen[id], ids = true, append(ids, id)
			}
		}
	}
	if err == nil && len(ids) > Most {
		err = db.Invalid{"on": tooMany}
	}
	return ids, db.Translate(err)
}

// Protected counts the messages that a bulk act leaves out, by the first reason that
// holds. To add messages to a list changes nothing of them, so that it leaves out none.
type Protected struct {
	// Self, NotPermitted and Staff are, for a ban, the messages of the actor, of people on
	// whom the actor may not act, and of other staff. Other kinds are about messages and
	// trees, whoever wrote them.
	Self         int64 `json:"self"`
	NotPermitted int64 `json:"not_permitted"`
	Staff        int64 `json:"staff"`
	Language     int64 `json:"language"` // outside the languages of the actor
	Decided      int64 `json:"decided"`  // reviewed otherwise by staff, which stays
}

// Sum returns the number of all messages that are left out.
func (p Protected) Sum() int64 { return p.Self + p.NotPermitted + p.Staff + p.Language + p.Decided }

// Counts counts what a bulk act is on.
type Counts struct {
	// Messages are those that change or, if users or trees change, those selected of them.
	Messages       int64     `json:"messages"`
	OthersMessages int64     `json:"others_messages"` // of these, replies that are deleted with those above them
	Trees          int64     `json:"trees"`
	Users          int64     `json:"users"` // the authors
	Protected      Protected `json:"protected"`
	Unchanged      int64     `json:"unchanged"` // messages for which there is nothing to do
	Missing        int64     `json:"missing"`   // ids that name no message
	// OpenCases are the open cases that the act decides if it is asked to: those that it
	// settles and that nobody else holds.
	OpenCases int64 `json:"open_cases"`
}

// Targets are the targets of a bulk act: the selected messages without those that are
// left out, their authors and their trees.
type Targets struct {
	Trees, Messages []uuid.UUID // of the same length
	Users           []uuid.UUID // each once
	TreesOnce       []uuid.UUID // each once
	Counts          Counts
}

// Affected counts what a kind of bulk act changes. found are the messages with those
// that are deleted below them.
func (t Targets) Affected(kind string, found Chosen) (a audit.Affected) {
	switch kind {
	case Ban:
		a.Users = int64(len(t.Users))
	case Halt:
		a.Trees = int64(len(t.TreesOnce))
	default:
		a.Messages, a.OthersMessages = int64(len(found.Messages)), found.Others
	}
	return a
}

// Below returns the messages that a kind of bulk act is on: for Delete with all replies
// below them.
func (t Targets) Below(ctx context.Context, c db.Conn, kind string) (found Chosen, err error) {
	found = Chosen{Trees: t.Trees, Messages: t.Messages}
	if kind == Delete {
		found, err = Subtrees(ctx, c, nil, `unnest($1::uuid[], $2::uuid[]) AS g(tree_id, message_id)
			JOIN messages m ON m.tree_id = g.tree_id AND m.message_id = g.message_id WHERE true`,
			db.IDArray(t.Trees), db.IDArray(t.Messages))
	}
	found.Others = int64(len(found.Messages) - len(t.Messages))
	return found, err
}

// Measured tells what a bulk act would do.
type Measured struct {
	Counts Counts `json:"counts"`
	// Expected is the number of targets, for the parameter of the same name: of the
	// messages, users or trees that would change.
	Expected int64 `json:"expected"`
	// Set stands for the targets, for the parameter of the same name.
	Set string `json:"set"`
	// Sample holds up to 10 of the selected messages. Their texts may be cut.
	Sample []messages.Message `json:"sample"`
}

// Measure returns the preview of a kind of bulk act on targets, with the messages below
// them.
func Measure(
	ctx context.Context, c db.Conn, kind string, on Targets, found Chosen, by uuid.UUID, holders cases.Holders,
) (Measured, error) {
	ids, targets := on.Messages[:min(10, len(on.Messages))], on.IDs(kind, found)
	p := Measured{Counts: on.Counts, Expected: int64(len(targets)), Set: Set(targets),
		Sample: make([]messages.Message, 0, len(ids))}
	if outcome, where, args := on.Cases(kind, found, nil); outcome != "" {
		var err error
		if p.Counts.OpenCases, err = cases.CountFree(ctx, c, holders, by, where, args...); err != nil {
			return p, err
		}
	}
	all, err := lists.Measure(ctx, c, uuid.Nil, func(string) bool { return true }, found.Trees, found.Messages)
	if err != nil {
		return p, err
	}
	p.Counts.Messages, p.Counts.OthersMessages = int64(len(found.Messages)), found.Others
	p.Counts.Trees, p.Counts.Users = all.Trees, all.Users
	named, err := messages.Named(ctx, c, ids)
	for _, id := range ids {
		p.Sample = append(p.Sample, named[id])
	}
	return p, err
}

// Actor is who performs a bulk act.
type Actor struct {
	ID        uuid.UUID
	Languages []string // nil is no limit
	// MayActOn reports whether the actor may act on somebody else of a role, who may be a key.
	MayActOn func(role string, key bool) bool
}

// source tells, in SQL over messages m, trees t and authors u, what one kind of bulk act
// reads of a message.
type source struct {
	lang string
	done string // there is nothing to do
	// decided: staff decided otherwise.
	decided string
}

const (
	messageLang = "coalesce(m.lang, 'und')"
	treeLang    = "coalesce((SELECT p.lang FROM messages p WHERE p.tree_id = t.tree_id AND p.parent_id IS NULL " +
		"LIMIT 1), 'und')"
	userLang = "coalesce(" + db.MainLanguageSQL + ", 'und')"
)

var sources = map[string]source{
	Delete: {messageLang, "m.deleted", "false"},
	Reject: {messageLang, "m.review_result IS FALSE", "m.review_by_staff AND m.review_result"},
	Accept: {messageLang, "m.review_result IS TRUE", "m.review_by_staff AND NOT m.review_result"},
	Ban:    {userLang, "u.user_id IS NULL OR (" + tables.UserStatusSQL + ") <> '" + tables.Active + "'", "false"},
	Halt:   {treeLang, "t.state = '" + tables.Halted + "'", "false"},
	List:   {messageLang, "", "false"}, // Read sets done
}

// Read reads the targets of a bulk act on messages, whose users and trees are locked. It
// reads what staff may have changed since the messages were found.
func Read(ctx context.Context, c db.Conn, act Act, ids []uuid.UUID, by Actor) (t Targets, err error) {
	s := sources[act.Kind]
	var q db.Query
	if act.Kind == List {
		s.done = "EXISTS (SELECT FROM list_items i WHERE i.list_id = " + q.Arg(*act.List) +
			" AND i.message_id = m.message_id)"
	}
	q.Columns = "m.tree_id, m.message_id, m.user_id, u.role, coalesce(u.auth_method = 'key', false), " + s.lang +
		", coalesce(" + s.done + ", false), coalesce(" + s.decided + ", false)"
	q.From = "unnest(" + q.Arg(db.IDArray(ids)) + `::uuid[]) WITH ORDINALITY AS selected(message_id, place)
		JOIN message_trees x ON x.message_id = selected.message_id
		JOIN (` + messages.Tables + `) ON m.tree_id = x.tree_id AND m.message_id = x.message_id`
	if act.On.Filter != nil {
		if err := act.On.Filter.Narrow(&q); err != nil {
			return t, err
		}
	}
	sql, args := q.SQL()
	rows, err := c.Query(ctx, sql+" ORDER BY selected.place", args...)
	if err != nil {
		return t, err
	}
	var tree, message uuid.UUID
	var author *uuid.UUID
	var role *string
	var key, done, decided bool
	var lang string
	users, trees, found := map[uuid.UUID]bool{}, map[uuid.UUID]bool{}, 0
	_, err = pgx.ForEachRow(rows, []any{&tree, &message, &author, &role, &key, &lang, &done, &decided},
		func() error {
			found++
			count := &t.Counts.Unchanged
			if !done {
				count = t.Counts.Protected.reason(act.Kind, by, author, role, key, lang, decided)
			}
			if count != nil {
				*count++
				return nil
			}
			t.Trees, t.Messages = append(t.Trees, tree), append(t.Messages, message)
			if author != nil && !users[*author] {
				users[*author], t.Users = true, append(t.Users, *author)
			}
			if !trees[tree] {
				trees[tree], t.TreesOnce = true, append(t.TreesOnce, tree)
			}
			return nil
		})
	t.Counts.Messages, t.Counts.Users = int64(len(t.Messages)), int64(len(t.Users))
	t.Counts.Trees = int64(len(t.TreesOnce))
	if act.On.IDs != nil {
		t.Counts.Missing = int64(len(ids) - found)
	}
	return t, err
}

// reason returns the count of the reason for which a message is left out, nil if there
// is none.
func (p *Protected) reason(
	kind string, by Actor, author *uuid.UUID, role *string, key bool, lang string, decided bool,
) *int64 {
	ofAuthor := kind == Ban && author != nil
	switch {
	case kind == List:
		return nil
	case ofAuthor && *author == by.ID:
		return &p.Self
	case ofAuthor && (*role != policy.General || key) && !by.MayActOn(*role, key):
		return &p.NotPermitted
	case ofAuthor && *role != policy.General:
		return &p.Staff
	case !policy.Covers(by.Languages, lang):
		return &p.Language
	case decided:
		return &p.Decided
	}
	return nil
}

// AuthorsSQL selects the user_id of the authors of the messages $1 who are not staff.
const AuthorsSQL = `SELECT DISTINCT u.user_id FROM message_trees x
	JOIN messages m ON m.tree_id = x.tree_id AND m.message_id = x.message_id
	JOIN users u ON u.user_id = m.user_id AND u.role = 'general' WHERE x.message_id = ANY ($1)`

// Label says in the log what a bulk act did to a number of targets.
func Label(kind string, n int64, list string) string {
	counted := func(noun string) string {
		if n != 1 {
			noun += "s"
		}
		return fmt.Sprintf("%d %s", n, noun)
	}
	switch kind {
	case Delete:
		return "delete " + counted("message")
	case Reject:
		return "mark " + counted("message") + " as spam"
	case Accept:
		return "mark " + counted("message") + " as not spam"
	case Ban:
		return "ban " + counted("user")
	case Halt:
		return "stop " + counted("tree")
	}
	return "add " + counted("message") + " to the list “" + list + "”"
}
