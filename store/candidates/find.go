package candidates

import (
	"cmp"
	"context"
	"crypto/md5"
	"encoding/json"
	"fmt"
	"runtime"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"treewarden/scoring/rule"
	"treewarden/store/db"
	"treewarden/store/messages"
	"treewarden/store/similar"
)

// Hits are the messages that a rule finds, the newest first.
type Hits struct {
	LookedAt int64 // the messages that were read
	// More reports that the rule finds more messages than were asked for.
	More bool
	hits []hit
}

// hit is a message that matches, with what matched.
type hit struct {
	message  uuid.UUID
	at       time.Time
	textMD5  [md5.Size]byte
	evidence []Match
}

// Search limits what a search reads and finds.
type Search struct {
	// Newest is the number of messages that are read, the newest first; 0 is all.
	Newest int
	// Most is the number of messages that are found at the most.
	Most int
	// Progress, if set, is called with the number of messages that were read.
	Progress func(done int64)
}

// message is what a search reads of a message.
type message struct {
	id         uuid.UUID
	at         time.Time
	text, lang string
	label      *float64
	output     *float64
}

// Find returns the messages that match a rule and are neither deleted nor on a
// list nor among its candidates. A candidate whose text was edited since and that
// was not accepted is found again. It returns Invalid for a rule that is wrong.
func Find(ctx context.Context, c *pgxpool.Pool, list uuid.UUID, r Rule, s Search) (Hits, error) {
	run, err := r.known(ctx, c)
	if err != nil {
		return Hits{}, err
	}
	if r.NearDuplicates > 0 {
		run.duplicates = map[uuid.UUID]similar.Duplicate{}
		if err := similar.Duplicates(ctx, c, r.NearDuplicates, r.Lang, nil, func(d similar.Duplicate) error {
			run.duplicates[d.MessageID] = d
			return nil
		}); err != nil {
			return Hits{}, db.Translate(err)
		}
	}
	sql, args, err := run.query(list, s.Newest)
	if err != nil {
		return Hits{}, err
	}
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	rows, err := c.Query(ctx, sql, args...)
	if err != nil {
		return Hits{}, db.Translate(err)
	}
	defer rows.Close()

	var found Hits
	var lock sync.Mutex
	batches := make(chan []message, 4)
	var workers sync.WaitGroup
	for range runtime.GOMAXPROCS(0) {
		workers.Go(func() {
			for batch := range batches {
				hits := run.matchAll(batch)
				lock.Lock()
				found.hits = append(found.hits, hits...)
				found.More = len(found.hits) > s.Most
				lock.Unlock()
			}
		})
	}
	enough := func() bool {
		lock.Lock()
		defer lock.Unlock()
		return found.More
	}
	found.LookedAt, err = readBatches(rows, batches, enough, s.Progress)
	close(batches)
	workers.Wait()
	if err != nil {
		return Hits{}, db.Translate(err)
	}
	slices.SortFunc(found.hits, func(a, b hit) int {
		return cmp.Or(b.at.Compare(a.at), slices.Compare(a.message[:], b.message[:]))
	})
	found.hits = found.hits[:min(len(found.hits), s.Most)]
	return found, nil
}

// batchSize is the number of messages that a worker takes at once.
const batchSize = 500

// readBatches sends the messages of a query to workers, until there are enough
// hits. It returns the number of messages.
func readBatches(
	rows pgx.Rows, batches chan<- []message, enough func() bool, progress func(int64),
) (read int64, err error) {
	batch := make([]message, 0, batchSize)
	for rows.Next() {
		var m message
		if err := rows.Scan(&m.id, &m.at, &m.text, &m.lang, &m.label, &m.output); err != nil {
			return read, err
		}
		batch = append(batch, m)
		read++
		if len(batch) < batchSize {
			continue
		}
		batches <- batch
		batch = make([]message, 0, batchSize)
		if progress != nil {
			progress(read)
		}
		if enough() {
			rows.Close()
			return read, nil
		}
	}
	batches <- batch
	return read, rows.Err()
}

// query is the statement that reads the messages among which the rule's own parts
// are looked for. The parts on labels, classifiers and the language narrow it.
func (r *ready) query(list uuid.UUID, newest int) (string, []any, error) {
	const none = "NULL::float8"
	label, output := none, none
	q := db.Query{From: messages.Tables}
	if err := (messages.Filter{Label: r.Label, Classifier: r.Classifier}).Narrow(&q); err != nil {
		return "", nil, err
	}
	if r.label != nil {
		label = messages.MeanLabelSQL(r.label.Name)
	}
	if r.classifier != nil {
		output = r.classifier.OutputSQL(&q)
	}
	if r.duplicates != nil {
		var trees, ids []uuid.UUID
		for _, d := range r.duplicates {
			trees, ids = append(trees, d.TreeID), append(ids, d.MessageID)
		}
		q.Where("(m.tree_id, m.message_id) IN (SELECT * FROM unnest(?::uuid[], ?::uuid[]))",
			db.IDArray(trees), db.IDArray(ids))
	}
	if r.Lang != "" {
		q.Where("m.lang ILIKE ?", db.EscapeLike(r.Lang)+"%")
	}
	q.Where("NOT EXISTS (SELECT FROM list_items i WHERE i.list_id = ? AND i.message_id = m.message_id)", list)
	q.Where(`NOT EXISTS (SELECT FROM list_candidates c WHERE c.list_id = ? AND c.message_id = m.message_id
		AND (c.verdict = 'accept' OR c.text_md5 = md5(m.text)::uuid))`, list)
	q.Columns = "m.message_id, coalesce(nullif(m.created_date, '-infinity'), 'epoch'), m.text, coalesce(m.lang, ''), " +
		label + ", " + output
	sql, args := q.SQL()
	if newest > 0 {
		sql += fmt.Sprintf(" ORDER BY m.created_date DESC, m.message_id DESC LIMIT %d", newest)
	}
	return sql, args, nil
}

