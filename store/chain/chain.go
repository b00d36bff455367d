// Package chain keeps the log provable: it hashes and writes its entries, and verifies
// them.
package chain

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"treewarden/store/db"
)

// The log's rows form a hash chain. A row's hash is the SHA-256 of the hash of
// the row before it and the row's canonical form: the JSON array of its columns,
// times in UTC to the microsecond. Columns that may hold personal data are
// included only as SHA-256: reason, before and after one by one, and the rows of
// action_objects one by one, so that they can be erased without breaking the
// chain. action_chain keeps the last number and hash, so that rows removed at the
// end are detected too.

// Link is a row of the log with the columns that the chain covers.
type Link struct {
	Seq, ID                         int64
	At                              time.Time
	ActorID                         *uuid.UUID
	ActorName, ActorRole, Via, Kind string
	TargetType, TargetID            string
	TargetLabel                     string
	StaffAuthor                     bool
	Undoes                          *int64
	Undoable                        bool
	Messages, OthersMessages        int64
	Trees, Users                    int64
	Reason                          string
	Before, After                   []byte
	DetailHash, ObjectsHash         []byte
	PrevHash, Hash                  []byte
	CountedObjects                  []byte `db:"counted_objects"`
}

// canonical returns the canonical form of the row.
func (l Link) canonical() ([]byte, error) {
	b, err := json.Marshal([]any{
		l.Seq, l.ID, l.At.UTC().Format("2006-01-02T15:04:05.000000Z"),
		l.ActorID, l.ActorName, l.ActorRole, l.Via, l.Kind, l.TargetType, l.TargetID, l.TargetLabel,
		l.StaffAuthor, l.Undoes, l.Undoable, l.Messages, l.OthersMessages, l.Trees, l.Users,
		hex.EncodeToString(l.DetailHash), hex.EncodeToString(l.ObjectsHash),
	})
	if err != nil {
		return nil, fmt.Errorf("write the canonical form of action %d: %w", l.ID, err)
	}
	return b, nil
}

// Sum returns the row's hash from the hash before it.
func (l Link) Sum(prev []byte) ([]byte, error) {
	canonical, err := l.canonical()
	if err != nil {
		return nil, err
	}
	h := sha256.New()
	h.Write(prev)
	h.Write(canonical)
	return h.Sum(nil), nil
}

// Detail returns the SHA-256 of the SHA-256 of reason, before and after.
func (l Link) Detail() []byte {
	h := sha256.New()
	for _, part := range [][]byte{[]byte(l.Reason), l.Before, l.After} {
		sum := sha256.Sum256(part)
		h.Write(sum[:])
	}
	return h.Sum(nil)
}

// objectsHash is an SQL expression for the SHA-256 of the rows of action_objects
// of action %s, each as its own SHA-256.
const objectsHash = `(SELECT sha256(convert_to(coalesce(string_agg(
		encode(sha256(convert_to(concat_ws(' ', object_type, object_id, aspect,
			coalesce(tree_id::text, '-'), coalesce(before::text, '-'), coalesce(after::text, '-')), 'UTF8')), 'hex'),
		'' ORDER BY object_type, object_id, aspect COLLATE "C"), ''), 'UTF8'))
	FROM action_objects WHERE action_id = %s)`

// errNoEnd is the error of every entry while the end of the log is unknown.
var errNoEnd = errors.New("the row of action_chain was removed: nothing can be added to the log; run audit " +
	"verify, then restore it from a backup")

// QueueRead queues the queries for what an entry takes from the database: the states
// of its target, the hash of what its action changed, and the end of the chain. The
// last one locks the end, so that it comes after all other locks.
func (l *Link) QueueRead(p *db.Pipe, target uuid.UUID) {
	// These are the states of the target itself; action_objects holds those of
	// all objects.
	p.Each([]any{&l.Before, &l.After, &l.ObjectsHash}, func() {},
		`SELECT coalesce(jsonb_object_agg(aspect, before)::text, '{}'), coalesce(jsonb_object_agg(aspect, after)::text, '{}'),
		`+fmt.Sprintf(objectsHash, "$1")+` FROM action_objects WHERE action_id = $1 AND object_id = $2`, l.ID, target)
	p.Each([]any{&l.Seq, &l.PrevHash}, func() {}, "SELECT seq + 1, hash FROM action_chain FOR UPDATE")
}

// QueueWrite hashes an entry, and queues the statements that make it the end of the
// chain.
func (l *Link) QueueWrite(p *db.Pipe) error {
	if l.PrevHash == nil {
		return errNoEnd // not ErrNotFound, which means a missing target
	}
	l.DetailHash = l.Detail()
	var err error
	if l.Hash, err = l.Sum(l.PrevHash); err != nil {
		return err
	}
	p.Queue(`INSERT INTO actions (seq, id, at, actor_id, actor_name, actor_role, via, kind,
			target_type, target_id, target_label, staff_author, undoes, undoable, messages, others_messages, trees, users,
			reason, before, after, detail_hash, objects_hash, prev_hash, hash)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18,
			$19, $20, $21, $22, $23, $24, $25)`,
		l.Seq, l.ID, l.At, l.ActorID, l.ActorName, l.ActorRole, l.Via, l.Kind, l.TargetType, l.TargetID, l.TargetLabel,
		l.StaffAuthor, l.Undoes, l.Undoable, l.Messages, l.OthersMessages, l.Trees, l.Users, l.Reason, l.Before, l.After,
		l.DetailHash, l.ObjectsHash, l.PrevHash, l.Hash)
	p.Queue("UPDATE action_chain SET seq = $1, hash = $2", l.Seq, l.Hash)
	l.queueCount(p)
	return nil
}

