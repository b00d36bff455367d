package store_test

import (
	"bytes"
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"strconv"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5/pgxpool"

	"treewarden/corpus"
	"treewarden/store"
	"treewarden/store/storetest"
)

// benchMessages is the number of messages that the benchmark loads, unless
// TREEWARDEN_BENCH_MESSAGES sets another.
const benchMessages = 50_000

// benchCopied are the tables and columns that an import fills, in the order that
// foreign keys require. No columns means all.
var benchCopied = []struct{ table, columns string }{
	{"users", "user_id, display_name, auth_method, username, created_date, last_activity_date"},
	{"trees", `tree_id, state, active, goal_tree_size, max_depth, max_children_count, origin, lang, created_date,
		user_id`},
	{"messages", `tree_id, message_id, parent_id, user_id, created_date, role, lang, text, depth, review_count,
		review_result, rank, synthetic, model_name, edited, deleted, deleted_root, events`},
	{"message_trees", "message_id, tree_id"},
	{"emoji_aggregates", "tree_id, message_id, upvotes, downvotes, red_flags, other"},
	{"label_aggregates", ""},
	{"classifier_models", ""},
	{"classifier_outputs", "tree_id, message_id, model_id, toxicity, scores"},
	{"user_signals", ""},
	{"user_languages", ""},
}

// BenchmarkImport loads the same messages into empty databases in two ways: by an
// import of JSON Lines in memory, and by COPY of rows in memory in PostgreSQL's
// binary format. The metric import/copy is the import's speed divided by the
// speed of COPY.
func BenchmarkImport(b *testing.B) {
	n := benchMessages
	if s := os.Getenv("TREEWARDEN_BENCH_MESSAGES"); s != "" {
		var err error
		if n, err = strconv.Atoi(s); err != nil {
			b.Fatalf("TREEWARDEN_BENCH_MESSAGES: %v", err)
		}
	}
	text := benchCorpus(n)
	var importing, again, copying time.Duration
	runs := 0
	for b.Loop() {
		s := storetest.New(b)
		importing += benchImport(b, s, text, int64(n), 0)
		rows := benchRows(b, storetest.DB(b, s))
		again += benchImport(b, s, text, 0, int64(n))
		copying += benchCopy(b, storetest.DB(b, storetest.New(b)), rows)
		runs++
	}
	speed := func(d time.Duration) float64 { return float64(n*runs) / d.Seconds() }
	b.ReportMetric(speed(importing), "import-messages/s")
	b.ReportMetric(speed(copying), "copy-messages/s")
	b.ReportMetric(speed(again), "again-messages/s")
	b.ReportMetric(speed(importing)/speed(copying), "import/copy")
	b.ReportMetric(float64(len(text)*runs)/importing.Seconds()/1e6, "import-MB/s")
	b.ReportMetric(0, "ns/op")
}

func benchImport(b testing.TB, s *store.Store, text []byte, fresh, known int64) time.Duration {
	began := time.Now()
	summary, err := s.Import(context.Background(), corpus.NewReader(bytes.NewReader(text), "").All(),
		store.ImportOptions{})
	if err != nil || summary.Messages != fresh || summary.Unchanged != known || summary.Faults() {
		b.Fatalf("%+v, %v", summary, err)
	}
	return time.Since(began)
}

// benchRows returns the rows of each table in PostgreSQL's binary format, in the
// order of their storage.
func benchRows(b testing.TB, pool *pgxpool.Pool) [][]byte {
	conn, err := pool.Acquire(context.Background())
	if err != nil {
		b.Fatal(err)
	}
	defer conn.Release()
	var all [][]byte
	for _, t := range benchCopied {
		var rows bytes.Buffer
		columns := t.columns
		if columns == "" {
			columns = "*"
		}
		if _, err := conn.Conn().PgConn().CopyTo(context.Background(), &rows, `COPY (SELECT `+columns+` FROM `+t.table+
			`) TO STDOUT BINARY`); err != nil {
			b.Fatal(err)
		}
		all = append(all, rows.Bytes())
	}
	return all
}

func benchCopy(b *testing.B, pool *pgxpool.Pool, rows [][]byte) time.Duration {
	conn, err := pool.Acquire(context.Background())
	if err != nil {
		b.Fatal(err)
	}
	defer conn.Release()
	began := time.Now()
	for i, t := range benchCopied {
		columns := ""
		if t.columns != "" {
			columns = "(" + t.columns + ")"
		}
		if _, err := conn.Conn().PgConn().CopyFrom(context.Background(), bytes.NewReader(rows[i]), `COPY `+t.table+` `+
			columns+` FROM STDIN BINARY`); err != nil {
			b.Fatalf("%s: %v", t.table, err)
		}
	}
	return time.Since(began)
}

// benchCorpus makes trees of about 12 messages, similar to those of the OASST data
// set: texts of about 500 characters, labels, reactions and classifier outputs.
// The result is JSON Lines.
func benchCorpus(messages int) []byte {
	random := rand.New(rand.NewPCG(1, 2))
	id := func() (id uuid.UUID) {
		for i := range id {
			id[i] = byte(random.Uint32())
		}
		id[6], id[8] = id[6]&0x0f|0x40, id[8]&0x3f|0x80
		return id
	}
	users := make([]uuid.UUID, max(10, messages/10))
	for i := range users {
		users[i] = id()
	}
	var text []byte
	for made := 0; made < messages; {
		state := "ready_for_export"
		record := corpus.Record{Prompt: true, Tree: corpus.Tree{State: &state}}
		depth := 0
		for range min(1+random.IntN(23), messages-made) {
			record.Messages = append(record.Messages, benchMessage(random, id(), users, depth, made))
			depth = 1 + random.IntN(min(depth+1, 5))
			made++
		}
		text = append(record.Append(text), '\n')
	}
	return text
}

func benchMessage(random *rand.Rand, id uuid.UUID, users []uuid.UUID, depth, n int) corpus.Message {
	user := users[int(float64(len(users))*random.Float64()*random.Float64())]
	date := time.Date(2023, 1, 1, 0, 0, 0, 1000*random.IntN(1e6), time.UTC).Add(time.Duration(n) * time.Minute)
	lang, reviews, accepted := "en", 3, random.IntN(20) > 0
	m := corpus.Message{
		MessageID: id, UserID: &user, CreatedDate: &date, Role: []string{corpus.Prompter, corpus.Assistant}[depth%2],
		Lang:        &lang,
		ReviewCount: &reviews, ReviewResult: &accepted, Deleted: random.IntN(30) == 0, Depth: depth,
		Emojis: map[string]int{"+1": random.IntN(5), "_skip_labeling": random.IntN(3)}, Labels: map[string]corpus.Label{},
		Classifiers: map[string]map[string]*float64{corpus.Detoxify: {}},
	}
	for range 60 + random.IntN(60) {
		m.Text += fmt.Sprintf("w%x ", random.IntN(5000))
	}
	for _, name := range []string{"spam", "lang_mismatch", "pii", "not_appropriate", "hate_speech", "sexual_content",
		"quality", "toxicity", "humor", "creativity", "violence"} {
		value := random.Float64()
		m.Labels[name] = corpus.Label{Value: &value, Count: 3}
	}
	for _, name := range []string{"toxicity", "severe_toxicity", "obscene", "identity_attack", "insult", "threat",
		"sexual_explicit"} {
		value := random.Float64()
		m.Classifiers[corpus.Detoxify][name] = &value
	}
	return m
}
