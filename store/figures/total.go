package figures

import (
	"context"
	"strings"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"treewarden/store/db"
	"treewarden/store/queue"
)

// Totals are the figures of the queue over all time. They never fall, and are the same
// in all processes, save the open cases.
type Totals struct {
	Decisions []Decisions
	Waits     map[string]Waits // by language
	Open      []queue.Ages
}

// Decisions are those with one outcome, in one language, by one moderator.
type Decisions struct {
	Outcome, Lang   string
	Moderator       uuid.UUID // Nil for the program itself
	Decided, Undone int64
}

// ReadTotals returns the figures of the queue over all time, without the open cases.
func ReadTotals(ctx context.Context, c db.Conn) (Totals, error) {
	t := Totals{Waits: map[string]Waits{}}
	waits := make([]string, len(waitColumns))
	for i, column := range waitColumns {
		waits[i] = "sum(" + column + ")::bigint"
	}
	rows, err := c.Query(ctx, `SELECT outcome, lang, moderator, sum(decided)::bigint, sum(undone)::bigint,
		ARRAY[`+strings.Join(waits, ", ")+`] FROM queue_hours GROUP BY outcome, lang, moderator ORDER BY 1, 2, 3`)
	if err != nil {
		return t, err
	}
	byLang := map[string][]int64{}
	var d Decisions
	var waited []int64
	_, err = pgx.ForEachRow(rows, []any{&d.Outcome, &d.Lang, &d.Moderator, &d.Decided, &d.Undone, &waited}, func() error {
		t.Decisions = append(t.Decisions, d)
		if byLang[d.Lang] == nil {
			byLang[d.Lang] = make([]int64, len(waitColumns))
		}
		for i, n := range waited {
			byLang[d.Lang][i] += n
		}
		return nil
	})
	for lang, sum := range byLang {
		t.Waits[lang] = newWaits(sum)
	}
	return t, err
}
