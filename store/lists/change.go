package lists

import (
	"context"
	"errors"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"treewarden/corpus"
	"treewarden/store/db"
)

// NewItem is a message to add to a list.
type NewItem struct {
	MessageID uuid.UUID `json:"message_id"`
	Note      string    `json:"note"`
}

// MaxItems is the maximum number of messages that one action adds to a list or
// removes from it.
const MaxItems = 100_000

// CheckNewItems returns an Invalid unless items can be added to a list.
func CheckNewItems(items []NewItem) error {
	if len(items) > MaxItems {
		return db.Invalid{"items": "Add at most 100,000 messages at once; these are more."}
	}
	for _, item := range items {
		if !db.IsText(item.Note) || utf8.RuneCountInString(item.Note) > corpus.MaxIDNote {
			return db.Invalid{"items": "The note of " + item.MessageID.String() + " is no text of at most 500 characters."}
		}
	}
	return nil
}

// NewItems returns messages as items without notes.
func NewItems(messages []uuid.UUID) []NewItem {
	items := make([]NewItem, len(messages))
	for i, id := range messages {
		items[i].MessageID = id
	}
	return items
}

// Added tells what became of the items that were to be added to a list.
type Added struct {
	Added     int64       `json:"added"`     // new items whose message is here
	Duplicate int64       `json:"duplicate"` // given twice, or on the list before
	Missing   []uuid.UUID `json:"missing"`   // new items whose message is not here
}

// ItemObject is the type of the items among the objects of the log. Their id is
// the message's.
const ItemObject = "list_item"

// ItemAspect is the aspect of an item in the log. The id of its list follows after a
// colon, because one message may be on several lists.
const ItemAspect = "item"

// AspectOf is the aspect of the items of a list in the log.
func AspectOf(list uuid.UUID) string { return ItemAspect + ":" + list.String() }

// ItemStateSQL is the state of an item i in the log.
const ItemStateSQL = `jsonb_build_object('item', i.item_id, 'note', i.note, 'by', i.added_by, 'at', i.added_at,
	'action', i.action_id, 'text', i.text_md5)`

// Insert inserts a list that does not count as existing yet: it is removed, and has no
// version.
func Insert(ctx context.Context, c db.Conn, id uuid.UUID, p ListParams, owner *uuid.UUID, at time.Time) error {
	l := p.Apply(List{})
	_, err := c.Exec(ctx, `INSERT INTO lists (list_id, name, kind, note, owner_id, created_date, removed, version)
		VALUES ($1, $2, $3, $4, $5, $6, true, 0)`, id, l.Name, l.Kind, l.Note, owner, at)
	return err
}

// Lock locks a list and reads it. It returns ErrNotFound if there is none.
func Lock(ctx context.Context, c db.Conn, id uuid.UUID) (List, error) {
	if _, err := c.Exec(ctx, "SELECT FROM lists WHERE list_id = $1 FOR NO KEY UPDATE", id); err != nil {
		return List{}, err
	}
	return ByID(ctx, c, id)
}

// LeavesItems reports whether a list was removed that has items.
func LeavesItems(ctx context.Context, c db.Conn, id uuid.UUID) (leaves bool, err error) {
	err = c.QueryRow(ctx, "SELECT EXISTS (SELECT FROM lists WHERE list_id = $1 AND removed AND items > 0)", id).
		Scan(&leaves)
	return leaves, err
}

