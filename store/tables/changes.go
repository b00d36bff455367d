package tables

// NoteChangesSQL notes that something changed in the trees $1, so that figures of the
// collection (store/insights) follow. Whoever writes messages, trees, labels or outputs of
// classifiers runs it in the same transaction; what is written by actions is noted by
// NoteActionSQL.
const NoteChangesSQL = "INSERT INTO insight_changes (tree_id) SELECT unnest($1::uuid[])"

// NoteActionSQL notes the trees in which the action $1 changed something, and those of
// messages that it put on lists or took from them.
const NoteActionSQL = `INSERT INTO insight_changes (tree_id)
	SELECT tree_id FROM action_objects WHERE action_id = $1 AND tree_id IS NOT NULL
	UNION SELECT t.tree_id FROM action_objects o JOIN message_trees t ON t.message_id = o.object_id
		WHERE o.action_id = $1 AND o.object_type = 'list_item'`
