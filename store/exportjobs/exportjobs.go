// Package exportjobs keeps the exports that people order from the page or by the API:
// their jobs, their files and their manifests. The package exports writes the files.
package exportjobs

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"treewarden/store/db"
	"treewarden/store/exports"
	"treewarden/store/jobs"
)

// The limits of what is kept.
const (
	// Kept is how long a file is kept after its end.
	Kept = 7 * 24 * time.Hour
	// KeptFiles is the number of files that are kept, the newest ones.
	KeptFiles = 20
	// MaxFile is the maximum size of a file in bytes. The command has no limit.
	MaxFile = 4 << 30
	// MaxOpen is the maximum number of exports that wait or run.
	MaxOpen = 20
	// maxName is the maximum length of the name of a file.
	maxName = 100
)

// Conflict is a request that does not fit the state of an export.
type Conflict string

func (c Conflict) Error() string { return string(c) }

// ErrGone means that the file of an export was removed after its time.
var ErrGone = errors.New("the file of this export was removed")

// Access is somebody's access to exports. Its exports.Access comes from the package store,
// which makes it for actors who may export.
type Access struct {
	exports.Access
	Person uuid.UUID
	Via    string
}

// Order is what somebody orders.
type Order struct {
	exports.Flags
	// Out is the name of the file; one that ends with .gz is compressed. By default, the
	// name is that of the format.
	Out string
	// IdempotencyKey makes an order that is sent again write one file.
	IdempotencyKey string
}

// Export is an export that somebody ordered.
type Export struct {
	ExportID uuid.UUID `json:"export_id"` // the id of its job
	jobs.Job
	File string `json:"file"` // its name
	// Filters are the filters as they were ordered. They never hold the seed.
	Filters    exports.Flags `json:"filters" db:"-"`
	Anonymized bool          `json:"anonymized" db:"-"`
	// Bytes, SHA256 and Manifest are null until the job is done.
	Bytes    *int64            `json:"bytes"`
	SHA256   *string           `json:"sha256" db:"sha256"`
	Manifest *exports.Manifest `json:"manifest" db:"-"`
	// KeptUntil is the time when the file is removed at the latest. It is null until the
	// job is done.
	KeptUntil *time.Time `json:"kept_until" db:"-"`
	Gone      bool       `json:"gone"` // the file was removed; the manifest stays

	Attempt int     `json:"-"`
	Text    *string `json:"-"` // of the manifest
}

// HasFile reports whether the file can be downloaded.
func (e Export) HasFile() bool { return e.State == jobs.Done && !e.Gone }

// ordered is an order as its job keeps it, without the seed.
type ordered struct {
	exports.Flags
	Out        string `json:"out"`
	Anonymized bool   `json:"anonymized"`
}

var columns = "e.export_id, " + jobs.Columns + `, e.file, e.bytes, e.sha256, e.manifest AS text,
	e.removed_at IS NOT NULL AS gone, e.attempt`

const from = "exports e JOIN jobs j ON j.job_id = e.export_id"

// complete fills in what the columns hold as JSON.
func (e *Export) complete() error {
	var o ordered
	if err := json.Unmarshal(e.Act().Params, &o); err != nil {
		return fmt.Errorf("read the order of export %s: %w", e.ExportID, err)
	}
	e.Filters, e.Anonymized = o.Flags, o.Anonymized
	if e.State != jobs.Done || e.Text == nil {
		e.Bytes, e.SHA256, e.Text = nil, nil, nil // of an attempt that was not ended
		return nil
	}
	if err := json.Unmarshal([]byte(*e.Text), &e.Manifest); err != nil {
		return fmt.Errorf("read the manifest of export %s: %w", e.ExportID, err)
	}
	if e.EndedAt != nil {
		until := e.EndedAt.Add(Kept)
		e.KeptUntil = &until
	}
	return nil
}

// All returns one page of the exports, the newest first.
func (a Access) All(ctx context.Context, page db.Page) (db.List[Export], error) {
	type row struct {
		db.Keyed
		Export
	}
	rows, next, prev, err := db.Fetch[row](ctx, a.Pool, db.Query{Columns: columns, From: from}, db.Order{
		Name: "exports", Desc: true, Keys: []db.Key{
			{Expr: "j.created_at", Typ: "timestamptz"}, {Expr: "e.export_id", Typ: "uuid"},
		}}, page)
	items := make([]Export, len(rows))
	for i, r := range rows {
		if items[i] = r.Export; err == nil {
			err = items[i].complete()
		}
	}
	return db.List[Export]{Items: items, Next: next, Prev: prev}, err
}