// Add adds items to a list and logs each of them. It returns the number of new
// items, with those whose message is not here. The caller has locked the list. progress,
// if it is not nil, is called with the number of items that are done.
func Add(
	ctx context.Context, c db.Conn, list List, action int64, by any, at time.Time, items []NewItem,
	progress func(done int64),
) (added Added, touched int64, err error) {
	ids, notes := distinct(items)
	// The items are numbered from the last to the first, so that a list, newest
	// first, shows them in the order in which they were given.
	err = db.InParts(len(ids), progress, func(from, to int) error {
		from, to = len(ids)-to, len(ids)-from
		tag, err := c.Exec(ctx, `WITH added AS (INSERT INTO list_items AS i (
			list_id, message_id, note, added_by, added_at, action_id, text_md5)
		SELECT $2, g.message_id, g.note, $5, $6, $1, md5(m.text)::uuid
			FROM unnest($3::uuid[], $4::text[]) WITH ORDINALITY AS g(message_id, note, place)
			LEFT JOIN message_trees x ON x.message_id = g.message_id
			LEFT JOIN messages m ON m.tree_id = x.tree_id AND m.message_id = g.message_id
			ORDER BY g.place DESC
		ON CONFLICT DO NOTHING RETURNING i.message_id, `+ItemStateSQL+` AS state)
		INSERT INTO action_objects (action_id, object_type, object_id, aspect, after)
		SELECT $1, 'list_item', message_id, $7, state FROM added`,
			action, list.ListID, db.IDArray(ids[from:to]), notes[from:to], by, at, AspectOf(list.ListID))
		touched += tag.RowsAffected()
		return err
	})
	if err != nil {
		return added, 0, err
	}
	missing, err := c.Query(ctx, `SELECT message_id FROM list_items
		WHERE list_id = $1 AND action_id = $2 AND text_md5 IS NULL ORDER BY item_id DESC`, list.ListID, action)
	if err != nil {
		return added, 0, err
	}
	if added.Missing, err = pgx.CollectRows(missing, pgx.RowTo[uuid.UUID]); err != nil {
		return added, 0, err
	}
	added.Duplicate = int64(len(items)) - touched
	added.Added = touched - int64(len(added.Missing))
	return added, touched, count(ctx, c, list, action, touched)
}

// AddedBy tells what an earlier action added. given is the number of items that it
// was given, 0 if that is not known.
func AddedBy(ctx context.Context, c db.Conn, action int64, given int) (Added, error) {
	added := Added{Missing: []uuid.UUID{}}
	rows, err := c.Query(ctx, `SELECT object_id, after->>'text' IS NULL FROM action_objects
		WHERE action_id = $1 AND object_type = 'list_item' AND after IS NOT NULL
		ORDER BY (after->>'item')::bigint DESC`, action)
	if err != nil {
		return added, db.Translate(err)
	}
	var id uuid.UUID
	var missing bool
	_, err = pgx.ForEachRow(rows, []any{&id, &missing}, func() error {
		if missing {
			added.Missing = append(added.Missing, id)
		} else {
			added.Added++
		}
		return nil
	})
	added.Duplicate = max(0, int64(given)-added.Added-int64(len(added.Missing)))
	return added, db.Translate(err)
}

// distinct returns the ids and notes of items, each id once with its first note.
func distinct(items []NewItem) (ids []uuid.UUID, notes []string) {
	seen := make(map[uuid.UUID]bool, len(items))
	for _, item := range items {
		if !seen[item.MessageID] {
			seen[item.MessageID] = true
			ids, notes = append(ids, item.MessageID), append(notes, strings.TrimSpace(item.Note))
		}
	}
	return ids, notes
}

// Remove removes items from a list and logs each of them. It returns their
// number. The caller has locked the list.
func Remove(ctx context.Context, c db.Conn, list List, action int64, ids []uuid.UUID) (int64, error) {
	tag, err := c.Exec(ctx, `WITH removed AS (DELETE FROM list_items i WHERE i.list_id = $2
			AND i.message_id = ANY ($3::uuid[]) RETURNING i.message_id, `+ItemStateSQL+` AS state)
		INSERT INTO action_objects (action_id, object_type, object_id, aspect, before)
		SELECT $1, 'list_item', message_id, $4, state FROM removed`,
		action, list.ListID, db.IDArray(ids), AspectOf(list.ListID))
	if err != nil {
		return 0, err
	}
	return tag.RowsAffected(), count(ctx, c, list, action, -tag.RowsAffected())
}

