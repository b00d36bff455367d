package messages

import (
	"cmp"
	"context"
	"slices"
	"time"

	"github.com/google/uuid"

	"treewarden/store/db"
	"treewarden/store/tables"
)

// The limits of what ReadReported reads and returns.
const (
	readReports     = 2000
	shownAuthors    = 10
	shownOfAuthor   = 5
	shownOfReported = 20
)

// OpenReports are the open reports that wait for a decision: of messages that are
// not deleted, and whose authors are not banned.
type OpenReports struct {
	Reports, Messages, Contributors int
	// More reports that the oldest open reports were not counted.
	More    bool
	Authors []ReportedAuthor // the first ones
}

// ReportedAuthor is a contributor with reported messages.
type ReportedAuthor struct {
	UserID    *uuid.UUID // nil if the author is unknown
	Name      string
	Score     float64
	Reporters int // people who reported a message of theirs
	Messages  []Reported
	Left      int // the number of reported messages that are left out
}

// Reported is a message with its open reports, the newest first.
type Reported struct {
	Message Message
	Reports []OpenReport
	Left    int // the number of reports that are left out
	ids     [2]uuid.UUID
	count   int
}

// OpenReport is an open report.
type OpenReport struct {
	UserID uuid.UUID // who reported it
	By     string
	Reason string
	At     time.Time
}

type reportRow struct {
	TreeID, MessageID uuid.UUID
	Author            *uuid.UUID
	AuthorName        *string
	UserID            uuid.UUID
	By, Reason        string
	At                time.Time
	Full              bool
}

// ReadReported reads the newest open reports of messages in some languages; nil
// stands for all. It groups them by message and author, and puts those authors
// first whose score times the number of reporters is highest. score returns the
// scores of users.
func ReadReported(ctx context.Context, c db.Conn, within []string, score func(uuid.UUID) float64) (OpenReports, error) {
	q := db.Query{
		Columns: `r.tree_id, r.message_id, m.user_id AS author, u.display_name AS author_name, r.user_id,
			b.display_name AS by, r.reason, r.at, r.full`,
	}
	q.From = `(SELECT *, count(*) OVER () > ` + q.Arg(readReports) + ` AS full
		FROM (SELECT * FROM reports WHERE status = 'open'
				ORDER BY at DESC, report_id DESC LIMIT ` + q.Arg(readReports+1) + `) newest) r
			JOIN messages m ON m.tree_id = r.tree_id AND m.message_id = r.message_id
			JOIN users b ON b.user_id = r.user_id LEFT JOIN users u ON u.user_id = m.user_id`
	q.Where("NOT m.deleted AND (u.user_id IS NULL OR " + tables.UserStatusSQL + " <> 'banned')")
	q.WithinLanguages("m.lang", within)
	sql, args := q.SQL()
	rows, err := db.Collect[reportRow](ctx, c, sql+" ORDER BY r.at DESC, r.report_id DESC", args...)
	if err != nil {
		return OpenReports{}, err
	}
	found := groupReports(rows, score)
	return found, found.readMessages(ctx, c)
}

// groupReports groups reports by author and message.
func groupReports(rows []reportRow, score func(uuid.UUID) float64) OpenReports {
	found := OpenReports{Reports: len(rows)}
	authors, places := map[uuid.UUID]int{}, map[[2]uuid.UUID]int{}
	reporters := map[[2]uuid.UUID]bool{}
	for _, r := range rows {
		found.More = found.More || r.Full
		id := uuid.Nil
		if r.Author != nil {
			id = *r.Author
		}
		at, known := authors[id]
		if !known {
			at = len(found.Authors)
			authors[id] = at
			a := ReportedAuthor{UserID: r.Author}
			if r.Author != nil {
				a.Score = score(id)
				found.Contributors++
			}
			if r.AuthorName != nil {
				a.Name = *r.AuthorName
			}
			found.Authors = append(found.Authors, a)
		}
		a := &found.Authors[at]
		if pair := [2]uuid.UUID{id, r.UserID}; !reporters[pair] {
			reporters[pair] = true
			a.Reporters++
		}
		place, known := places[[2]uuid.UUID{r.TreeID, r.MessageID}]
		if !known {
			place = len(a.Messages)
			places[[2]uuid.UUID{r.TreeID, r.MessageID}] = place
			a.Messages = append(a.Messages, Reported{ids: [2]uuid.UUID{r.TreeID, r.MessageID}})
			found.Messages++
		}
		m := &a.Messages[place]
		if m.count++; m.count > shownOfReported {
			m.Left++
			continue
		}
		m.Reports = append(m.Reports, OpenReport{UserID: r.UserID, By: r.By, Reason: r.Reason, At: r.At})
	}
	found.sort()
	return found
}

// sort puts what is most urgent first, and leaves out the rest.
func (o *OpenReports) sort() {
	slices.SortStableFunc(o.Authors, func(a, b ReportedAuthor) int {
		return cmp.Or(cmp.Compare(b.Score*float64(b.Reporters), a.Score*float64(a.Reporters)),
			cmp.Compare(b.Reporters, a.Reporters))
	})
	o.Authors = o.Authors[:min(len(o.Authors), shownAuthors)]
	for i := range o.Authors {
		a := &o.Authors[i]
		slices.SortStableFunc(a.Messages, func(m, n Reported) int { return cmp.Compare(n.count, m.count) })
		if a.Left = len(a.Messages) - shownOfAuthor; a.Left > 0 {
			a.Messages = a.Messages[:shownOfAuthor]
		}
	}
}

// readMessages reads the messages that are shown.
func (o *OpenReports) readMessages(ctx context.Context, c db.Conn) error {
	var trees, ids []uuid.UUID
	for _, a := range o.Authors {
		for _, m := range a.Messages {
			trees, ids = append(trees, m.ids[0]), append(ids, m.ids[1])
		}
	}
	if len(ids) == 0 {
		return nil
	}
	all, err := selectWith(ctx, c, "", columnsUpTo(Shown+1),
		"WHERE (m.tree_id, m.message_id) IN (SELECT * FROM unnest($1::uuid[], $2::uuid[]))", trees, ids)
	if err != nil {
		return err
	}
	read := make(map[uuid.UUID]Message, len(all))
	for _, m := range all {
		read[m.MessageID] = m
	}
	for _, a := range o.Authors {
		for i := range a.Messages {
			a.Messages[i].Message = read[a.Messages[i].ids[1]]
		}
	}
	return nil
}
