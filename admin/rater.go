package admin

import (
	"strconv"

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

// rater answers how far what a user gave agrees with what others gave.
func (s *Server) rater(c *fiber.Ctx) error {
	id, err := pathID(c)
	if err != nil {
		return err
	}
	rater, err := s.store.Rater(c.UserContext(), s.actor(c), id)
	if err != nil {
		return err
	}
	return s.render(c, "partials/rater", &raterView{rater})
}

// raterView is a rater as the user's page shows them.
type raterView struct {
	store.Rater
}

func (v *raterView) api() any { return v.Rater }

// Figured says that there is anything to show.
func (v *raterView) Figured() bool {
	return len(v.Labels) > 0 || len(v.Scales) > 0 || v.Votes.N > 0 || v.Flags.Given > 0
}

// LabelTitle is a label's name for people.
func (*raterView) LabelTitle(name string) string { return capital(labelTitle(name)) }

// Alone is how many labelled messages nobody else gave a label that the rater gave.
func (v *raterView) Alone() int64 { return v.Labelled - v.Compared }

// Corrected writes a kappa; a dash where it is not defined.
func (*raterView) Corrected(kappa *float64) string {
	if kappa == nil {
		return "–"
	}
	return strconv.FormatFloat(*kappa, 'f', 2, 64)
}

// Decided is how many of the flags were upheld or dismissed.
func (v *raterView) Decided() int64 { return v.Flags.Upheld + v.Flags.Dismissed }

// Upheld is the share of the decided flags that were upheld; nil without any:
// one that is open was neither right nor wrong.
func (v *raterView) Upheld() *float64 {
	if v.Decided() == 0 {
		return nil
	}
	return new(float64(v.Flags.Upheld) / float64(v.Decided()))
}

// Share writes a share in percents. One that is not whole is never 100 %.
func (*raterView) Share(share *float64) string {
	if share != nil && *share < 1 && *share >= 0.995 {
		return "> 99 %"
	}
	return percent(share)
}
