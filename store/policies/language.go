package policies

// LanguageSQL holds, by type of target, a query for the language of target $1.
// Everything has one: policy.Undetermined if no message gives it another.
var LanguageSQL = map[string]string{
	"message": `SELECT coalesce((SELECT m.lang FROM message_trees x
		JOIN messages m ON m.tree_id = x.tree_id AND m.message_id = x.message_id WHERE x.message_id = $1), 'und')`,
	"tree": `SELECT coalesce((SELECT lang FROM messages WHERE tree_id = $1 AND parent_id IS NULL LIMIT 1), 'und')`,
	// A user is where most of their messages are.
	"user": `SELECT coalesce((SELECT lang FROM user_languages WHERE user_id = $1 AND messages > 0
		ORDER BY messages DESC, lang LIMIT 1), 'und')`,
}
