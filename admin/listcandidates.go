package admin

import (
	"encoding/json"

	"github.com/gofiber/fiber/v2"
	"github.com/google/uuid"

	"treewarden/admin/openapi"
	"treewarden/store"
	"treewarden/store/candidates"
)

func init() {
	describe("GET /lists/:id/candidates", openapi.Method{
		Summary: "The messages that rules found for a list, those that wait for a verdict first of all",
		Query:   candidatesQuery{}, Answer: store.List[candidates.Candidate]{},
	})
	describe("POST /lists/:id/candidates", openapi.Method{
		Summary: "Find candidates for a list by a rule: messages for which each part of the rule holds",
		Body:    []any{actBody{}, describedRule{}}, Fields: ruleFields, Answer: foundAnswer{}, Job: jobAnswer{},
	})
	describe("POST /lists/:id/candidates/:message", openapi.Method{
		Summary: "Accept a candidate, which puts it on the list, or refuse it",
		Body:    verdictBody{}, Answer: candidateAnswer{},
	})
}

// ruleFields are the fields of the body of a search for candidates.
var ruleFields = []string{"rule", "preview", "reason", "words", "lang", "regex", "shorter_than", "language_mismatch",
	"boilerplate", "label", "classifier", "near_duplicates"}

// candidatesQuery is the query of the candidates of a list.
type candidatesQuery struct {
	pageQuery
	Verdict string `form:"verdict" validate:"omitempty,oneof=open accept refuse all"`
	Lang    string `form:"lang" validate:"max=40"`
	Run     *int64 `form:"run" validate:"omitempty,min=1"` // the action of a run
}

func (q candidatesQuery) filter() candidates.Filter {
	return candidates.Filter{Verdict: q.Verdict, Lang: q.Lang, Rule: q.Run, Page: q.page()}
}

// ruleBody is a rule as the API takes it.
type ruleBody struct {
	Words            []string `json:"words"`
	Lang             string   `json:"lang"`
	Regex            string   `json:"regex"`
	Label            string   `json:"label"`
	Classifier       string   `json:"classifier"`
	ShorterThan      int      `json:"shorter_than"`
	LanguageMismatch bool     `json:"language_mismatch"`
	Boilerplate      bool     `json:"boilerplate"`
	NearDuplicates   float64  `json:"near_duplicates"`
}

func (b ruleBody) rule() candidates.Rule {
	var r candidates.Rule
	r.Words, r.Lang, r.Regex, r.ShorterThan = b.Words, b.Lang, b.Regex, b.ShorterThan
	r.LanguageMismatch, r.Boilerplate = b.LanguageMismatch, b.Boilerplate
	r.Label, r.Classifier, r.NearDuplicates = b.Label, b.Classifier, b.NearDuplicates
	return r
}

// describedRule describes the body for the OpenAPI document.
type describedRule struct {
	Rule ruleBody `json:"rule"`
}

// findBody is the body of a search for candidates. The rule is read in a second
// step, which names its unknown fields.
type findBody struct {
	Rule json.RawMessage `json:"rule"`
}

// readRule reads the rule of a body. The fields of its errors begin with "rule.".
func (b findBody) readRule() (candidates.Rule, error) {
	var body ruleBody
	if len(b.Rule) == 0 {
		return candidates.Rule{}, store.Invalid{"rule": "Give a rule, such as {\"words\": [\"word\"]}."}
	}
	var members map[string]json.RawMessage
	if json.Unmarshal(b.Rule, &members) != nil || members == nil {
		return candidates.Rule{}, store.Invalid{"rule": "must be an object, such as {\"words\": [\"word\"]}"}
	}
	wrong, err := decodeJSON(b.Rule, []any{&body})
	if err == nil && len(wrong) > 0 {
		err = inRule(wrong)
	}
	return body.rule(), err
}

// inRule returns the faults of a rule by their place in the body.
func inRule(wrong store.Invalid) store.Invalid {
	placed := store.Invalid{}
	for field, why := range wrong {
		if field != "rule" && field != "reason" {
			field = "rule." + field
		}
		placed[field] = why
	}
	return placed
}

// foundAnswer is the answer to a search for candidates.
type foundAnswer struct {
	store.Found
	store.Outcome
}

// candidates shows the candidates of a list.
func (s *Server) candidates(c *fiber.Ctx) error {
	id, err := pathID(c)
	if err != nil {
		return err
	}
	var q candidatesQuery
	if err := decodeQuery(c, &q); err != nil {
		return err
	}
	found, err := s.store.Candidates(c.UserContext(), s.actor(c), id, q.filter())
	if err != nil {
		return err
	}
	return sendJSON(c, found)
}

// findCandidates runs a rule for a list, or previews it.
func (s *Server) findCandidates(c *fiber.Ctx) error {
	id, err := pathID(c)
	if err != nil {
		return err
	}
	var act actBody
	var body findBody
	if err := decodeBody(c, &act, &body); err != nil {
		return err
	}
	rule, err := body.readRule()
	if err != nil {
		return err
	}
	key, err := idempotencyKey(c, "")
	if err != nil {
		return err
	}
	outcome, found, job, err := s.store.FindCandidates(c.UserContext(), s.actor(c), id, rule, act.Preview, act.Reason,
		key)
	if wrong, ok := err.(store.Invalid); ok {
		return inRule(wrong)
	}
	if err != nil {
		return err
	}
	if job != nil {
		c.Status(fiber.StatusAccepted)
		return sendJSON(c, jobAnswer{*job})
	}
	return sendJSON(c, foundAnswer{found, outcome})
}

// verdictBody is a verdict on a candidate.
type verdictBody struct {
	Verdict string `json:"verdict" form:"verdict" validate:"omitempty,oneof=accept refuse"`
}

// candidateAnswer is a candidate after its verdict.
type candidateAnswer struct {
	candidates.Candidate
	store.Outcome
}

// decideCandidate accepts or refuses a candidate.
func (s *Server) decideCandidate(c *fiber.Ctx) error {
	id, err := pathID(c)
	if err != nil {
		return err
	}
	message, err := pathIDNamed(c, "message")
	if err != nil {
		return err
	}
	var body verdictBody
	if err := decodeBody(c, &body); err != nil {
		return err
	}
	key, err := idempotencyKey(c, "")
	if err != nil {
		return err
	}
	outcome, err := s.store.DecideCandidates(c.UserContext(), s.actor(c), id,
		store.VerdictParams{Items: []uuid.UUID{message}}, body.Verdict, key)
	if err != nil {
		return err
	}
	candidate, err := s.store.Candidate(c.UserContext(), s.actor(c), id, message)
	if err != nil {
		return err
	}
	return sendJSON(c, candidateAnswer{candidate, outcome})
}
