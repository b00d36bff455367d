package store_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"treewarden/store"
	"treewarden/store/storetest"
)

// benchKinds are the mixes of lines that BenchmarkIngest sends, in percent of each
// kind.
var benchKinds = []struct {
	name   string
	shares map[string]int
}{
	{"label", map[string]int{"label": 100}},
	{"mixed", map[string]int{"label": 50, "reaction": 30, "message": 20}},
}

// BenchmarkIngest ingests requests of one line and of 500 lines. For comparison it
// writes the same rows with one plain INSERT for each table, in one transaction,
// into tables with the same indexes and keys. The metric ingest/plain is the speed
// of the ingest divided by the speed of these INSERTs. For ingest/single, each
// INSERT has one row and its own transaction. The server of the tests does not wait
// for the disk: set TREEWARDEN_TEST_DATABASE_URL to a server that does.
func BenchmarkIngest(b *testing.B) {
	n := 20_000
	if s := os.Getenv("TREEWARDEN_BENCH_MESSAGES"); s != "" {
		var err error
		if n, err = strconv.Atoi(s); err != nil {
			b.Fatalf("TREEWARDEN_BENCH_MESSAGES: %v", err)
		}
	}
	s := storetest.New(b)
	benchImport(b, s, benchCorpus(n), int64(n), 0)
	w := newBenchStream(b, s)
	for _, kinds := range benchKinds {
		for _, size := range []int{1, 500} {
			b.Run(fmt.Sprintf("%s/%d", kinds.name, size), func(b *testing.B) { w.compare(b, size, kinds.shares) })
		}
	}
	verify(b, s)
}

// benchStream makes lines about the users and messages of a database, and the rows
// of these lines.
type benchStream struct {
	s        *store.Store
	pool     *pgxpool.Pool
	random   *rand.Rand
	users    []uuid.UUID
	messages [][2]uuid.UUID  // tree and message
	sent     map[string]bool // the ratings so far: each user rates a message once
}

// benchPlain are the foreign keys of the tables that plain INSERTs fill.
var benchPlain = map[string]string{
	"label_votes":   "FOREIGN KEY (tree_id, message_id) REFERENCES messages, FOREIGN KEY (user_id) REFERENCES users",
	"reactions":     "FOREIGN KEY (tree_id, message_id) REFERENCES messages, FOREIGN KEY (user_id) REFERENCES users",
	"messages":      "FOREIGN KEY (tree_id) REFERENCES trees, FOREIGN KEY (user_id) REFERENCES users",
	"message_trees": "",
}

func newBenchStream(b *testing.B, s *store.Store) *benchStream {
	w := &benchStream{s: s, pool: storetest.DB(b, s), random: rand.New(rand.NewPCG(3, 4)), sent: map[string]bool{}}
	for table, keys := range benchPlain {
		storetest.Exec(b, s, fmt.Sprintf("CREATE TABLE plain_%[1]s (LIKE %[1]s INCLUDING ALL)", table))
		for key := range strings.SplitSeq(keys, ", F") {
			if key != "" {
				storetest.Exec(b, s, fmt.Sprintf("ALTER TABLE plain_%s ADD F%s", table, strings.TrimPrefix(key, "F")))
			}
		}
	}
	storetest.Exec(b, s, "ANALYZE")
	rows, err := w.pool.Query(ctx, "SELECT user_id FROM users ORDER BY user_id")
	if err != nil {
		b.Fatal(err)
	}
	if w.users, err = pgx.CollectRows(rows, pgx.RowTo[uuid.UUID]); err != nil {
		b.Fatal(err)
	}
	if rows, err = w.pool.Query(ctx, "SELECT tree_id, message_id FROM message_trees ORDER BY message_id"); err != nil {
		b.Fatal(err)
	}
	w.messages, err = pgx.CollectRows(rows, func(row pgx.CollectableRow) (m [2]uuid.UUID, err error) {
		return m, row.Scan(&m[0], &m[1])
	})
	if err != nil {
		b.Fatal(err)
	}
	return w
}

// lines makes a request of size lines, and their rows by table.
func (w *benchStream) lines(size int, shares map[string]int) (text []byte, rows map[string][][]any) {
	rows = map[string][][]any{}
	left := size
	for _, kind := range []string{"message", "reaction", "label"} {
		n := (size*shares[kind] + 99) / 100
		for n = min(n, left); n > 0; n, left = n-1, left-1 {
			text = append(append(text, w.line(kind, rows)...), '\n')
		}
	}
	return text, rows
}

