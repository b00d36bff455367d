package store

import (
	"context"
	"strings"

	"github.com/google/uuid"

	"treewarden/policy"
	"treewarden/store/exports"
	"treewarden/store/insights"
	"treewarden/store/lists"
	"treewarden/store/messages"
	"treewarden/store/samples"
	"treewarden/store/searches"
	"treewarden/store/selection"
)

// MaxListItems is the maximum number of messages that one action adds to a list or removes from it.
const MaxListItems = lists.MaxItems

// What the package lists changes, by the names that users of a Store know.
type (
	ListParams = lists.ListParams
	NewItem    = lists.NewItem
	Added      = lists.Added
)

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

// createList inserts a list that does not count as existing, and then makes it
// exist by its aspect, so that the log and an undo treat it as any other change.
func createList(d *actionTx, p ListParams) error {
	if err := p.CheckNew(); err != nil {
		return err
	}
	d.label = strings.TrimSpace(*p.Name)
	if err := lists.Insert(d.Ctx, d.Conn, d.act.Target, p, d.actor.id(), d.at); err != nil {
		return err
	}
	_, err := d.change(listAspect, "chosen AS (SELECT $2::uuid AS id)", "removed = false", d.act.Target)
	return err
}

// lockList locks a list and reads it.
func (d *actionTx) lockList(id uuid.UUID) (lists.List, error) {
	list, err := lists.Lock(d.Ctx, d.Conn, id)
	d.label = list.Name
	return list, err
}

func updateList(d *actionTx, p ListParams) error {
	if err := p.CheckChange(); err != nil {
		return err
	}
	list, err := d.lockList(d.act.Target)
	if err != nil {
		return err
	}
	if err := d.checkVersion(list.Version); err != nil {
		return err
	}
	list = p.Apply(list)
	n, err := d.change(listAspect, "chosen AS (SELECT $2::uuid AS id)",
		"name = $3, kind = $4, note = $5, archived = $6", list.ListID, list.Name, list.Kind, list.Note, list.Archived)
	if err == nil && n == 0 {
		return errUnchanged
	}
	return err
}

// AddParams are the messages to add to a list: by id, or by a filter.
type AddParams struct {
	Items  []NewItem      `json:"items"`
	Filter *MessageFilter `json:"filter"`
	// added receives what became of the items.
	added *Added
	found []uuid.UUID // by the filter
}

// prepare searches before the action begins, so that nothing is locked meanwhile.
func (p AddParams) prepare(ctx context.Context, s *Store, _ Act) (_ any, err error) {
	if p.Filter != nil {
		p.found, err = messages.IDs(ctx, s.pool, s.searcher, *p.Filter, MaxListItems+1)
	}
	return p, err
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
		items = lists.NewItems(p.found)
	}
	if len(items) == 0 && p.Filter == nil {
		return Invalid{"items": "Give at least one message id."}
	}
	if err := lists.CheckNewItems(items); err != nil {
		return err
	}
	added, touched, err := lists.Add(d.Ctx, d.Conn, list, d.id, d.actor.id(), d.at, items, nil)
	if err != nil {
		return err
	}
	if p.added != nil {
		*p.added = added
	}
	return d.counted(touched, nil)
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

// counted ends an action that added or removed items: it counts them, and logs nothing if there are none.
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
	target, label := d.act.Target, d.label
	if d.targetType == bulkKind {
		var err error
		if _, target, err = selection.KindOf(d.Ctx, d.Conn, id); err != nil {
			return err
		}
	}
	list, err := d.lockList(target)
	d.label = label
	if err != nil {
		return err
	}
	return d.restoreItems(list, id)
}

// restoreItems undoes what an action did to the items of a list. It returns errUnchanged if that is nothing.
func (d *actionTx) restoreItems(list lists.List, id int64) error {
	changed, err := lists.ChangedSince(d.Ctx, d.Conn, list.ListID, id)
	if err != nil {
		return err
	}
	if changed != uuid.Nil {
		return d.laterThan(id, lists.ItemObject, changed, lists.AspectOf(list.ListID))
	}
	return d.counted(lists.Restore(d.Ctx, d.Conn, list, d.id, id, d.act.Progress))
}

