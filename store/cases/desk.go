package cases

import (
	"context"
	"slices"
	"time"

	"github.com/google/uuid"

	"treewarden/scoring"
	"treewarden/store/db"
	"treewarden/store/queue"
	"treewarden/store/rings"
)

// Line is what waits of one author: the most urgent case, and the number of all.
type Line struct {
	Case
	Cases    int // of the author, with this one
	People   int // who reported or flagged a message of the author
	OldestAt time.Time
}

// Lines returns the lines of places, each the most urgent case of its author.
func (d Desk) Lines(ctx context.Context, places []queue.Place) ([]Line, error) {
	found, err := d.read(ctx, readHeads, places)
	lines := make([]Line, len(found))
	for i, c := range found {
		lines[i] = Line{Case: c, Cases: 1, People: c.Reporters, OldestAt: c.OpenedAt}
		if c.UserID != nil {
			lines[i].count(d.Index.OfAuthor(*c.UserID))
		}
	}
	return lines, err
}

func (l *Line) count(open []*queue.Case) {
	people := map[uuid.UUID]bool{}
	for _, c := range open {
		for _, reporter := range c.Reporters {
			people[reporter] = true
		}
		if c.Opened.Before(l.OldestAt) {
			l.OldestAt = c.Opened.UTC()
		}
	}
	l.Cases, l.People = len(open), len(people)
}

// Desk reads open cases with their priorities.
type Desk struct {
	Conn  db.Conn
	Index *queue.Index
	By    queue.By
	Holders
}

// Read returns the cases of places.
func (d Desk) Read(ctx context.Context, places []queue.Place) ([]Case, error) {
	return d.read(ctx, Read, places)
}

func (d Desk) read(ctx context.Context, read func(context.Context, db.Conn, Holders, []int64) ([]Case, error),
	places []queue.Place) ([]Case, error) {
	ids, at := make([]int64, len(places)), make(map[int64]*queue.Case, len(places))
	for i, p := range places {
		ids[i], at[p.Case.ID] = p.Case.ID, p.Case
	}
	found, err := read(ctx, d.Conn, d.Holders, ids)
	// A case may have been decided since the order was read.
	found = slices.DeleteFunc(found, func(c Case) bool { return c.Status != "open" })
	for i := range found {
		d.setPriority(&found[i], at[found[i].ID])
	}
	return found, err
}

// setPriority sets the priority of an open case.
func (d Desk) setPriority(c *Case, in *queue.Case) {
	if in == nil || c.Status != "open" {
		return
	}
	c.Priority = new(d.priority(d.By.Priority, in))
}

// priority returns the priority of a case by some weights.
func (d Desk) priority(by scoring.Priority, c *queue.Case) Priority {
	p := Priority{Parts: by.Parts(d.Index.Facts(c, d.By.Score), queue.Hour(d.By.Now))}
	for _, part := range p.Parts {
		p.Points += part.Points
	}
	return p
}

// Detail is a case with what its page shows besides its message.
type Detail struct {
	Case
	Former    []Case                       // the decided cases on the message
	Others    []Case                       // more open cases of the author, the most urgent first
	More      int                          // the number of open cases that Others leaves out
	Unseen    map[int64]bool               // those of Others that the actor has not opened
	Reporting map[uuid.UUID]queue.Reporter // how far its reporters are trusted
	// Together is the number of open cases of the author that the actor may decide with
	// this one, which is one of them, and Unopened those of them that they have not opened.
	Together, Unopened int
}

// othersShown is the number of other open cases of an author that a case names.
const othersShown = 10

// readOthers reads the other open cases of a case's author.
func (d Desk) readOthers(ctx context.Context, by Worker, c *Detail) (err error) {
	if c.UserID == nil {
		return nil
	}
	if c.Together, c.Unopened, err = countChosen(ctx, d.Conn, d.Holders, by, c.ID, c.UserID); err != nil {
		return db.Translate(err)
	}
	var places []queue.Place
	for _, other := range d.Index.OfAuthor(*c.UserID) {
		if other.ID != c.ID {
			value := d.By.Priority.Of(d.Index.Facts(other, d.By.Score), queue.Hour(d.By.Now))
			places = append(places, queue.Place{Value: value, Case: other})
		}
	}
	slices.SortFunc(places, queue.Compare)
	c.More = max(0, len(places)-othersShown)
	places = places[:len(places)-c.More]
	if c.Others, err = d.read(ctx, readHeads, places); err != nil {
		return err
	}
	ids := make([]int64, len(places))
	for i, p := range places {
		ids[i] = p.Case.ID
	}
	seen, err := Seen(ctx, d.Conn, by.ID, ids)
	c.Unseen = map[int64]bool{}
	for _, id := range ids {
		if _, ok := seen[id]; !ok {
			c.Unseen[id] = true
		}
	}
	return db.Translate(err)
}

// One returns a case with its priority, and the pairs among those who flagged it.
func (d Desk) One(ctx context.Context, id int64) (Case, error) {
	c, err := ByID(ctx, d.Conn, d.Holders, id)
	if err != nil {
		return c, err
	}
	d.setPriority(&c, d.Index.ByID(id))
	c.Rings, err = rings.Among(ctx, d.Conn, c.flaggers())
	return c, db.Translate(err)
}

// flaggers returns the people who reported or flagged the message, each once.
func (c Case) flaggers() (users []uuid.UUID) {
	seen := map[uuid.UUID]bool{}
	add := func(user uuid.UUID) {
		if !seen[user] {
			seen[user], users = true, append(users, user)
		}
	}
	for _, r := range c.Reports {
		add(r.UserID)
	}
	for _, f := range c.RedFlags {
		add(f.UserID)
	}
	return users
}

// Detail returns a case with what its page shows to a worker.
func (d Desk) Detail(ctx context.Context, by Worker, id int64) (c Detail, err error) {
	if c.Case, err = d.One(ctx, id); err != nil {
		return c, err
	}
	if c.Former, err = Former(ctx, d.Conn, d.Holders, c.Case); err != nil {
		return c, err
	}
	c.Reporting = map[uuid.UUID]queue.Reporter{}
	for _, r := range c.Reports {
		c.Reporting[r.UserID] = d.Index.Reporter(r.UserID)
	}
	for _, r := range c.RedFlags {
		c.Reporting[r.UserID] = d.Index.Reporter(r.UserID)
	}
	return c, d.readOthers(ctx, by, &c)
}
