package admin

import (
	"github.com/gofiber/fiber/v2"

	"treewarden/admin/openapi"
	"treewarden/store"
)

func init() {
	describe("GET /users/:id/rater", openapi.Method{
		Summary: "How far what a user gave agrees with what others gave to the same messages",
		Answer:  store.Rater{},
	})
}

// rater answers with how far a user's feedback agrees with that of others.
func (s *Server) rater(c *fiber.Ctx) error {
	id, err := pathID(c)
	if err != nil {
		return err
	}
	rater, err := s.store.Rater(c.UserContext(), s.actor(c), id)
	if err != nil {
		return err
	}
	return s.render(c, "partials/rater", &raterView{Rater: rater})
}

// raterView is a rater as the user's page shows them.
type raterView struct {
	store.Rater
	Together []ringLine
}

func (v *raterView) api() any { return v.Rater }

// Figured reports whether there is anything to show.
func (v *raterView) Figured() bool {
	return len(v.Labels) > 0 || len(v.Scales) > 0 || v.Votes.N > 0 || v.Flags.Given > 0 || len(v.Together) > 0
}

// LabelTitle returns a label's name for people.
func (*raterView) LabelTitle(name string) string { return capital(labelTitle(name)) }

// Alone returns the number of labelled messages without another person's value
// for a label that the rater used.
func (v *raterView) Alone() int64 { return v.Labelled - v.Compared }

// Corrected writes a kappa, or a dash if it is not defined.
func (*raterView) Corrected(kappa *float64) string {
	if kappa == nil {
		return "–"
	}
	return fixed(*kappa, 2)
}

// Decided returns the number of flags that were upheld or dismissed.
func (v *raterView) Decided() int64 { return v.Flags.Upheld + v.Flags.Dismissed }

// Upheld returns the share of the decided flags that were upheld, or nil
// without decided flags. An open flag is neither right nor wrong.
func (v *raterView) Upheld() *float64 {
	if v.Decided() == 0 {
		return nil
	}
	return new(float64(v.Flags.Upheld) / float64(v.Decided()))
}

// Share writes a share in percent. Only a whole share is 100 %.
func (*raterView) Share(share *float64) string {
	if share != nil && *share < 1 && *share >= 0.995 {
		return "> 99 %"
	}
	return percent(share)
}
