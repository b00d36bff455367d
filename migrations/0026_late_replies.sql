-- +goose Up
-- Messages that arrived below one that an action had deleted, and were deleted with it.
-- The log of the action does not hold them; its undo finds them here. Before, an index
-- on messages.deleted_action found them: each deletion and each undo changed it, so
-- that PostgreSQL wrote all other indexes of these messages anew, too.
CREATE TABLE late_replies (
    action_id  bigint NOT NULL,
    tree_id    uuid NOT NULL,
    message_id uuid NOT NULL,
    PRIMARY KEY (action_id, tree_id, message_id)
);
INSERT INTO late_replies (action_id, tree_id, message_id)
    SELECT m.deleted_action, m.tree_id, m.message_id FROM messages m
    WHERE m.deleted_action IS NOT NULL AND NOT EXISTS (SELECT FROM action_objects o
        WHERE o.action_id = m.deleted_action AND o.object_type = 'message' AND o.object_id = m.message_id
            AND o.aspect = 'deletion');
DROP INDEX messages_taken;
