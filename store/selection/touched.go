package selection

// TouchedSQL selects the tree_id and the message_id of the messages whose counts the
// undo of action $1 may change.
const TouchedSQL = `SELECT tree_id, object_id AS message_id FROM action_objects
		WHERE action_id = $1 AND object_type = 'message'
	UNION SELECT m.tree_id, m.message_id FROM action_objects o
		JOIN messages m ON m.tree_id = o.object_id AND m.parent_id IS NULL
		WHERE o.action_id = $1 AND o.object_type = 'tree'
	UNION SELECT tree_id, message_id FROM late_replies WHERE action_id = $1
	UNION SELECT tree_id, message_id FROM label_votes WHERE user_id IN (` + ofBannedSQL + `)
	UNION SELECT tree_id, message_id FROM reactions WHERE user_id IN (` + ofBannedSQL + `)
	UNION SELECT tree_id, message_id FROM reports WHERE user_id IN (` + ofBannedSQL + `)`

const ofBannedSQL = "SELECT object_id FROM action_objects WHERE action_id = $1 AND aspect = 'ban'"
