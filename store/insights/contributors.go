package insights

import (
	"context"
	"fmt"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"treewarden/scoring"
	"treewarden/store/db"
)

// DefaultTop is the number of users whose share is computed if nobody asks for another.
const DefaultTop = 12

// Contributors says how the messages are spread over those who wrote them.
type Contributors struct {
	Head
	Role     string         `json:"role" enum:"any,prompter,assistant"`
	Frame    scoring.Window `json:"frame" enum:"day,week,month,total"`
	Top      int            `json:"top"`
	Users    int64          `json:"users" description:"who wrote a message"`
	Messages int64          `json:"messages" description:"by known users, deleted ones too"`
	// TopMessages are those of the users of Items.
	TopMessages int64    `json:"top_messages"`
	Share       *float64 `json:"share" description:"of the top users; null without a message"`
	Gini        *float64 `json:"gini" description:"0: all users wrote as much; null without a message"`
	// Curve is the Lorenz curve.
	Curve []Point       `json:"curve" description:"the Lorenz curve"`
	Items []Contributor `json:"items"`
}

// Point is a point of the Lorenz curve.
type Point struct {
	Users    float64 `json:"users" description:"a share: of those who wrote least"`
	Messages float64 `json:"messages" description:"their share"`
	// Most is how many messages each of these users wrote at most.
	Most int64 `json:"most" description:"each of these users wrote at most so many messages"`
	N    int64 `json:"n" description:"the messages of these users"`
}

// Contributor is one of those who wrote most.
type Contributor struct {
	Rank        int       `json:"rank" db:"place"`
	UserID      uuid.UUID `json:"user_id"`
	DisplayName string    `json:"display_name"`
	Messages    int64     `json:"messages"`
	Share       float64   `json:"share" db:"-"`
	// Score is set by the caller, who knows the formula in force.
	Score float64 `json:"score" description:"over all time, by the formula in force" db:"-"`
}

const (
	authorsByMessages = `SELECT messages, count(*) AS users
		FROM insight_writers
		WHERE role = $1 AND frame = $2
		GROUP BY messages ORDER BY messages`
	topSQL = `SELECT row_number() OVER (ORDER BY k.messages DESC, k.user_id) AS place,
			k.user_id, u.display_name, k.messages
		FROM (SELECT user_id, messages FROM insight_writers WHERE role = $1 AND frame = $2
			ORDER BY messages DESC, user_id LIMIT $3) k
		JOIN users u USING (user_id)
		ORDER BY place`
)

// Contributors returns who wrote how much in a role, or in any, and in a time frame.
func (a Access) Contributors(ctx context.Context, role, frame string, n int) (Contributors, error) {
	if role == "" {
		role = AnyRole
	}
	if n == 0 {
		n = DefaultTop
	}
	c := Contributors{Role: role, Top: n, Curve: []Point{}}
	if err := db.OneOf("role", role, Roles...); err != nil {
		return c, err
	}
	if n < 1 || n > MaxTop {
		return c, db.BadParameter{Name: "top", Malformed: db.Malformed(fmt.Sprintf("top is a number from 1 to %d.", MaxTop))}
	}
	window, err := scoring.WindowNamed(frame)
	if err != nil {
		return c, db.BadParameter{Name: "frame", Malformed: db.Malformed(err.Error() + ".")}
	}
	c.Frame = window
	err = a.inSnapshot(ctx, func(tx pgx.Tx, s State) (err error) {
		c.Head = s.current()
		if window != scoring.Total {
			c.Head = s.head()
		}
		c.Queries["curve"] = shown(authorsByMessages, role, string(window))
		c.Queries["top"] = shown(topSQL, role, string(window), n)
		if err := c.readCurve(ctx, tx); err != nil {
			return fmt.Errorf("read the numbers of messages: %w", err)
		}
		if c.Items, err = db.Collect[Contributor](ctx, tx, topSQL, role, string(window), n); err != nil {
			return fmt.Errorf("read the users who wrote most: %w", err)
		}
		return nil
	})
	if c.Items == nil {
		c.Items = []Contributor{}
	}
	for i := range c.Items {
		c.Items[i].Share = float64(c.Items[i].Messages) / float64(c.Messages)
		c.TopMessages += c.Items[i].Messages
	}
	if c.Messages > 0 {
		c.Share = new(float64(c.TopMessages) / float64(c.Messages))
	}
	return c, err
}

// authors are users who wrote as much as each other.
type authors struct{ Messages, Users int64 }

// readCurve reads the numbers of messages and computes the curve.
func (c *Contributors) readCurve(ctx context.Context, tx pgx.Tx) error {
	groups, err := db.Collect[authors](ctx, tx, authorsByMessages, c.Role, string(c.Frame))
	if err != nil {
		return err
	}
	for _, g := range groups {
		c.Users += g.Users
		c.Messages += g.Users * g.Messages
	}
	if c.Messages == 0 {
		return nil
	}
	c.Gini = new(gini(groups, c.Users, c.Messages))
	c.Curve = lorenz(groups, c.Users, c.Messages)
	return nil
}

// gini returns the Gini coefficient: the sum of (2i − n − 1) x_i over n times the sum of
// x_i, for users i = 1 … n in the order of their messages x_i.
func gini(groups []authors, users, messages int64) float64 {
	var before int64
	var sum float64
	for _, g := range groups { // users before+1 … before+g.Users have the same x
		sum += float64(g.Messages) * float64(g.Users) * float64(2*before+g.Users-users)
		before += g.Users
	}
	return sum / (float64(users) * float64(messages))
}

// fineness is the distance, as a share of the users or of the messages, from which two
// points of the curve are told apart.
const fineness = 0.004

// lorenz returns the Lorenz curve, from (0, 0) to (1, 1), with the points that differ
// enough.
func lorenz(groups []authors, users, messages int64) []Point {
	curve := []Point{{}}
	var u, m int64
	for i, g := range groups {
		u, m = u+g.Users, m+g.Users*g.Messages
		p, last := Point{float64(u) / float64(users), float64(m) / float64(messages), g.Messages, m}, curve[len(curve)-1]
		if i == len(groups)-1 || p.Users-last.Users >= fineness || p.Messages-last.Messages >= fineness {
			curve = append(curve, p)
		}
	}
	return curve
}
