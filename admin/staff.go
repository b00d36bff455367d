package admin

import (
	"context"
	"encoding/json"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/gofiber/fiber/v2"
	"github.com/google/uuid"

	"treewarden/admin/openapi"
	"treewarden/policy"
	"treewarden/store"
	"treewarden/store/accounts"
)

func init() {
	describe("GET /staff", openapi.Method{
		Summary: "Accounts that can sign in, by name", Query: staffQuery{}, Answer: store.List[accounts.Account]{},
	})
	describe("POST /staff", openapi.Method{
		Summary: "Create an account, and an invitation for it: a link that works once. A repeated request gets no link",
		Body:    staffBody{}, Fields: []string{"name", "role", "languages", "reason"}, Answer: staffAnswer{},
	})
	describe("PATCH /staff/:id", openapi.Method{
		Summary: "Change the name, the role or the languages of an account; languages null is no limit",
		Body:    staffBody{}, Answer: staffChange{},
	})
	describe("DELETE /staff/:id", openapi.Method{
		Summary: "Take somebody's access away: their sessions, links and the keys that they made end at once",
		Body:    actBody{}, Fields: []string{"reason"}, Answer: store.Outcome{},
	})
	describe("POST /staff/:id/invite", openapi.Method{
		Summary: "Make a link that works once, in place of former ones. A repeated request gets no link",
		Body:    actBody{}, Fields: []string{"reason"}, Answer: linkAnswer{},
	})
	describe("POST /staff/:id/reset", openapi.Method{
		Summary: "Remove somebody's password, end their sessions, and make a link that works once. A repeated request gets " +
			"no link",
		Body: actBody{}, Fields: []string{"reason"}, Answer: linkAnswer{},
	})
	describe("POST /staff/:id/end-sessions", openapi.Method{
		Summary: "End all sessions of an account",
		Body:    actBody{}, Fields: []string{"reason"}, Answer: store.Outcome{},
	})
}

const staffPath = "/settings/staff"

// staffQuery is the query of the list of accounts.
type staffQuery struct {
	pageQuery
	Q    string `form:"q" validate:"max=200" description:"words or parts of names, phrases, -not, OR"`
	Role string `form:"role" validate:"max=100"`
}

// staffBody is a new account, or the changes of one.
type staffBody struct {
	Name      *string   `json:"name" form:"name"`
	Role      *string   `json:"role" form:"role"`
	Languages *[]string `json:"languages"`
	Reason    string    `json:"reason" form:"reason"`
	Preview   bool      `json:"preview"`
	Version   *int      `json:"version" form:"version"`

	// Only the forms of the pages send these.
	Limit  string `json:"-" form:"limit" validate:"omitempty,oneof=all some"`
	Codes  string `json:"-" form:"languages" validate:"max=400"`
	Return string `json:"-" form:"return"`
	Key    string `json:"-" form:"key" validate:"max=100"`
	Was    string `json:"-" form:"was" validate:"max=2000"`
}

// limit returns the languages of the form as one text, as limitText does.
func (b staffBody) limit() string {
	if b.Limit == "all" {
		return limitText(nil)
	}
	return limitText(languageCodes(b.Codes))
}

// limitText returns the languages of an account as one text; nil is all.
func limitText(languages []string) string {
	if languages == nil {
		return "all"
	}
	return "only " + strings.Join(languages, ", ")
}

// params returns the account that a request describes.
func (b staffBody) params(c *fiber.Ctx) accounts.Params {
	p := accounts.Params{Name: b.Name, Role: b.Role}
	if isAPI(c) {
		p.SetLanguages = b.Languages != nil || sentNull(c.Body(), "languages")
		if b.Languages != nil {
			p.Languages = *b.Languages
		}
		return p
	}
	p.SetLanguages = b.Limit != ""
	if b.Limit == "some" {
		p.Languages = languageCodes(b.Codes)
	}
	return p
}

// languageCodes reads codes with commas or spaces between them.
func languageCodes(text string) []string {
	codes := []string{}
	return append(codes, strings.FieldsFunc(text, func(r rune) bool { return strings.ContainsRune(",; \n", r) })...)
}

// sentNull reports whether a JSON object has a member that is null.
func sentNull(body []byte, name string) bool {
	var members map[string]json.RawMessage
	return json.Unmarshal(body, &members) == nil && string(members[name]) == "null"
}

