package admin

import (
	"context"
	"crypto/rand"
	"errors"
	"html/template"
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
	describe("GET /keys", openapi.Method{
		Summary: "API keys by name, without the keys themselves", Query: keysQuery{}, Answer: store.List[keyView]{},
	})
	describe("POST /keys", openapi.Method{
		Summary: "Create an API key. The answer holds it, once: a repeated request gets none",
		Body:    keyBody{}, Fields: []string{"name", "role", "languages", "expires", "reason"}, Answer: keyAnswer{},
	})
	describe("DELETE /keys/:id", openapi.Method{
		Summary: "Revoke an API key permanently", Body: actBody{}, Fields: []string{"reason"}, Answer: store.Outcome{},
	})
}

const keysPath = "/settings/keys"

// keysQuery is the query of the list of keys.
type keysQuery struct{ pageQuery }

// keyBody is a new key.
type keyBody struct {
	Name      string     `json:"name" form:"name" validate:"required"`
	Role      string     `json:"role" form:"role" validate:"required"`
	Languages *[]string  `json:"languages"`
	Expires   *time.Time `json:"expires" form:"expires"`
	Reason    string     `json:"reason" form:"reason"`

	// Only the forms of the pages send these.
	Limit  string `json:"-" form:"limit" validate:"omitempty,oneof=all some"`
	Codes  string `json:"-" form:"languages" validate:"max=400"`
	Return string `json:"-" form:"return"`
	Key    string `json:"-" form:"key" validate:"max=100"`
}

// params returns the key that a request describes.
func (b keyBody) params() store.KeyParams {
	p := store.KeyParams{Name: b.Name, Role: b.Role, Expires: b.Expires}
	switch {
	case b.Languages != nil:
		p.Languages = *b.Languages
	case b.Limit == "some":
		p.Languages = languageCodes(b.Codes)
	}
	return p
}

// keyView is a key with its state.
type keyView struct {
	accounts.Key
	State string `json:"state" validate:"oneof=active expired revoked"`
}

func viewKey(key accounts.Key) keyView { return keyView{key, key.State(time.Now())} }

var keyBadges = map[string]badge{
	accounts.KeyActive:  {"Active", "ok", "Works for the API"},
	accounts.KeyExpired: {"Expired", "", "Does not work: it has expired"},
	accounts.KeyRevoked: {"Revoked", "bad", "Does not work: it was revoked"},
}

// Badge returns the key's state for pages.
func (k keyView) Badge() badge { return keyBadges[k.State] }

// Path returns the address below which the key is revoked.
func (k keyView) Path() string { return keysPath + "/" + k.UserID.String() }

// ActsOn returns the key's own languages in words.
func (k keyView) ActsOn() string { return capital(policy.LimitWords(k.Languages)) }

// keyAnswer is the answer to the creation of a key.
type keyAnswer struct {
	keyView
	Key *string `json:"key" description:"shown once; null for a repeated request"`
	store.Outcome
}

type keysPage struct {
	Layout
	List  store.List[keyView]
	Here  string
	Pager Pager
	CSV   string
}

func (p keysPage) api() any { return p.List }

func (p keysPage) csv() (header []string, rows [][]string) {
	header = []string{"user_id", "name", "role", "languages", "created_at", "created_by", "expires_at", "last_used_at",
		"state"}
	for _, k := range p.List.Items {
		languages := "*"
		if k.Languages != nil {
			languages = strings.Join(k.Languages, " ")
		}
		rows = append(rows, []string{k.UserID.String(), k.Name, k.Role, languages, rfc3339(&k.CreatedAt),
			orEmpty(k.CreatedBy), rfc3339(k.ExpiresAt), rfc3339(k.LastUsedAt), k.State})
	}
	return header, rows
}

// keys shows the API keys.
func (s *Server) keys(c *fiber.Ctx) error {
	var q keysQuery
	if err := decodeQuery(c, &q); err != nil {
		return err
	}
	actor := s.actor(c)
	read := func(ctx context.Context, page store.Page) (p keysPage, err error) {
		found, err := s.store.KeyPage(ctx, actor, page)
		p.List = store.List[keyView]{Items: make([]keyView, len(found.Items)), Next: found.Next, Prev: found.Prev}
		for i, key := range found.Items {
			p.List.Items[i] = viewKey(key)
		}
		return p, err
	}
	if wantsCSV(c) {
		return s.sendCSV(c, "keys", func(ctx context.Context, page store.Page) (listPage, *string, error) {
			p, err := read(ctx, page)
			return p, p.List.Next, err
		})
	}
	p, err := read(c.UserContext(), q.page())
	if err != nil {
		return err
	}
	if isAPI(c) {
		return s.render(c, "keys", p)
	}
	p.Layout = s.layout(c, "API keys")
	p.Here = hereWithout(c, "done", "notice")
	p.CSV = mustQuery(p.Query, "format", "csv", "cursor", "")
	p.Pager = p.pager(p.List.Prev, p.List.Next, "")
	return s.render(c, "keys", p)
}

// keyFormPage is the form of a new key.
type keyFormPage struct {
	Layout
	Return string
	Body   keyBody
	Roles  []Choice
	Known  string // the languages of trees
	Min    string // the first day on which a key may end
	Wrong  store.Invalid
	Dialog bool
}

func (p keyFormPage) api() any { return nil }

// Elsewhere returns the errors of fields that the form does not show.
func (p keyFormPage) Elsewhere() string {
	return elsewhere(p.Wrong, "name", "role", "expires", "languages")
}

