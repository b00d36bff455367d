package counters

import (
	"context"
	"fmt"
	"strings"

	"github.com/jackc/pgx/v5/pgtype"

	"treewarden/scoring"
	"treewarden/store/db"
)

// RuleArgs returns the first two arguments of CountSQL: the threshold of toxicity, and
// the names of the models whose toxicity counts, or nil for the highest of all models.
func RuleArgs(rule scoring.ToxicityRule) (from float64, models []string) {
	return rule.From, scoring.SplitClassifiers(rule.Classifier)
}

// ruleModels are the names of the models that count as the second argument of CountSQL,
// storedModels those by which the counters are counted.
const (
	ruleModels   = "$2::text[]"
	storedModels = "(SELECT string_to_array(nullif(classifier, ''), ', ') FROM counted_with)::text[]"
)

// chosenToxicity holds expressions for the outputs o of a message: the toxicity that
// counts, null if there is none, and the time of the first output of a model that
// counts. It is ToxicityRule.Uses in SQL. The ids of models are selected by subqueries
// that depend on no row, which PostgreSQL evaluates once for each statement.
type chosenToxicity struct {
	toxicity, at string
	counts       string // whether the model of o counts
	fallback     string // whether the model of o counts for lack of others
}

// chosenBy returns the expressions for names of models, null for the highest of all.
func chosenBy(names string) chosenToxicity {
	models := func(condition string) string {
		return "(o.model_id = ANY (ARRAY(SELECT k.model_id FROM classifier_models k WHERE " +
			strings.ReplaceAll(condition, "{names}", names) + ")))"
	}
	const embedded = "'" + scoring.EmbeddedClassifier + "'"
	c := chosenToxicity{
		counts:   models("CASE WHEN {names} IS NULL THEN k.name <> " + embedded + " ELSE k.name = ANY ({names}) END"),
		fallback: models("{names} IS NULL AND k.name = " + embedded),
	}
	highest := "max(o.toxicity) FILTER (WHERE " + c.counts + ")"
	c.toxicity = "coalesce(" + highest + ", max(o.toxicity) FILTER (WHERE " + c.fallback + "))"
	c.at = "CASE WHEN " + highest + " IS NULL THEN min(o.at) FILTER (WHERE " + c.fallback +
		") ELSE min(o.at) FILTER (WHERE " + c.counts + ") END"
	return c
}

// classifierToxicity joins the toxicity that counts for message m.
var classifierToxicity = func() string {
	c := chosenBy(ruleModels)
	return `JOIN LATERAL (SELECT ` + c.toxicity + ` AS toxicity, ` + c.at + ` AS at FROM classifier_outputs o
	WHERE o.tree_id = m.tree_id AND o.message_id = m.message_id HAVING ` + c.toxicity + ` IS NOT NULL) x ON true`
}()

// ToxicitySQL returns a query for the toxicity that counts of the message of a relation,
// null if there is none.
func ToxicitySQL(message string) string {
	return "(SELECT " + chosenBy(storedModels).toxicity + " FROM classifier_outputs o WHERE o.tree_id = " +
		message + ".tree_id AND o.message_id = " + message + ".message_id)"
}

// ToxicByAuthor returns a query, and its arguments, that counts each author's messages
// that are toxic by a rule since a time, or ever if within is false. The toxic messages are
// few, so the query starts with the outputs from the threshold on. It has the ids of the
// models as arguments: PostgreSQL reads no table in parallel for a condition on a subquery.
func ToxicByAuthor(
	ctx context.Context, c db.Conn, rule scoring.ToxicityRule, since pgtype.Timestamptz, within bool,
) (string, []any, error) {
	uses, models := rule.Uses(), [scoring.NumUses + 1][]int16{{}, {}}
	if err := db.EachRaw(ctx, c, "SELECT model_id, name FROM classifier_models", func(raw [][]byte) {
		use := uses(string(raw[1]))
		models[use] = append(models[use], db.ReadInt2(raw[0]))
	}); err != nil {
		return "", nil, err
	}
	counts := "o.model_id = ANY ($2::smallint[])"
	chosen, fallback := counts, "false"
	if len(models[scoring.Fallback]) > 0 {
		fallback = fmt.Sprintf("o.model_id = %d", models[scoring.Fallback][0])
		chosen = "CASE WHEN " + counts + " THEN true WHEN " + fallback + ` THEN
			(SELECT max(z.toxicity) FROM classifier_outputs z WHERE z.tree_id = o.tree_id AND z.message_id = o.message_id
				AND z.model_id <> o.model_id) IS NULL ELSE false END`
	}
	dated := " AND $3::timestamptz IS NOT NULL"
	if within {
		// The date is that of the first output of a model that counts or, if it is
		// later, that of the message. CASE limits the expensive subquery to the rows
		// that need it.
		dated = ` AND CASE WHEN m.created_date >= $3 THEN true WHEN t.at < $3 THEN false WHEN t.fallback THEN true
			ELSE NOT EXISTS (SELECT FROM classifier_outputs o
				WHERE o.tree_id = m.tree_id AND o.message_id = m.message_id AND o.at < $3 AND ` + counts + `) END`
	}
	return `SELECT m.user_id, count(*)::float8 FROM (SELECT o.tree_id, o.message_id, min(o.at) AS at,
			bool_and(` + fallback + `) AS fallback FROM classifier_outputs o
		WHERE o.toxicity >= $1::float8 AND ` + chosen + ` GROUP BY 1, 2) t
		JOIN messages m ON m.tree_id = t.tree_id AND m.message_id = t.message_id
			WHERE m.user_id IS NOT NULL` + dated + ` GROUP BY m.user_id`, []any{rule.From, models[scoring.Counted], since}, nil
}

// Highest returns the toxicity that counts of a message with the outputs of classifiers;
// ok is false if there is none.
func Highest(rule scoring.ToxicityRule, classifiers map[string]map[string]*float64) (highest float64, ok bool) {
	var chosen ChosenToxicity
	uses := rule.Uses()
	for name, outputs := range classifiers {
		chosen.Add(uses(name), ToxicityOf(outputs))
	}
	return chosen.Value()
}

// ChosenToxicity is the toxicity that counts of a message whose outputs are added one
// after the other.
type ChosenToxicity struct {
	highest [scoring.NumUses]float64
	there   [scoring.NumUses]bool
}

// Add adds the toxicity of an output, nil if it has none.
func (c *ChosenToxicity) Add(use scoring.Use, toxicity *float64) {
	if use != scoring.Ignored && toxicity != nil {
		c.highest[use], c.there[use] = max(c.highest[use], *toxicity), true
	}
}

// Use returns the use of the models whose toxicity counts; Ignored if there is none.
func (c *ChosenToxicity) Use() scoring.Use {
	for use := range scoring.NumUses {
		if c.there[use] {
			return use
		}
	}
	return scoring.Ignored
}

// Value returns the toxicity; ok is false if there is none.
func (c *ChosenToxicity) Value() (highest float64, ok bool) {
	use := c.Use()
	if use == scoring.Ignored {
		return 0, false
	}
	return c.highest[use], true
}

// ToxicityOf returns the output named toxicity if it is a number from 0 to 1,
// else nil.
func ToxicityOf(outputs map[string]*float64) *float64 {
	if t := outputs[scoring.ToxicityLabel]; t != nil && *t >= 0 && *t <= 1 {
		return t
	}
	return nil
}
