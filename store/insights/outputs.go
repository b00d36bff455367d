package insights

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"treewarden/scoring/welch"
	"treewarden/store/db"
)

// The groups of messages whose outputs are compared: the values of the parameter by. The
// messages of a list are compared by ListPrefix and its id.
const (
	ByDeleted  = "deleted"
	ByReview   = "review"
	ByLang     = "lang"
	ListPrefix = "list:"
)

// The groups by ByDeleted and by list.
const (
	Deleted  = "deleted"
	Retained = "retained"
	Listed   = "listed"
	Others   = "others"
)

// Outputs are the means of a classifier's outputs by group.
type Outputs struct {
	Head
	By     string  `json:"by"`
	List   *string `json:"list_name,omitempty"`
	Model  string  `json:"model" description:"empty if no classifier has given outputs"`
	Models []Model `json:"models"`
	// Outputs are the names of the outputs, in the model's order.
	Outputs []string      `json:"outputs"`
	Groups  []OutputGroup `json:"groups"`
}

// OutputGroup is a group of messages.
type OutputGroup struct {
	Key   string       `json:"key" description:"deleted or retained; a review; a language; listed or others"`
	Means []OutputMean `json:"outputs" description:"in the order of the model's outputs"`
}

// N returns the greatest number of messages of an output.
func (g OutputGroup) N() (n int64) {
	for _, m := range g.Means {
		n = max(n, m.N)
	}
	return n
}

// OutputMean is the mean of an output in a group. A figure is nil if there are too few
// messages for it.
type OutputMean struct {
	Output string   `json:"output"`
	N      int64    `json:"n"`
	Mean   *float64 `json:"mean"`
	SD     *float64 `json:"sd" description:"the standard deviation, with the divisor n - 1"`
	// Difference is the mean minus that of all other messages with the output.
	Difference *float64 `json:"difference" description:"the mean minus that of all other messages with this output"`
	Low        *float64 `json:"low" description:"of the 95 % confidence interval of the difference (Welch)"`
	High       *float64 `json:"high"`
}

// groupColumn returns the SQL of the group of a row of insight_outputs.
func groupColumn(by string) (string, error) {
	column := map[string]string{ByDeleted: "CASE WHEN k.deleted THEN 'deleted' ELSE 'retained' END", ByReview: "k.review",
		ByLang: "k.lang"}[by]
	if column == "" {
		return "", db.BadParameter{Name: "by", Malformed: "by is deleted, review, lang, or list: and the id of a list."}
	}
	return column, nil
}

const sumsSQL = `sum(k.messages)::bigint AS n, sum(k.sum) AS sum, sum(k.squares) AS squares,
		sum(k.sum) / sum(k.messages) AS mean`

// outputsByGroup is the query of the groups that a column makes; $1 is the model.
func outputsByGroup(column string) string {
	return `SELECT ` + column + ` AS key, k.output, ` + sumsSQL + `
		FROM insight_outputs k JOIN classifier_models c USING (model_id)
		WHERE c.name = $1
		GROUP BY 1, 2 ORDER BY 1, 2`
}

// outputsByList is the query of the messages on a list, $2, and of all others.
const outputsByList = `SELECT k.key, k.output, ` + sumsSQL + `
		FROM (SELECT 'listed' AS key, model_id, output, messages, sum, squares FROM insight_lists WHERE list_id = $2
			UNION ALL SELECT 'others', model_id, output, messages, sum, squares FROM insight_outputs
			UNION ALL SELECT 'others', model_id, output, -messages, -sum, -squares FROM insight_lists WHERE list_id = $2) k
		JOIN classifier_models c USING (model_id)
		WHERE c.name = $1
		GROUP BY 1, 2 HAVING sum(k.messages) > 0 ORDER BY 1, 2`

