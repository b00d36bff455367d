package insights

import (
	"context"
	"fmt"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"treewarden/scoring"
	"treewarden/store/db"
	"treewarden/store/tables"
)

// The kinds of answers of a label.
const (
	AnswerYesNo = "yes_no"
	AnswerScale = "scale"
)

// Raters says how far raters of the same message agree.
type Raters struct {
	Head
	Lang  string `json:"lang" description:"of the figures by label; empty for all languages"`
	Label string `json:"label" description:"of the figures by language"`
	// Labels are the figures of each label, Languages those of one label.
	Labels    []Agreement `json:"labels" description:"those that two raters of a message have answered"`
	Languages []Agreement `json:"languages" description:"those with the most messages first"`
	// Langs are all languages with figures.
	Langs []string `json:"-"`
}

// Agreement is how far raters agree about a label. A figure is nil if it is not one of
// this kind of answer, or if there is nothing to compute it of.
type Agreement struct {
	Label    string   `json:"label"`
	Lang     string   `json:"lang" description:"empty for all languages"`
	Answer   string   `json:"answer" db:"-" enum:"yes_no,scale"`
	Messages int64    `json:"messages" description:"with two votes or more"`
	Votes    int64    `json:"votes" description:"on these messages"`
	Mean     *float64 `json:"mean" description:"of the votes; the share of yes"`
	// Agreement is 1 minus the observed disagreement, for a yes or no.
	Agreement *float64 `json:"agreement" description:"share of pairs of raters of a message who agree; null for a scale"`
	// Difference is the square root of the observed disagreement, for a scale.
	Difference *float64 `json:"difference" description:"root mean square, of two raters; null for a yes or no"`
	Alpha      *float64 `json:"alpha" description:"Krippendorff's; null if all votes are the same"`
}

// ratersKey names the votes on a label in a language.
type ratersKey struct {
	Label int
	Lang  string
}

// agreed holds sums over the votes of messages with two votes or more.
type agreed struct {
	Messages, Votes      int64
	Sum, Squares, Within float64
}

func (a *agreed) add(o agreed) {
	a.Messages, a.Votes = a.Messages+o.Messages, a.Votes+o.Votes
	a.Sum, a.Squares, a.Within = a.Sum+o.Sum, a.Squares+o.Squares, a.Within+o.Within
}

// votes are those on a label of one message.
type votes struct {
	n            int64
	sum, squares float64
}

// votesSQL reads the votes on the messages of the trees after $1 up to $2.
var votesSQL = "SELECT v.message_id, " + LangSQL + ", " + tables.EachLabel("v.%[1]s", ", ") + `
	FROM label_votes v JOIN messages m ON m.tree_id = v.tree_id AND m.message_id = v.message_id
	WHERE v.tree_id > $1 AND v.tree_id <= $2 AND m.tree_id > $1 AND m.tree_id <= $2`

// countRaters adds the votes on the messages of the trees after one up to another.
func (p *part) countRaters(ctx context.Context, tx pgx.Tx, after, last uuid.UUID) error {
	type rated struct {
		lang   string
		labels [scoring.NumLabels]votes
	}
	messages := map[uuid.UUID]*rated{}
	if err := db.EachRaw(ctx, tx, votesSQL, func(raw [][]byte) {
		m := messages[uuid.UUID(raw[0])]
		if m == nil {
			m = &rated{lang: string(raw[1])}
			messages[uuid.UUID(raw[0])] = m
		}
		for label, value := range raw[2:] {
			if value != nil {
				m.labels[label].add(scoring.Labels[label], db.ReadFloat8(value))
			}
		}
	}, after, last); err != nil {
		return fmt.Errorf("count the votes of raters: %w", err)
	}
	for _, m := range messages {
		for label, v := range m.labels {
			if v.n > 1 {
				p.addRated(ratersKey{label, m.lang}, v)
			}
		}
	}
	return nil
}

// add adds a vote. A yes or no counts as 1 or 0.
func (v *votes) add(label scoring.Label, x float64) {
	if label.Answer == scoring.YesNo {
		if x >= scoring.YesFrom {
			x = 1
		} else {
			x = 0
		}
	}
	v.n++
	v.sum += x
	v.squares += x * x
}

// addRated adds the votes on a message.
func (p *part) addRated(key ratersKey, v votes) {
	n := float64(v.n)
	at(p.Raters, key).add(agreed{1, v.n, v.sum, v.squares, max(0, n*v.squares-v.sum*v.sum) / (n - 1)})
}

// ratersTable returns what was counted as rows.
func (p *part) ratersTable() table {
	t := table{name: "insight_raters", keys: []string{"label", "lang"},
		values: []string{"messages", "votes", "sum", "squares", "within"}}
	for k, a := range p.Raters {
		t.rows = append(t.rows, []any{scoring.LabelNames[k.Label], k.Lang, a.Messages, a.Votes, a.Sum, a.Squares, a.Within})
	}
	return t
}

