package store

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"treewarden/policy"
	"treewarden/scoring"
)

// Trial is a formula that is tried beside the one in force, on the users of
// the boards of a frame. Known trolls are those banned, and those who at any
// time had a message deleted by staff or rejected; the signals in LeftOut are
// left out of the scores by which Old and New find them. Entered, Left and
// Moved are about the first Top places of the board of active users, whose
// scores are whole.
type Trial struct {
	Frame      scoring.Frame    `json:"frame"`
	AsOf       time.Time        `json:"as_of"`
	Tried      scoring.Formula  `json:"tried"`
	InForce    scoring.Formula  `json:"in_force"`
	Users      int              `json:"users"`
	Trolls     int              `json:"known_trolls"`
	LeftOut    []scoring.Signal `json:"left_out"`
	Resamples  int              `json:"resamples"`
	Old        scoring.Quality  `json:"old"`
	New        scoring.Quality  `json:"new"`
	Difference *float64         `json:"auc_difference"`
	// Between is where the difference lies in 95 % of resamples.
	Between *scoring.Interval `json:"auc_difference_interval"`
	Top     int               `json:"top"`
	Entered []TrialRow        `json:"entered"`
	Left    []TrialRow        `json:"left"`
	Moved   []TrialRow        `json:"moved"`
}

// TrialRow is a user whose place on the board differs between two formulas.
type TrialRow struct {
	UserID      uuid.UUID `json:"user_id"`
	DisplayName string    `json:"display_name"`
	KnownTroll  bool      `json:"known_troll"`
	RankBefore  int       `json:"rank_before"`
	RankAfter   int       `json:"rank_after"`
	ScoreBefore float64   `json:"score_before"`
	ScoreAfter  float64   `json:"score_after"`
}

// TryFormula compares what a change would make of the formula in force with
// that formula, and changes nothing.
func (s *Store) TryFormula(ctx context.Context, actor Actor, change scoring.Change, frame scoring.Frame) (Trial, error) {
	if err := need(actor, policy.ScoringRead); err != nil {
		return Trial{}, err
	}
	inForce, err := formulaInForce(ctx, s.pool)
	if err != nil {
		return Trial{}, err
	}
	tried, wrong := change.Apply(inForce)
	if len(wrong) > 0 {
		return Trial{}, Invalid(wrong)
	}
	return s.CompareFormulas(ctx, actor, inForce, tried, frame)
}

// CompareFormulas is TryFormula for any two formulas of which the first counts
// toxic messages by the threshold in force.
func (s *Store) CompareFormulas(ctx context.Context, actor Actor, old, tried scoring.Formula, frame scoring.Frame) (Trial, error) {
	t := Trial{Frame: frame, AsOf: s.now().UTC(), Tried: tried, InForce: old, LeftOut: scoring.Outcome, Resamples: scoring.Resamples, Top: scoring.Top}
	if err := need(actor, policy.ScoringRead); err != nil {
		return t, err
	}
	candidates, err := s.candidates(ctx, old, tried, frame)
	if err != nil {
		return t, err
	}
	found := scoring.NewTrial(candidates)
	t.Users, t.Trolls, t.Old, t.New, t.Difference, t.Between = found.Users, found.Trolls, found.Old, found.New, found.AUCDifference, found.AUCDifferenceInterval
	names, err := s.namesOf(ctx, candidates, found.Entered, found.Left, found.Moved)
	if err != nil {
		return t, err
	}
	rows := func(moves []scoring.Move) []TrialRow {
		all := make([]TrialRow, len(moves))
		for i, m := range moves {
			c := candidates[m.Candidate]
			all[i] = TrialRow{c.ID, names[c.ID], c.Troll, m.Before, m.After, c.Score[0], c.Score[1]}
		}
		return all
	}
	t.Entered, t.Left, t.Moved = rows(found.Entered), rows(found.Left), rows(found.Moved)
	return t, nil
}

// candidates scores everybody on the boards of a frame by both formulas.
func (s *Store) candidates(ctx context.Context, old, tried scoring.Formula, frame scoring.Frame) ([]scoring.Candidate, error) {
	q := s.candidatesQuery(old, tried, frame)
	rows, err := s.pool.Query(ctx, q.sql(), q.args...)
	if err != nil {
		return nil, readError(err)
	}
	var all []scoring.Candidate
	var c scoring.Candidate
	_, err = pgx.ForEachRow(rows, []any{(*uuid.UUID)(&c.ID), &c.Score[0], &c.Score[1], &c.Judged[0], &c.Judged[1], &c.Troll, &c.OnBoards}, func() error {
		all = append(all, c)
		return nil
	})
	return all, readError(err)
}

// candidatesQuery has the database weigh: six figures a user travel, not all
// counts.
func (s *Store) candidatesQuery(old, tried scoring.Formula, frame scoring.Frame) query {
	q := query{}
	since := q.arg(s.since(frame))
	oldToxic, triedToxic := "c."+counterOf(old, scoring.ToxicMessages), "c."+counterOf(tried, scoring.ToxicMessages)
	from := fmt.Sprintf("(%s) c JOIN users u USING (user_id)", countersOf(frame, since, scoring.Treewarden, old, tried))
	if tried.ToxicFrom != old.ToxicFrom && tried.Weights[scoring.ToxicMessages] != 0 {
		triedToxic = "coalesce(x.toxic, 0)"
		from += fmt.Sprintf(" LEFT JOIN (%s) x USING (user_id)", toxicByAuthor(q.arg(tried.ToxicFrom), since, frame))
	}
	q.columns = strings.Join([]string{"user_id", weighed(old, oldToxic, &q), weighed(tried, triedToxic, &q),
		weighed(old.Judged(), oldToxic, &q), weighed(tried.Judged(), triedToxic, &q),
		knownTroll(frame), "(" + userStatus + ") = 'active'"}, ", ")
	q.from = from
	q.where("c.stands")
	return q
}

