package briefs

import (
	"context"
	"time"

	"github.com/google/uuid"

	"treewarden/scoring"
	"treewarden/store/db"
	"treewarden/store/scores"
	"treewarden/store/users"
)

// UserDetail is a user with the data of their page.
type UserDetail struct {
	users.User
	Languages []string                          `json:"languages"`
	Stats     map[scoring.Window]users.Stats    `json:"stats"`
	Scores    map[scoring.Window]float64        `json:"scores"`
	Parts     map[scoring.Window][]scoring.Part `json:"parts"`
	Days      []scores.DaySignals               `json:"days"`
	History   []users.NoteVersion               `json:"notes_history"`
}

// Detail reads a user with their stats and scores in every window. Their private data
// is read only if seesPrivate is set.
func Detail(ctx context.Context, c db.Conn, id uuid.UUID, formula scoring.Formula, now time.Time,
	seesPrivate bool) (UserDetail, error) {
	d := UserDetail{
		Stats:  map[scoring.Window]users.Stats{},
		Scores: map[scoring.Window]float64{},
		Parts:  map[scoring.Window][]scoring.Part{},
	}
	var err error
	if d.User, err = users.ByID(ctx, c, id); err != nil {
		return d, err
	}
	if seesPrivate {
		if d.Private, err = users.PrivateOf(ctx, c, id); err != nil {
			return d, err
		}
	}
	if d.Languages, err = users.Languages(ctx, c, id); err != nil {
		return d, err
	}
	for _, window := range scoring.Windows {
		stats, err := users.StatsOf(ctx, c, id, scores.Since(window, now))
		if err != nil {
			return d, err
		}
		counts, err := scores.Kept(ctx, c, id, window, now, formula)
		if err != nil {
			return d, err
		}
		stats.Score = formula.Score(counts)
		stats.Rate = scoring.Rate(stats.Score, stats.Messages)
		d.Stats[window], d.Scores[window], d.Parts[window] = stats, stats.Score, formula.Parts(counts)
	}
	if d.Days, err = scores.Days(ctx, c, id, now, formula); err != nil {
		return d, err
	}
	d.History, err = users.NotesOf(ctx, c, id)
	return d, err
}
