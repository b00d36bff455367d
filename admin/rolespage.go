package admin

import (
	"crypto/rand"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/gofiber/fiber/v2"

	"treewarden/policy"
	"treewarden/store"
	"treewarden/store/policies"
)

const (
	rolesPath   = "/settings/roles"
	restorePath = rolesPath + "/restore"
)

// rolesBody holds the fields of the form besides the matrix.
type rolesBody struct {
	newRole
	// Do is the pressed button: save, edit, add, or remove.N for a column. All else is
	// a preview.
	Do      string `form:"do"`
	Version *int   `form:"version"`
	Reason  string `form:"reason"`
	Key     string `form:"key" validate:"max=100"`
}

// rolesPage shows what roles may do in a form, and the earlier versions.
type rolesPage struct {
	Layout
	Policy   policyAnswer
	Version  int // the version that the form was made from
	Columns  []roleColumn
	Groups   []matrixGroup
	New      newRole
	Sources  []Choice // the roles that a new one can be copied from
	Reason   string
	Wrong    store.Invalid
	Refused  string // why the person may not make this change
	Conflict *store.Conflict
	Versions []policyLine
	Why      whyForm
}

func (p rolesPage) api() any { return p.Policy }

// policyLine is a row of the table of versions.
type policyLine struct {
	policies.Version
	InForce bool
	Changes []roleChange
}

// Elsewhere returns the errors of fields that the form does not show.
func (p rolesPage) Elsewhere() string {
	var beside []string
	for _, column := range p.Columns {
		for field := range column.Wrong {
			beside = append(beside, fmt.Sprintf("roles[%d].%s", column.Index, field))
		}
	}
	var text []string
	for _, field := range slices.Sorted(maps.Keys(p.Wrong)) {
		if !slices.Contains(beside, field) {
			text = append(text, p.Wrong[field])
		}
	}
	return strings.Join(text, " ")
}

// Faults returns what is wrong in the columns, each after the title of its role, so
// that nobody has to look for it in a wide table.
func (p rolesPage) Faults() []Choice {
	var faults []Choice
	for _, column := range p.Columns {
		for _, field := range slices.Sorted(maps.Keys(column.Wrong)) {
			faults = append(faults, Choice{Text: column.Heading(), Value: column.Wrong[field]})
		}
	}
	return faults
}

// AnyWrong reports whether a field of some column is wrong.
func (p rolesPage) AnyWrong(field string) bool {
	return slices.ContainsFunc(p.Columns, func(c roleColumn) bool { return c.Wrong[field] != "" })
}

// Width returns the number of columns of the matrix, that of the words included.
func (p rolesPage) Width() int { return len(p.Columns) + 1 }

// roles shows the roles in force.
func (s *Server) roles(c *fiber.Ctx) error {
	p, err := s.rolesPage(c)
	if err != nil {
		return err
	}
	for i, role := range p.Policy.Roles {
		p.Columns = append(p.Columns, columnOf(i, role))
	}
	return s.showRoles(c, p)
}

// rolesPage makes the page without its columns.
func (s *Server) rolesPage(c *fiber.Ctx) (rolesPage, error) {
	p := rolesPage{Layout: s.layout(c, "Roles")}
	var err error
	if p.Policy, err = s.readPolicy(c); err != nil {
		return p, err
	}
	p.Version = p.Policy.Version.Version
	versions := append([]policies.Version{p.Policy.Version}, p.Policy.Earlier...)
	for i, v := range versions {
		line := policyLine{Version: v, InForce: i == 0}
		if i+1 < len(versions) {
			line.Changes = roleChanges(versions[i+1].Policy, v.Policy)
		}
		p.Versions = append(p.Versions, line)
	}
	p.Why = newWhyForm(p.Person, whyQuery{})
	return p, nil
}