func (r *ready) matchAll(batch []message) (hits []hit) {
	for _, m := range batch {
		if evidence := r.match(m); evidence != nil {
			hits = append(hits, hit{m.id, m.at, md5.Sum([]byte(m.text)), evidence})
		}
	}
	return hits
}

// match returns what matched in a message that the query found; nil if a part of
// the rule does not hold.
func (r *ready) match(m message) []Match {
	var found []Match
	if r.matcher != nil {
		if found = r.matcher.Match(m.text, m.lang); found == nil {
			return nil
		}
	} else if !rule.Covers(r.Lang, m.lang) {
		return nil
	}
	if r.label != nil && m.label != nil {
		found = append(found, Match{Part: Label, What: fmt.Sprintf("%s %.2f", r.label.Name, *m.label)})
	}
	if r.classifier != nil && m.output != nil {
		found = append(found, Match{Part: Classifier,
			What: fmt.Sprintf("%s.%s %.2f", r.classifier.Model, r.classifier.Name, *m.output)})
	}
	if d, ok := r.duplicates[m.id]; ok {
		found = append(found, Match{Part: NearDuplicates, What: fmt.Sprintf("similarity %.2f", d.Likeness),
			OtherID: &d.OtherID, Likeness: d.Likeness})
	}
	return found
}

// Add adds what a rule found to the candidates of a list, and logs the rule. It
// returns the number of candidates that are new. The caller has locked the list.
func Add(ctx context.Context, c db.Conn, list uuid.UUID, action int64, r Rule, hits Hits) (int64, error) {
	ids, hashes := make([]uuid.UUID, len(hits.hits)), make([]uuid.UUID, len(hits.hits))
	evidence := make([]string, len(hits.hits))
	for i, h := range hits.hits {
		// PostgreSQL's jsonb cannot hold the NUL that no stored text has either.
		text, err := json.Marshal(h.evidence)
		if err != nil {
			return 0, fmt.Errorf("write down what matched: %w", err)
		}
		ids[i], hashes[i], evidence[i] = h.message, h.textMD5, string(text)
	}
	// Ids rise from the last to the first, so that the newest message comes first.
	tag, err := c.Exec(ctx, `INSERT INTO list_candidates AS c (list_id, message_id, rule_action, evidence, text_md5)
		SELECT $1, g.message_id, $2, g.evidence::jsonb, g.text_md5
		FROM unnest($3::uuid[], $4::text[], $5::uuid[]) WITH ORDINALITY AS g(message_id, evidence, text_md5, place)
		WHERE NOT EXISTS (SELECT FROM list_items i WHERE i.list_id = $1 AND i.message_id = g.message_id)
		ORDER BY g.place DESC
		ON CONFLICT (list_id, message_id) DO UPDATE SET candidate_id = excluded.candidate_id,
			rule_action = excluded.rule_action, evidence = excluded.evidence, text_md5 = excluded.text_md5,
			verdict = NULL, decided_by = NULL, decided_at = NULL, decided_action = NULL
		WHERE c.verdict IS DISTINCT FROM 'accept' AND c.text_md5 <> excluded.text_md5`,
		list, action, db.IDArray(ids), evidence, db.IDArray(hashes))
	if err != nil {
		return 0, err
	}
	_, err = c.Exec(ctx, `INSERT INTO action_objects (action_id, object_type, object_id, aspect, after)
		VALUES ($1, 'list', $2, 'candidates', jsonb_build_object('found', $3::bigint, 'looked_at', $4::bigint,
			'more', $5::boolean, 'rule', $6::jsonb))`, action, list, tag.RowsAffected(), hits.LookedAt, hits.More, r)
	return tag.RowsAffected(), err
}

// Readable counts the messages that a search for a rule would read, up to a
// number.
func (r Rule) Readable(ctx context.Context, c db.Conn, most int) (n int64, err error) {
	q := db.Query{Columns: "1", From: "messages m"}
	q.Where("NOT m.deleted")
	if lang := strings.TrimSpace(r.Lang); lang != "" {
		q.Where("m.lang ILIKE ?", db.EscapeLike(lang)+"%")
	}
	sql, args := q.SQL()
	if most > 0 {
		sql += fmt.Sprintf(" LIMIT %d", most)
	}
	err = c.QueryRow(ctx, "SELECT count(*) FROM ("+sql+") r", args...).Scan(&n)
	return n, db.Translate(err)
}

// ReadsMore reports whether a search for a rule would read more messages than a
// number.
func (r Rule) ReadsMore(ctx context.Context, c db.Conn, than int) (bool, error) {
	n, err := r.Readable(ctx, c, than+1)
	return n > int64(than), err
}

// CheckPreview returns an Invalid for a rule whose preview would take minutes: near-
// duplicates are looked for among all messages, not among the newest.
func (r Rule) CheckPreview(ctx context.Context, c db.Conn, newest int) error {
	if r.NearDuplicates == 0 {
		return nil
	}
	long, err := r.ReadsMore(ctx, c, newest)
	if err == nil && long {
		err = db.Invalid{NearDuplicates: "Near-duplicates are previewed among at most 200,000 messages, and here " +
			"are more. Run the rule: one undo takes back all that it finds."}
	}
	return err
}
