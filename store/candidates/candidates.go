package candidates

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"treewarden/store/db"
)

// The verdicts on a candidate. Open is none.
const (
	Open   = ""
	Accept = "accept"
	Refuse = "refuse"
)

// The limits of a search, and of what is decided about its candidates.
const (
	// MaxFound is the number of candidates that one run of a rule adds.
	MaxFound = 100_000
	// MaxVerdicts is the number of candidates that one action decides.
	MaxVerdicts = 1000
)

// Candidate is a message that a rule found for a list.
type Candidate struct {
	MessageID  uuid.UUID  `json:"message_id"`
	TreeID     uuid.UUID  `json:"message_tree_id"`
	Text       string     `json:"text"`
	Lang       *string    `json:"lang"`
	UserID     *uuid.UUID `json:"user_id"`
	AuthorName *string    `json:"author_name"`
	Deleted    bool       `json:"deleted"`
	// Evidence is what matched. Edited reports that the text was edited since, so
	// that the places in it are no longer right.
	Evidence []Match `json:"evidence"`
	Edited   bool    `json:"edited_since"`
	// RuleAction is the run that found it.
	RuleAction int64     `json:"found_action"`
	FoundAt    time.Time `json:"found_at"`
	// Verdict is null as long as nobody decided, and so is the rest.
	Verdict       *string    `json:"verdict"`
	DecidedBy     *uuid.UUID `json:"decided_by"`
	DecidedByName *string    `json:"decided_by_name"`
	DecidedAt     *time.Time `json:"decided_at"`
	DecidedAction *int64     `json:"decided_action"`
}

const columns = `c.message_id, m.tree_id, m.text, m.lang, m.user_id, u.display_name AS author_name, m.deleted,
	c.evidence, md5(m.text)::uuid <> c.text_md5 AS edited, coalesce(a.seq, 0) AS rule_action, a.at AS found_at,
	c.verdict, c.decided_by, p.display_name AS decided_by_name, c.decided_at,
	(SELECT n.seq FROM actions n WHERE n.id = c.decided_action) AS decided_action`

const tables = `list_candidates c
	JOIN message_trees x ON x.message_id = c.message_id
	JOIN messages m ON m.tree_id = x.tree_id AND m.message_id = c.message_id
	JOIN actions a ON a.id = c.rule_action
	LEFT JOIN users u ON u.user_id = m.user_id
	LEFT JOIN users p ON p.user_id = c.decided_by`

// Filter narrows the candidates of a list. Verdict is open (default), accept,
// refuse or all.
type Filter struct {
	Verdict, Lang string
	Rule          *int64 // the action of the run that found them
	db.Page
}

// All returns one page of the candidates of a list, the one found last first.
func All(ctx context.Context, c db.Conn, list uuid.UUID, f Filter) (db.List[Candidate], error) {
	q := db.Query{Columns: columns, From: tables}
	q.Where("c.list_id = ?", list)
	switch f.Verdict {
	case "", "open":
		q.Where("c.verdict IS NULL")
	case Accept, Refuse:
		q.Where("c.verdict = ?", f.Verdict)
	case "all":
	default:
		return db.List[Candidate]{}, db.OneOf("verdict", f.Verdict, "open", Accept, Refuse, "all")
	}
	if f.Lang != "" {
		q.Where("m.lang = ?", f.Lang)
	}
	if f.Rule != nil {
		q.Where("a.seq = ?", *f.Rule)
	}
	type row struct {
		db.Keyed
		Candidate
	}
	rows, next, prev, err := db.Fetch[row](ctx, c, q, db.Order{Name: "candidates", Desc: true, Keys: []db.Key{
		{Expr: "c.candidate_id", Typ: "bigint"},
	}}, f.Page)
	items := make([]Candidate, len(rows))
	for i, r := range rows {
		items[i] = r.Candidate
	}
	return db.List[Candidate]{Items: items, Next: next, Prev: prev}, err
}

// Sample returns 10 of the candidates that a run found at a time.
func Sample(ctx context.Context, c db.Conn, list uuid.UUID, run int64, at time.Time) ([]Candidate, error) {
	// A preview has no action in the log, and the run itself has none yet.
	sql := strings.ReplaceAll("SELECT "+columns+" FROM "+tables, "JOIN actions a", "LEFT JOIN actions a")
	sql = strings.ReplaceAll(sql, "a.at AS found_at", "$3::timestamptz AS found_at")
	return db.Collect[Candidate](ctx, c, sql+" WHERE c.list_id = $1 AND c.rule_action = $2 "+
		"ORDER BY c.candidate_id DESC LIMIT 10", list, run, at)
}

