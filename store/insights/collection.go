package insights

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"treewarden/scoring"
	"treewarden/store/db"
	"treewarden/store/tables"
)

// What is counted of the collection: the values of the parameter of.
const (
	OfMessages = "messages"
	OfTrees    = "trees"
	OfUsers    = "users"
)

// The groups of the collection, beside ByLang and ByReview.
const (
	ByState = "state"
	ByMonth = "month"
)

// byAll is the one group of everything.
const byAll = "all"

// UnknownMonth is the group of what has no date, or one that is no month of the years 1
// to 9999.
const UnknownMonth = "unknown"

// Units are what is counted, and CollectionGroups by what.
var (
	Units            = []string{OfMessages, OfTrees, OfUsers}
	CollectionGroups = []string{ByLang, ByState, ByReview, ByMonth}
)

// Collection says how many messages, trees or users there are by group.
type Collection struct {
	Head
	Of    string         `json:"of" enum:"messages,trees,users"`
	By    string         `json:"by" enum:"lang,state,review,month"`
	Frame scoring.Window `json:"frame" enum:"day,week,month,total"`
	Lang  string         `json:"lang" description:"only of this language; empty for all"`
	N     int64          `json:"n" description:"in all groups; a user may be in several, and counts once here"`
	// Deleted is nil for users.
	Deleted *int64            `json:"deleted" description:"of n: deleted, or trees whose prompt is; null for users"`
	Groups  []CollectionGroup `json:"groups"`
	// Languages are those to limit the figures to.
	Languages []string `json:"-"`
}

// CollectionGroup is a group of messages, trees or users.
type CollectionGroup struct {
	Key     string  `json:"key" description:"a language, a tree state, a review or a month such as 2026-01"`
	N       int64   `json:"n"`
	Deleted *int64  `json:"deleted"`
	Share   float64 `json:"share" description:"n of the n of all groups"`
}

const (
	collectionSQL = `SELECT key, n, deleted
		FROM insight_collection
		WHERE of = $1 AND by = $2 AND lang = $3 AND frame = $4
		ORDER BY key`
	collectionLanguages = `SELECT DISTINCT key FROM insight_collection WHERE by = 'lang' AND lang = '' ORDER BY key`
)

// Collection returns how many messages, trees or users there are by group, in a time
// frame before the count, and of one language if it is not empty. Without of and by it
// counts messages by language.
func (a Access) Collection(ctx context.Context, of, by, frame, lang string) (Collection, error) {
	of, by = cmp.Or(of, OfMessages), cmp.Or(by, ByLang)
	c := Collection{Of: of, By: by, Lang: lang, Groups: []CollectionGroup{}}
	if err := db.OneOf("of", of, Units...); err != nil {
		return c, err
	}
	if err := db.OneOf("by", by, CollectionGroups...); err != nil {
		return c, err
	}
	window, err := scoring.WindowNamed(frame)
	if err != nil {
		return c, db.BadParameter{Name: "frame", Malformed: db.Malformed(err.Error() + ".")}
	}
	c.Frame = window
	err = a.inSnapshot(ctx, func(tx pgx.Tx, s State) error {
		c.Head = s.current()
		if window != scoring.Total {
			c.Head = s.head()
		}
		c.Queries["groups"] = shown(collectionSQL, of, by, lang, string(window))
		c.Queries["all"] = shown(collectionSQL, of, byAll, lang, string(window))
		return c.read(ctx, tx)
	})
	return c, err
}

