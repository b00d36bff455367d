package derived

import (
	"context"
	"crypto/sha256"
	"fmt"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"treewarden/store/db"
)

// hashSize is the size in bytes of the beginning of a SHA-256 that tells texts apart.
const hashSize = 8

// HashOf returns the hash by which an output of a classifier knows its text.
func HashOf(text string) []byte {
	sum := sha256.Sum256([]byte(text))
	return sum[:hashSize]
}

// HashSQL is HashOf for an expression.
func HashSQL(text string) string {
	return fmt.Sprintf("substring(sha256(convert_to(%s, 'UTF8')) FOR %d)", text, hashSize)
}

// StaleSQL is the condition that an output o of a classifier is about a former text of
// message m.
var StaleSQL = "coalesce(o.text_hash <> " + HashSQL("m.text") + ", false)"

// queueSQL returns the statement that queues the messages m of a FROM item for the active
// classifiers.
func queueSQL(from string) string {
	return `INSERT INTO classifier_queue AS q (model_id, tree_id, message_id)
		SELECT c.model_id, m.tree_id, m.message_id FROM ` + from + ` JOIN classifier_models c
			ON c.active AND (c.languages = '{}' OR EXISTS (SELECT FROM unnest(c.languages) l
				WHERE lower(m.lang) = l OR starts_with(lower(m.lang), l || '-')))
		ORDER BY c.model_id, m.tree_id, m.message_id
		ON CONFLICT (model_id, tree_id, message_id) DO UPDATE SET queued_at = now(), due_at = now()`
}

var queueKeysSQL = queueSQL(`unnest($1::uuid[], $2::uuid[]) k(tree_id, message_id)
	JOIN messages m ON m.tree_id = k.tree_id AND m.message_id = k.message_id`)

// QueueOutputs adds the statement that queues new messages for the active classifiers.
func QueueOutputs(batch *pgx.Batch, trees, messages []uuid.UUID) {
	batch.Queue(queueKeysSQL, db.IDArray(trees), db.IDArray(messages))
}

// belongSQL returns the statement that makes outputs from outside belong to a text of the
// messages e of a FROM item.
func belongSQL(text, from string) string {
	return `UPDATE classifier_outputs o SET text_hash = ` + HashSQL(text) + ` FROM ` + from + `
		WHERE o.tree_id = e.tree_id AND o.message_id = e.message_id AND o.text_hash IS NULL`
}

// edited is the FROM item of the messages whose texts action $1 changed, with the former
// texts.
const edited = `(SELECT o.tree_id, o.object_id AS message_id, o.before->>'text' AS former FROM action_objects o
	WHERE o.action_id = $1 AND o.object_type = 'message' AND o.aspect = 'text') e`

// queueEdited queues the messages whose texts an action changed for the active classifiers.
// Outputs from outside belong to the former texts from then on.
func queueEdited(ctx context.Context, c db.Conn, action int64) error {
	for _, sql := range []string{
		belongSQL("e.former", edited),
		queueSQL(edited + " JOIN messages m ON m.tree_id = e.tree_id AND m.message_id = e.message_id"),
	} {
		if _, err := c.Exec(ctx, sql, action); err != nil {
			return fmt.Errorf("queue edited messages for classifiers: %w", err)
		}
	}
	return nil
}

// FormerOutputsSQL makes the outputs from outside belong to the texts that messages have
// before an import changes these. OutputsOfImportSQL makes those that the import brings
// belong to the new texts, and QueueOfImportSQL queues the messages. $1 are their ids.
var (
	FormerOutputsSQL = belongSQL("m.text", `import_messages e JOIN messages m
		ON m.tree_id = e.tree_id AND m.message_id = e.message_id AND m.message_id = ANY ($1)`)
	QueueOfImportSQL = queueSQL(`(SELECT m.* FROM import_messages e JOIN messages m
		ON m.tree_id = e.tree_id AND m.message_id = e.message_id AND m.message_id = ANY ($1)) m`)
)

// OutputsOfImportSQL is described with FormerOutputsSQL.
const OutputsOfImportSQL = `UPDATE classifier_outputs o SET text_hash = NULL FROM import_outputs s
	WHERE o.tree_id = s.tree_id AND o.message_id = s.message_id AND o.model_id = s.model_id
		AND o.message_id = ANY ($1) AND NOT o.run_here AND o.text_hash IS NOT NULL`
