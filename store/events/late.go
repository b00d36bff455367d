package events

import (
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"treewarden/store/db"
)

// Late collects messages that arrived below a message that an action deleted, and
// are deleted with it. The zero value is empty.
type Late struct {
	trees, messages []uuid.UUID
	actions         []int64
}

// Add adds a message and the action that deleted it.
func (l *Late) Add(tree, message uuid.UUID, action int64) {
	l.trees, l.messages, l.actions = append(l.trees, tree), append(l.messages, message), append(l.actions, action)
}

// DeletedSQL returns a query for tree_id and message_id of the messages that actions
// deleted, those that arrived later too. Some may have been restored since. actions is
// a list of ids or a query for them.
func DeletedSQL(actions string) string {
	return `SELECT tree_id, object_id AS message_id FROM action_objects
			WHERE action_id IN (` + actions + `) AND object_type = 'message' AND aspect = 'deletion'
		UNION ALL SELECT tree_id, message_id FROM late_replies WHERE action_id IN (` + actions + `)`
}

// Queue queues the statements that write down the messages and their events. They lock the
// end of the log's chain, as every action does, so that the ids of events follow the
// order of commits. So they come last in a transaction.
func (l *Late) Queue(batch *pgx.Batch, at time.Time) {
	if len(l.messages) == 0 {
		return
	}
	trees, messages := db.IDArray(l.trees), db.IDArray(l.messages)
	batch.Queue(`INSERT INTO late_replies (action_id, tree_id, message_id)
		SELECT action, tree, message FROM unnest($1::uuid[], $2::uuid[], $3::bigint[]) l(tree, message, action)
		ON CONFLICT DO NOTHING`, trees, messages, l.actions)
	batch.Queue("SELECT FROM action_chain FOR UPDATE")
	batch.Queue(`INSERT INTO events (at, action_id, kind, payload)
		SELECT $4, action, 'delete', json_build_object('message_id', message, 'message_tree_id', tree)
		FROM unnest($1::uuid[], $2::uuid[], $3::bigint[]) WITH ORDINALITY l(tree, message, action, place) ORDER BY place`,
		trees, messages, l.actions, at)
}
