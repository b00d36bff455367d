package store

import (
	"context"
	"fmt"
	"strings"
	"unicode/utf8"

	"github.com/google/uuid"

	"treewarden/corpus"
	"treewarden/policy"
	"treewarden/store/accounts"
	"treewarden/store/db"
	"treewarden/store/lists"
	"treewarden/store/messages"
)

// MaxListItems is the maximum number of messages that one action adds to a list
// or removes from it.
const MaxListItems = 100_000

func init() {
	register(Kind{
		Name: "create_list", Target: "list", Place: 110, Title: "Create list", Button: "Create", Past: "Created the list",
		Permission: policy.ListEdit, Undoable: true, aspects: []aspect{listAspect},
	}, createList)
	register(Kind{
		Name: "update_list", Target: "list", Place: 111, Title: "Change list", Button: "Save", Past: "Changed the list",
		Permission: policy.ListEdit, Undoable: true, aspects: []aspect{listAspect},
	}, updateList)
	register(Kind{
		Name: "add_to_list", Target: "list", Place: 112, Title: "Add to list", Button: "Add", Past: "Added messages to",
		Permission: policy.ListEdit, Undoable: true, aspects: []aspect{itemsAspect{}},
	}, addToList)
	register(Kind{
		Name: "remove_from_list", Target: "list", Place: 113, Title: "Remove from list", Button: "Remove",
		Past: "Removed messages from", Permission: policy.ListEdit, Undoable: true, aspects: []aspect{itemsAspect{}},
	}, removeFromList)
}

// ListParams describes a list. A nil field of a change is left alone; a new list
// needs a name and a kind.
type ListParams struct {
	Name     *string `json:"name" form:"name" validate:"omitempty,max=200"`
	Kind     *string `json:"kind" form:"kind" validate:"omitempty,oneof=bad good custom"`
	Note     *string `json:"note" form:"note" validate:"omitempty,max=2000"`
	Archived *bool   `json:"archived" form:"archived"`
}

func (p ListParams) check() Invalid {
	wrong := Invalid{}
	if p.Name != nil && (!accounts.Visible(*p.Name) || len([]rune(*p.Name)) > 200) {
		wrong["name"] = "A name has 1 to 200 characters, at least one of them visible."
	}
	if p.Kind != nil {
		if err := oneOfField("kind", *p.Kind, lists.Kinds...); err != nil || *p.Kind == "" {
			wrong["kind"] = "Choose " + orList(lists.Kinds) + "."
		}
	}
	for field, text := range map[string]*string{"name": p.Name, "note": p.Note} {
		if text != nil && checkText(field, *text) != nil {
			wrong[field] = "This text holds bytes that are not text (NUL or broken UTF-8)."
		}
	}
	if p.Note != nil && len([]rune(*p.Note)) > 2000 {
		wrong["note"] = "A note has at most 2,000 characters."
	}
	return wrong
}

// createList inserts a list that does not count as existing, and then makes it
// exist by its aspect, so that the log and an undo treat it as any other change.
func createList(d *actionTx, p ListParams) error {
	wrong := p.check()
	if p.Name == nil {
		wrong["name"] = "Give the list a name."
	}
	if p.Kind == nil {
		wrong["kind"] = "Choose " + orList(lists.Kinds) + "."
	}
	if len(wrong) > 0 {
		return wrong
	}
	note := ""
	if p.Note != nil {
		note = strings.TrimSpace(*p.Note)
	}
	d.label = strings.TrimSpace(*p.Name)
	if _, err := d.exec(`INSERT INTO lists (list_id, name, kind, note, owner_id, created_date, removed, version)
		VALUES ($1, $2, $3, $4, $5, $6, true, 0)`, d.act.Target, d.label, *p.Kind, note, d.actor.id(), d.at); err != nil {
		return err
	}
	_, err := d.change(listAspect, "chosen AS (SELECT $2::uuid AS id)", "removed = false", d.act.Target)
	return err
}

// lockList locks a list and reads it.
func (d *actionTx) lockList(id uuid.UUID) (lists.List, error) {
	if _, err := d.exec("SELECT FROM lists WHERE list_id = $1 FOR NO KEY UPDATE", id); err != nil {
		return lists.List{}, err
	}
	list, err := lists.ByID(d.Ctx, d.Conn, id)
	d.label = list.Name
	return list, err
}

func updateList(d *actionTx, p ListParams) error {
	wrong := p.check()
	if p == (ListParams{}) {
		wrong["name"] = "Give at least one value to change."
	}
	if len(wrong) > 0 {
		return wrong
	}
	list, err := d.lockList(d.act.Target)
	if err != nil {
		return err
	}
	if err := d.checkVersion(list.Version); err != nil {
		return err
	}
	for _, f := range []struct {
		given *string
		field *string
	}{{p.Name, &list.Name}, {p.Kind, &list.Kind}, {p.Note, &list.Note}} {
		if f.given != nil {
			*f.field = strings.TrimSpace(*f.given)
		}
	}
	if p.Archived != nil {
		list.Archived = *p.Archived
	}
	n, err := d.change(listAspect, "chosen AS (SELECT $2::uuid AS id)",
		"name = $3, kind = $4, note = $5, archived = $6", list.ListID, list.Name, list.Kind, list.Note, list.Archived)
	if err == nil && n == 0 {
		return errUnchanged
	}
	return err
}

// NewItem is a message to add to a list, Added what became of the new items.
type (
	NewItem = lists.NewItem
	Added   = lists.Added
)