// ChangedSince returns a message whose item is no longer as an action left it, or
// uuid.Nil if there is none.
func ChangedSince(ctx context.Context, c db.Conn, list uuid.UUID, action int64) (message uuid.UUID, err error) {
	err = c.QueryRow(ctx, `SELECT o.object_id FROM action_objects o
		LEFT JOIN list_items i ON i.list_id = $2 AND i.message_id = o.object_id
		WHERE o.action_id = $1 AND o.object_type = 'list_item'
			AND CASE WHEN i.list_id IS NOT NULL THEN `+ItemStateSQL+` END IS DISTINCT FROM o.after
		LIMIT 1`, action, list).Scan(&message)
	if errors.Is(err, pgx.ErrNoRows) {
		err = nil
	}
	return message, err
}

// Restore undoes what another action did to the items of a list, and logs it. It
// returns the number of items. The caller has locked the list. progress, if it is not
// nil, is called with the number of items that are done.
func Restore(
	ctx context.Context, c db.Conn, list List, action, undone int64, progress func(done int64),
) (int64, error) {
	rows, err := c.Query(ctx, `SELECT object_id FROM action_objects WHERE action_id = $1 AND object_type = 'list_item'
		ORDER BY object_id`, undone)
	if err != nil {
		return 0, err
	}
	ids, err := pgx.CollectRows(rows, pgx.RowTo[uuid.UUID])
	if err != nil {
		return 0, err
	}
	var removed, added int64
	err = db.InParts(len(ids), progress, func(from, to int) error {
		part := db.IDArray(ids[from:to])
		tag, err := c.Exec(ctx, `DELETE FROM list_items WHERE list_id = $2 AND message_id IN (SELECT object_id
			FROM `+restored+` AND after IS NOT NULL)`, undone, list.ListID, part)
		if err != nil {
			return err
		}
		removed += tag.RowsAffected()
		tag, err = c.Exec(ctx, `INSERT INTO list_items (
				list_id, message_id, item_id, note, added_by, added_at, action_id, text_md5)
			SELECT $2, object_id, (before->>'item')::bigint, before->>'note', (before->>'by')::uuid,
				(before->>'at')::timestamptz, (before->>'action')::bigint, (before->>'text')::uuid
			FROM `+restored+` AND before IS NOT NULL`, undone, list.ListID, part)
		if err != nil {
			return err
		}
		added += tag.RowsAffected()
		_, err = c.Exec(ctx, `INSERT INTO action_objects (action_id, object_type, object_id, aspect, before, after)
			SELECT $2, object_type, object_id, aspect, after, before FROM `+restored, undone, action, part)
		return err
	})
	if err != nil {
		return 0, err
	}
	return added + removed, count(ctx, c, list, action, added-removed)
}

// restored selects the items $3 that action $1 changed, from the log.
const restored = `action_objects WHERE action_id = $1 AND object_type = 'list_item' AND object_id = ANY ($3)`

// manyItems is the number of new items from which on the planner must know of them
// at once: it expects one row of a list that is newer than its statistics, and
// reads a message for each item where it had better read all of them.
const manyItems = 1000

// count changes the number of a list's items, and logs it before and after.
func count(ctx context.Context, c db.Conn, list List, action, difference int64) error {
	if difference >= manyItems {
		if _, err := c.Exec(ctx, "ANALYZE list_items (list_id, message_id)"); err != nil {
			return err
		}
	}
	_, err := c.Exec(ctx, `WITH counted AS (UPDATE lists SET items = items + $3 WHERE list_id = $2)
		INSERT INTO action_objects (action_id, object_type, object_id, aspect, before, after)
		VALUES ($1, 'list', $2, 'items', to_jsonb($4::bigint), to_jsonb($4::bigint + $3::bigint))`,
		action, list.ListID, difference, list.Items)
	return err
}
