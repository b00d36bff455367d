package messages

import (
	"math"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/google/uuid"

	"treewarden/corpus/search"
	"treewarden/scoring"
	"treewarden/store/counters"
	"treewarden/store/db"
)

// Filter narrows a list of messages; zero fields do not. Label, Toxicity
// and Classifier are thresholds as in the query string: "spam>0.5", ">0.5",
// "detoxify.insult>=0.3".
type Filter struct {
	Q          string // a query line (corpus/search), whose filters hold too
	Lang       string
	Within     []string // only these languages and their varieties; nil for all
	Role       string
	User       *uuid.UUID
	Tree       *uuid.UUID
	TreeState  string
	Deleted    string // exclude (default of lists of messages), include, only
	Review     string // pending, accepted, rejected
	Spam       string // exclude, include (default) or only: rejected messages
	Label      string // also by the number of votes: "spam.votes>=2"
	Toxicity   string
	Classifier string
	// AuthorMessages is a threshold on the number of messages that the author wrote in
	// Role and from Since on, deleted ones too: "<=5".
	AuthorMessages string
	Since          *time.Time
	Until          *time.Time
	Has            string // report, red_flag or edit
	List           *uuid.UUID
	Behind         *Behind // only with User
	Sort           string  // new (default), old or best
	TextLimit      int     // texts are cut after so many characters; 0: never
	db.Page
}

// newest and oldest are the orders of lists of messages.
var (
	newest = db.Order{Name: "new", Desc: true, Keys: []db.Key{
		{Expr: "m.created_date", Typ: "timestamptz"},
		{Expr: "m.message_id", Typ: "uuid"},
	}}
	oldest = db.Order{Name: "old", Desc: false, Keys: newest.Keys}
)

// Narrow adds the conditions of the filter on messages m and trees t, and those of
// the filters in its line. The words of the line are none. It returns Malformed for a
// value that a field cannot have, and a *search.SyntaxError for one in the line.
func (f Filter) Narrow(q *db.Query) error {
	line, err := search.Parse(f.Q)
	if err != nil {
		return err
	}
	if f.Deleted == "" && slices.ContainsFunc(line.Filters, func(l search.Filter) bool { return l.Name == "deleted" }) {
		f.Deleted = "include" // the line says it
	}
	if err := f.narrow(q); err != nil {
		return err
	}
	return narrowByLine(q, line.Filters)
}

// narrow adds the conditions of the fields.
func (f Filter) narrow(q *db.Query) error {
	if f.Lang != "" {
		q.Where("m.lang = ?", f.Lang)
	}
	q.WithinLanguages("m.lang", f.Within)
	if f.User != nil {
		q.Where("m.user_id = ?", *f.User)
	}
	if f.User != nil && f.Behind != nil {
		q.Where(f.Behind.sql(q, *f.User))
	}
	if f.Tree != nil {
		q.Where("m.tree_id = ?", *f.Tree)
	}
	if f.List != nil {
		q.Where(`EXISTS (SELECT FROM list_items i JOIN lists l USING (list_id)
			WHERE i.list_id = ? AND i.message_id = m.message_id AND NOT l.removed)`, *f.List)
	}
	if f.Since != nil {
		q.Where("m.created_date >= ?", *f.Since)
	}
	if f.Until != nil {
		q.Where("m.created_date < ?", *f.Until)
	}
	if f.TreeState != "" {
		q.Where("t.state = ?", f.TreeState)
	}
	for _, c := range []struct {
		parameter, value string
		conditions       map[string]string
	}{
		{"role", f.Role, map[string]string{"": "", "prompter": "m.role = 'prompter'", "assistant": "m.role = 'assistant'"}},
		{"deleted", f.Deleted, map[string]string{
			"": "NOT m.deleted", "exclude": "NOT m.deleted", "include": "", "only": "m.deleted",
		}},
		{"spam", f.Spam, map[string]string{
			"": "", "include": "", "exclude": "m.review_result IS NOT false", "only": "m.review_result = false",
		}},
		{"review", f.Review, map[string]string{
			"": "", "pending": "m.review_result IS NULL", "accepted": "m.review_result", "rejected": "NOT m.review_result",
		}},
		{"has", f.Has, map[string]string{
			"": "", "edit": "m.edited",
			"report": `EXISTS (SELECT FROM reports r
				WHERE r.tree_id = m.tree_id AND r.message_id = m.message_id AND r.status <> 'withdrawn')`,
			"red_flag": `(EXISTS (SELECT FROM reactions r
				WHERE r.tree_id = m.tree_id AND r.message_id = m.message_id AND r.emoji = 'red_flag')
				OR EXISTS (SELECT FROM emoji_aggregates e
				WHERE e.tree_id = m.tree_id AND e.message_id = m.message_id AND e.red_flags > 0))`,
		}},
	} {
		condition, ok := c.conditions[c.value]
		if !ok {
			names := make([]string, 0, len(c.conditions))
			for name := range c.conditions {
				if name != "" {
					names = append(names, name)
				}
			}
			slices.Sort(names)
			return db.OneOf(c.parameter, c.value, names...)
		}
		if condition != "" {
			q.Where(condition)
		}
	}
	return f.thresholds(q)
}

// Comparison is a threshold on a label, on toxicity or on a classifier's output.
type Comparison struct {
	Name     string // of the label or output
	Model    string // of a classifier's output
	Operator string
	Value    float64
}

// threshold matches "NAME>0.5": a name (which may be empty), an operator and a
// number.
var threshold = regexp.MustCompile(`^\s*([^<>=]*?)\s*(>=|<=|>|<|=)\s*([0-9.eE+-]+)\s*$`)

