package lists

import (
	"context"

	"github.com/google/uuid"

	"treewarden/corpus/search"
	"treewarden/store/db"
	"treewarden/store/messages"
)

// searchItems returns one page of the items in whose texts or notes the words of a line
// are. The index of terms does not help: it does not know the notes.
func searchItems(
	ctx context.Context, tx *db.Snapshot, s messages.Searcher, list uuid.UUID, f ItemFilter, line search.Query,
) (found db.List[Item], err error) {
	q, err := f.query(list)
	if err != nil {
		return found, err
	}
	columns := q.Columns
	q.Columns = messages.SearchedSQL("coalesce(m.text, '')") + ", i.note"
	if !q.Mentions("s.state") {
		q.From = itemTables
	}
	all := db.Query{From: "list_items i"}
	all.Where("i.list_id = ?", list)
	page, err := db.FetchWalked(ctx, tx, db.Walk{
		Candidates: q, All: all, Order: inOrder, Limit: s.Limit,
		Fits: func(texts []string) bool { return fits(line, texts) },
	}, f.Page, line.String())
	if err == nil {
		found, err = read(ctx, tx, list, columns, page)
	}
	if err != nil {
		return found, err
	}
	if page.Cut {
		found.Note = messages.CutNote
	}
	for i := range found.Items {
		if item := &found.Items[i]; item.Text != nil {
			item.Marks = messages.Marks(line, *item.Text)
		}
	}
	return found, nil
}

// cutNote is the note of a page of items in a state or a language that was cut.
const cutNote = "Not all items were looked at, because the list is long: go on with the next page to look further."

// siftItems returns one page of the items in a state or a language. No index finds these,
// as it would have to change with each message that is on a list. So it looks at the items
// in their order until the page is full or the time is over.
func siftItems(
	ctx context.Context, tx *db.Snapshot, list uuid.UUID, f ItemFilter, columns string,
) (found db.List[Item], err error) {
	q := db.Query{Columns: "coalesce(m.lang, '')", From: itemTables}
	if f.State != "" {
		q.Columns = "coalesce(m.lang, ''), (" + conditionOf(f.State) + ")::text"
		q.From += " CROSS JOIN LATERAL (SELECT " + stateSQL + " AS state) s"
	}
	q.Where("i.list_id = ?", list)
	if err := (messages.Filter{Q: f.Q, Deleted: "include"}).Narrow(&q); err != nil {
		return found, err
	}
	all := db.Query{From: "list_items i"}
	all.Where("i.list_id = ?", list)
	page, err := db.FetchWalked(ctx, tx, db.Walk{
		Candidates: q, All: all, Order: inOrder, Limit: f.CutAfter,
		Fits: func(of []string) bool {
			return (f.Lang == "" || of[0] == f.Lang) && (f.State == "" || of[1] == "true")
		},
	}, f.Page, f.State, f.Lang)
	if err != nil {
		return found, err
	}
	if found, err = read(ctx, tx, list, columns, page); page.Cut {
		found.Note = cutNote
	}
	return found, err
}

// read returns the items of a page of their keys.
func read(
	ctx context.Context, tx *db.Snapshot, list uuid.UUID, columns string, page db.List[[]string],
) (db.List[Item], error) {
	found := db.List[Item]{Items: []Item{}, Next: page.Next, Prev: page.Prev, Cut: page.Cut}
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
