package store

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"treewarden/policy"
	"treewarden/store/db"
)

// The log's rows form a hash chain. A row's hash is the SHA-256 of the hash of
// the row before it and the row's canonical form: the JSON array of its columns,
// times in UTC to the microsecond. Columns that may hold personal data are
// included only as SHA-256: reason, before and after one by one, and the rows of
// action_objects one by one, so that they can be erased without breaking the
// chain. action_chain keeps the last number and hash, so that rows removed at the
// end are detected too.

// link is a row of the log with the columns that the chain covers.
type link struct {
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
func (l link) canonical() ([]byte, error) {
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

// sum returns the row's hash from the hash before it.
func (l link) sum(prev []byte) ([]byte, error) {
	canonical, err := l.canonical()
	if err != nil {
		return nil, err
	}
	h := sha256.New()
	h.Write(prev)
	h.Write(canonical)
	return h.Sum(nil), nil
}

// detail returns the SHA-256 of the SHA-256 of reason, before and after.
func (l link) detail() []byte {
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

// commit writes the counters, the log's entry and the events for front ends, and
// commits. The first round trip ends with the lock on the end of the chain; the
// second writes the entry and commits, so that the lock is held briefly.
func (d *actionTx) commit() (Action, error) {
	l := link{
		ID: d.id, At: d.at, ActorName: d.actor.Name, ActorRole: d.actor.Role, Via: d.actor.Via, Kind: d.kind.Name,
		TargetType: d.targetType, TargetID: d.targetID, TargetLabel: d.label, StaffAuthor: d.staffAuthor,
		Undoes: d.undoes, Undoable: d.kind.Undoable, Reason: d.act.Reason,
		Messages: d.affected.Messages, OthersMessages: d.affected.OthersMessages,
		Trees: d.affected.Trees, Users: d.affected.Users,
	}
	if d.actor.UserID != uuid.Nil {
		l.ActorID = &d.actor.UserID
	}
	if err := d.update.Settle(d.Ctx, d.Conn, &d.Batch, d.at); err != nil {
		return Action{}, err
	}
	d.store.boards.Announce(&d.Batch, d.update.Changed)
	d.keepKey()
	// These are the states of the target itself; action_objects holds those of
	// all objects.
	d.Each([]any{&l.Before, &l.After, &l.ObjectsHash}, func() {},
		`SELECT coalesce(jsonb_object_agg(aspect, before)::text, '{}'), coalesce(jsonb_object_agg(aspect, after)::text, '{}'),
		`+fmt.Sprintf(objectsHash, "$1")+` FROM action_objects WHERE action_id = $1 AND object_id = $2`, d.id, d.act.Target)
	found := false
	d.Each([]any{&l.Seq, &l.PrevHash}, func() { found = true }, "SELECT seq + 1, hash FROM action_chain FOR UPDATE")
	if err := d.Flush(); err != nil {
		return Action{}, err
	}
	if !found {
		return Action{}, errNoChain // not ErrNotFound, which means a missing target
	}
	l.DetailHash = l.detail()
	var err error
	if l.Hash, err = l.sum(l.PrevHash); err != nil {
		return Action{}, err
	}
	d.Queue(insertLinkSQL,
		l.Seq, l.ID, l.At, l.ActorID, l.ActorName, l.ActorRole, l.Via, l.Kind, l.TargetType, l.TargetID, l.TargetLabel,
		l.StaffAuthor, l.Undoes, l.Undoable, l.Messages, l.OthersMessages, l.Trees, l.Users, l.Reason, l.Before, l.After,
		l.DetailHash, l.ObjectsHash, l.PrevHash, l.Hash)
	d.Queue("UPDATE action_chain SET seq = $1, hash = $2", l.Seq, l.Hash)
	d.writeEvents()
	if err := d.Commit(false); err != nil {
		return Action{}, err
	}
	return l.action(), nil
}

const insertLinkSQL = `INSERT INTO actions (seq, id, at, actor_id, actor_name, actor_role, via, kind,
		target_type, target_id, target_label, staff_author, undoes, undoable, messages, others_messages, trees, users,
		reason, before, after, detail_hash, objects_hash, prev_hash, hash)
	VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18,
		$19, $20, $21, $22, $23, $24, $25)`

// action returns the link as an Action.
func (l link) action() Action {
	return Action{
		ID: l.ID, Seq: l.Seq, At: l.At, ActorID: l.ActorID, ActorName: l.ActorName, ActorRole: l.ActorRole, Via: l.Via,
		Kind: l.Kind, TargetType: l.TargetType, TargetID: l.TargetID, TargetLabel: l.TargetLabel,
		StaffAuthor: l.StaffAuthor, Undoes: l.Undoes, Undoable: l.Undoable,
		Affected: Affected{l.Messages, l.OthersMessages, l.Trees, l.Users}, Reason: l.Reason,
		Before: l.Before, After: l.After, Hash: hex.EncodeToString(l.Hash), PrevHash: hex.EncodeToString(l.PrevHash),
	}
}

// writeEvents queues the statement that inserts the events of the aspects that
// the action changed. An undo creates the same events as an action with the same
// effect.
func (d *actionTx) writeEvents() {
	var queries []string
	for _, a := range d.aspects {
		if sql := a.event(); sql != "" {
			queries = append(queries, sql)
		}
	}
	if len(queries) > 0 {
		d.Queue(`INSERT INTO events (at, action_id, kind, payload) SELECT $2, $1, kind, payload FROM (
			`+strings.Join(queries, "\nUNION ALL ")+`) e ORDER BY rank, object_id`, d.id, d.at)
	}
}

// ChainStatus is the end of the chain.
type ChainStatus struct {
	Seq  int64      `json:"seq"`
	At   *time.Time `json:"at"`
	Hash string     `json:"hash"`
}

// ChainStatus returns the end of the chain as action_chain stores it.
func (s *Store) ChainStatus(ctx context.Context) (ChainStatus, error) {
	var status ChainStatus
	var hash []byte
	err := s.pool.QueryRow(ctx, "SELECT c.seq, c.hash, a.at FROM action_chain c LEFT JOIN actions a ON a.seq = c.seq").
		Scan(&status.Seq, &hash, &status.At)
	status.Hash = hex.EncodeToString(hash)
	return status, db.Translate(err)
}

// errNoChain is the error of every action while the end of the log is unknown.
var errNoChain = errors.New("the row of action_chain was removed: nothing can be added to the log; run audit " +
	"verify, then restore it from a backup")

// BrokenChain describes the first entry at which the chain is broken.
type BrokenChain struct {
	Seq    int64 // the number of the entry
	Action int64 // the id of its action, 0 if it is missing
	Why    string
}

func (b *BrokenChain) Error() string {
	if b.Action == 0 {
		return fmt.Sprintf("the audit log is broken at entry %d: %s", b.Seq, b.Why)
	}
	return fmt.Sprintf("the audit log is broken at entry %d (action %d): %s", b.Seq, b.Action, b.Why)
}

// VerifyChain verifies the whole log in one snapshot. It returns the end of the
// chain, or a *BrokenChain for the first entry that was changed, removed or
// inserted.
func (s *Store) VerifyChain(ctx context.Context) (ChainStatus, error) {
	var status ChainStatus
	err := pgx.BeginTxFunc(ctx, s.pool, pgx.TxOptions{IsoLevel: pgx.RepeatableRead, AccessMode: pgx.ReadOnly},
		func(tx pgx.Tx) error {
			prev := sha256.Sum256([]byte("treewarden"))
			last := link{Hash: prev[:]}
			if err := eachLink(ctx, tx, func(l link) error {
				if err := l.follows(last); err != nil {
					return err
				}
				last = l
				return nil
			}); err != nil {
				return err
			}
			var seq, strays int64
			var hash []byte
			if err := tx.QueryRow(ctx, `SELECT seq, hash, (SELECT count(*) FROM action_objects o
				WHERE NOT EXISTS (SELECT FROM actions a WHERE a.id = o.action_id))
			FROM action_chain`).Scan(&seq, &hash, &strays); errors.Is(err, pgx.ErrNoRows) {
				return &BrokenChain{last.Seq + 1, 0, "what says where the log ends was removed"}
			} else if err != nil {
				return err
			}
			switch {
			case seq != last.Seq:
				return &BrokenChain{last.Seq + 1, 0, fmt.Sprintf("the log ends at entry %d, but %d were written", last.Seq, seq)}
			case !bytes.Equal(hash, last.Hash):
				return &BrokenChain{last.Seq, last.ID, "it is not the entry that was written last"}
			case strays > 0:
				return &BrokenChain{last.Seq, 0, fmt.Sprintf("%d changes belong to no entry", strays)}
			}
			status = ChainStatus{Seq: last.Seq, Hash: hex.EncodeToString(last.Hash)}
			if last.Seq > 0 {
				status.At = &last.At
			}
			return nil
		})
	return status, db.Translate(err)
}

// follows checks an entry against the entry before it.
func (l link) follows(last link) error {
	broken := func(why string) error { return &BrokenChain{l.Seq, l.ID, why} }
	sum, err := l.sum(last.Hash)
	switch {
	case err != nil:
		return err
	case l.Seq != last.Seq+1:
		return &BrokenChain{last.Seq + 1, 0, "it is missing"}
	case !bytes.Equal(l.PrevHash, last.Hash):
		return broken("it does not follow the entry before it")
	case !bytes.Equal(l.DetailHash, l.detail()):
		return broken("its reason or its before and after were changed")
	case !bytes.Equal(l.ObjectsHash, l.CountedObjects):
		return broken("what it says it changed was changed")
	case !bytes.Equal(l.Hash, sum):
		return broken("it was changed")
	}
	return nil
}

// eachLink calls do for each entry in the order of the chain.
func eachLink(ctx context.Context, c db.Conn, do func(link) error) error {
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
		l, err := pgx.RowToStructByName[link](rows)
		if err != nil {
			return err
		}
		if err := do(l); err != nil {
			return err
		}
	}
	return rows.Err()
}

// ExportActions writes the whole log as JSON lines, the oldest first. The last
// line holds the total and the end of the chain.
func (s *Store) ExportActions(ctx context.Context, actor Actor, w io.Writer) error {
	if err := need(actor, policy.AuditAll); err != nil {
		return err
	}
	encoder := json.NewEncoder(w)
	var total int64
	rows, err := s.pool.Query(ctx, "SELECT "+actionColumns+db.NoCursorKey+" FROM "+actionTables+" ORDER BY a.seq")
	if err != nil {
		return db.Translate(err)
	}
	defer rows.Close()
	for rows.Next() {
		r, err := pgx.RowToStructByName[actionRow](rows)
		if err != nil {
			return db.Translate(err)
		}
		if err := encoder.Encode(r.action()); err != nil {
			return fmt.Errorf("write the log: %w", err)
		}
		total++
	}
	if err := rows.Err(); err != nil {
		return db.Translate(err)
	}
	if err := encoder.Encode(map[string]int64{"total": total}); err != nil {
		return fmt.Errorf("write the log: %w", err)
	}
	return nil
}
