package insights

import (
	"context"
	"fmt"
	"math"

	"github.com/jackc/pgx/v5"

	"treewarden/scoring"
	"treewarden/scoring/welch"
	"treewarden/store/db"
)

// All is the scope of all messages. The others are Deleted and Retained.
const All = "all"

// Correlations are those of the outputs of a classifier with mean human labels.
type Correlations struct {
	Head
	Model   string   `json:"model" description:"empty if no classifier has given outputs"`
	Models  []Model  `json:"models"`
	Scope   string   `json:"scope" enum:"all,deleted,retained"`
	Outputs []string `json:"outputs"`
	Labels  []string `json:"labels" description:"those that a message with an output has"`
	// Cells has one row for each output with one cell for each label.
	Cells [][]Cell `json:"cells" description:"for each output, one for each label"`
}

// Cell is the correlation of an output with a label.
type Cell struct {
	Output string `json:"output"`
	Label  string `json:"label"`
	N      int64  `json:"n" description:"messages that have both"`
	// R is nil if one of both is the same for all messages, or there is one message only.
	R *float64 `json:"r" description:"Pearson's; null if one of both is the same for all messages"`
}

// deviation returns the standard deviation.
func deviation(s welch.Sample) float64 { return math.Sqrt(s.Variance()) }

// pairsSQL computes r from sums; $1 is the model. A variance that is nothing but rounding
// is none.
const pairsSQL = `SELECT output, label, n,
			CASE WHEN n > 1 AND vx > 1e-12 * n * xx AND vy > 1e-12 * n * yy
				THEN greatest(-1, least(1, (n * xy - x * y) / (sqrt(vx) * sqrt(vy)))) END AS r
		FROM (SELECT *, n * xx - x * x AS vx, n * yy - y * y AS vy FROM (
			SELECT output, label, sum(messages)::bigint AS n, sum(x) AS x, sum(y) AS y, sum(xx) AS xx, sum(yy) AS yy,
				sum(xy) AS xy
			FROM insight_pairs k JOIN classifier_models c USING (model_id)
			WHERE c.name = $1%s
			GROUP BY output, label) sums) variances
		ORDER BY output, label`

// Correlations returns the correlations of a model's outputs, that with the most messages
// if none is named, with all labels.
func (a Access) Correlations(ctx context.Context, model, scope string) (Correlations, error) {
	if scope == "" {
		scope = All
	}
	r := Correlations{Scope: scope, Outputs: []string{}, Labels: []string{}, Cells: [][]Cell{}}
	if err := db.OneOf("scope", scope, All, Deleted, Retained); err != nil {
		return r, err
	}
	condition := map[string]string{Deleted: " AND k.deleted", Retained: " AND NOT k.deleted"}[scope]
	err := a.inSnapshot(ctx, func(tx pgx.Tx, s State) (err error) {
		r.Head = s.current()
		if r.Models, r.Model, err = models(ctx, tx, model); err != nil {
			return err
		}
		sql := fmt.Sprintf(pairsSQL, condition)
		r.Queries["cells"] = shown(sql, r.Model)
		order, err := outputsOf(ctx, tx, r.Model)
		if err != nil {
			return err
		}
		found, err := db.Collect[Cell](ctx, tx, sql, r.Model)
		if err != nil {
			return fmt.Errorf("read the correlations: %w", err)
		}
		r.arrange(order, found)
		return nil
	})
	return r, err
}

// arrange puts cells into rows and columns.
func (r *Correlations) arrange(order []string, found []Cell) {
	type key struct{ output, label string }
	at, outputs, labels := map[key]Cell{}, map[string]bool{}, map[string]bool{}
	for _, c := range found {
		at[key{c.Output, c.Label}] = c
		outputs[c.Output], labels[c.Label] = true, true
	}
	for _, label := range scoring.LabelNames {
		if labels[label] {
			r.Labels = append(r.Labels, label)
		}
	}
	for _, output := range order {
		if !outputs[output] {
			continue
		}
		r.Outputs = append(r.Outputs, output)
		row := make([]Cell, len(r.Labels))
		for i, label := range r.Labels {
			row[i] = at[key{output, label}]
			row[i].Output, row[i].Label = output, label
		}
		r.Cells = append(r.Cells, row)
	}
}
