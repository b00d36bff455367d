package waves_test

import (
	"context"
	"testing"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"treewarden/store/db"
	"treewarden/store/storetest"
	"treewarden/store/waves"
)

// counted counts the queries on a connection.
type counted struct {
	db.Conn
	queries int
}

func (c *counted) Query(ctx context.Context, sql string, args ...any) (pgx.Rows, error) {
	c.queries++
	return c.Conn.Query(ctx, sql, args...)
}

// TestOf reads the waves of a page of messages by one query that looks each of them up in
// an index, however many messages are in waves.
func TestOf(t *testing.T) {
	t.Parallel()
	ctx, s := t.Context(), storetest.New(t)
	storetest.Exec(t, s, `INSERT INTO wave_messages (tree_id, message_id, wave_id, user_id, lang, at, likeness)
		SELECT md5(n::text)::uuid, md5('m' || n)::uuid, md5('w' || n / 10)::uuid, NULL, 'en', now(), 0.9
		FROM generate_series(0, 39999) n`)
	storetest.Exec(t, s, `INSERT INTO waves (wave_id, messages, users, first, last, likeness, langs)
		SELECT md5('w' || n)::uuid, CASE WHEN n = 2 THEN 2 ELSE 10 END, CASE WHEN n = 1 THEN 1 ELSE 4 END,
			CASE WHEN n = 3 THEN '-infinity' ELSE now() - interval '1 day' END, now(), 0.9, '{en}'
		FROM generate_series(0, 3999) n`)
	storetest.Exec(t, s, "ANALYZE wave_messages, waves")
	keys, err := db.Collect[waves.Key](ctx, storetest.DB(t, s), `SELECT md5(n::text)::uuid AS tree,
		md5('m' || n)::uuid AS message
		FROM generate_series(0, 199) n ORDER BY n`)
	if err != nil {
		t.Fatal(err)
	}
	keys = append(keys, waves.Key{Tree: uuid.New(), Message: uuid.New()})

	tx, err := storetest.DB(t, s).Begin(ctx)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = tx.Rollback(ctx) }()
	c := &counted{Conn: tx}
	of, err := waves.Reader{Conn: c}.Of(ctx, keys)
	if err != nil {
		t.Fatal(err)
	}
	// Of 20 waves one is of one user, and one of two messages.
	if len(of) != 180 || of[keys[0].Message] == nil || of[keys[10].Message] != nil || of[keys[20].Message] != nil ||
		of[keys[200].Message] != nil {
		t.Fatalf("%d messages are in waves", len(of))
	}
	if w := of[keys[0].Message]; w.Messages != 10 || w.Users != 4 || w.First == nil || w.Last == nil ||
		of[keys[9].Message].WaveID != w.WaveID {
		t.Errorf("the wave is %+v", w)
	}
	if w := of[keys[30].Message]; w.First != nil || w.Last == nil {
		t.Errorf("a wave without a first date is %+v", w)
	}
	var scans, looked int
	if err := tx.QueryRow(ctx, `SELECT sum(seq_scan), sum(idx_scan) FROM pg_stat_xact_user_tables
		WHERE relname IN ('waves', 'wave_messages')`).Scan(&scans, &looked); err != nil {
		t.Fatal(err)
	}
	if c.queries != 1 || scans != 0 || looked == 0 {
		t.Errorf("%d queries scanned the tables %d times, and looked %d times into indexes", c.queries, scans, looked)
	}
	if none, err := (waves.Reader{Conn: c}).Of(ctx, nil); len(none) != 0 || err != nil || c.queries != 1 {
		t.Errorf("of no messages: %v %v by %d queries", none, err, c.queries)
	}
}
