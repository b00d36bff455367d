package admin

import (
	"encoding/json"
	"fmt"

	"github.com/gofiber/fiber/v2"

	"treewarden/admin/openapi"
	"treewarden/policy"
	"treewarden/store"
	"treewarden/store/policies"
)

func init() {
	describe("GET /policy", openapi.Method{
		Summary: "What each role may do: the version in force, and the ones before it",
		Answer:  policyAnswer{},
	})
	describe("PUT /policy", openapi.Method{
		Summary: "Put other roles in force as a new version, or preview who gains and loses what. A role that is left " +
			"out goes, if nobody has it; 409 if version is not the one in force",
		Body: policyBody{}, Answer: policyChanged{}, Preview: policyPreview{},
	})
	describe("POST /policy/restore", openapi.Method{
		Summary: "Restore the roles that ship with the program, or preview who gains and loses what",
		Body:    actBody{}, Fields: []string{"reason", "preview", "version"},
		Answer: policyChanged{}, Preview: policyPreview{},
	})
	describe("GET /policy/why", openapi.Method{
		Summary: "Why somebody may or may not do something: a sentence for each rule. Without user it is about the caller; " +
			"about others needs policy.manage or staff.manage",
		Query: whyQuery{}, Answer: policies.Answer{},
	})
}

// policyAnswer is the policy in force with its earlier versions.
type policyAnswer struct {
	policies.Version
	Earlier []policies.Version `json:"earlier"`
}

// policyBody is a change of what roles may do, as the API describes it.
type policyBody struct {
	Roles   []policy.Role `json:"roles" required:"true"`
	Version *int          `json:"version"`
	Reason  string        `json:"reason"`
	Preview bool          `json:"preview"`
}

// policyRequest is a policyBody whose roles are not decoded yet, so that an error
// names the role and the field.
type policyRequest struct {
	Roles   json.RawMessage `json:"roles"`
	Version *int            `json:"version" form:"version"`
	Reason  string          `json:"reason" form:"reason"`
	Preview bool            `json:"preview" form:"preview"`
}

// policyPreview is what a change of the policy would do.
type policyPreview struct {
	store.Outcome
	policies.Difference
}

// policyChanged is the answer to a change of the policy: what it did, and the
// version that is in force now.
type policyChanged struct {
	store.Outcome
	policies.Difference
	Version int              `json:"version"`
	Policy  policies.Version `json:"policy"`
}

// readPolicy returns the policy in force with its earlier versions.
func (s *Server) readPolicy(c *fiber.Ctx) (policyAnswer, error) {
	versions, err := s.store.Policies(c.UserContext(), s.actor(c))
	if err != nil {
		return policyAnswer{}, err
	}
	return policyAnswer{versions[0], versions[1:]}, nil
}

// showPolicy answers with the policy in force.
func (s *Server) showPolicy(c *fiber.Ctx) error {
	answer, err := s.readPolicy(c)
	if err != nil {
		return err
	}
	return sendJSON(c, answer)
}

// putPolicy puts other roles in force, or previews that.
func (s *Server) putPolicy(c *fiber.Ctx) error {
	var body policyRequest
	if err := decodeBody(c, &body); err != nil {
		return err
	}
	roles, err := decodeRoles(body.Roles)
	if err != nil {
		return err
	}
	return s.changePolicy(c, store.PolicyChange{
		Roles: roles, Version: body.Version, Reason: body.Reason, Preview: body.Preview,
	})
}

// restorePolicy restores the shipped roles, or previews that.
func (s *Server) restorePolicy(c *fiber.Ctx) error {
	var body actBody
	if err := decodeBody(c, &body); err != nil {
		return err
	}
	return s.changePolicy(c, store.PolicyChange{Version: body.Version, Reason: body.Reason, Preview: body.Preview})
}

// changePolicy answers a change of the policy by the API.
func (s *Server) changePolicy(c *fiber.Ctx, change store.PolicyChange) error {
	var err error
	if change.IdempotencyKey, err = idempotencyKey(c, ""); err != nil {
		return err
	}
	outcome, err := s.store.ChangePolicy(c.UserContext(), s.actor(c), change)
	if err != nil {
		return err
	}
	if outcome.Gains == nil {
		outcome.Gains = []policy.Change{}
	}
	if outcome.Loses == nil {
		outcome.Loses = []policy.Change{}
	}
	if change.Preview {
		return sendJSON(c, policyPreview{outcome.Outcome, outcome.Difference})
	}
	answer := policyChanged{Outcome: outcome.Outcome, Difference: outcome.Difference}
	now, err := s.readPolicy(c)
	if err != nil {
		return err
	}
	answer.Policy, answer.Version = now.Version, now.Version.Version
	return sendJSON(c, answer)
}

// decodeRoles decodes a list of roles. Its error names each wrong field, because a
// misspelt "languages" must not make a role act on all of them.
func decodeRoles(list json.RawMessage) ([]policy.Role, error) {
	var members []json.RawMessage
	if len(list) == 0 || json.Unmarshal(list, &members) != nil || members == nil {
		return nil, store.Invalid{"roles": "Give the list of all roles."}
	}
	roles, wrong := make([]policy.Role, len(members)), store.Invalid{}
	for i, member := range members {
		place := fmt.Sprintf("roles[%d]", i)
		faults, err := decodeJSON(member, []any{&roles[i]})
		if err != nil {
			wrong[place] = "A role is an object, each of its members there once."
		}
		for field, why := range faults {
			wrong[place+"."+field] = why
		}
	}
	if len(wrong) > 0 {
		return nil, wrong
	}
	return roles, nil
}

// whyQuery is a question why somebody may or may not do something.
type whyQuery struct {
	User       string `form:"user" validate:"max=100"`
	Permission string `form:"permission" validate:"max=100"`
	Target     string `form:"target" validate:"max=300"`
}

// question returns the question of the query.
func (q whyQuery) question() (policies.Question, error) {
	target, err := policies.ReadObject(q.Target)
	return policies.Question{Who: q.User, Permission: policy.Permission(q.Permission), Target: target}, err
}

// why answers why somebody may or may not do something.
func (s *Server) why(c *fiber.Ctx) error {
	var q whyQuery
	if err := decodeQuery(c, &q); err != nil {
		return err
	}
	question, err := q.question()
	if err != nil {
		return err
	}
	answer, err := s.store.Why(c.UserContext(), s.actor(c), question)
	if err != nil {
		return err
	}
	return sendJSON(c, answer)
}