func parseThreshold(text string, otherwise db.BadParameter) (Comparison, error) {
	parts := threshold.FindStringSubmatch(text)
	if parts == nil {
		return Comparison{}, otherwise
	}
	value, err := strconv.ParseFloat(parts[3], 64)
	if err != nil {
		return Comparison{}, otherwise
	}
	return Comparison{Name: parts[1], Operator: parts[2], Value: value}, nil
}

// ParseLabel reads a comparison such as "spam>0.5". It returns Malformed for
// another text and for an unknown label.
func ParseLabel(text string) (Comparison, error) {
	c, err := parseThreshold(text, db.BadParameter{Name: "label", Malformed: "label is a comparison such as spam>0.5."})
	if err == nil && !scoring.IsLabel(c.Name) {
		err = db.BadParameter{Name: "label", Malformed: db.Malformed("the name in label is one of " +
			strings.Join(scoring.LabelNames, ", ") + ".")}
	}
	return c, err
}

// ParseClassifier reads a comparison such as "detoxify.insult>0.5". It returns
// Malformed for another text.
func ParseClassifier(text string) (Comparison, error) {
	why := db.BadParameter{Name: "classifier", Malformed: "classifier is a comparison such as detoxify.insult>0.5."}
	c, err := parseThreshold(text, why)
	if err != nil {
		return c, err
	}
	// The name of a model may contain dots, the name of an output does not.
	dot := strings.LastIndexByte(c.Name, '.')
	if dot < 1 {
		return c, why
	}
	c.Model, c.Name = c.Name[:dot], c.Name[dot+1:]
	return c, nil
}

// MeanLabelSQL returns the mean of a label of message m, which is one of
// scoring.LabelNames; null without a vote.
func MeanLabelSQL(label string) string {
	return strings.ReplaceAll(`(SELECT (coalesce(max(l.NAME * l.NAME_count), 0) + coalesce(sum(v.NAME), 0))
			/ nullif(coalesce(max(l.NAME_count), 0) + count(v.NAME), 0)
			FROM (SELECT) x LEFT JOIN label_aggregates l ON l.tree_id = m.tree_id AND l.message_id = m.message_id
			LEFT JOIN label_votes v ON v.tree_id = m.tree_id AND v.message_id = m.message_id)
				`, "NAME", label)
}

// votesSuffix follows the name of a label where its votes are counted.
const votesSuffix = ".votes"

// labelSQL reads a comparison by the mean of a label, or by the number of its votes that
// the program has one by one, and returns what is compared.
func labelSQL(text string) (string, Comparison, error) {
	why := db.BadParameter{Name: "label", Malformed: "label is a comparison such as spam>0.5, or spam.votes>=2."}
	c, err := parseThreshold(text, why)
	if err != nil {
		return "", c, err
	}
	if label, ok := strings.CutSuffix(c.Name, votesSuffix); ok && scoring.IsLabel(label) {
		return "(SELECT count(v." + label + `) FROM label_votes v
			WHERE v.tree_id = m.tree_id AND v.message_id = m.message_id)`, c, nil
	}
	c, err = ParseLabel(text)
	if err != nil {
		return "", c, err
	}
	return MeanLabelSQL(c.Name), c, nil
}

// byAuthors adds the condition on how much the author wrote. The authors are collected
// once: coalesce keeps the planner from joining them, which it expects to be cheaper.
func (f Filter) byAuthors(q *db.Query) error {
	why := db.BadParameter{Name: "author_messages",
		Malformed: "author_messages is a comparison with a whole number, such as <=5."}
	c, err := parseThreshold(f.AuthorMessages, why)
	if err != nil || c.Name != "" || c.Value != math.Trunc(c.Value) || c.Value < 0 || c.Value > math.MaxInt32 {
		return why
	}
	wrote := "x.user_id IS NOT NULL"
	if f.Role == "prompter" || f.Role == "assistant" {
		wrote += " AND x.role = " + q.Arg(f.Role)
	}
	if f.Since != nil {
		wrote += " AND x.created_date >= " + q.Arg(*f.Since)
	}
	q.Where("coalesce(m.user_id IN (SELECT x.user_id FROM messages x WHERE "+wrote+
		" GROUP BY x.user_id HAVING count(*) "+c.Operator+" ?), false)", int64(c.Value))
	return nil
}

// OutputSQL returns a classifier's output for message m; null without one.
func (c Comparison) OutputSQL(q *db.Query) string {
	return `(SELECT o.scores[array_position(k.outputs, ` + q.Arg(c.Name) + `)]
			FROM classifier_outputs o JOIN classifier_models k USING (model_id)
			WHERE o.tree_id = m.tree_id AND o.message_id = m.message_id AND k.name = ` + q.Arg(c.Model) + `)`
}

// thresholds adds the conditions on labels and classifier outputs. The operator
// comes from the regular expression threshold, the column from
// scoring.LabelNames.
func (f Filter) thresholds(q *db.Query) error {
	if f.Label != "" {
		sql, c, err := labelSQL(f.Label)
		if err != nil {
			return err
		}
		q.Where(sql+c.Operator+" ?", c.Value)
	}
	if f.AuthorMessages != "" {
		if err := f.byAuthors(q); err != nil {
			return err
		}
	}
	if f.Toxicity != "" {
		why := db.BadParameter{Name: "toxicity", Malformed: "toxicity is a comparison such as >0.5."}
		c, err := parseThreshold(f.Toxicity, why)
		if err != nil || c.Name != "" {
			return why
		}
		q.Where(counters.ToxicitySQL("m")+" "+c.Operator+" ?", c.Value)
	}
	if f.Classifier != "" {
		c, err := ParseClassifier(f.Classifier)
		if err != nil {
			return err
		}
		q.Where(c.OutputSQL(q)+" "+c.Operator+" ?", c.Value)
	}
	return nil
}
