package exportjobs

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5/pgxpool"

	"treewarden/store/db"
	"treewarden/store/exports"
	"treewarden/store/jobs"
)

// maxAttempts is how often an export is begun. Its process may be stopped, or the
// database may fail.
const maxAttempts = 5

// errOvertaken means that another process began the same export: it took this one for
// lost.
var errOvertaken = errors.New("another process has begun this export again")

// Run writes the files of the exports that wait, one after the other, and removes old
// ones. access returns the access of the person who ordered an export, as they may now.
// An error for which isFinal is true ends the export as failed; another one has it begun
// again later.
func Run(
	ctx context.Context, pool *pgxpool.Pool, program string,
	access func(context.Context, jobs.Job) (exports.Access, error), isFinal func(error) bool,
) error {
	err := jobs.RunKind(ctx, pool, jobs.ExportKind, func(ctx context.Context, job jobs.Job, progress func(int64)) error {
		a, err := access(ctx, job)
		if err != nil {
			return err
		}
		return write(ctx, a, job, program, progress)
	}, isFinal)
	return errors.Join(err, forget(ctx, pool))
}

// write writes the file of a job from the beginning, and its manifest.
func write(ctx context.Context, a exports.Access, job jobs.Job, program string, progress func(int64)) error {
	file := &chunks{ctx: ctx, pool: a.Pool, export: job.JobID}
	var name string
	var seed *string
	if err := a.Pool.QueryRow(ctx, `UPDATE exports SET attempt = attempt + 1 WHERE export_id = $1
		RETURNING attempt, file, seed`, job.JobID).Scan(&file.attempt, &name, &seed); err != nil {
		return db.Translate(err)
	}
	if file.attempt > maxAttempts {
		return db.Malformed(fmt.Sprintf("The export was begun %d times and did not end: the program was stopped, or the "+
			"database failed. The program's log says more. Order it again, or use the command export.", maxAttempts))
	}
	var o ordered
	if err := json.Unmarshal(job.Act().Params, &o); err != nil || o.Anonymized && seed == nil {
		return db.Malformed("This version of the program cannot write this export.")
	}
	if seed != nil {
		o.AnonymizerSeed = *seed
	}
	f, err := o.Filters()
	if err != nil {
		return err
	}
	known := false
	m, err := a.Write(ctx, file, exports.Options{
		Filters: f, File: name, Gzip: zipped(name), Program: program,
		Progress: func(done, total int64) {
			if !known {
				known = jobs.SetTotal(ctx, a.Pool, job.JobID, total) == nil
			}
			progress(done)
		},
	})
	if err == nil {
		err = file.end()
	}
	if err == nil { // a limit may have ended the export before it reported anything
		err = jobs.SetTotal(ctx, a.Pool, job.JobID, m.In.Messages)
	}
	if err == nil {
		err = finish(ctx, a.Pool, file, m)
	}
	if err != nil {
		if ctx.Err() == nil {
			slog.Warn("an export ends early", "export", job.JobID, "attempt", file.attempt, "error", err)
		}
		return errors.Join(err, file.remove())
	}
	return nil
}

// finish keeps the manifest of a file that is whole.
func finish(ctx context.Context, pool *pgxpool.Pool, file *chunks, m exports.Manifest) error {
	text, err := m.Text()
	if err != nil {
		return err
	}
	done, err := pool.Exec(ctx, `UPDATE exports SET bytes = $3, sha256 = $4, manifest = $5
		WHERE export_id = $1 AND attempt = $2`, file.export, file.attempt, m.Bytes, m.SHA256, string(text))
	if err == nil && done.RowsAffected() == 0 {
		err = errOvertaken
	}
	return db.Translate(err)
}

// chunkSize is the size of a chunk of a file in bytes.
const chunkSize = 1 << 20

// chunks writes a file to the database. Nobody sees it before its job is done.
type chunks struct {
	ctx     context.Context
	pool    *pgxpool.Pool
	export  uuid.UUID
	attempt int
	parts   int
	chunk   []byte
}

// Write implements io.Writer.
func (w *chunks) Write(p []byte) (int, error) {
	for rest := p; len(rest) > 0; {
		n := min(len(rest), chunkSize-len(w.chunk))
		w.chunk, rest = append(w.chunk, rest[:n]...), rest[n:]
		if len(w.chunk) == chunkSize {
			if err := w.end(); err != nil {
				return 0, err
			}
		}
	}
	return len(p), nil
}

// end writes what is left.
func (w *chunks) end() error {
	if len(w.chunk) == 0 {
		return nil
	}
	if int64(w.parts+1)*chunkSize > MaxFile {
		return db.Malformed(fmt.Sprintf("The file would be larger than %d GiB, the most that is kept here. Choose fewer "+
			"messages or a name that ends with .gz, or use the command export.", MaxFile>>30))
	}
	done, err := w.pool.Exec(w.ctx, `INSERT INTO export_chunks (export_id, attempt, part, content)
		SELECT export_id, attempt, $3, $4 FROM exports WHERE export_id = $1 AND attempt = $2`,
		w.export, w.attempt, w.parts, w.chunk)
	if err == nil && done.RowsAffected() == 0 {
		err = errOvertaken
	}
	w.parts, w.chunk = w.parts+1, w.chunk[:0]
	return db.Translate(err)
}

// remove removes what was written, also after the context has ended.
func (w *chunks) remove() error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(w.ctx), 5*time.Second)
	defer cancel()
	_, err := w.pool.Exec(ctx, "DELETE FROM export_chunks WHERE export_id = $1 AND attempt = $2", w.export, w.attempt)
	return db.Translate(err)
}

// forget removes the files whose time is over, the seeds of exports that have ended, and
// what killed processes left.
func forget(ctx context.Context, pool *pgxpool.Pool) error {
	for _, sql := range []string{
		`UPDATE exports e SET seed = NULL FROM jobs j WHERE e.seed IS NOT NULL AND j.job_id = e.export_id
			AND j.state NOT IN ('queued', 'running')`,
		fmt.Sprintf(`UPDATE exports e SET removed_at = now() FROM (
				SELECT job_id, ended_at, row_number() OVER (ORDER BY ended_at DESC, job_id) AS place
				FROM jobs JOIN exports ON export_id = job_id AND removed_at IS NULL WHERE state = 'done') j
			WHERE e.export_id = j.job_id AND (j.ended_at < now() - interval '%d seconds' OR j.place > %d)`,
			int(Kept.Seconds()), KeptFiles),
		`DELETE FROM export_chunks c USING exports e JOIN jobs j ON j.job_id = e.export_id
			WHERE c.export_id = e.export_id AND (c.attempt <> e.attempt OR e.removed_at IS NOT NULL
				OR j.state IN ('failed', 'cancelled'))`,
	} {
		if _, err := pool.Exec(ctx, sql); err != nil {
			return fmt.Errorf("remove old exports: %w", db.Translate(err))
		}
	}
	return nil
}
