package insights

import (
	"context"
	"fmt"
	"math"
	"sort"

	"github.com/jackc/pgx/v5"

	"treewarden/scoring"
	"treewarden/store/db"
	"treewarden/store/versions"
)

// FewFrom is the number of positive and of negative messages from which an AUC is worth
// comparing.
const FewFrom = 30

// AgreementFilter says which figures are asked for.
type AgreementFilter struct {
	Reference string // one of References; empty for ReferenceToxicity
	Output    string // empty for the one with the reference's name, else toxicity, else the first
	Lang      string // of the figures by model and of the curves; empty for all languages
}

// ClassifierAgreement says how far an output of each classifier agrees with a reference: a human
// label, or the decisions of staff.
type ClassifierAgreement struct {
	Head
	Reference string   `json:"reference" enum:"toxicity,spam,staff"`
	Output    string   `json:"output" description:"empty if no classifier has given outputs from 0 to 1"`
	Outputs   []string `json:"outputs" description:"those whose values are all from 0 to 1"`
	Lang      string   `json:"lang" description:"of the figures by model and of the curves; empty for all languages"`
	// Threshold is the value of the output from which a message counts as flagged: that of
	// the formula of the troll score, or the nearest at which a bin begins.
	Threshold float64 `json:"threshold" description:"the value from which precision and recall are counted"`
	ToxicFrom float64 `json:"toxic_from" description:"the threshold of the current formula; it is rounded to threshold"`
	// Models are the figures of each model, Languages those of each model in each language.
	Models    []ModelAgreement `json:"models"`
	Languages []ModelAgreement `json:"languages" description:"the languages with the most messages first"`
	Curves    []ModelCurve     `json:"curves" description:"one for each model with messages of both kinds"`
	LeftOut   []OutputRange    `json:"left_out" description:"outputs with values that are not from 0 to 1"`
	// Langs are all languages with figures.
	Langs []string `json:"-"`
}

// ModelAgreement is how far a model agrees with a reference. A figure is nil if there is
// nothing to compute it of.
type ModelAgreement struct {
	Model     string   `json:"model"`
	Lang      string   `json:"lang" description:"empty for all languages"`
	Messages  int64    `json:"messages" description:"with the output"`
	Share     *float64 `json:"share" description:"of all messages"`
	N         int64    `json:"n" description:"messages that have the output and are in the reference"`
	Positives int64    `json:"positives"`
	// AUC is the probability that a positive message has a higher output than a negative
	// one, with ties counted half. Values in one bin count as ties, so that the AUC of the
	// values themselves may differ: by at most AUCError, which is half the share of the
	// pairs of a positive and a negative message that are in one bin.
	AUC       *float64 `json:"auc" description:"values in one bin count as ties; null without both kinds"`
	AUCError  *float64 `json:"auc_error" description:"how far the AUC of the values themselves may differ, at most"`
	Low       *float64 `json:"auc_low" db:"-" description:"of the 95 % confidence interval (Hanley and McNeil 1982)"`
	High      *float64 `json:"auc_high" db:"-"`
	Flagged   int64    `json:"flagged" description:"of n: with an output of the threshold or more"`
	Precision *float64 `json:"precision" description:"share of the positive of the flagged"`
	Recall    *float64 `json:"recall" description:"share of the flagged of the positive"`
	Few       bool     `json:"few" db:"-" description:"fewer than 30 positive or negative messages"`
}

// ModelCurve holds the points of a ROC curve, from the highest threshold on.
type ModelCurve struct {
	Model  string       `json:"model"`
	Points []CurvePoint `json:"points"`
}

// CurvePoint is what a threshold would give.
type CurvePoint struct {
	From      float64 `json:"from" description:"the threshold"`
	Flagged   int64   `json:"flagged"`
	Recall    float64 `json:"recall" description:"share of the flagged of the positive"`
	FalseRate float64 `json:"false_positive_rate" description:"share of the flagged of the negative"`
	Precision float64 `json:"precision"`
}

// OutputRange is an output with its lowest and its highest value.
type OutputRange struct {
	Model  string  `json:"model"`
	Output string  `json:"output"`
	Low    float64 `json:"low"`
	High   float64 `json:"high"`
}

// inRange is the condition that the values of a row r of insight_ranges are from 0 to 1.
const inRange = "r.low >= 0 AND r.high <= 1"