// ratersAgain counts the rows of insight_raters by SQL alone.
var ratersAgain = func() string {
	values := ""
	for i, label := range scoring.Labels {
		value := "%[1]s"
		if label.Answer == scoring.YesNo {
			value = fmt.Sprintf("(%%[1]s >= %g)::int", scoring.YesFrom)
		}
		if i > 0 {
			values += " UNION ALL "
		}
		values += fmt.Sprintf("SELECT tree_id, message_id, '%[1]s' AS label, "+value+
			"::float8 AS x FROM label_votes WHERE %[1]s IS NOT NULL", label.Name)
	}
	return `SELECT v.label, ` + LangSQL + ` AS lang, count(*) AS messages, sum(v.n)::bigint AS votes, sum(v.sum) AS sum,
		sum(v.squares) AS squares, sum(v.n * v.variance) AS within
		FROM (SELECT tree_id, message_id, label, count(*) AS n, sum(x) AS sum, sum(x * x) AS squares,
				var_samp(x) AS variance FROM (` + values + `) a GROUP BY tree_id, message_id, label HAVING count(*) > 1) v
		JOIN messages m USING (tree_id, message_id) GROUP BY 1, 2`
}()

// agreementSQL computes Krippendorff's alpha, 1 - Do/De, from sums (Hayes and Krippendorff
// 2007, "Answering the call for a standard reliability measure for coding data"). The
// difference of two votes is squared; that of a yes and a no is 1, so that the same
// formula is that for nominal data with two categories. Do, the mean difference of two
// votes on a message, is 2 within / votes; each vote counts as much. De is that of any
// two votes, 2 (votes * squares - sum^2) / (votes * (votes - 1)). A variance that is
// nothing but rounding is none.
const agreementSQL = `SELECT label, lang, messages, votes, sum / votes AS mean, 1 - 2 * within / votes AS agreement,
			sqrt(2 * within / votes) AS difference,
			CASE WHEN votes * squares - sum * sum > 1e-12 * votes * squares
				THEN 1 - (votes - 1) * within / (votes * squares - sum * sum) END AS alpha
		FROM (SELECT %s, sum(messages)::bigint AS messages, sum(votes)::bigint AS votes, sum(sum) AS sum,
				sum(squares) AS squares, sum(within) AS within
			FROM insight_raters k%s) sums
		ORDER BY %s`

// Raters returns how far raters agree about each label, in a language or in all, and
// about one label in each language. Without a label it is the first with figures.
func (a Access) Raters(ctx context.Context, label, lang string) (Raters, error) {
	r := Raters{Lang: lang, Label: label}
	if label != "" {
		if err := db.OneOf("label", label, scoring.LabelNames...); err != nil {
			return r, err
		}
	}
	err := a.inSnapshot(ctx, func(tx pgx.Tx, s State) (err error) {
		r.Head = s.current()
		sql, args := fmt.Sprintf(agreementSQL, "label, '' AS lang", " GROUP BY label", "label"), []any{}
		if lang != "" {
			sql = fmt.Sprintf(agreementSQL, "label, $1 AS lang", " WHERE k.lang = $1 GROUP BY label", "label")
			args = []any{lang}
		}
		r.Queries["labels"] = shown(sql, args...)
		found, err := agreements(ctx, tx, sql, args...)
		if err != nil {
			return err
		}
		r.Labels = inOrder(found)
		if r.Label == "" {
			r.Label = scoring.LabelNames[0]
			if len(r.Labels) > 0 {
				r.Label = r.Labels[0].Label
			}
		}
		sql = fmt.Sprintf(agreementSQL, "label, lang", " WHERE k.label = $1 GROUP BY label, lang", "messages DESC, lang")
		r.Queries["languages"] = shown(sql, r.Label)
		if r.Languages, err = agreements(ctx, tx, sql, r.Label); err != nil {
			return err
		}
		r.Langs, err = languages(ctx, tx)
		return err
	})
	return r, err
}

// languages returns the languages with figures of raters.
func languages(ctx context.Context, c db.Conn) ([]string, error) {
	rows, err := c.Query(ctx, "SELECT DISTINCT lang FROM insight_raters ORDER BY lang")
	if err != nil {
		return nil, err
	}
	return pgx.CollectRows(rows, pgx.RowTo[string])
}

// agreements reads figures. Each label has those of its kind of answer.
func agreements(ctx context.Context, c db.Conn, sql string, args ...any) ([]Agreement, error) {
	all, err := db.Collect[Agreement](ctx, c, sql, args...)
	if err != nil {
		return nil, fmt.Errorf("read the agreement of raters: %w", err)
	}
	for i := range all {
		if label, _ := scoring.LabelNamed(all[i].Label); label.Answer == scoring.YesNo {
			all[i].Answer, all[i].Difference = AnswerYesNo, nil
		} else {
			all[i].Answer, all[i].Agreement = AnswerScale, nil
		}
	}
	if all == nil {
		all = []Agreement{}
	}
	return all, nil
}

// inOrder returns figures in the order of the labels.
func inOrder(found []Agreement) []Agreement {
	all := []Agreement{}
	for _, name := range scoring.LabelNames {
		for _, a := range found {
			if a.Label == name {
				all = append(all, a)
			}
		}
	}
	return all
}