// linkAnswer is the answer to an action that makes a link.
type linkAnswer struct {
	Link    *string    `json:"link" description:"shown once; null for a repeated request"`
	Expires *time.Time `json:"expires"`
	store.Outcome
}

// staffAnswer is the answer to the creation of an account.
type staffAnswer struct {
	accounts.Account
	linkAnswer
}

// staffChange is the answer to a change of an account: the account as it is then,
// the action, and what the person gains and loses.
type staffChange struct {
	accounts.Account
	store.StaffOutcome
}

// staffLine is an account as pages show it.
type staffLine struct {
	accounts.Account
	Badge  badge  // its status
	ActsOn string // the languages, in words
	MayAct bool   // whether the rank rules let the person act on it
	Self   bool
}

var staffBadges = map[string]badge{
	store.Active:     {"Active", "ok", "Signs in by name and password, or by a link"},
	store.Banned:     {"Banned", "bad", "Cannot sign in because of a ban"},
	store.Erased:     {"Erased", "", "Can no longer sign in"},
	accounts.Invited: {"Invited", "info", "Has no password and has never signed in"},
}

// staffLine returns an account as a person sees it.
func (s *Server) staffLine(person store.Person, a accounts.Account) staffLine {
	self := a.UserID == person.UserID
	return staffLine{
		Account: a, Badge: staffBadges[a.Status], ActsOn: capital(policy.LimitWords(person.Policy.Languages(a.Subject()))),
		MayAct: person.Policy.MayActOn(person.Role, a.Role, self) == nil, Self: self,
	}
}

// Path returns the address below which the account is changed.
func (l staffLine) Path() string { return staffPath + "/" + l.UserID.String() }

type staffPage struct {
	Layout
	List   store.List[accounts.Account]
	Filter staffQuery
	Lines  []staffLine
	Roles  []Choice
	Here   string
	Pager  Pager
	CSV    string
}

func (p staffPage) api() any { return p.List }

// Filtered reports whether the person narrowed the list.
func (p staffPage) Filtered() bool { return p.Filter.Q != "" || p.Filter.Role != "" }

func (p staffPage) csv() (header []string, rows [][]string) {
	header = []string{"user_id", "name", "sign_in_name", "role", "languages", "status", "created_date", "last_seen",
		"sessions", "keys", "invited_until"}
	for _, a := range p.List.Items {
		languages := "*"
		if a.Languages != nil {
			languages = strings.Join(a.Languages, " ")
		}
		rows = append(rows, []string{a.UserID.String(), a.DisplayName, a.Username, a.Role, languages, a.Status,
			rfc3339(&a.CreatedDate), rfc3339(a.LastSeen), strconv.FormatInt(a.Sessions, 10), strconv.FormatInt(a.Keys, 10),
			rfc3339(a.InvitedUntil)})
	}
	return header, rows
}

// staffList shows the accounts.
func (s *Server) staffList(c *fiber.Ctx) error {
	var q staffQuery
	if err := decodeQuery(c, &q); err != nil {
		return err
	}
	person := s.person(c)
	if q.Role != "" && !person.Policy.KnownRole(q.Role) {
		return store.Malformed("role: there is no such role")
	}
	q.Q = strings.TrimSpace(q.Q)
	f := accounts.Filter{Q: q.Q, Role: q.Role, Page: q.page()}
	if wantsCSV(c) {
		return s.sendCSV(c, "staff", func(ctx context.Context, page store.Page) (listPage, *string, error) {
			f.Page = page
			found, err := s.store.StaffPage(ctx, person.Actor, f)
			return staffPage{List: found}, found.Next, err
		})
	}
	found, err := s.store.StaffPage(c.UserContext(), person.Actor, f)
	if err != nil {
		return err
	}
	p := staffPage{List: found, Filter: q}
	if isAPI(c) {
		return s.render(c, "staff", p)
	}
	p.Layout = s.layout(c, "Staff")
	p.Roles = s.staffRoles(person, q.Role, "Any role")
	p.Here = hereWithout(c, "done", "notice")
	p.CSV = mustQuery(p.Query, "format", "csv", "cursor", "")
	p.Pager = p.pager(found.Prev, found.Next, "")
	for _, a := range found.Items {
		p.Lines = append(p.Lines, s.staffLine(person, a))
	}
	return s.render(c, "staff", p)
}

