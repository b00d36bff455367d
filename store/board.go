package store

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/google/uuid"

	"treewarden/policy"
	"treewarden/scoring"
)

type boardRow struct {
	keyed
	Rank                                  int64
	UserID                                uuid.UUID
	DisplayName, AuthMethod, Role, Status string
	Score, Rate                           float64
	Toxicity                              *float64
	ToxicitySource                        *string
	Messages                              int64
	Languages                             []string
	LastActivity                          *time.Time
	Counts                                []int64
}

// boardSorts are the columns that a board can be sorted by, the highest first.
var boardSorts = map[string]string{
	"score": "score", "rate": "rate", "red_flags": "red_flags", "downvotes": "downvotes", "spam": "spam",
	"toxicity": "coalesce(toxicity, -1)", "messages": "messages",
}

// Board ranks users by their troll score within a frame. On it stands who
// wrote a message or was given a signal within the frame.
func (s *Store) Board(ctx context.Context, actor Actor, f BoardFilter) (Board, error) {
	board := Board{Frame: f.Frame, Formula: f.Formula.Name, AsOf: s.now().UTC()}
	if err := need(actor, policy.Read); err != nil {
		return board, err
	}
	if f.Sort == "" {
		f.Sort = "score"
	}
	by, ok := boardSorts[f.Sort]
	if !ok {
		return board, oneOf("sort", f.Sort, "score", "rate", "red_flags", "downvotes", "spam", "toxicity", "messages")
	}
	q := query{}
	q.from = `(` + boardSums(f.Formula, frameRows[f.Frame], q.arg(s.since(f.Frame))) + `) c JOIN users u USING (user_id)`
	q.columns = `u.user_id, u.display_name, u.auth_method, u.role, ` + userStatus + ` AS status, ` + boardScore(f.Formula, &q) + ` AS score,
		c.counts, c.red_flags, c.downvotes, c.spam_labels + c.spam_prompts AS spam, c.messages,
		coalesce(c.toxicity_sum / nullif(c.toxicity_count, 0), c.label_toxicity_sum / nullif(c.label_toxicity_count, 0))::float8 / 1e12 AS toxicity,
		CASE WHEN c.toxicity_count > 0 THEN 'classifier' WHEN c.label_toxicity_count > 0 THEN 'labels' END AS toxicity_source,
		nullif(u.last_activity_date, '-infinity') AS last_activity`
	if err := f.narrow(&q); err != nil {
		return board, err
	}
	ranked := query{args: q.args,
		columns: `rank, user_id, display_name, auth_method, role, status, score, rate, toxicity, toxicity_source, messages, last_activity, counts,
			ARRAY(SELECT lang FROM user_languages l WHERE l.user_id = ranked.user_id AND l.messages > 0 ORDER BY l.messages DESC, lang) AS languages`,
		// Ranked after it was filtered, so that the board has no gaps.
		from: `(SELECT *, row_number() OVER (ORDER BY ` + by + ` DESC, user_id DESC) AS rank
			FROM (SELECT *, score / (messages + 10) AS rate FROM (` + q.sql() + `) scored) filtered) ranked`,
	}
	rows, next, prev, err := fetch[boardRow](ctx, s.pool, ranked, order{"board " + f.Sort, true, []key{{by, "float8"}, {"user_id", "uuid"}}}, f.Page)
	if err != nil {
		return board, err
	}
	board.Items, board.Next, board.Prev = make([]BoardRow, len(rows)), next, prev
	for i, r := range rows {
		board.Items[i] = r.row(f.Formula)
	}
	return board, nil
}

// narrow turns the filter into conditions on users u.
func (f BoardFilter) narrow(q *query) error {
	// A signal that was taken back leaves a row of zeros.
	q.where("(c.messages > 0 OR 0 < ANY (c.counts))")
	switch f.Status {
	case "":
		q.where("("+userStatus+") = ?", Active)
	case Active, Banned:
		q.where("("+userStatus+") = ?", f.Status)
	case "all":
	default:
		return oneOf("status", f.Status, Active, Banned, "all")
	}
	if f.Lang != "" {
		q.where("EXISTS (SELECT FROM user_languages l WHERE l.user_id = u.user_id AND l.lang = ? AND l.messages > 0)", f.Lang)
	}
	if f.Q != "" {
		q.where("u.display_name ILIKE ?", "%"+escapeLike(f.Q)+"%")
	}
	return nil
}

// frameRows are the counters that make up a frame.
var frameRows = map[scoring.Frame]int{scoring.Day: byHour, scoring.Week: byDay, scoring.Month: byDay, scoring.Total: inAll}

// boardSums sums the counters from a moment on, as a formula counts.
func boardSums(formula scoring.Formula, grain int, since string) string {
	prefix := ""
	if formula.AsReference {
		prefix = "ref_"
	}
	sums, counts := make([]string, 0, len(columns)), make([]string, len(scoring.Signals))
	for i, info := range scoring.Signals {
		sum := fmt.Sprintf("sum(%s%s)::bigint", prefix, info.Signal)
		counts[i] = sum
		sums = append(sums, fmt.Sprintf("%s AS %s", sum, info.Signal))
	}
	for _, measure := range measures {
		sums = append(sums, fmt.Sprintf("sum(%[1]s) AS %[1]s", measure))
	}
	return `SELECT user_id, ` + strings.Join(sums, ", ") + `, ARRAY[` + strings.Join(counts, ", ") + `]::bigint[] AS counts
		FROM user_signals WHERE grain = ` + fmt.Sprint(grain) + ` AND at >= ` + since + ` GROUP BY user_id`
}

// boardScore is the formula over the sums c.
func boardScore(formula scoring.Formula, q *query) string {
	terms := make([]string, 0, len(scoring.Signals))
	for _, info := range scoring.Signals {
		if w := formula.Weights[info.Signal]; w != 0 {
			terms = append(terms, fmt.Sprintf("c.%s * %s::float8", info.Signal, q.arg(w)))
		}
	}
	return "(0 + " + strings.Join(terms, " + ") + ")"
}

func (r boardRow) row(formula scoring.Formula) BoardRow {
	counts := scoring.Counts{}
	for i, info := range scoring.Signals {
		counts[info.Signal] = r.Counts[i]
	}
	return BoardRow{
		Rank: r.Rank, UserID: r.UserID, DisplayName: r.DisplayName, AuthMethod: r.AuthMethod, Role: r.Role, Status: r.Status,
		Score: r.Score, Rate: r.Rate, RedFlags: counts[scoring.RedFlags], Upvotes: counts[scoring.Upvotes], Downvotes: counts[scoring.Downvotes],
		Spam: counts[scoring.SpamLabels] + counts[scoring.SpamPrompts], Toxicity: r.Toxicity, ToxicitySource: r.ToxicitySource,
		Messages: r.Messages, Languages: r.Languages, LastActivity: r.LastActivity, Parts: formula.Parts(counts),
	}
}