// Status is the end of the chain.
type Status struct {
	Seq  int64      `json:"seq"`
	At   *time.Time `json:"at"`
	Hash string     `json:"hash"`
}

// End returns the end of the chain as action_chain stores it.
func End(ctx context.Context, c db.Conn) (status Status, err error) {
	var hash []byte
	err = c.QueryRow(ctx, "SELECT c.seq, c.hash, a.at FROM action_chain c LEFT JOIN actions a ON a.seq = c.seq").
		Scan(&status.Seq, &hash, &status.At)
	status.Hash = hex.EncodeToString(hash)
	return status, db.Translate(err)
}

// Broken describes the first entry at which the chain is broken.
type Broken struct {
	Seq    int64 // the number of the entry
	Action int64 // the id of its action, 0 if it is missing
	Why    string
}

func (b *Broken) Error() string {
	return fmt.Sprintf("the audit log is broken at entry %d: %s", b.Seq, b.Why)
}

// Verify verifies the whole log in a snapshot. It returns the end of the chain, or
// a *Broken for the first entry that was changed, removed or inserted.
func Verify(ctx context.Context, tx pgx.Tx) (status Status, err error) {
	prev := sha256.Sum256([]byte("treewarden"))
	last := Link{Hash: prev[:]}
	if err := eachLink(ctx, tx, func(l Link) error {
		if err := l.follows(last); err != nil {
			return err
		}
		last = l
		return nil
	}); err != nil {
		return status, err
	}
	var seq, strays int64
	var hash []byte
	if err := tx.QueryRow(ctx, `SELECT seq, hash, (SELECT count(*) FROM action_objects o
		WHERE NOT EXISTS (SELECT FROM actions a WHERE a.id = o.action_id))
	FROM action_chain`).Scan(&seq, &hash, &strays); errors.Is(err, pgx.ErrNoRows) {
		return status, &Broken{last.Seq + 1, 0, "what says where the log ends was removed"}
	} else if err != nil {
		return status, err
	}
	switch {
	case seq != last.Seq:
		return status, &Broken{last.Seq + 1, 0, fmt.Sprintf("the log ends at entry %d, but %d were written", last.Seq, seq)}
	case !bytes.Equal(hash, last.Hash):
		return status, &Broken{last.Seq, last.ID, "it is not the entry that was written last"}
	case strays > 0:
		return status, &Broken{last.Seq, 0, fmt.Sprintf("%d changes belong to no entry", strays)}
	}
	status = Status{Seq: last.Seq, Hash: hex.EncodeToString(last.Hash)}
	if last.Seq > 0 {
		status.At = &last.At
	}
	return status, nil
}

// Holds checks that the log still holds an end of the chain that was kept elsewhere.
// It returns a *Broken if the entry is gone or is another one: whoever owns the
// database can write a whole chain anew, but not to the same hash.
func Holds(ctx context.Context, tx pgx.Tx, kept Status) error {
	if kept.Seq == 0 {
		return nil
	}
	var id int64
	var hash []byte
	err := tx.QueryRow(ctx, "SELECT id, hash FROM actions WHERE seq = $1", kept.Seq).Scan(&id, &hash)
	switch {
	case errors.Is(err, pgx.ErrNoRows):
		return &Broken{kept.Seq, 0, "the checkpoint names it, and the log ends before it"}
	case err != nil:
		return err
	case hex.EncodeToString(hash) != kept.Hash:
		return &Broken{kept.Seq, id, "it is another one than the checkpoint names"}
	}
	return nil
}

// follows checks an entry against the entry before it.
func (l Link) follows(last Link) error {
	broken := func(why string) error { return &Broken{l.Seq, l.ID, why} }
	sum, err := l.Sum(last.Hash)
	switch {
	case err != nil:
		return err
	case l.Seq != last.Seq+1:
		return &Broken{last.Seq + 1, 0, "it is missing"}
	case !bytes.Equal(l.PrevHash, last.Hash):
		return broken("it does not follow the entry before it")
	case !bytes.Equal(l.DetailHash, l.Detail()):
		return broken("its reason or its before and after were changed")
	case !bytes.Equal(l.ObjectsHash, l.CountedObjects):
		return broken("what it says it changed was changed")
	case !bytes.Equal(l.Hash, sum):
		return broken("it was changed")
	}
	return nil
}

// eachLink calls do for each entry in the order of the chain.
func eachLink(ctx context.Context, c db.Conn, do func(Link) error) error {
	rows, err := c.Query(ctx, `SELECT seq, id, at, actor_id, actor_name, actor_role, via, kind,
			target_type, target_id, target_label, staff_author, undoes, undoable,
			messages, others_messages, trees, users, reason,
			convert_to(before::text, 'UTF8') AS before, convert_to(after::text, 'UTF8') AS after,
			detail_hash, objects_hash, prev_hash, hash, `+fmt.Sprintf(objectsHash, "a.id")+` AS counted_objects
		FROM actions a ORDER BY seq`)
	if err != nil {
		return err
	}
	defer rows.Close()
	for rows.Next() {
		l, err := pgx.RowToStructByName[Link](rows)
		if err != nil {
			return err
		}
		if err := do(l); err != nil {
			return err
		}
	}
	return rows.Err()
}
