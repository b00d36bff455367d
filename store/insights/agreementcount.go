package insights

import (
	"fmt"
	"sort"
	"strconv"
	"strings"

	"treewarden/scoring"
	"treewarden/store/cases"
	"treewarden/store/db"
	"treewarden/store/derived"
)

// The references with which outputs of classifiers are compared: mean human labels, and
// what staff decided.
const (
	ReferenceToxicity = "toxicity"
	ReferenceSpam     = "spam"
	ReferenceStaff    = "staff"
)

// References are all references.
var References = []string{ReferenceToxicity, ReferenceSpam, ReferenceStaff}

// LabelFrom is the mean of a label from which it is a yes.
const LabelFrom = 0.5

// labelFrom allows for the rounding of a mean that is added up in another order.
const labelFrom = LabelFrom - 1e-9

// labelReferences are the references that are labels, by the place of the label.
var labelReferences = func() map[int]string {
	places := map[int]string{}
	for i, name := range scoring.LabelNames {
		if name == ReferenceToxicity || name == ReferenceSpam {
			places[i] = name
		}
	}
	return places
}()

// binsFrom are the lowest values of the bins after the first, which begins at 0; the last
// holds only 1. There are 90 for each power of ten near 0, since a good classifier gives
// nearly all harmless messages less than 0.01, and as many near 1. In between a bin is
// 0.005 wide. All multiples of 0.01 begin a bin. Every value is the quotient of two whole
// numbers, so that it is the one that its decimal text stands for.
var binsFrom = func() (from []float64) {
	add := func(first, last int, of float64) {
		for n := first; n <= last; n++ {
			from = append(from, float64(n)/of)
		}
	}
	for _, of := range []float64{1e6, 1e5, 1e4, 1e3} {
		add(10, 99, of)
	}
	add(20, 179, 200)
	add(900, 989, 1e3)
	add(9900, 9989, 1e4)
	add(99900, 100000, 1e5)
	return from
}()

// binOf returns the bin of a value from 0 to 1.
func binOf(x float64) int {
	return sort.Search(len(binsFrom), func(i int) bool { return binsFrom[i] > x })
}

// binsSQL is the array of binsFrom: width_bucket with it is binOf.
var binsSQL = func() string {
	texts := make([]string, len(binsFrom))
	for i, from := range binsFrom {
		texts[i] = strconv.FormatFloat(from, 'g', -1, 64)
	}
	return "'{" + strings.Join(texts, ",") + "}'::float8[]"
}()

// decisionSQL is what staff decided about message m: true if they deleted it itself,
// rejected it in review or upheld a case of it, false if they did nothing of that but
// accepted it in review or dismissed a case of it, and null if they decided nothing. u is
// whether the cases of the message were upheld.
const decisionSQL = `CASE WHEN m.deleted AND m.deletion_by_staff AND m.deleted_root = m.message_id
			OR m.review_by_staff AND NOT m.review_result OR u.upheld THEN true
		WHEN m.review_by_staff AND m.review_result OR NOT u.upheld THEN false END`

// upheldSQL reads whether cases of the messages of the trees after $1 up to $2 were
// upheld.
const upheldSQL = `SELECT tree_id, message_id, bool_or(outcome <> '` + cases.Dismiss + `') AS upheld FROM cases
	WHERE status = 'decided' AND tree_id > $1 AND tree_id <= $2 GROUP BY tree_id, message_id`

// rangeKey names an output of a model.
type rangeKey struct {
	Model  int16
	Output string
}

// valueRange holds the lowest and the highest value of an output.
type valueRange struct{ Low, High float64 }

// agreementKey names the messages of a histogram.
type agreementKey struct {
	Of              rangeKey
	Reference, Lang string
}

// histogram holds numbers of messages by bin, those of the bins with messages.
type histogram map[int]verdictCounts

// verdictCounts are the numbers of messages that a reference found bad, and of others.
type verdictCounts struct{ Positives, Negatives int32 }

func (h histogram) add(bin int, more verdictCounts) {
	n := h[bin]
	h[bin] = verdictCounts{n.Positives + more.Positives, n.Negatives + more.Negatives}
}

// verdict is what a reference says of a message.
type verdict struct {
	reference string
	positive  bool
}

// verdicts appends what labels and staff say of a message. The decision is a boolean,
// nil for none.
func verdicts(all []verdict, labels [][]byte, decision []byte) []verdict {
	for i, reference := range labelReferences {
		if labels[i] != nil {
			all = append(all, verdict{reference, db.ReadFloat8(labels[i]) >= labelFrom})
		}
	}
	if decision != nil {
		all = append(all, verdict{ReferenceStaff, decision[0] != 0})
	}
	return all
}

// judge adds a value of an output. Values outside 0 to 1 are in no histogram.
func (p *part) judge(key rangeKey, lang string, x float64, all []verdict) {
	if p.reach(key, x, x); x < 0 || x > 1 {
		return
	}
	for _, v := range all {
		one := verdictCounts{Negatives: 1}
		if v.positive {
			one = verdictCounts{Positives: 1}
		}
		p.histogram(agreementKey{key, v.reference, lang}).add(binOf(x), one)
	}
}