// refuseItems returns a Conflict if a list that an undo removes has items.
func (d *actionTx) refuseItems() error {
	leaves, err := lists.LeavesItems(d.Ctx, d.Conn, d.act.Target)
	if err == nil && leaves {
		return &Conflict{Why: "This list has messages. Remove them first, or archive the list."}
	}
	return err
}

// Lists returns one page of the lists of messages, the newest first.
func (s *Store) Lists(ctx context.Context, actor Actor, f lists.Filter) (List[lists.List], error) {
	if err := need(actor, policy.ListRead); err != nil {
		return List[lists.List]{}, err
	}
	return lists.All(ctx, s.pool, s.searcher, f)
}

// CountMessages counts the messages that a filter finds, up to one more than MaxListItems.
func (s *Store) CountMessages(ctx context.Context, actor Actor, f MessageFilter) (int64, error) {
	if err := need(actor, policy.Read); err != nil {
		return 0, err
	}
	return messages.CountUpTo(ctx, s.pool, s.searcher, f, MaxListItems+1)
}

// ListByID returns a list of messages, or ErrNotFound.
func (s *Store) ListByID(ctx context.Context, actor Actor, id uuid.UUID) (lists.List, error) {
	if err := need(actor, policy.ListRead); err != nil {
		return lists.List{}, err
	}
	return lists.ByID(ctx, s.pool, id)
}

// ListItems returns one page of the items of a list, the newest first.
func (s *Store) ListItems(
	ctx context.Context, actor Actor, list uuid.UUID, f lists.ItemFilter,
) (List[lists.Item], error) {
	l, err := s.ListByID(ctx, actor, list)
	if err != nil {
		return List[lists.Item]{}, err
	}
	if l.Items <= lists.Short {
		f.CutAfter = 0
	}
	return lists.Items(ctx, s.pool, s.searcher, list, f)
}

// AuditList counts the items of a list by their state now. It keeps who audited the list, when, and the counts.
func (s *Store) AuditList(ctx context.Context, actor Actor, list uuid.UUID) (lists.Audit, error) {
	if _, err := s.ListByID(ctx, actor, list); err != nil {
		return lists.Audit{}, err
	}
	audit, err := lists.Count(ctx, s.pool, list, s.now().UTC())
	if err != nil {
		return lists.Audit{}, err
	}
	return audit, audit.Keep(ctx, s.pool, list, actor.id())
}

// CompareList compares a list with another one, or with what staff deleted.
func (s *Store) CompareList(
	ctx context.Context, actor Actor, list uuid.UUID, with lists.Other, p Page,
) (lists.Comparison, error) {
	if err := need(actor, policy.ListRead); err != nil {
		return lists.Comparison{}, err
	}
	return lists.Compare(ctx, s.pool, list, with, p)
}

// ComparedIDs returns the next ids of a part of a comparison, see lists.Compared.
func (s *Store) ComparedIDs(ctx context.Context, actor Actor, of lists.Part, after uuid.UUID) ([]uuid.UUID, error) {
	if err := need(actor, policy.ListRead); err != nil {
		return nil, err
	}
	return lists.Compared(ctx, s.pool, of, after)
}

// Searches gives an actor who may read messages access to the saved searches.
func (s *Store) Searches(actor Actor) (searches.Access, error) {
	return searches.Access{Pool: s.pool, Searcher: s.searcher, Now: s.now, Person: actor.UserID, Within: actor.ActsOn(),
		Others: need(actor, policy.StaffManage)}, need(actor, policy.Read)
}

// Samples gives an actor who may read lists access to the second looks.
func (s *Store) Samples(actor Actor) (samples.Access, error) {
	return samples.Access{Pool: s.pool, Now: s.now, Person: actor.UserID, Edit: need(actor, policy.ListEdit)},
		need(actor, policy.ListRead)
}

// Exports gives an actor who may export access to exports.
func (s *Store) Exports(actor Actor) (exports.Access, error) {
	return exports.Access{Pool: s.pool, Now: s.now, By: actor.Name}, need(actor, policy.Export)
}

// Insights gives an actor who may read messages access to figures of the collection.
func (s *Store) Insights(actor Actor) (insights.Access, error) {
	var log ActionFilter
	denied := limitToVisible(actor, &log)
	return insights.Access{Pool: s.pool, Now: s.now, Lists: need(actor, policy.ListRead), Log: denied, Own: log.Own},
		need(actor, policy.Read)
}