// staffRoles returns the roles that enter the console, after a first choice of none.
func (s *Server) staffRoles(person store.Person, chosen, none string) []Choice {
	all := []Choice{{"", none, chosen == ""}}
	for _, role := range person.Policy.Roles() {
		if person.Policy.EntersConsole(role.Name) {
			all = append(all, Choice{role.Name, capital(role.Title), chosen == role.Name})
		}
	}
	return all
}

// invitation returns the address of a link, nil if there is none.
func (s *Server) invitation(c *fiber.Ctx, link store.Link) (address *string, expires *time.Time) {
	if link.Secret == "" {
		return nil, nil
	}
	base := c.BaseURL()
	if _, host, ok := strings.Cut(base, "://"); ok && s.Secure {
		base = "https://" + host
	}
	whole := base + invitationPath + "?token=" + url.QueryEscape(link.Secret)
	end := link.Expires.UTC()
	return &whole, &end
}

// createStaff creates an account with an invitation.
func (s *Server) createStaff(c *fiber.Ctx) error {
	var body staffBody
	err := decodeBody(c, &body)
	var outcome store.Outcome
	var link store.Link
	if err == nil {
		var key string
		if key, err = idempotencyKey(c, body.Key); err != nil {
			return err
		}
		outcome, link, err = s.store.NewStaff(c.UserContext(), s.actor(c), body.params(c),
			store.Act{Reason: body.Reason, IdempotencyKey: key})
	}
	if err != nil {
		return s.staffRefused(c, uuid.Nil, body, err)
	}
	id, err := uuid.Parse(outcome.Action.TargetID)
	if err != nil {
		return err
	}
	return s.answerLink(c, id, body.Return, outcome, link, true)
}

// answerLink shows a link, once.
func (s *Server) answerLink(
	c *fiber.Ctx, id uuid.UUID, back string, outcome store.Outcome, link store.Link, fresh bool,
) error {
	account, err := s.store.StaffByID(c.UserContext(), s.actor(c), id)
	if err != nil {
		return err
	}
	var answer linkAnswer
	answer.Outcome = outcome
	answer.Link, answer.Expires = s.invitation(c, link)
	switch {
	case isAPI(c) && fresh:
		return sendJSON(c, staffAnswer{account, answer})
	case isAPI(c):
		return sendJSON(c, answer)
	}
	p := secretPage{
		Layout: s.layout(c, "Invitation"), For: account.DisplayName, Link: true, Expires: answer.Expires,
		Return: localPath(back, staffPath), Dialog: isPartial(c),
	}
	if answer.Link != nil {
		p.Secret = *answer.Link
	}
	return s.renderSecret(c, p)
}

// secretPage shows a link or a key, once.
type secretPage struct {
	Layout
	For     string // the name of the account or the key
	Link    bool   // it is a link, not a key
	Secret  string // empty if it was shown before
	Expires *time.Time
	Example string // a command that uses a key
	Return  string
	Dialog  bool
}

func (p secretPage) api() any { return nil }

func (s *Server) renderSecret(c *fiber.Ctx, p secretPage) error {
	p.Toast = nil
	c.Set(fiber.HeaderReferrerPolicy, "no-referrer")
	if p.Dialog {
		return s.render(c, "partials/secret", p)
	}
	return s.render(c, "secret", p)
}

// updateStaff changes an account: by PATCH for programs, by a form for people.
func (s *Server) updateStaff(c *fiber.Ctx) error {
	id, err := pathID(c)
	if err != nil {
		return err
	}
	var body staffBody
	var outcome store.StaffOutcome
	if err = decodeBody(c, &body); err == nil {
		var key string
		if key, err = idempotencyKey(c, body.Key); err != nil {
			return err
		}
		outcome, err = s.store.ChangeStaff(c.UserContext(), s.actor(c), store.Act{
			Target: id, Reason: body.Reason, Version: body.Version, Preview: body.Preview, IdempotencyKey: key,
		}, body.params(c))
	}
	if err != nil {
		return s.staffRefused(c, id, body, err)
	}
	if !isAPI(c) {
		return done(c, localPath(body.Return, staffPath), outcome.Action)
	}
	account, err := s.store.StaffByID(c.UserContext(), s.actor(c), id)
	if err != nil {
		return err
	}
	return sendJSON(c, staffChange{account, outcome})
}