// classifierAgreementSQL computes the figures of each model from bins; $1 is the reference, $2 the
// output and $3 the number of bins below the threshold.
const classifierAgreementSQL = `SELECT c.name AS model, o.lang, o.messages, o.messages::float8 / t.n AS share,
			coalesce(s.positives + s.negatives, 0)::bigint AS n, coalesce(s.positives, 0)::bigint AS positives,
			s.won / nullif(s.positives * s.negatives, 0) AS auc,
			s.tied / nullif(2 * s.positives * s.negatives, 0) AS auc_error, coalesce(s.flagged, 0)::bigint AS flagged,
			s.found / nullif(s.flagged, 0) AS precision, s.found / nullif(s.positives, 0) AS recall
		FROM (SELECT k.model_id, %[1]s AS lang, sum(k.messages)::bigint AS messages FROM insight_outputs k
				WHERE k.output = $2%[2]s GROUP BY 1, 2) o
			JOIN classifier_models c USING (model_id)
			JOIN insight_ranges r ON r.model_id = o.model_id AND r.output = $2 AND ` + inRange + `
			CROSS JOIN LATERAL (
				SELECT sum(positives) AS positives, sum(negatives) AS negatives, sum(positives * below) AS won,
					sum(positives * negatives) AS tied, coalesce(sum(positives) FILTER (WHERE number > $3), 0) AS found,
					coalesce(sum(positives + negatives) FILTER (WHERE number > $3), 0) AS flagged
				FROM (SELECT *, sum(negatives) OVER (ORDER BY number) - negatives / 2 AS below
					FROM (SELECT b.number, sum(b.positives)::float8 AS positives, sum(b.negatives)::float8 AS negatives
						FROM insight_agreement k ` + eachBin + `
						WHERE k.reference = $1 AND k.output = $2 AND k.model_id = o.model_id%[3]s
							AND b.positives + b.negatives > 0
						GROUP BY b.number) bins) ranked) s
			LEFT JOIN insight_collection t ON t.of = 'messages' AND t.by = CASE WHEN o.lang = '' THEN 'all' ELSE 'lang' END
				AND t.key = o.lang AND t.lang = '' AND t.frame = 'total'
		ORDER BY %[4]s`

// curvesSQL reads the bins of each model; $1 is the reference and $2 the output.
const curvesSQL = `SELECT c.name AS model, (b.number - 1)::integer AS bin, b.positives, b.negatives
		FROM (SELECT k.model_id, b.number, sum(b.positives)::bigint AS positives, sum(b.negatives)::bigint AS negatives
				FROM insight_agreement k JOIN insight_ranges r USING (model_id, output) ` + eachBin + `
				WHERE ` + inRange + ` AND k.reference = $1 AND k.output = $2%s AND b.positives + b.negatives > 0
				GROUP BY 1, 2) b
			JOIN classifier_models c USING (model_id)
		ORDER BY 1, 2 DESC`

// ClassifierAgreement returns how far an output of each classifier agrees with a
// reference.
func (a Access) ClassifierAgreement(ctx context.Context, f AgreementFilter) (ClassifierAgreement, error) {
	if f.Reference == "" {
		f.Reference = ReferenceToxicity
	}
	r := ClassifierAgreement{Reference: f.Reference, Lang: f.Lang, Outputs: []string{}}
	if err := db.OneOf("reference", f.Reference, References...); err != nil {
		return r, err
	}
	err := a.inSnapshot(ctx, func(tx pgx.Tx, s State) error {
		r.Head = s.current()
		if err := r.choose(ctx, tx, f.Output); err != nil {
			return err
		}
		formula, err := versions.Formula.InForce(ctx, tx)
		if err != nil {
			return err
		}
		r.ToxicFrom = formula.ToxicFrom
		below := nearestBin(r.ToxicFrom)
		r.Threshold = binFrom(below)
		if err := r.readCurves(ctx, tx); err != nil {
			return err
		}
		return r.readFigures(ctx, tx, below)
	})
	return r, err
}

// nearestBin returns the bin that begins nearest to a threshold.
func nearestBin(x float64) int {
	bin := sort.SearchFloat64s(binsFrom, x) + 1
	if bin > len(binsFrom) || math.Abs(x-binFrom(bin-1)) <= math.Abs(binFrom(bin)-x) {
		bin--
	}
	return bin
}

// binFrom returns the lowest value of a bin.
func binFrom(bin int) float64 {
	if bin == 0 {
		return 0
	}
	return binsFrom[bin-1]
}

