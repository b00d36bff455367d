package samples

import (
	"context"
	"errors"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"treewarden/store/db"
)

// shownFor is the time for which an item that one person sees is not handed to
// another one while others are free.
const shownFor = 10 * time.Minute

// Next hands the person the next item to judge. It holds nothing of the first
// judgement. An item that the person saw and did not judge comes again.
type Next struct {
	Item *uuid.UUID // the message; nil if the person has nothing left to judge
	// Left is the number of items that this person may still judge, Own the number
	// of those that wait for another person.
	Left, Own int
}

// free are the items that nobody has judged and that the person may judge.
const free = `sample_id = $1 AND second IS NULL AND ($2::uuid IS NULL OR actor_id IS DISTINCT FROM $2)`

// Next returns the next item of a sample for the person.
func (d Access) Next(ctx context.Context, sample uuid.UUID) (Next, error) {
	var next Next
	now := d.Now().UTC()
	// The second query hands out what another person sees too, if nothing else is
	// left: that person may have gone.
	for _, which := range []struct{ where, lock string }{
		{"AND (shown_to IS NULL OR shown_to = $2 OR shown_at < $4)", "FOR UPDATE SKIP LOCKED"},
		{"AND $4::timestamptz IS NOT NULL", "FOR UPDATE"},
	} {
		err := d.Pool.QueryRow(ctx, `UPDATE sample_items SET shown_to = $2, shown_at = $3
			WHERE sample_id = $1 AND second IS NULL AND message_id = (SELECT message_id FROM sample_items
				WHERE `+free+" "+which.where+`
				ORDER BY shown_to IS NOT DISTINCT FROM $2 DESC, place LIMIT 1 `+which.lock+`)
			RETURNING message_id`, sample, d.person(), now, now.Add(-shownFor)).Scan(&next.Item)
		if err == nil {
			break
		}
		if !errors.Is(err, pgx.ErrNoRows) {
			return next, db.Translate(err)
		}
	}
	left, err := d.Left(ctx, sample)
	next.Left, next.Own = left.Left, left.Own
	return next, err
}

// Left counts the items that the person may still judge, and those that only
// another person may. It hands out none.
func (d Access) Left(ctx context.Context, sample uuid.UUID) (next Next, err error) {
	err = d.Pool.QueryRow(ctx, `SELECT count(*) FILTER (WHERE `+free+`),
		count(*) FILTER (WHERE second IS NULL AND actor_id = $2) FROM sample_items WHERE sample_id = $1`,
		sample, d.person()).Scan(&next.Left, &next.Own)
	return next, db.Translate(err)
}

// Judgement is a second judgement of an item.
type Judgement struct {
	Item uuid.UUID
	// Verdict is yes or no, the answer to the sample's question. A program that
	// knows the first judgement may send same or other instead.
	Verdict string
	Note    string
}

// Verdicts are the verdicts of a judgement.
var Verdicts = []string{"same", "other", "yes", "no"}

// Judge keeps a second judgement. The same one sent again by the same person
// changes nothing.
func (d Access) Judge(ctx context.Context, sample uuid.UUID, j Judgement) error {
	if db.OneOf("verdict", j.Verdict, Verdicts...) != nil {
		return db.Invalid{"verdict": "Choose yes, no, same or other."}
	}
	const verdict = "CASE $3 WHEN 'same' THEN first WHEN 'other' THEN NOT first ELSE $3 = 'yes' END"
	tag, err := d.Pool.Exec(ctx, `UPDATE sample_items SET second = `+verdict+`, judged_by = $2, judged_at = $4, note = $6
		WHERE `+free+` AND message_id = $5`, sample, d.person(), j.Verdict, d.Now().UTC(), j.Item, j.Note)
	if err != nil || tag.RowsAffected() == 1 {
		return db.Translate(err)
	}
	var own, judged, mine, again bool
	err = d.Pool.QueryRow(ctx, `SELECT coalesce(actor_id = $2, false), second IS NOT NULL,
		second IS NOT NULL AND judged_by IS NOT DISTINCT FROM $2,
		coalesce(judged_by IS NOT DISTINCT FROM $2 AND second = `+verdict+`, false)
		FROM sample_items WHERE sample_id = $1 AND message_id = $4`, sample, d.person(), j.Verdict, j.Item).
		Scan(&own, &judged, &mine, &again)
	switch {
	case errors.Is(err, pgx.ErrNoRows):
		return db.Invalid{"item": "This message is not in the sample."}
	case err != nil:
		return db.Translate(err)
	case own:
		return ErrOwn
	case again:
		return nil
	case mine:
		return ErrAgain
	case judged:
		return ErrJudged
	}
	return nil
}

// Settle keeps what a third person decided on an item whose two judgements
// differ: yes or no to the sample's question.
func (d Access) Settle(ctx context.Context, sample, item uuid.UUID, verdict string) error {
	if d.Edit != nil {
		return d.Edit
	}
	if db.OneOf("verdict", verdict, "yes", "no") != nil {
		return db.Invalid{"verdict": "Choose yes or no."}
	}
	tag, err := d.Pool.Exec(ctx, `UPDATE sample_items SET settled = $3, settled_by = $2, settled_at = $4
		WHERE sample_id = $1 AND message_id = $5 AND first <> second AND settled IS NULL
			AND ($2::uuid IS NULL OR actor_id IS DISTINCT FROM $2 AND judged_by IS DISTINCT FROM $2)`,
		sample, d.person(), verdict == "yes", d.Now().UTC(), item)
	if err != nil || tag.RowsAffected() == 1 {
		return db.Translate(err)
	}
	var differ, settled, again bool
	err = d.Pool.QueryRow(ctx, `SELECT coalesce(first <> second, false), settled IS NOT NULL,
		coalesce(settled = $3 AND settled_by IS NOT DISTINCT FROM $2, false)
		FROM sample_items WHERE sample_id = $1 AND message_id = $4`, sample, d.person(), verdict == "yes", item).
		Scan(&differ, &settled, &again)
	switch {
	case errors.Is(err, pgx.ErrNoRows):
		return db.Invalid{"item": "This message is not in the sample."}
	case err != nil:
		return db.Translate(err)
	case again:
		return nil
	case settled:
		return ErrSettled
	case !differ:
		return ErrAgreeing
	}
	return ErrParty
}