// Found tells what a search for candidates found.
type Found struct {
	Found int64 `json:"found"` // the new candidates
	// LookedAt is the number of messages that were read. A preview reads at most
	// the newest 200,000; Complete reports that these were all.
	LookedAt int64 `json:"looked_at"`
	Complete bool  `json:"complete"`
	// More reports that the rule finds more than MaxFound. Run it again when
	// these are decided.
	More   bool        `json:"more"`
	Sample []Candidate `json:"sample"` // at most 10 of them
}

// FoundBy tells what an earlier run found, by the log.
func FoundBy(ctx context.Context, c db.Conn, list uuid.UUID, run int64, at time.Time) (f Found, err error) {
	f.Sample = []Candidate{}
	if err := c.QueryRow(ctx, `SELECT (after->>'found')::bigint, (after->>'looked_at')::bigint, (after->>'more')::boolean
		FROM action_objects WHERE action_id = $1 AND object_type = 'list' AND aspect = 'candidates'`, run).
		Scan(&f.Found, &f.LookedAt, &f.More); err != nil {
		return f, db.Translate(err)
	}
	f.Complete = !f.More
	f.Sample, err = Sample(ctx, c, list, run, at)
	return f, err
}

// ByID returns a candidate of a list, or ErrNotFound.
func ByID(ctx context.Context, c db.Conn, list, message uuid.UUID) (Candidate, error) {
	found, err := db.Collect[Candidate](ctx, c, "SELECT "+columns+" FROM "+tables+
		" WHERE c.list_id = $1 AND c.message_id = $2", list, message)
	if err == nil && len(found) == 0 {
		err = db.ErrNotFound
	}
	if err != nil {
		return Candidate{}, err
	}
	return found[0], nil
}

// Run is a rule that was run for a list.
type Run struct {
	ActionID int64
	At       time.Time
	By       string
	Rule     Rule
	Found    int64 // the candidates that were new
	Open     int64 // those of them that wait for a verdict
}

// Runs returns the last runs of rules for a list that were not undone, at most 20,
// the newest first.
func Runs(ctx context.Context, c db.Conn, list uuid.UUID) ([]Run, error) {
	return db.Collect[Run](ctx, c, `SELECT a.seq AS action_id, a.at, a.actor_name AS by, r.after->'rule' AS rule,
			(r.after->>'found')::bigint AS found, (SELECT count(*) FROM list_candidates c
				WHERE c.list_id = $1 AND c.verdict IS NULL AND c.rule_action = r.action_id) AS open
		FROM action_objects r JOIN actions a ON a.id = r.action_id
		WHERE r.object_type = 'list' AND r.object_id = $1 AND r.aspect = 'candidates' AND r.before IS NULL
			AND NOT EXISTS (SELECT FROM actions n WHERE n.undoes = r.action_id)
		ORDER BY r.action_id DESC LIMIT 20`, list)
}

// Counts counts the candidates of a list by verdict.
type Counts struct{ Open, Accepted, Refused int64 }

// Count counts the candidates of a list.
func Count(ctx context.Context, c db.Conn, list uuid.UUID) (n Counts, err error) {
	err = c.QueryRow(ctx, `SELECT count(*) FILTER (WHERE verdict IS NULL), count(*) FILTER (WHERE verdict = 'accept'),
		count(*) FILTER (WHERE verdict = 'refuse') FROM list_candidates WHERE list_id = $1`, list).
		Scan(&n.Open, &n.Accepted, &n.Refused)
	return n, db.Translate(err)
}

// Withdraw removes the candidates that a run found and that nobody decided, and
// logs their number.
func Withdraw(ctx context.Context, c db.Conn, list uuid.UUID, action, run int64) error {
	_, err := c.Exec(ctx, `WITH removed AS (DELETE FROM list_candidates
			WHERE list_id = $1 AND rule_action = $2 AND verdict IS NULL RETURNING 1)
		INSERT INTO action_objects (action_id, object_type, object_id, aspect, before)
		SELECT $3, 'list', $1, 'candidates', jsonb_build_object('found', count(*)) FROM removed`, list, run, action)
	return err
}

// Object is the type of candidates among the objects of the log. Their id is the
// message's.
const Object = "candidate"

// Aspect is the aspect of a candidate in the log. The id of its list follows after a
// colon, because one message may be a candidate for several lists.
const Aspect = "candidate"

