package importer

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"treewarden/corpus"
	"treewarden/store/db"
	"treewarden/store/tables"
)

// knownMessage is the data of a known message that placing others needs.
type knownMessage struct {
	MessageID uuid.UUID
	TreeID    uuid.UUID
	ParentID  *uuid.UUID
	Depth     int
	Role      string
	// DeletedRoot is set if the message is deleted, but not by an action:
	// imported deleted replies belong to its deletion.
	DeletedRoot *uuid.UUID
	// Erased reports whether the author's texts were erased.
	Erased bool
	// Xmin is the transaction that wrote the message last.
	Xmin int64
	// Digest is the digest of a line of this dry run about a message that only
	// the dry run would have created. It is nil for messages in the database.
	Digest *uuid.UUID
}

const knownSQL = `SELECT m.message_id, m.tree_id, m.parent_id, m.depth, m.role,
	CASE WHEN m.deleted AND m.deleted_action IS NULL THEN m.deleted_root END, u.erased_at IS NOT NULL,
	m.xmin::text::bigint, NULL::uuid
	FROM unnest($1::uuid[]) i(id) JOIN message_trees d ON d.message_id = i.id
	JOIN messages m ON m.tree_id = d.tree_id AND m.message_id = d.message_id
	LEFT JOIN users u ON u.user_id = m.user_id`

// erasedSQL finds the users of $1 who were erased.
const erasedSQL = `SELECT user_id FROM users WHERE erased_at IS NOT NULL AND user_id = ANY ($1)`

// otherTextsSQL finds the messages of $1 whose text differs from that in $2.
const otherTextsSQL = `SELECT m.message_id FROM unnest($1::uuid[], $2::text[]) n(id, text)
	JOIN message_trees d ON d.message_id = n.id
	JOIN messages m ON m.tree_id = d.tree_id AND m.message_id = d.message_id WHERE m.text <> n.text`

// refuseErased refuses records that bring texts of erased users back. A known text
// that stayed is no harm.
func (im *run) refuseErased(ctx context.Context, tx pgx.Tx, b *batch, known map[uuid.UUID]knownMessage) error {
	authors := map[uuid.UUID]bool{}
	for _, item := range b.items {
		for i := range item.record.Messages {
			if author := item.record.Messages[i].UserID; author != nil {
				authors[*author] = true
			}
		}
	}
	erased := map[uuid.UUID]bool{}
	if err := collectIDs(ctx, tx, erased, erasedSQL, db.IDArray(slices.Collect(maps.Keys(authors)))); err != nil {
		return fmt.Errorf("look for erased users: %w", err)
	}
	var ids []uuid.UUID
	var texts []string
	b.eachErased(known, erased, func(_ *incoming, m *corpus.Message) {
		if _, there := known[m.MessageID]; there {
			ids, texts = append(ids, m.MessageID), append(texts, m.Text)
		}
	})
	differ := map[uuid.UUID]bool{}
	if len(ids) > 0 {
		if err := collectIDs(ctx, tx, differ, otherTextsSQL, db.IDArray(ids), texts); err != nil {
			return fmt.Errorf("compare texts of erased users: %w", err)
		}
	}
	b.eachErased(known, erased, func(item *incoming, m *corpus.Message) {
		if _, there := known[m.MessageID]; item.state != refused && (!there || differ[m.MessageID]) {
			item.refuse(corpus.UserErased, "message %s would bring back a text of a user who was erased", m.MessageID)
		}
	})
	return nil
}

// eachErased calls each for the messages by erased users, as the line or the known
// message names them.
func (b *batch) eachErased(
	known map[uuid.UUID]knownMessage, erased map[uuid.UUID]bool, each func(*incoming, *corpus.Message),
) {
	for _, item := range b.items {
		for i := range item.record.Messages {
			m := &item.record.Messages[i]
			if m.UserID != nil && erased[*m.UserID] || known[m.MessageID].Erased {
				each(item, m)
			}
		}
	}
}

// refuseFuture refuses records with a date in the future.
func (b *batch) refuseFuture(now time.Time) {
	latest := now.Add(corpus.MaxAhead)
	for _, item := range b.items {
		for i := range item.record.Messages {
			m := &item.record.Messages[i]
			if item.state != refused && m.CreatedDate != nil && m.CreatedDate.After(latest) {
				item.refuse(corpus.BadDate, "created_date of message %s is %s, which is more than a day in the future",
					m.MessageID, m.CreatedDate.Format(time.RFC3339))
			}
		}
	}
}