// Ends returns the end that was typed, as the field takes it.
func (p keyFormPage) Ends() string {
	if p.Body.Expires == nil {
		return ""
	}
	return p.Body.Expires.UTC().Format(time.DateOnly)
}

// newKeyForm shows the form of a new key.
func (s *Server) newKeyForm(c *fiber.Ctx) error {
	var body keyFormQuery
	if err := decodeQuery(c, &body); err != nil {
		return err
	}
	return s.showKeyForm(c, fiber.StatusOK, keyBody{Role: policy.Collector, Return: body.Return}, nil)
}

// keyFormQuery is the query of the form of a new key.
type keyFormQuery struct {
	Return string `form:"return"`
}

func (s *Server) showKeyForm(c *fiber.Ctx, status int, body keyBody, wrong store.Invalid) error {
	p := keyFormPage{
		Layout: s.layout(c, "New key"), Body: body, Return: localPath(body.Return, keysPath), Wrong: wrong,
		Min: time.Now().UTC().AddDate(0, 0, 1).Format(time.DateOnly), Dialog: isPartial(c),
	}
	p.Toast = nil
	p.Body.Key = rand.Text()
	for _, role := range s.person(c).Policy.Roles() {
		if role.Name != policy.General {
			p.Roles = append(p.Roles, Choice{role.Name, capital(role.Title), body.Role == role.Name})
		}
	}
	known, err := s.store.Languages(c.UserContext())
	if err != nil {
		return err
	}
	p.Known = strings.Join(known, ", ")
	if p.Dialog {
		return s.renderStatus(c, status, "partials/keyform", p)
	}
	return s.renderStatus(c, status, "keyform", p)
}

// createKey creates a key and shows it, once.
func (s *Server) createKey(c *fiber.Ctx) error {
	var body keyBody
	err := decodeBody(c, &body)
	var outcome store.Outcome
	var secret string
	if err == nil {
		var repeat string
		if repeat, err = idempotencyKey(c, body.Key); err != nil {
			return err
		}
		outcome, secret, err = s.store.NewKey(c.UserContext(), s.actor(c), body.params(),
			store.Act{Reason: body.Reason, IdempotencyKey: repeat})
	}
	var invalid store.Invalid
	switch {
	case errors.As(err, &invalid) && !isAPI(c):
		return s.showKeyForm(c, fiber.StatusUnprocessableEntity, body, invalid)
	case err != nil:
		return err
	}
	id, err := uuid.Parse(outcome.Action.TargetID)
	if err != nil {
		return err
	}
	key, err := s.store.KeyByID(c.UserContext(), s.actor(c), id)
	if err != nil {
		return err
	}
	if isAPI(c) {
		answer := keyAnswer{keyView: viewKey(key), Outcome: outcome}
		if secret != "" {
			answer.Key = &secret
		}
		return sendJSON(c, answer)
	}
	p := secretPage{
		Layout: s.layout(c, "New key"), For: key.Name, Secret: secret, Expires: key.ExpiresAt,
		Example: "curl -H 'Authorization: Bearer KEY' " + c.BaseURL() + apiPrefix + boardPath,
		Return:  localPath(body.Return, keysPath), Dialog: isPartial(c),
	}
	if !s.person(c).Policy.Allows(key.Role, policy.Read) {
		p.Example = "curl -H 'Authorization: Bearer KEY' '" + c.BaseURL() + apiPrefix + eventsPath + "?after=0'"
	}
	return s.renderSecret(c, p)
}

// revokeKeyForm asks before a key is revoked.
func (s *Server) revokeKeyForm(c *fiber.Ctx) error {
	id, err := pathID(c)
	if err != nil {
		return err
	}
	var body actBody
	if err := decodeQuery(c, &body); err != nil {
		return err
	}
	p, err := s.revokeKeyPage(c, id, body)
	if err != nil {
		return err
	}
	return s.renderAct(c, fiber.StatusOK, p)
}

func (s *Server) revokeKeyPage(c *fiber.Ctx, id uuid.UUID, body actBody) (actPage, error) {
	kind := store.RevokeKeyKind
	p := actPage{Layout: s.layout(c, kind.Title), Kind: kind, Body: body, Dialog: isPartial(c)}
	p.Toast = nil
	key, err := s.store.KeyByID(c.UserContext(), s.actor(c), id)
	if err != nil {
		return p, err
	}
	p.Target, p.Post, p.Return = named(key.Name), c.Path(), localPath(body.Return, keysPath)
	p.Body.Key = rand.Text()
	effect, err := s.part("partials/keyeffect", viewKey(key))
	p.Fields = template.HTML(effect)
	return p, err
}

// revokeKey revokes a key for good.
func (s *Server) revokeKey(c *fiber.Ctx) error {
	id, err := pathID(c)
	if err != nil {
		return err
	}
	var body actBody
	var outcome store.Outcome
	if err = decodeBody(c, &body); err == nil {
		var repeat string
		if repeat, err = idempotencyKey(c, body.Key); err != nil {
			return err
		}
		outcome, err = s.store.RevokeKeyByID(c.UserContext(), s.actor(c),
			store.Act{Target: id, Reason: body.Reason, IdempotencyKey: repeat})
	}
	var invalid store.Invalid
	switch {
	case errors.As(err, &invalid) && !isAPI(c):
		p, pageErr := s.revokeKeyPage(c, id, body)
		if pageErr != nil {
			return errors.Join(err, pageErr)
		}
		p.Wrong = invalid
		return s.renderAct(c, fiber.StatusUnprocessableEntity, p)
	case err != nil:
		return err
	case isAPI(c):
		return sendJSON(c, outcome)
	}
	return done(c, localPath(body.Return, keysPath), outcome.Action)
}