// read reads the groups.
func (c *Collection) read(ctx context.Context, tx pgx.Tx) error {
	type row struct {
		Key        string
		N, Deleted int64
	}
	deleted := func(n int64) *int64 {
		if c.Of == OfUsers {
			return nil
		}
		return &n
	}
	all, err := db.Collect[row](ctx, tx, collectionSQL, c.Of, byAll, c.Lang, string(c.Frame))
	if err != nil {
		return fmt.Errorf("read the size of the collection: %w", err)
	}
	c.Deleted = deleted(0)
	for _, r := range all {
		c.N, c.Deleted = r.N, deleted(r.Deleted)
	}
	groups, err := db.Collect[row](ctx, tx, collectionSQL, c.Of, c.By, c.Lang, string(c.Frame))
	if err != nil {
		return fmt.Errorf("read the groups of the collection: %w", err)
	}
	for _, r := range groups {
		c.Groups = append(c.Groups, CollectionGroup{r.Key, r.N, deleted(r.Deleted), float64(r.N) / float64(c.N)})
	}
	slices.SortStableFunc(c.Groups, c.compare)
	rows, err := tx.Query(ctx, collectionLanguages)
	if err != nil {
		return fmt.Errorf("read the languages of the collection: %w", err)
	}
	c.Languages, err = pgx.CollectRows(rows, pgx.RowTo[string])
	return err
}

// compare orders languages by their size, states as in a tree's life and months by time,
// what has none first.
func (c *Collection) compare(a, b CollectionGroup) int {
	switch c.By {
	case ByLang:
		return cmp.Or(cmp.Compare(b.N, a.N), strings.Compare(a.Key, b.Key))
	case ByState:
		return cmp.Or(cmp.Compare(slices.Index(tables.TreeStates, a.Key), slices.Index(tables.TreeStates, b.Key)),
			strings.Compare(a.Key, b.Key))
	case ByMonth:
		if (a.Key == UnknownMonth) != (b.Key == UnknownMonth) {
			return cmp.Compare(b.Key, a.Key) // letters come after digits
		}
	}
	return strings.Compare(a.Key, b.Key)
}

// collectionKey names a group in a language, or in all, and in a time frame.
type collectionKey struct {
	Of, By, Key, Lang string
	Frame             scoring.Window
}

// collectionCount is the size of a group.
type collectionCount struct{ N, Deleted int64 }

// monthSQL is the month of a date, or UnknownMonth.
func monthSQL(date string) string {
	return fmt.Sprintf(`CASE WHEN %[1]s >= '0001-01-01 00:00+00' AND %[1]s < '10000-01-01 00:00+00'
		THEN to_char(%[1]s AT TIME ZONE 'UTC', 'YYYY-MM') ELSE '%[2]s' END`, date, UnknownMonth)
}

const (
	messageReviewSQL = "CASE WHEN m.review_result THEN '" + Accepted + "' WHEN NOT m.review_result THEN '" + Rejected +
		"' ELSE '" + Pending + "' END"
	// promptsSQL has the prompt of each tree that has one.
	promptsSQL = `(SELECT DISTINCT ON (tree_id) tree_id, review_result, deleted
		FROM messages WHERE parent_id IS NULL%s ORDER BY tree_id, message_id) m`
)

// perFrame returns a column for each time frame; $1 to $3 are the starts of all but the
// whole.
func perFrame(column, filtered string) string {
	columns, start := make([]string, len(scoring.Windows)), 0
	for i, frame := range scoring.Windows {
		columns[i] = column
		if frame != scoring.Total {
			start++
			columns[i] = fmt.Sprintf(filtered, start)
		}
	}
	return strings.Join(columns, ", ")
}

// Each row of these has a user and a role (or none), a language, a state, a review and a
// month, then the numbers by time frame, then those of them that are deleted. They are of
// the trees after $4 up to $5.
var (
	collectionMessages = `SELECT m.user_id, m.role, ` + LangSQL + `, t.state, ` + messageReviewSQL + `, ` +
		monthSQL("m.created_date") + `, ` +
		perFrame("count(*)", "count(*) FILTER (WHERE m.created_date >= $%d)") + `, ` +
		perFrame("count(*) FILTER (WHERE m.deleted)", "count(*) FILTER (WHERE m.deleted AND m.created_date >= $%d)") + `
	FROM messages m JOIN trees t USING (tree_id)
	WHERE m.tree_id > $4 AND m.tree_id <= $5 AND t.tree_id > $4 AND t.tree_id <= $5 GROUP BY 1, 2, 3, 4, 5, 6`
	collectionTrees = `SELECT NULL::uuid, NULL, ` + langOf("t.lang") + `, t.state, ` + messageReviewSQL + `, ` +
		monthSQL("t.created_date") + `, ` +
		perFrame("count(*)", "count(*) FILTER (WHERE t.created_date >= $%d)") + `, ` +
		perFrame("count(*) FILTER (WHERE m.deleted)", "count(*) FILTER (WHERE m.deleted AND t.created_date >= $%d)") + `
	FROM trees t LEFT JOIN ` + fmt.Sprintf(promptsSQL, " AND tree_id > $4 AND tree_id <= $5") + ` USING (tree_id)
	WHERE t.tree_id > $4 AND t.tree_id <= $5 GROUP BY 1, 2, 3, 4, 5, 6`
)