func (w *benchStream) line(kind string, rows map[string][][]any) string {
	for {
		m, user, at := w.messages[w.random.IntN(len(w.messages))], w.users[w.random.IntN(len(w.users))],
			time.Now().UTC().Truncate(time.Microsecond)
		if key := fmt.Sprint(kind, m, user); kind != "message" && w.sent[key] {
			continue
		} else {
			w.sent[key] = true
		}
		switch kind {
		case "label":
			labels := map[string]float64{"spam": float64(w.random.IntN(2)), "quality": w.random.Float64(),
				"toxicity": w.random.Float64(), "humor": 0.25, "lang_mismatch": 0}
			rows["label_votes"] = append(rows["label_votes"],
				[]any{m[0], m[1], user, at, labels["spam"], labels["quality"], labels["toxicity"], 0.25, 0.0})
			return event("label", "message_id", m[1], "user_id", user, "labels", labels, "at", at)
		case "reaction":
			emoji := []string{"+1", "-1", "red_flag", "rofl"}[w.random.IntN(4)]
			rows["reactions"] = append(rows["reactions"], []any{m[0], m[1], user, emoji, at})
			return event("reaction", "message_id", m[1], "user_id", user, "emoji", emoji, "op", "add", "at", at)
		default:
			id, text := uuid.New(), strings.Repeat("as people write ", 30)
			rows["messages"] = append(rows["messages"], []any{m[0], id, m[1], user, at, "prompter", "en", text, 1})
			rows["message_trees"] = append(rows["message_trees"], []any{m[0], id})
			return event("message", "message_id", id, "parent_id", m[1], "user_id", user, "role", "prompter", "text", text,
				"lang", "en", "created_date", at)
		}
	}
}

var benchPlainColumns = map[string]string{
	"label_votes":   "tree_id, message_id, user_id, at, spam, quality, toxicity, humor, lang_mismatch",
	"reactions":     "tree_id, message_id, user_id, emoji, at",
	"messages":      "tree_id, message_id, parent_id, user_id, created_date, role, lang, text, depth",
	"message_trees": "tree_id, message_id",
}

// plain writes rows, one INSERT for each table, in one round trip.
func (w *benchStream) plain(b *testing.B, rows map[string][][]any) {
	batch := &pgx.Batch{}
	for table, columns := range benchPlainColumns {
		var args []any
		var values []string
		for _, row := range rows[table] {
			places := make([]string, len(row))
			for i, value := range row {
				args = append(args, value)
				places[i] = fmt.Sprintf("$%d", len(args))
			}
			values = append(values, "("+strings.Join(places, ", ")+")")
		}
		if len(values) > 0 {
			batch.Queue("INSERT INTO plain_"+table+" ("+columns+") VALUES "+strings.Join(values, ", "), args...)
		}
	}
	if err := w.pool.SendBatch(context.Background(), batch).Close(); err != nil {
		b.Fatal(err)
	}
}

func (w *benchStream) compare(b *testing.B, size int, shares map[string]int) {
	var ingesting, inserting, singly time.Duration
	runs := 0
	measure := func(into *time.Duration, do func()) {
		began := time.Now()
		do()
		*into += time.Since(began)
	}
	for b.Loop() {
		one := shares
		if size == 1 { // alternate between the kinds
			kind := []string{"label", "reaction", "message"}[runs/2%len(shares)]
			one = map[string]int{kind: 100}
		}
		text, rows := w.lines(size, one)
		ingest := func() {
			if done, err := w.s.Ingest(ctx, store.CommandLine, text); err != nil || done.Accepted != size {
				b.Fatalf("%+v, %v", done, err)
			}
		}
		// The second writer gains from pages that the first one has read, so they
		// alternate.
		if runs%2 == 0 {
			measure(&ingesting, ingest)
		}
		measure(&inserting, func() { w.plain(b, rows) })
		if runs%2 == 1 {
			measure(&ingesting, ingest)
		}
		_, row := w.lines(1, map[string]int{"label": 100})
		measure(&singly, func() { w.plain(b, row) })
		runs++
	}
	each := func(d time.Duration, n int) float64 { return float64(d.Microseconds()) / 1e3 / float64(n) }
	line, plain, single := each(ingesting, runs*size), each(inserting, runs*size), each(singly, runs)
	b.ReportMetric(line, "ingest-ms/line")
	b.ReportMetric(plain, "plain-ms/line")
	b.ReportMetric(single, "single-ms/line")
	b.ReportMetric(plain/line, "ingest/plain")
	b.ReportMetric(single/line, "ingest/single")
	b.ReportMetric(0, "ns/op")
}
