package waves

import (
	"cmp"
	"context"
	"math"
	"time"

	"github.com/google/uuid"

	"treewarden/store/db"
	"treewarden/store/messages"
	"treewarden/store/similar"
	"treewarden/store/tables"
)

// LeastMessages is the least number of messages of the waves that are shown, if
// nobody asks for another.
const LeastMessages = 3

// maxCounted is the number of members of a wave, the newest ones, of which those that
// are deleted are counted.
const maxCounted = 10_000

// Wave is a group of messages whose texts are alike.
type Wave struct {
	WaveID   uuid.UUID  `json:"wave_id"`
	Text     string     `json:"text"`     // of the oldest member
	Messages int        `json:"messages"` // deleted ones too
	Deleted  int        `json:"deleted"`  // of the newest 10,000 members
	Users    int        `json:"users"`    // the number of different authors
	First    *time.Time `json:"first"`    // null if no date is known
	Last     *time.Time `json:"last"`
	Likeness float64    `json:"likeness"` // the mean of the members'
	// Languages are the languages of the members.
	Languages []string `json:"languages"`
	// Oldest is the message that Text is of.
	Oldest uuid.UUID `json:"oldest_id"`
}

// Near is a message with its likeness to another one, or to the member of its wave
// that it is most like.
type Near struct {
	messages.Message
	Likeness float64 `json:"likeness"`
}

// Filter narrows the list of waves; zero fields do not.
type Filter struct {
	Since     *time.Time // only waves with a message since then
	Min       int        // the least number of messages; 0 is LeastMessages
	Lang      string     // only waves with a message in this language
	Within    []string   // only waves with a message in these languages and their varieties; nil for all
	TextLimit int        // texts are cut after so many characters; 0: never
	db.Page
}

// Reader reads waves.
type Reader struct{ Conn db.Conn }

// row is a wave as read from the database.
type row struct {
	db.Keyed
	WaveID   uuid.UUID
	Messages int
	Users    int
	First    *time.Time
	Last     *time.Time
	Likeness float64
	Langs    []string
}

const columns = `w.wave_id, w.messages, w.users, nullif(w.first, '-infinity') AS first,
	nullif(w.last, '-infinity') AS last, w.likeness, w.langs`

func (r row) wave() Wave {
	return Wave{WaveID: r.WaveID, Messages: r.Messages, Users: r.Users, First: r.First, Last: r.Last,
		Likeness: r.Likeness, Languages: r.Langs}
}

var newest = db.Order{Name: "waves", Desc: true, Keys: []db.Key{
	{Expr: "w.last", Typ: "timestamptz"}, {Expr: "w.wave_id", Typ: "uuid"},
}}

// All returns one page of the waves of at least two users, those with the newest
// messages first.
func (r Reader) All(ctx context.Context, f Filter) (db.List[Wave], error) {
	if f.Min == 0 {
		f.Min = LeastMessages
	}
	q := db.Query{Columns: columns, From: "waves w"}
	q.Where("w.users >= 2")
	q.Where("w.messages >= ?", f.Min)
	if f.Since != nil {
		q.Where("w.last >= ?", *f.Since)
	}
	if f.Lang != "" {
		q.Where("? = ANY (w.langs)", f.Lang)
	}
	if f.Within != nil {
		q.Where("EXISTS (SELECT FROM unnest(w.langs) AS l(lang) WHERE " + q.IsWithin("l.lang", f.Within) + ")")
	}
	rows, next, prev, err := db.Fetch[row](ctx, r.Conn, q, newest, f.Page)
	if err != nil {
		return db.List[Wave]{}, err
	}
	list := db.List[Wave]{Items: make([]Wave, len(rows)), Next: next, Prev: prev}
	for i, found := range rows {
		list.Items[i] = found.wave()
	}
	return list, describe(ctx, r.Conn, list.Items, f.TextLimit)
}

// describe reads the texts of waves, and how many of their members are deleted.
func describe(ctx context.Context, c db.Conn, waves []Wave, textLimit int) error {
	ids := make([]uuid.UUID, len(waves))
	for i, w := range waves {
		ids[i] = w.WaveID
	}
	if textLimit == 0 {
		textLimit = math.MaxInt32
	}
	type detail struct {
		Wave, Oldest uuid.UUID
		Text         string
		Deleted      int
	}
	details, err := db.Collect[detail](ctx, c, `SELECT w.id AS wave, o.message_id AS oldest, o.text, d.deleted
		FROM unnest($1::uuid[]) w(id)
		CROSS JOIN LATERAL (SELECT m.message_id, left(m.text, $2) AS text FROM wave_messages x
			JOIN messages m ON m.tree_id = x.tree_id AND m.message_id = x.message_id
			WHERE x.wave_id = w.id ORDER BY x.at, x.message_id LIMIT 1) o
		CROSS JOIN LATERAL (SELECT count(*) AS deleted FROM (SELECT x.tree_id, x.message_id FROM wave_messages x
				WHERE x.wave_id = w.id ORDER BY x.at DESC, x.message_id DESC LIMIT $3) x
			JOIN messages m ON m.tree_id = x.tree_id AND m.message_id = x.message_id WHERE m.deleted) d`,
		db.IDArray(ids), textLimit, maxCounted)
	if err != nil {
		return err
	}
	of := make(map[uuid.UUID]detail, len(details))
	for _, d := range details {
		of[d.Wave] = d
	}
	for i := range waves {
		d := of[waves[i].WaveID]
		waves[i].Text, waves[i].Oldest, waves[i].Deleted = d.Text, d.Oldest, d.Deleted
	}
	return nil
}