// userGroups returns the statement that stores the groups of users, of all or of those that
// fulfil a condition. $1 to $3 are the starts of all time frames but the whole.
func userGroups(condition string) string {
	frames, start := make([]string, len(scoring.Windows)), 0
	for i, frame := range scoring.Windows {
		frames[i] = strconv.Itoa(1 << i)
		if frame != scoring.Total {
			start++
			frames[i] += fmt.Sprintf(" * bool_or(m.created_date >= $%d)::int", start)
		}
	}
	return `INSERT INTO insight_user_groups (user_id, lang, state, review, month, frames)
		SELECT m.user_id, ` + LangSQL + `, t.state, ` + messageReviewSQL + `, ` + monthSQL("m.created_date") + `, ` +
		strings.Join(frames, " + ") + `
		FROM messages m JOIN trees t USING (tree_id) WHERE m.user_id IS NOT NULL` + condition + ` GROUP BY 1, 2, 3, 4, 5`
}

// groupsOfUsers reads the groups of users that fulfil a condition, like collectionMessages,
// with those of each user one after the other.
func groupsOfUsers(condition string) string {
	frames := make([]string, len(scoring.Windows))
	for i := range frames {
		frames[i] = fmt.Sprintf("(frames >> %d & 1)::bigint", i)
	}
	return "SELECT user_id, NULL, lang, state, review, month, " + strings.Join(frames, ", ") +
		strings.Repeat(", 0::bigint", len(frames)) + " FROM insight_user_groups" + condition + " ORDER BY user_id"
}

// langOf is the language by which a column is counted.
func langOf(column string) string { return strings.ReplaceAll(LangSQL, "m.lang", column) }

// countCollection adds the messages and trees of the collection, and who wrote them.
func (p *part) countCollection(ctx context.Context, tx pgx.Tx, after, last uuid.UUID, starts []any) error {
	args := append(slices.Clone(starts), after, last)
	if err := db.EachRaw(ctx, tx, collectionMessages, func(raw [][]byte) {
		eachGroup(OfMessages, raw, p.group)
		if raw[0] == nil {
			return
		}
		var n perWindow
		for i := range n {
			n[i] = db.ReadInt8(raw[6+i])
		}
		p.wrote(writerKey{uuid.UUID(raw[0]), int8(slices.Index(Roles, string(raw[1])))}, n, 1)
	}, args...); err != nil {
		return fmt.Errorf("count the messages: %w", err)
	}
	if err := db.EachRaw(ctx, tx, collectionTrees, func(raw [][]byte) {
		eachGroup(OfTrees, raw, p.group)
		p.Trees += int(db.ReadInt8(raw[6+slices.Index(scoring.Windows, scoring.Total)]))
	}, args...); err != nil {
		return fmt.Errorf("count the trees: %w", err)
	}
	return nil
}

// wrote adds messages of a user, or takes them away if the sign is -1.
func (p *part) wrote(key writerKey, more perWindow, sign int64) {
	n := p.Writers[key]
	for i := range n {
		n[i] += sign * more[i]
	}
	p.Writers[key] = n
}

// group adds to a group.
func (p *part) group(key collectionKey, more collectionCount) {
	n := p.Collection[key]
	p.Collection[key] = collectionCount{n.N + more.N, n.Deleted + more.Deleted}
}