// lookUp returns the known messages among those of a batch and their parents.
func (im *run) lookUp(ctx context.Context, tx pgx.Tx, b *batch) (map[uuid.UUID]knownMessage, error) {
	ids := make([]uuid.UUID, 0, b.messages+len(b.items))
	for _, item := range b.items {
		root := &item.record.Messages[0]
		if root.ParentID != nil {
			if _, here := b.at[*root.ParentID]; !here {
				ids = append(ids, *root.ParentID)
			}
		}
		for i := range item.record.Messages {
			ids = append(ids, item.record.Messages[i].MessageID)
		}
	}
	sql := knownSQL
	if im.o.DryRun {
		sql += dryKnownSQL
	}
	rows, err := tx.Query(ctx, sql, db.IDArray(ids))
	if err != nil {
		return nil, fmt.Errorf("look up known messages: %w", err)
	}
	found := map[uuid.UUID]knownMessage{}
	var k knownMessage // pgx allocates new pointers
	_, err = pgx.ForEachRow(rows, []any{
		&k.MessageID, &k.TreeID, &k.ParentID, &k.Depth, &k.Role, &k.DeletedRoot, &k.Erased, &k.Xmin, &k.Digest,
	}, func() error {
		found[k.MessageID] = k
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("look up known messages: %w", err)
	}
	return found, nil
}

// placer finds the tree and the depth of each item of a batch.
type placer struct {
	batch *batch
	known map[uuid.UUID]knownMessage
}

func (p *placer) place(item *incoming) {
	if item.state != unplaced {
		return
	}
	item.state = placing
	root := &item.record.Messages[0]
	item.parent = root.ParentID
	var above *uuid.UUID // the deletion that the first message would belong to
	if k, known := p.known[root.MessageID]; known {
		if item.parent == nil && !item.record.Prompt {
			item.parent = k.ParentID // the line does not have it
		}
		if !tables.SameID(item.parent, k.ParentID) {
			item.refuse(corpus.Conflict, "message %s is already known as a reply to %s, but this line makes it a reply to %s",
				root.MessageID, idOrNone(k.ParentID), idOrNone(item.parent))
			return
		}
		item.tree, item.depth = k.TreeID, k.Depth
	} else if item.parent == nil {
		item.tree = root.MessageID
	} else if !p.below(item, *item.parent, &above) {
		item.state = orphan
		return
	}
	if p.check(item); item.state == refused {
		return
	}
	p.deletions(item, above)
	item.state = placed
}

// below places an item below its parent, if that is known or in the batch.
func (p *placer) below(item *incoming, parent uuid.UUID, above **uuid.UUID) bool {
	if k, known := p.known[parent]; known {
		item.tree, item.depth, *above = k.TreeID, k.Depth+1, k.DeletedRoot
		return true
	}
	at, here := p.batch.at[parent]
	if !here {
		return false
	}
	if p.place(at.item); at.item.state != placed { // placing: a cycle
		return false
	}
	item.tree, item.depth = at.item.tree, at.item.depth+at.item.record.Messages[at.i].Depth+1
	if root := at.item.roots[at.i]; root != uuid.Nil {
		*above = &root
	}
	return true
}

// check refuses a record that contradicts itself or known data.
func (p *placer) check(item *incoming) {
	if tree := item.record.Tree.ID; tree != nil && *tree != item.tree {
		item.refuse(corpus.WrongTree, "message %s belongs to tree %s, but this line puts it into tree %s",
			item.record.Messages[0].MessageID, item.tree, tree)
		return
	}
	for i := range item.record.Messages {
		m := &item.record.Messages[i]
		if depth := item.depth + m.Depth; depth > corpus.MaxDepth {
			item.refuse(corpus.TooDeep, "message %s would be %d levels below its prompt; at most %d levels are allowed",
				m.MessageID, depth, corpus.MaxDepth)
			return
		}
		parent := item.parentOf(i)
		k, known := p.known[m.MessageID]
		switch {
		case !known:
		case k.TreeID != item.tree:
			item.refuse(corpus.Conflict, "message %s is already known in tree %s, but this line puts it into tree %s",
				m.MessageID, k.TreeID, item.tree)
			return
		case !tables.SameID(k.ParentID, parent):
			item.refuse(corpus.Conflict, "message %s is already known as a reply to %s, but this line makes it a reply to %s",
				m.MessageID, idOrNone(k.ParentID), idOrNone(parent))
			return
		case k.Role != m.Role:
			item.refuse(corpus.Conflict, "message %s is already known with the role %s, but this line says %s",
				m.MessageID, k.Role, m.Role)
			return
		}
	}
}

func idOrNone(id *uuid.UUID) string {
	if id == nil {
		return "nothing"
	}
	return id.String()
}

// deletions sets the roots of imported deleted messages: the topmost message
// above them in an unbroken run of deleted messages.
func (p *placer) deletions(item *incoming, above *uuid.UUID) {
	messages := item.record.Messages
	item.roots = make([]uuid.UUID, len(messages))
	path := make([]uuid.UUID, 0, 16) // deletions of the messages above, by depth
	for i := range messages {
		m := &messages[i]
		path = path[:m.Depth]
		var root uuid.UUID
		if k, known := p.known[m.MessageID]; known {
			if k.DeletedRoot != nil {
				root = *k.DeletedRoot
			}
		} else if m.Deleted {
			root = m.MessageID
			if m.Depth > 0 && path[m.Depth-1] != uuid.Nil {
				root = path[m.Depth-1]
			} else if m.Depth == 0 && above != nil {
				root = *above
			}
		}
		item.roots[i] = root
		path = append(path, root)
	}
}