// ByID returns the wave with an id, or else the wave of the message with that id:
// waves that became part of another one are found so. It returns ErrNotFound if
// there is none.
func (r Reader) ByID(ctx context.Context, id uuid.UUID, textLimit int) (Wave, error) {
	found, err := db.Collect[row](ctx, r.Conn, "SELECT "+columns+db.NoCursorKey+` FROM waves w WHERE w.users >= 2
		AND w.wave_id IN ($1, (SELECT x.wave_id FROM message_trees t JOIN wave_messages x
			ON x.tree_id = t.tree_id AND x.message_id = t.message_id WHERE t.message_id = $1))
		ORDER BY w.wave_id = $1 DESC LIMIT 1`, id)
	if err != nil || len(found) == 0 {
		return Wave{}, cmp.Or(err, db.ErrNotFound)
	}
	waves := []Wave{found[0].wave()}
	err = describe(ctx, r.Conn, waves, textLimit)
	return waves[0], err
}

// Key names a message in its tree.
type Key struct{ Tree, Message uuid.UUID }

// Of returns the waves of messages, by message: those of at least two users and
// [LeastMessages] messages. It is one query, which reads one row of an index for each
// message, so that lists can afford it.
func (r Reader) Of(ctx context.Context, keys []Key) (map[uuid.UUID]*tables.InWave, error) {
	if len(keys) == 0 {
		return nil, nil
	}
	trees, ids := make([]uuid.UUID, len(keys)), make([]uuid.UUID, len(keys))
	for i, k := range keys {
		trees[i], ids[i] = k.Tree, k.Message
	}
	type member struct {
		MessageID uuid.UUID
		tables.InWave
	}
	found, err := db.Collect[member](ctx, r.Conn, `SELECT x.message_id, w.wave_id, w.messages, w.users,
			nullif(w.first, '-infinity') AS first, nullif(w.last, '-infinity') AS last
		FROM unnest($1::uuid[], $2::uuid[]) k(tree_id, message_id)
		JOIN wave_messages x ON x.tree_id = k.tree_id AND x.message_id = k.message_id
		JOIN waves w ON w.wave_id = x.wave_id WHERE w.users >= 2 AND w.messages >= $3`,
		db.IDArray(trees), db.IDArray(ids), LeastMessages)
	if err != nil {
		return nil, err
	}
	of := make(map[uuid.UUID]*tables.InWave, len(found))
	for i := range found {
		of[found[i].MessageID] = &found[i].InWave
	}
	return of, nil
}

// SetOn sets the waves of messages.
func (r Reader) SetOn(ctx context.Context, list []messages.Message) error {
	keys := make([]Key, len(list))
	for i, m := range list {
		keys[i] = Key{m.TreeID, m.MessageID}
	}
	of, err := r.Of(ctx, keys)
	for i := range list {
		list[i].Wave = of[list[i].MessageID]
	}
	return err
}

// Members returns one page of the members of a wave, the newest first. Texts are cut
// after a number of characters; 0 is never.
func (r Reader) Members(ctx context.Context, wave uuid.UUID, textLimit int, page db.Page) (db.List[Near], error) {
	type member struct {
		db.Keyed
		MessageID uuid.UUID
		Likeness  float64
	}
	q := db.Query{Columns: "x.message_id, x.likeness", From: "wave_messages x"}
	q.Where("x.wave_id = ?", wave)
	rows, next, prev, err := db.Fetch[member](ctx, r.Conn, q, db.Order{Name: "members", Desc: true, Keys: []db.Key{
		{Expr: "x.at", Typ: "timestamptz"}, {Expr: "x.message_id", Typ: "uuid"},
	}}, page)
	if err != nil {
		return db.List[Near]{}, err
	}
	ids, alike := make([]uuid.UUID, len(rows)), make([]float64, len(rows))
	for i, m := range rows {
		ids[i], alike[i] = m.MessageID, m.Likeness
	}
	items, err := near(ctx, r.Conn, ids, alike, textLimit)
	return db.List[Near]{Items: items, Next: next, Prev: prev}, err
}

// Similar returns the messages whose likeness to a message is at least a minimum,
// the most similar first, deleted ones too. It returns ErrNotFound if there is no
// such message. [similar.Of] says what it misses.
func (r Reader) Similar(ctx context.Context, message uuid.UUID, least float64, limit int) ([]Near, error) {
	found, err := similar.Of(ctx, r.Conn, message, least, limit)
	if err != nil {
		return nil, err
	}
	ids, alike := make([]uuid.UUID, len(found)), make([]float64, len(found))
	for i, m := range found {
		ids[i], alike[i] = m.MessageID, m.Likeness
	}
	return near(ctx, r.Conn, ids, alike, 0)
}

// near reads messages in the order of their ids.
func near(ctx context.Context, c db.Conn, ids []uuid.UUID, alike []float64, textLimit int) ([]Near, error) {
	named, err := messages.NamedUpTo(ctx, c, ids, textLimit)
	if err != nil {
		return nil, err
	}
	items := make([]Near, 0, len(ids))
	for i, id := range ids {
		if m, ok := named[id]; ok {
			items = append(items, Near{m, alike[i]})
		}
	}
	return items, nil
}
