package lists

import (
	"context"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"treewarden/corpus/search"
	"treewarden/store/db"
	"treewarden/store/messages"
)

// searchItems returns one page of the items in whose texts or notes the words of a line
// are. The index of terms does not help: it does not know the notes.
func searchItems(
	ctx context.Context, tx pgx.Tx, s messages.Searcher, list uuid.UUID, f ItemFilter, line search.Query,
) (found db.List[Item], err error) {
	q, err := f.query(list)
	if err != nil {
		return found, err
	}
	columns := q.Columns
	q.Columns = "ARRAY[" + messages.SearchedSQL("coalesce(m.text, '')") + ", i.note]"
	if !q.Mentions("s.state") {
		q.From = itemTables
	}
	all := db.Query{From: "list_items i"}
	all.Where("i.list_id = ?", list)
	page, err := db.FetchWalked(ctx, tx, db.Walk{
		Candidates: q, All: all, Order: inOrder, Limit: s.Limit,
		Fits: func(texts []string) bool { return fits(line, texts) },
	}, f.Page, line.String())
	if err != nil {
		return found, err
	}
	found = db.List[Item]{Items: []Item{}, Next: page.Next, Prev: page.Prev, Cut: page.Cut}
	if page.Cut {
		found.Note = messages.CutNote
	}
	if len(page.Items) == 0 {
		return found, nil
	}
	ids := make([]string, len(page.Items))
	for i, key := range page.Items {
		ids[i] = key[0]
	}
	rows, err := db.Collect[itemRow](ctx, tx, "SELECT "+columns+db.NoCursorKey+" FROM "+itemTables+itemDetails+
		" WHERE i.list_id = $1 AND i.item_id = ANY ($2::text[]::bigint[]) ORDER BY i.item_id DESC", list, ids)
	found.Items = itemsOf(rows)
	for i := range found.Items {
		if item := &found.Items[i]; item.Text != nil {
			item.Marks = messages.Marks(line, *item.Text)
		}
	}
	return found, err
}

// fits reports whether in each group of a line one part holds: it is in one of the
// texts or, if it must not be there, in none.
func fits(line search.Query, texts []string) bool {
	for _, group := range line.Groups {
		holds := false
		for _, part := range group {
			not := part.Not
			part.Not = false
			one := search.Query{Groups: [][]search.Part{{part}}}
			in := false
			for _, text := range texts {
				if !in {
					_, in = one.Match(text)
				}
			}
			holds = holds || in != not
		}
		if !holds {
			return false
		}
	}
	return true
}