// Outputs returns the means of a model's outputs by group. Without a model it is the one
// with the most messages; without by, deleted messages are compared with the others.
func (a Access) Outputs(ctx context.Context, by, model string) (Outputs, error) {
	if by == "" {
		by = ByDeleted
	}
	o := Outputs{By: by, Outputs: []string{}, Groups: []OutputGroup{}}
	list, ofList := strings.CutPrefix(by, ListPrefix)
	var id uuid.UUID
	var column string
	var err error
	if ofList {
		if a.Lists != nil {
			return o, a.Lists
		}
		if id, err = uuid.Parse(list); err != nil {
			return o, db.BadParameter{Name: "by", Malformed: "by: after list: comes the id of a list."}
		}
		o.By = ListPrefix + id.String()
	} else if column, err = groupColumn(by); err != nil {
		return o, err
	}
	err = a.inSnapshot(ctx, func(tx pgx.Tx, s State) (err error) {
		o.Head = s.current()
		sql, args := outputsByGroup(column), []any{""}
		if ofList {
			sql, args = outputsByList, []any{"", id}
			if err := tx.QueryRow(ctx, "SELECT name FROM lists WHERE list_id = $1 AND NOT removed", id).
				Scan(&o.List); err != nil {
				return err
			}
		}
		if o.Models, o.Model, err = models(ctx, tx, model); err != nil {
			return err
		}
		args[0] = o.Model
		o.Queries["outputs"] = shown(sql, args...)
		all, err := outputsOf(ctx, tx, o.Model)
		if err != nil {
			return err
		}
		return o.read(ctx, tx, all, sql, args...)
	})
	return o, err
}

// read reads the groups.
func (o *Outputs) read(ctx context.Context, tx pgx.Tx, order []string, sql string, args ...any) error {
	type row struct {
		Key, Output        string
		N                  int64
		Sum, Squares, Mean float64
	}
	rows, err := db.Collect[row](ctx, tx, sql, args...)
	if err != nil {
		return fmt.Errorf("read the outputs by group: %w", err)
	}
	whole := map[string]*welch.Sample{}
	of := map[string]map[string]welch.Sample{}
	for _, r := range rows {
		s := welch.Sample{N: r.N, Sum: r.Sum, Squares: r.Squares}
		if of[r.Key] == nil {
			of[r.Key] = map[string]welch.Sample{}
			o.Groups = append(o.Groups, OutputGroup{Key: r.Key})
		}
		if whole[r.Output] == nil {
			whole[r.Output] = new(welch.Sample)
		}
		of[r.Key][r.Output] = s
		whole[r.Output].Add(s)
	}
	for _, name := range order {
		if whole[name] != nil {
			o.Outputs = append(o.Outputs, name)
		}
	}
	for i, g := range o.Groups {
		for _, name := range o.Outputs {
			o.Groups[i].Means = append(o.Groups[i].Means, outputMean(name, of[g.Key][name], *whole[name]))
		}
	}
	slices.SortStableFunc(o.Groups, func(a, b OutputGroup) int { return o.compare(a, b) })
	return nil
}

// compare orders languages by their messages, the most first. Other groups stay in the
// order of their names.
func (o *Outputs) compare(a, b OutputGroup) int {
	if o.By != ByLang || a.N() == b.N() {
		return strings.Compare(a.Key, b.Key)
	}
	if a.N() > b.N() {
		return -1
	}
	return 1
}

// outputMean compares a group with the rest of all messages.
func outputMean(name string, s, whole welch.Sample) OutputMean {
	m := OutputMean{Output: name, N: s.N}
	if s.N == 0 {
		return m
	}
	m.Mean = new(s.Mean())
	if s.N > 1 {
		m.SD = new(deviation(s))
	}
	rest := whole.Without(s)
	if rest.N == 0 {
		return m
	}
	difference, half, ok := welch.Interval(s, rest)
	m.Difference = &difference
	if ok {
		m.Low, m.High = new(difference-half), new(difference+half)
	}
	return m
}
