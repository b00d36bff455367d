package queue

import (
	"context"
	"slices"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"treewarden/store/db"
)

// casesSQL reads the open cases c that fulfil a condition.
func casesSQL(where string) string {
	return `SELECT c.case_id, c.tree_id, c.message_id,
			coalesce(c.user_id, '` + uuid.Nil.String() + `'), coalesce(c.lang, ''),
			c.opened_at, coalesce(c.later_until, 'epoch'), c.reporters, c.reports, c.red_flags, c.imported_flags, c.toxicity
		FROM cases c WHERE c.status = 'open' AND ` + where
}

const (
	upheld    = "count(*) FILTER (WHERE c.outcome <> 'dismiss')"
	dismissed = "count(*) FILTER (WHERE c.outcome = 'dismiss')"

	// someRecordsSQL reads the records of users by their ids. allRecordsSQL reads those
	// that are not empty.
	someRecordsSQL = `SELECT u.user_id, d.upheld, d.dismissed, u.banned_at IS NOT NULL FROM users u
		CROSS JOIN LATERAL (SELECT ` + upheld + ` AS upheld, ` + dismissed + ` AS dismissed FROM cases c
			WHERE c.status = 'decided' AND c.reporters @> ARRAY[u.user_id]) d WHERE u.user_id = ANY ($1)`
	allRecordsSQL = `SELECT user_id, coalesce(d.upheld, 0), coalesce(d.dismissed, 0), b.user_id IS NOT NULL
		FROM (SELECT r.user_id, ` + upheld + ` AS upheld, ` + dismissed + ` AS dismissed
			FROM cases c CROSS JOIN LATERAL unnest(c.reporters) r(user_id)
			WHERE c.status = 'decided' GROUP BY r.user_id) d
		FULL JOIN (SELECT user_id FROM users WHERE banned_at IS NOT NULL) b USING (user_id)`
)

// ReadSome reads the open cases of authors and the records of reporters by their ids.
func (x *Index) ReadSome(ctx context.Context, pool *pgxpool.Pool, ids []uuid.UUID) error {
	of := db.IDArray(ids)
	records, err := readRecords(ctx, pool, someRecordsSQL, of)
	if err != nil {
		return err
	}
	open, err := readCases(ctx, pool, casesSQL("c.user_id = ANY ($1)"), of)
	if err != nil {
		return err
	}
	if slices.Contains(ids, uuid.Nil) {
		unknown, err := readCases(ctx, pool, casesSQL("c.user_id IS NULL"))
		if err != nil {
			return err
		}
		open = append(open, unknown...)
	}
	x.Put(ids, open, records)
	return nil
}

// ReadAll reads everything.
func (x *Index) ReadAll(ctx context.Context, pool *pgxpool.Pool) error {
	records, err := readRecords(ctx, pool, allRecordsSQL)
	if err != nil {
		return err
	}
	open, err := readCases(ctx, pool, casesSQL("true"))
	if err != nil {
		return err
	}
	x.Replace(open, records)
	return nil
}

func readRecords(ctx context.Context, c db.Conn, sql string, args ...any) (map[uuid.UUID]Record, error) {
	rows, err := c.Query(ctx, sql, args...)
	if err != nil {
		return nil, err
	}
	all := map[uuid.UUID]Record{}
	var user uuid.UUID
	var r Record
	_, err = pgx.ForEachRow(rows, []any{&user, &r.Upheld, &r.Dismissed, &r.Banned}, func() error {
		all[user] = r
		return nil
	})
	return all, err
}

func readCases(ctx context.Context, c db.Conn, sql string, args ...any) ([]*Case, error) {
	rows, err := c.Query(ctx, sql, args...)
	if err != nil {
		return nil, err
	}
	return pgx.CollectRows(rows, func(row pgx.CollectableRow) (*Case, error) {
		var c Case
		err := row.Scan(&c.ID, &c.Tree, &c.Message, &c.Author, &c.Lang, &c.Opened, &c.Later, &c.Reporters,
			&c.Reports, &c.RedFlags, &c.Imported, &c.Toxicity)
		return &c, err
	})
}