// countUsers adds the users of the collection who fulfil a condition, or takes them away if
// the sign is -1. A user who wrote in two trees counts once.
func (p *part) countUsers(ctx context.Context, tx pgx.Tx, sign int64, condition string, args ...any) error {
	var user uuid.UUID
	of := map[collectionKey]bool{} // the groups of one user
	flush := func() {
		for key := range of {
			p.group(key, collectionCount{N: sign})
		}
		clear(of)
	}
	err := db.EachRaw(ctx, tx, groupsOfUsers(condition), func(raw [][]byte) {
		if next := uuid.UUID(raw[0]); next != user {
			flush()
			user = next
		}
		eachGroup(OfUsers, raw, func(key collectionKey, _ collectionCount) { of[key] = true })
	}, args...)
	if err != nil {
		return fmt.Errorf("count the users: %w", err)
	}
	flush()
	return nil
}

// eachGroup calls do with each group that a row belongs to.
func eachGroup(of string, raw [][]byte, do func(collectionKey, collectionCount)) {
	lang := string(raw[2])
	for i, frame := range scoring.Windows {
		n := collectionCount{db.ReadInt8(raw[6+i]), db.ReadInt8(raw[6+len(scoring.Windows)+i])}
		if n.N == 0 {
			continue
		}
		for _, within := range []string{"", lang} {
			do(collectionKey{of, byAll, "", within, frame}, n)
			for j, by := range CollectionGroups {
				do(collectionKey{of, by, string(raw[2+j]), within, frame}, n)
			}
		}
	}
}

// collectionTable returns what was counted.
func collectionTable(counted map[collectionKey]collectionCount) table {
	t := table{name: "insight_collection", keys: []string{"of", "by", "key", "lang", "frame"},
		values: []string{"n", "deleted"}}
	for k, n := range counted {
		t.rows = append(t.rows, []any{k.Of, k.By, k.Key, k.Lang, string(k.Frame), n.N, n.Deleted})
	}
	return t
}

// collectionAgain counts the same by SQL alone: rows of each message and tree by what they
// are grouped by, then a row for each group and language that these belong to. frames are
// the time frames with their starts.
func collectionAgain(frames string) string {
	// base has the columns by which rows are grouped, and the time frames.
	base := func(lang, date string) string {
		return langOf(lang) + " AS lang, t.state, " + messageReviewSQL + " AS review, " + monthSQL(date) +
			" AS month, f.frame"
	}
	within := func(date string) string {
		return "JOIN (VALUES " + frames + ") f(frame, since) ON " + date + " >= f.since"
	}
	const groups = `CROSS JOIN LATERAL (VALUES ('all', ''), ('lang', b.lang), ('state', b.state), ('review', b.review),
			('month', b.month)) g(by, key) CROSS JOIN LATERAL (VALUES (''), (b.lang)) l(lang)`
	const sums = "count(*) AS n, count(*) FILTER (WHERE m.deleted) AS deleted"
	ofMessages := "FROM messages m JOIN trees t USING (tree_id) " + within("m.created_date")
	messages := base("m.lang", "m.created_date")
	return `SELECT b.of, g.by, g.key, l.lang, b.frame, sum(b.n)::bigint AS n, sum(b.deleted)::bigint AS deleted FROM (
			SELECT '` + OfMessages + `' AS of, ` + messages + ", " + sums + " " + ofMessages + ` GROUP BY 1, 2, 3, 4, 5, 6
			UNION ALL SELECT '` + OfTrees + `', ` + base("t.lang", "t.created_date") + ", " + sums + `
			FROM trees t LEFT JOIN ` + fmt.Sprintf(promptsSQL, "") + " USING (tree_id) " + within("t.created_date") + `
			GROUP BY 1, 2, 3, 4, 5, 6) b ` + groups + ` GROUP BY 1, 2, 3, 4, 5
		UNION ALL SELECT '` + OfUsers + `', by, key, lang, frame, count(*), 0 FROM (
			SELECT DISTINCT b.user_id, g.by, g.key, l.lang, b.frame FROM (
				SELECT DISTINCT m.user_id, ` + messages + " " + ofMessages + ` WHERE m.user_id IS NOT NULL) b
			` + groups + `) u GROUP BY 2, 3, 4, 5`
}