// ByID returns an export, or ErrNotFound.
func (a Access) ByID(ctx context.Context, id uuid.UUID) (Export, error) {
	found, err := db.Collect[Export](ctx, a.Pool, "SELECT "+columns+" FROM "+from+" WHERE e.export_id = $1", id)
	if err == nil && len(found) == 0 {
		err = db.ErrNotFound
	}
	if err != nil {
		return Export{}, err
	}
	return found[0], found[0].complete()
}

// Create queues an export, or returns the one of an earlier order with the same
// IdempotencyKey. A wrong field is a db.Invalid.
func (a Access) Create(ctx context.Context, o Order) (Export, error) {
	filters, err := o.Filters()
	if err == nil {
		err = a.Check(ctx, filters)
	}
	if err != nil {
		return Export{}, invalid(err)
	}
	if o.Out == "" {
		o.Out = defaultName(filters.Format)
	} else if why := wrongName(o.Out); why != "" {
		return Export{}, db.Invalid{"out": why}
	}
	if _, err := (exports.Options{Filters: filters, Gzip: zipped(o.Out)}).Checked(); err != nil {
		return Export{}, invalid(err)
	}
	written := ordered{Flags: o.Flags, Out: o.Out, Anonymized: o.AnonymizerSeed != ""}
	written.AnonymizerSeed = ""
	request, err := jobs.NewRequest(uuid.Nil, "", written)
	if err != nil {
		return Export{}, err
	}
	job := jobs.Job{JobID: jobs.ID(a.Person, o.IdempotencyKey), Kind: jobs.ExportKind, Actor: a.Person, Via: a.Via,
		Request: request}
	if err := pgx.BeginFunc(ctx, a.Pool, func(tx pgx.Tx) error { return add(ctx, tx, job, o) }); err != nil {
		return Export{}, db.Translate(err)
	}
	return a.ByID(ctx, job.JobID)
}

// add adds an export with its job, unless it is there.
func add(ctx context.Context, tx pgx.Tx, job jobs.Job, o Order) error {
	var open int // 0 for an order that is sent again
	if err := tx.QueryRow(ctx, `SELECT count(*) FROM jobs WHERE state IN ('queued', 'running') AND kind = $1
		AND NOT EXISTS (SELECT FROM jobs WHERE job_id = $2)`, jobs.ExportKind, job.JobID).Scan(&open); err != nil {
		return err
	}
	if open >= MaxOpen {
		return Conflict(fmt.Sprintf("%d exports wait or run already. Wait until one of them has ended.", open))
	}
	added, err := jobs.Add(ctx, tx, job)
	if err != nil {
		return err
	}
	if _, err := tx.Exec(ctx, `INSERT INTO exports (export_id, file, seed) SELECT $1, $2, nullif($3, '')
		WHERE EXISTS (SELECT FROM jobs WHERE job_id = $1 AND kind = $4) ON CONFLICT DO NOTHING`,
		job.JobID, o.Out, o.AnonymizerSeed, jobs.ExportKind); err != nil {
		return err
	}
	var sameSeed bool // or it is no longer known
	if err := tx.QueryRow(ctx, `SELECT coalesce((SELECT seed = $2 OR seed IS NULL FROM exports
		WHERE export_id = $1), false)`, job.JobID, o.AnonymizerSeed).Scan(&sameSeed); err != nil {
		return err
	}
	if !sameSeed || !added.Asks(job.Kind, job.Request) {
		return Conflict(jobs.OtherRequest)
	}
	return nil
}

// invalid turns an error about a parameter into one about a field.
func invalid(err error) error {
	var bad db.BadParameter
	if !errors.As(err, &bad) {
		return err
	}
	field, _, _ := strings.Cut(bad.Name, " ") // some name the value too
	why := bad.Error()
	return db.Invalid{field: strings.ToUpper(why[:1]) + why[1:]}
}

// zipped reports whether a file of a name is compressed.
func zipped(name string) bool { return strings.HasSuffix(name, ".gz") }

// defaultName returns the name of a file of a format.
func defaultName(format string) string {
	if format == exports.Trees || format == exports.Messages {
		return format + ".jsonl.gz"
	}
	return "messages." + format
}

// wrongName returns why a file cannot have a name, or "". A name that passes is safe as
// a file name everywhere, and in a header.
func wrongName(name string) string {
	for i, r := range name {
		letter := 'a' <= r && r <= 'z' || 'A' <= r && r <= 'Z' || '0' <= r && r <= '9'
		if !letter && (i == 0 || !strings.ContainsRune("-_.", r)) {
			return "The name of a file has only letters from a to z, digits, points, hyphens and underscores, and begins " +
				"with a letter or a digit, such as release-2.jsonl.gz."
		}
	}
	if len(name) > maxName {
		return fmt.Sprintf("The name of a file has at most %d characters.", maxName)
	}
	return ""
}