// AspectOf is the aspect of the candidates of a list in the log.
func AspectOf(list uuid.UUID) string { return Aspect + ":" + list.String() }

// StateSQL is the state of a candidate c that was decided, in the log.
const StateSQL = `jsonb_build_object('verdict', c.verdict, 'by', c.decided_by, 'at', c.decided_at,
	'action', c.decided_action)`

// VerdictParams are the candidates to decide.
type VerdictParams struct {
	Items []uuid.UUID `json:"items"`
	// OpenOnly leaves out those that are decided or withdrawn. Without it, they are
	// an error.
	OpenOnly bool `json:"open_only"`
}

// IDs returns the candidates, each once and in the order of their ids. It returns an
// Invalid if there are none or too many.
func (p VerdictParams) IDs() ([]uuid.UUID, error) {
	ids := slices.Clone(p.Items)
	slices.SortFunc(ids, func(a, b uuid.UUID) int { return slices.Compare(a[:], b[:]) })
	ids = slices.Compact(ids)
	switch {
	case len(ids) == 0:
		return nil, db.Invalid{"items": "Give at least one candidate."}
	case len(ids) > MaxVerdicts:
		return nil, db.Invalid{"items": fmt.Sprintf("Decide at most %d candidates at once; these are more.", MaxVerdicts)}
	}
	return ids, nil
}

// Other returns the verdict of a candidate that has another one than given, and
// the action that gave it; 0 if there is none. It returns ErrNotFound if one of the
// ids is no candidate of the list.
func Other(
	ctx context.Context, c db.Conn, list uuid.UUID, verdict string, ids []uuid.UUID,
) (other string, action int64, err error) {
	var known int
	err = c.QueryRow(ctx, `SELECT count(*), coalesce(max(verdict) FILTER (WHERE verdict <> $3), ''),
			coalesce(max(decided_action) FILTER (WHERE verdict <> $3), 0)
		FROM list_candidates WHERE list_id = $1 AND message_id = ANY ($2::uuid[])`, list, db.IDArray(ids), verdict).
		Scan(&known, &other, &action)
	if err == nil && known < len(ids) {
		err = db.ErrNotFound
	}
	return other, action, err
}

// Decide gives those of the candidates that are open a verdict, and logs each. It
// returns their ids. The caller has locked the list.
func Decide(
	ctx context.Context, c db.Conn, list uuid.UUID, action int64, by any, at time.Time, verdict string, ids []uuid.UUID,
) ([]uuid.UUID, error) {
	rows, err := c.Query(ctx, `WITH decided AS (UPDATE list_candidates c
			SET verdict = $3, decided_by = $4, decided_at = $5, decided_action = $6
			WHERE list_id = $1 AND message_id = ANY ($2::uuid[]) AND verdict IS NULL
			RETURNING c.message_id, `+StateSQL+` AS state),
		logged AS (INSERT INTO action_objects (action_id, object_type, object_id, aspect, after)
			SELECT $6, '`+Object+`', message_id, $7, state FROM decided)
		SELECT message_id FROM decided`, list, db.IDArray(ids), verdict, by, at, action, AspectOf(list))
	if err != nil {
		return nil, err
	}
	return pgx.CollectRows(rows, pgx.RowTo[uuid.UUID])
}

// Reopen takes back the verdicts of an action, and logs each. If a candidate has
// another verdict since, it returns that candidate and changes nothing. The caller
// has locked the list.
func Reopen(ctx context.Context, c db.Conn, list uuid.UUID, action, undone int64) (changed uuid.UUID, err error) {
	err = c.QueryRow(ctx, `SELECT o.object_id FROM action_objects o
		LEFT JOIN list_candidates c ON c.list_id = $2 AND c.message_id = o.object_id
		WHERE o.action_id = $1 AND o.object_type = '`+Object+`' AND c.decided_action IS DISTINCT FROM $1 LIMIT 1`,
		undone, list).Scan(&changed)
	if err == nil || !errors.Is(err, pgx.ErrNoRows) {
		return changed, err
	}
	_, err = c.Exec(ctx, `WITH opened AS (UPDATE list_candidates c
			SET verdict = NULL, decided_by = NULL, decided_at = NULL, decided_action = NULL
			WHERE list_id = $2 AND decided_action = $1)
		INSERT INTO action_objects (action_id, object_type, object_id, aspect, before, after)
		SELECT $3, object_type, object_id, aspect, after, before FROM action_objects
		WHERE action_id = $1 AND object_type = '`+Object+`'`, undone, list, action)
	return uuid.Nil, err
}