// showRoles completes the columns of the page and answers with it: 422 if fields are
// wrong, 409 if another version is in force, 403 if the change is refused.
func (s *Server) showRoles(c *fiber.Ctx, p rolesPage) error {
	held, err := s.store.RoleHolders(c.UserContext(), s.actor(c))
	if err != nil {
		return err
	}
	for i := range p.Columns {
		column := &p.Columns[i]
		column.Index = i
		if role, ok := p.Policy.Policy.Role(column.Name); ok {
			column.InForce, column.Held = &role, held[column.Name]
		}
		column.New = column.InForce == nil
		column.Wrong = map[string]string{}
		for _, field := range []string{"name", "title", "rank", "permissions", "languages"} {
			if why := p.Wrong[fmt.Sprintf("roles[%d].%s", i, field)]; why != "" {
				column.Wrong[field] = why
			}
		}
		p.Sources = append(p.Sources, Choice{column.Name, column.Heading(), column.Name == p.New.From})
	}
	if p.New.From == "" {
		for i := range p.Sources {
			p.Sources[i].Chosen = p.Sources[i].Value == policy.Moderator
		}
	}
	p.Groups = matrix(p.Columns)
	status := fiber.StatusOK
	switch {
	case len(p.Wrong) > 0:
		status = fiber.StatusUnprocessableEntity
	case p.Conflict != nil:
		status = fiber.StatusConflict
	case p.Refused != "":
		status = fiber.StatusForbidden
	}
	return s.renderStatus(c, status, "roles", p)
}

// saveRoles handles every button of the form.
func (s *Server) saveRoles(c *fiber.Ctx) error {
	values, err := formValues(c)
	if err != nil {
		return err
	}
	var body rolesBody
	wrong := store.Invalid(fill(values, &body))
	columns := readColumns(values)
	adds := strings.TrimSpace(body.newRole.Name+body.newRole.Title) != ""
	if body.Do == "add" || adds && body.Do != "edit" {
		columns = append(columns, body.newRole.column(len(columns), columns))
		body.newRole = newRole{}
	}
	number, removes := strings.CutPrefix(body.Do, "remove.")
	if removes {
		if i, err := strconv.Atoi(number); err == nil && i >= 0 && i < len(columns) {
			columns = slices.Delete(columns, i, i+1)
		}
	}
	saves := body.Do == "save"
	if removes || body.Do == "add" || body.Do == "edit" || len(wrong) > 0 {
		return s.rolesAgain(c, body, columns, wrong, nil)
	}
	change := store.PolicyChange{Roles: []policy.Role{}, Version: body.Version, Reason: body.Reason, Preview: !saves}
	for i := range columns {
		columns[i].Index = i
		change.Roles = append(change.Roles, columns[i].role(wrong))
	}
	change.Preview = change.Preview || len(wrong) > 0
	if change.IdempotencyKey, err = idempotencyKey(c, body.Key); err != nil {
		return err
	}
	outcome, err := s.store.ChangePolicy(c.UserContext(), s.actor(c), change)
	var invalid store.Invalid
	switch {
	case errors.As(err, &invalid) && saves && invalid["reason"] != "" && len(invalid) == 1:
		return s.previewRoles(c, body, change.Roles, columns, invalid, nil)
	case err != nil, len(wrong) > 0:
		return s.rolesAgain(c, body, columns, wrong, err)
	case saves:
		return done(c, rolesPath, outcome.Action)
	}
	return s.previewRoles(c, body, change.Roles, columns, nil, nil)
}

// rolesAgain shows the form again with all that was typed: what is wrong in it, or
// why the store refused it. It returns every other error.
func (s *Server) rolesAgain(c *fiber.Ctx, body rolesBody, columns []roleColumn, wrong store.Invalid, err error) error {
	p, pageErr := s.rolesPage(c)
	if pageErr != nil {
		return errors.Join(err, pageErr)
	}
	p.Toast = nil
	p.Columns, p.New, p.Reason, p.Wrong = columns, body.newRole, body.Reason, wrong
	if body.Version != nil {
		p.Version = *body.Version
	}
	var invalid store.Invalid
	var forbidden *store.Forbidden
	switch {
	case errors.As(err, &p.Conflict):
		// If the form is sent again, the person has seen the other change.
		p.Version = p.Policy.Version.Version
		for _, v := range p.Policy.Earlier {
			if body.Version != nil && v.Version == *body.Version {
				p.Columns = mergeColumns(columns, v.Roles, p.Policy.Roles)
			}
		}
	case errors.As(err, &forbidden):
		p.Refused = forbidden.Why
	case errors.As(err, &invalid):
		p.Wrong = merge(wrong, invalid)
	case err != nil:
		return err
	}
	return s.showRoles(c, p)
}