// choose reads which outputs and languages there are, and chooses an output.
func (r *ClassifierAgreement) choose(ctx context.Context, c db.Conn, output string) (err error) {
	r.Outputs, err = texts(ctx, c, "SELECT DISTINCT output FROM insight_ranges r WHERE "+inRange+" ORDER BY 1")
	if err != nil {
		return err
	}
	if r.Langs, err = texts(ctx, c, `SELECT DISTINCT k.lang FROM insight_agreement k
			JOIN insight_ranges r USING (model_id, output) WHERE `+inRange+" ORDER BY 1"); err != nil {
		return err
	}
	r.LeftOut, err = db.Collect[OutputRange](ctx, c, `SELECT c.name AS model, r.output, r.low, r.high
		FROM insight_ranges r JOIN classifier_models c USING (model_id) WHERE NOT (`+inRange+`) ORDER BY 1, 2`)
	if err != nil {
		return err
	}
	if r.LeftOut == nil {
		r.LeftOut = []OutputRange{}
	}
	r.Output = output
	switch {
	case output != "" && len(r.Outputs) == 0:
		return db.BadParameter{Name: "output", Malformed: "output: the figures have no output with values from 0 to 1."}
	case output != "":
		return db.OneOf("output", output, r.Outputs...)
	}
	for _, usual := range append([]string{r.Reference, ReferenceToxicity}, r.Outputs...) {
		if i := sort.SearchStrings(r.Outputs, usual); i < len(r.Outputs) && r.Outputs[i] == usual {
			r.Output = usual
			break
		}
	}
	return nil
}

// texts reads a column of texts. They are sorted as Go does it.
func texts(ctx context.Context, c db.Conn, sql string) ([]string, error) {
	rows, err := c.Query(ctx, sql)
	if err != nil {
		return nil, err
	}
	all, err := pgx.CollectRows(rows, pgx.RowTo[string])
	sort.Strings(all)
	return all, err
}

// readFigures reads the figures by model and by language.
func (r *ClassifierAgreement) readFigures(ctx context.Context, c db.Conn, below int) (err error) {
	read := func(name, lang, condition, bins, order string, args ...any) ([]ModelAgreement, error) {
		sql := fmt.Sprintf(classifierAgreementSQL, lang, condition, bins, order)
		args = append([]any{r.Reference, r.Output, below}, args...)
		r.Queries[name] = shown(sql, args...)
		all, err := db.Collect[ModelAgreement](ctx, c, sql, args...)
		if err != nil {
			return nil, fmt.Errorf("read the agreement of classifiers: %w", err)
		}
		for i := range all {
			all[i].judge()
		}
		if all == nil {
			all = []ModelAgreement{}
		}
		return all, nil
	}
	const best = "auc DESC NULLS LAST, messages DESC, model"
	if r.Lang == "" {
		r.Models, err = read("models", "''", "", "", best)
	} else {
		r.Models, err = read("models", "$4::text", " AND k.lang = $4", " AND k.lang = $4", best, r.Lang)
	}
	if err == nil {
		r.Languages, err = read("languages", "k.lang", "", " AND k.lang = o.lang",
			"max(o.messages) OVER (PARTITION BY o.lang) DESC, lang, model")
	}
	return err
}

// judge adds the figures that SQL has no function for.
func (m *ModelAgreement) judge() {
	negatives := m.N - m.Positives
	m.Few = min(m.Positives, negatives) < FewFrom
	if m.AUC == nil {
		return
	}
	if around, ok := scoring.AUCInterval(*m.AUC, m.Positives, negatives); ok {
		m.Low, m.High = &around[0], &around[1]
	}
}

// readCurves reads the curves of the models that have messages of both kinds.
func (r *ClassifierAgreement) readCurves(ctx context.Context, c db.Conn) error {
	sql, args := fmt.Sprintf(curvesSQL, ""), []any{r.Reference, r.Output}
	if r.Lang != "" {
		sql, args = fmt.Sprintf(curvesSQL, " AND k.lang = $3"), append(args, r.Lang)
	}
	r.Queries["curves"] = shown(sql, args...)
	bins, err := db.Collect[curveBin](ctx, c, sql, args...)
	if err != nil {
		return fmt.Errorf("read the curves of classifiers: %w", err)
	}
	r.Curves = []ModelCurve{}
	for len(bins) > 0 {
		n := 1
		for n < len(bins) && bins[n].Model == bins[0].Model {
			n++
		}
		if points := curve(bins[:n]); points != nil {
			r.Curves = append(r.Curves, ModelCurve{bins[0].Model, points})
		}
		bins = bins[n:]
	}
	return nil
}

// curveBin is a bin of a model.
type curveBin struct {
	Model                string
	Bin                  int
	Positives, Negatives int64
}

// curve returns the points of a model's bins, those of the highest values first; nil
// without messages of both kinds.
func curve(bins []curveBin) (points []CurvePoint) {
	var positives, negatives, found, wrong int64
	for _, b := range bins {
		positives, negatives = positives+b.Positives, negatives+b.Negatives
	}
	if positives == 0 || negatives == 0 {
		return nil
	}
	for _, b := range bins {
		found, wrong = found+b.Positives, wrong+b.Negatives
		points = append(points, CurvePoint{From: binFrom(b.Bin), Flagged: found + wrong,
			Recall:    float64(found) / float64(positives),
			FalseRate: float64(wrong) / float64(negatives), Precision: float64(found) / float64(found+wrong)})
	}
	return points
}