// reach widens the range of an output.
func (p *part) reach(key rangeKey, low, high float64) {
	r := p.Ranges[key]
	if r == nil {
		p.Ranges[key] = &valueRange{low, high}
		return
	}
	r.Low, r.High = min(r.Low, low), max(r.High, high)
}

func (p *part) histogram(key agreementKey) histogram {
	h := p.Agreement[key]
	if h == nil {
		h = histogram{}
		p.Agreement[key] = h
	}
	return h
}

// rangesTable describes insight_ranges, whose rows are made of those of the parts.
var rangesTable = table{name: "insight_ranges", keys: []string{"model_id", "output"}, values: []string{"low", "high"}}

const agreementName = "insight_agreement"

// agreementTable returns what was counted as rows. The check compares the bins with
// messages of the outputs whose values are all from 0 to 1.
func (p *part) agreementTable() table {
	t := table{name: agreementName, keys: []string{"model_id", "output", "reference", "lang"},
		values: []string{"positives", "negatives"}, compareKeys: []string{"bin"},
		compare: `(SELECT k.model_id, k.output, k.reference, k.lang, ` + binColumns + `
			FROM insight_agreement k JOIN insight_ranges r USING (model_id, output) ` + eachBin + `
			WHERE ` + inRange + ` AND (b.positives <> 0 OR b.negatives <> 0))`}
	for k, h := range p.Agreement {
		positives, negatives := make([]int32, len(binsFrom)+1), make([]int32, len(binsFrom)+1)
		for bin, n := range h {
			positives[bin], negatives[bin] = n.Positives, n.Negatives
		}
		t.rows = append(t.rows, []any{k.Of.Model, k.Of.Output, k.Reference, k.Lang, positives, negatives})
	}
	return t
}

// eachBin is the FROM item of the bins b of a row k of insight_agreement. Its bins are
// counted from 1.
const (
	eachBin = `CROSS JOIN LATERAL unnest(k.positives, k.negatives) WITH ORDINALITY
		b(positives, negatives, number)`
	binColumns = "b.number - 1 AS bin, b.positives, b.negatives"
)

// valuesAgain are the values n of the outputs o of the model c, each with its name.
const valuesAgain = `JOIN classifier_models c USING (model_id)
	CROSS JOIN LATERAL unnest(c.outputs, o.scores) n(output, x)
	WHERE n.output IS NOT NULL AND n.x IS NOT NULL AND n.x NOT IN ('NaN', 'Infinity', '-Infinity')`

// rangesAgain counts the rows of insight_ranges by SQL alone.
const rangesAgain = `SELECT o.model_id, n.output, min(n.x) AS low, max(n.x) AS high
	FROM classifier_outputs o ` + valuesAgain + ` GROUP BY 1, 2`

// agreementAgain counts the bins of insight_agreement by SQL alone.
var agreementAgain = func() string {
	var labels []string
	for _, label := range []string{ReferenceToxicity, ReferenceSpam} {
		labels = append(labels, fmt.Sprintf(`SELECT tree_id, message_id, '%[1]s' AS reference,
				coalesce(sum(total) / nullif(sum(n), 0), max(mean)) >= %[2]v AS positive
			FROM (SELECT tree_id, message_id, %[1]s * %[1]s_count AS total, %[1]s_count AS n, %[1]s AS mean
					FROM label_aggregates WHERE %[1]s_count IS NOT NULL
				UNION ALL SELECT tree_id, message_id, %[1]s, 1, NULL FROM label_votes WHERE %[1]s IS NOT NULL) l
			GROUP BY tree_id, message_id HAVING count(total) + count(mean) > 0`, label, labelFrom))
	}
	return `SELECT o.model_id, n.output, r.reference, ` + LangSQL + ` AS lang, width_bucket(n.x, ` + binsSQL + `) AS bin,
			count(*) FILTER (WHERE r.positive) AS positives, count(*) FILTER (WHERE NOT r.positive) AS negatives
		FROM (` + strings.Join(labels, " UNION ALL ") + `
			UNION ALL SELECT tree_id, message_id, '` + ReferenceStaff + `', bool_or(bad) FROM (
				SELECT tree_id, message_id, true AS bad FROM messages
					WHERE deleted AND deletion_by_staff AND deleted_root = message_id
				UNION ALL SELECT tree_id, message_id, NOT review_result FROM messages
					WHERE review_by_staff AND review_result IS NOT NULL
				UNION ALL SELECT tree_id, message_id, outcome <> '` + cases.Dismiss + `' FROM cases WHERE status = 'decided') d
			GROUP BY tree_id, message_id) r
		JOIN messages m USING (tree_id, message_id) JOIN classifier_outputs o USING (tree_id, message_id) ` + valuesAgain + `
			AND NOT (` + derived.StaleSQL + `) AND (o.model_id, n.output) IN (
				SELECT model_id, output FROM (` + rangesAgain + `) s WHERE low >= 0 AND high <= 1)
		GROUP BY 1, 2, 3, 4, 5`
}()