// AddParams are the messages to add to a list: by id, or by a filter.
type AddParams struct {
	Items  []NewItem      `json:"items"`
	Filter *MessageFilter `json:"filter"`
	// added receives what became of the items.
	added *Added
}

// AddToList adds messages to a list in one action. Ids that name no message are
// added too, and named. It returns Invalid for more than MaxListItems messages,
// and a Conflict for an archived list.
func (s *Store) AddToList(
	ctx context.Context, actor Actor, list uuid.UUID, p AddParams, reason, idempotencyKey string,
) (Outcome, Added, error) {
	p.added = &Added{}
	outcome, err := s.Act(ctx, actor, Act{
		Kind: "add_to_list", Target: list, Reason: reason, Params: p, IdempotencyKey: idempotencyKey,
	})
	if err == nil && p.added.Missing == nil { // a repeated request, which did not act again
		*p.added, err = lists.AddedBy(ctx, s.pool, outcome.Action.Key, len(p.Items))
	}
	return outcome, *p.added, err
}

func addToList(d *actionTx, p AddParams) error {
	list, err := d.openList()
	if err != nil {
		return err
	}
	items := p.Items
	if p.Filter != nil {
		if items, err = d.found(*p.Filter); err != nil {
			return err
		}
	}
	switch {
	case len(items) == 0 && p.Filter == nil:
		return Invalid{"items": "Give at least one message id."}
	case len(items) > MaxListItems:
		return Invalid{"items": "Add at most 100,000 messages at once; these are more."}
	}
	if wrong := checkNotes(items); wrong != nil {
		return wrong
	}
	added, touched, err := lists.Add(d.Ctx, d.Conn, list, d.id, d.actor.id(), d.at, items)
	if err != nil {
		return err
	}
	if p.added != nil {
		*p.added = added
	}
	return d.counted(touched, nil)
}

// checkNotes returns an Invalid if a note cannot be stored.
func checkNotes(items []NewItem) error {
	for _, item := range items {
		if checkText("note", item.Note) != nil || utf8.RuneCountInString(item.Note) > corpus.MaxIDNote {
			return Invalid{"items": "The note of " + item.MessageID.String() + " is no text of at most 500 characters."}
		}
	}
	return nil
}

// found returns the messages that a filter finds, the newest first, at most one
// more than MaxListItems.
func (d *actionTx) found(f MessageFilter) ([]NewItem, error) {
	q := db.Query{Columns: "m.message_id", From: messages.Tables}
	if err := f.Narrow(&q); err != nil {
		return nil, err
	}
	if err := f.CheckNames(d.Ctx, d.Conn); err != nil {
		return nil, err
	}
	sql, args := q.SQL()
	ids, err := d.ids(fmt.Sprintf("%s ORDER BY m.created_date DESC, m.message_id DESC LIMIT %d", sql, MaxListItems+1),
		args...)
	items := make([]NewItem, len(ids))
	for i, id := range ids {
		items[i].MessageID = id
	}
	return items, err
}

// openList locks the target list. It returns a Conflict if the list is archived.
func (d *actionTx) openList() (lists.List, error) {
	list, err := d.lockList(d.act.Target)
	if err == nil && list.Archived {
		err = d.withLatest(&Conflict{Why: "This list is archived. Remove it from the archive first.",
			Version: list.Version})
	}
	return list, err
}

// counted ends an action that added or removed items: it counts them, and logs
// nothing if there are none.
func (d *actionTx) counted(touched int64, err error) error {
	if err == nil && touched == 0 {
		return errUnchanged
	}
	d.affected.Messages = touched
	return err
}

// RemoveParams are the messages to remove from a list.
type RemoveParams struct {
	Items []uuid.UUID `json:"items"`
}

func removeFromList(d *actionTx, p RemoveParams) error {
	switch {
	case len(p.Items) == 0:
		return Invalid{"items": "Give at least one message id."}
	case len(p.Items) > MaxListItems:
		return Invalid{"items": "Remove at most 100,000 messages at once; these are more."}
	}
	list, err := d.openList()
	if err != nil {
		return err
	}
	return d.counted(lists.Remove(d.Ctx, d.Conn, list, d.id, p.Items))
}

// itemsAspect is the aspect of the items of a list. The log holds the state of
// each item that an action added or removed.
type itemsAspect struct{}

func (itemsAspect) event() string { return "" }

// undo removes the items that the action added, and adds those that it removed.
func (itemsAspect) undo(d *actionTx, id int64) error {
	list, err := d.lockList(d.act.Target)
	if err != nil {
		return err
	}
	return d.restoreItems(list, id)
}

// restoreItems undoes what an action did to the items of a list. It returns
// errUnchanged if that is nothing.
func (d *actionTx) restoreItems(list lists.List, id int64) error {
	changed, err := lists.ChangedSince(d.Ctx, d.Conn, list.ListID, id)
	if err != nil {
		return err
	}
	if changed != uuid.Nil {
		return d.laterThan(id, lists.ItemObject, changed, lists.AspectOf(list.ListID))
	}
	return d.counted(lists.Restore(d.Ctx, d.Conn, list, d.id, id))
}

// refuseItems returns a Conflict if a list that an undo removes has items.
func (d *actionTx) refuseItems() error {
	var items int64
	err := d.QueryRow(d.Ctx, "SELECT coalesce(max(items), 0) FROM lists WHERE list_id = $1 AND removed", d.act.Target).
		Scan(&items)
	if err == nil && items > 0 {
		return &Conflict{Why: "This list has messages. Remove them first, or archive the list."}
	}
	return err
}
