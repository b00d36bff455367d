package rings

import (
	"context"
	"slices"

	"github.com/google/uuid"

	"treewarden/scoring"
	"treewarden/store/db"
)

const (
	// among is the number of people among whom pairs are looked for.
	among = 20
	// judged is the number of raters with common targets whose partners are read.
	judged = 3
)

// Pair is two raters who vote against the same targets.
type Pair struct {
	UserID uuid.UUID `json:"user_id"`
	Name   string    `json:"display_name"`
	With   Partner   `json:"with"`
}

// pairsSQL reads those of the users $1 who have $4 targets or more in common with another
// one of them, in their newest $2 reactions and reports each, within the time $3; at
// most $5 users, those with the greatest share of their votes in common first: two who vote
// on everything have more in common than a ring.
var pairsSQL = `WITH votes AS MATERIALIZED (SELECT u.user_id, u.display_name, v.* FROM users u
		CROSS JOIN LATERAL (` + votesSQL("u.user_id", "", "$2") + `) v
		WHERE u.user_id = ANY ($1) AND u.role = 'general')
	SELECT user_id, display_name FROM (SELECT a.user_id, a.display_name, b.user_id AS other,
			count(DISTINCT a.message_id)::float8 AS shared
		FROM votes a JOIN votes b ON b.message_id = a.message_id AND b.user_id > a.user_id
			AND b.at BETWEEN a.at - $3::interval AND a.at + $3::interval
		GROUP BY 1, 2, 3) p
	JOIN (SELECT user_id AS other, count(*) AS given FROM votes GROUP BY 1) o USING (other)
	JOIN (SELECT user_id, count(*) AS given FROM votes GROUP BY 1) n USING (user_id)
	WHERE shared >= $4 GROUP BY 1, 2 ORDER BY max(shared / sqrt(n.given * o.given)) DESC, 1 LIMIT $5`

// Among returns the pairs among the first 20 of some users, each once. The partners of
// at most 3 of them are read.
func Among(ctx context.Context, c db.Conn, users []uuid.UUID) ([]Pair, error) {
	pairs := []Pair{}
	if len(users) < 2 {
		return pairs, nil
	}
	type person struct {
		UserID      uuid.UUID
		DisplayName string
	}
	users = users[:min(len(users), among)]
	found, err := db.Collect[person](ctx, c, pairsSQL, users, read, scoring.RingWithin, scoring.RingTargets, judged)
	if err != nil {
		return nil, err
	}
	seen := map[uuid.UUID]bool{}
	for _, one := range found {
		partners, err := Of(ctx, c, one.UserID)
		if err != nil {
			return nil, err
		}
		for _, p := range partners {
			if slices.Contains(users, p.UserID) && !seen[p.UserID] {
				pairs = append(pairs, Pair{one.UserID, one.DisplayName, p})
			}
		}
		seen[one.UserID] = true
	}
	return pairs, nil
}