// rolesPreviewPage shows who gains and loses what, and asks for the reason.
type rolesPreviewPage struct {
	Layout
	Restores bool // the shipped roles
	Post     string
	Hidden   []Choice // the form's fields, by Text and Value
	Version  int
	Key      string
	Reason   string
	Reasons  []string // last used
	Changes  []roleChange
	People   []personChange
	Wrong    store.Invalid
	Conflict *store.Conflict
}

func (p rolesPreviewPage) api() any { return nil }

// Elsewhere returns the errors of fields that the page does not show.
func (p rolesPreviewPage) Elsewhere() string {
	if len(p.Changes) == 0 { // it asks for no reason
		return elsewhere(p.Wrong)
	}
	return elsewhere(p.Wrong, "reason")
}

// previewRoles answers with the preview of a change; nil roles restore the shipped
// ones.
func (s *Server) previewRoles(c *fiber.Ctx, body rolesBody, roles []policy.Role, columns []roleColumn,
	wrong store.Invalid, conflict *store.Conflict) error {
	answer, err := s.readPolicy(c)
	if err != nil {
		return err
	}
	next, err := policies.Of(roles)
	if err != nil {
		return err
	}
	outcome, err := s.store.ChangePolicy(c.UserContext(), s.actor(c), store.PolicyChange{Roles: roles, Preview: true})
	if err != nil {
		return err
	}
	p := rolesPreviewPage{
		Layout: s.layout(c, "Change what roles may do"), Restores: roles == nil, Post: rolesPath,
		Version: answer.Version.Version, Key: rand.Text(), Reason: body.Reason, Wrong: wrong, Conflict: conflict,
		Changes: roleChanges(answer.Policy, next.Policy), People: byPerson(outcome.Difference),
	}
	kind, status := "set_policy", fiber.StatusOK
	if p.Restores {
		p.Post, p.Title, kind = restorePath, "Restore the shipped roles", "restore_policy"
	}
	for _, column := range columns {
		p.Hidden = append(p.Hidden, column.hidden()...)
	}
	if p.Reasons, err = s.store.RecentReasons(c.UserContext(), s.actor(c), kind); err != nil {
		return fmt.Errorf("read the last used reasons: %w", err)
	}
	switch {
	case len(wrong) > 0:
		status = fiber.StatusUnprocessableEntity
	case conflict != nil:
		status = fiber.StatusConflict
	}
	return s.renderStatus(c, status, "rolespreview", p)
}

// restoreForm previews the shipped roles.
func (s *Server) restoreForm(c *fiber.Ctx) error {
	return s.previewRoles(c, rolesBody{}, nil, nil, nil, nil)
}

// restoreRoles restores the shipped roles, or shows the preview again.
func (s *Server) restoreRoles(c *fiber.Ctx) error {
	var body rolesBody
	if err := decodeBody(c, &body); err != nil {
		var wrong store.Invalid
		if errors.As(err, &wrong) {
			return s.previewRoles(c, body, nil, nil, wrong, nil)
		}
		return err
	}
	key, err := idempotencyKey(c, body.Key)
	if err != nil {
		return err
	}
	outcome, err := s.store.ChangePolicy(c.UserContext(), s.actor(c),
		store.PolicyChange{Version: body.Version, Reason: body.Reason, IdempotencyKey: key})
	var invalid store.Invalid
	var conflict *store.Conflict
	switch {
	case errors.As(err, &invalid) && invalid["roles"] == "", errors.As(err, &conflict) && conflict.Version != 0:
		return s.previewRoles(c, body, nil, nil, invalid, conflict)
	case err != nil:
		return err
	}
	return done(c, rolesPath, outcome.Action)
}