// counterOf is the column of user_signals from which a formula counts a signal.
func counterOf(f scoring.Formula, signal scoring.Signal) string {
	if f.AsReference {
		return "ref_" + string(signal)
	}
	return string(signal)
}

// countersOf reads the counters of a frame that formulas weigh, and whether a
// user stands on its board. Counts are whole numbers below 2⁵³: as float8 they
// are summed without error, and many times faster than bigints, whose sums are
// numeric. In all, each user has one row, and nothing is summed.
func countersOf(frame scoring.Frame, since string, formulas ...scoring.Formula) string {
	sum, stands := "sum(%[1]s::float8) AS %[1]s", "bool_or(%s > 0) AS stands"
	if frame == scoring.Total {
		sum, stands = "%s", "%s > 0 AS stands"
	}
	var sums, terms []string
	seen := map[string]bool{}
	for _, f := range formulas {
		for _, info := range scoring.Signals {
			if column := counterOf(f, info.Signal); !seen[column] {
				seen[column] = true
				sums, terms = append(sums, fmt.Sprintf(sum, column)), append(terms, column)
			}
		}
	}
	counters := "SELECT user_id, " + strings.Join(append(sums, fmt.Sprintf(stands, strings.Join(append(terms, "messages"), " + "))), ", ") +
		" FROM user_signals WHERE grain = " + fmt.Sprint(frameRows[frame]) + " AND at >= " + since
	if frame != scoring.Total {
		counters += " GROUP BY user_id"
	}
	return counters
}

// weighed is a formula over the counters c, with toxic messages counted by an
// expression of their own; it adds in the order in which boards do.
func weighed(f scoring.Formula, toxic string, q *query) string {
	terms := []string{"0::float8"}
	for _, info := range scoring.Signals {
		w, counter := f.Weights[info.Signal], "c."+counterOf(f, info.Signal)
		if w == 0 {
			continue
		}
		if info.Signal == scoring.ToxicMessages {
			counter = toxic
		}
		terms = append(terms, fmt.Sprintf("%s * %s::float8", counter, q.arg(w)))
	}
	return strings.Join(terms, " + ")
}

// knownTroll is true for a user u, with the counters c of a frame, who is banned
// or at any time had a message deleted by staff or rejected.
func knownTroll(frame scoring.Frame) string {
	had := "c.deleted + c.rejected > 0"
	if frame != scoring.Total {
		had = fmt.Sprintf("EXISTS (SELECT FROM user_signals w WHERE w.user_id = u.user_id AND w.grain = %d AND w.deleted + w.rejected > 0)", inAll)
	}
	return "u.banned_at IS NOT NULL OR " + had + " OR EXISTS (SELECT FROM messages m WHERE m.user_id = u.user_id AND m.review_result = false AND m.parent_id IS NULL)"
}

// toxicByAuthor counts the messages of each author that are toxic from another
// threshold on: few of all, which are found first.
func toxicByAuthor(from, since string, frame scoring.Frame) string {
	within := ""
	if frame != scoring.Total {
		// Dated when the first model spoke, or the message was written if that is
		// later. CASE keeps the dear question for those that need it.
		within = ` AND CASE WHEN m.created_date >= ` + since + ` THEN true WHEN t.at < ` + since + ` THEN false ELSE NOT EXISTS (SELECT FROM classifier_outputs o
			WHERE o.tree_id = m.tree_id AND o.message_id = m.message_id AND o.at < ` + since + `) END`
	}
	return `SELECT m.user_id, count(*)::float8 AS toxic FROM (SELECT tree_id, message_id, min(at) AS at FROM classifier_outputs WHERE toxicity >= ` + from + `::float8 GROUP BY 1, 2) t
		JOIN messages m ON m.tree_id = t.tree_id AND m.message_id = t.message_id WHERE m.user_id IS NOT NULL` + within + ` GROUP BY m.user_id`
}

// namesOf reads the names of those who move.
func (s *Store) namesOf(ctx context.Context, candidates []scoring.Candidate, moves ...[]scoring.Move) (map[[16]byte]string, error) {
	var ids []uuid.UUID
	for _, list := range moves {
		for _, m := range list {
			ids = append(ids, candidates[m.Candidate].ID)
		}
	}
	rows, err := s.pool.Query(ctx, "SELECT user_id, display_name FROM users WHERE user_id = ANY ($1)", idArray(ids))
	if err != nil {
		return nil, readError(err)
	}
	names := make(map[[16]byte]string, len(ids))
	var id uuid.UUID
	var name string
	_, err = pgx.ForEachRow(rows, []any{&id, &name}, func() error {
		names[id] = name
		return nil
	})
	return names, readError(err)
}
