package ingest

import (
	"github.com/google/uuid"

	"treewarden/store/db"
)

// givenKey is a kind of feedback of a person on a message, by the name that it has
// in the log.
type givenKey struct {
	message uuid.UUID
	aspect  string
}

// givenSQL finds the feedback of users ($2) on messages ($1) that they last gave, or
// took back, in the console, as the log says. An undo gives it back to the front end.
// Few people have an entry in the log at all, so that is asked first.
const givenSQL = `SELECT DISTINCT i.message, l.aspect
	FROM (SELECT message, rater FROM unnest($1::uuid[], $2::uuid[]) i(message, rater)
		WHERE EXISTS (SELECT FROM actions a WHERE a.actor_id = i.rater)) i,
		LATERAL (SELECT DISTINCT ON (o.aspect) o.aspect, a.undoes
			FROM action_objects o JOIN actions a ON a.id = o.action_id
			WHERE o.object_type = 'message' AND o.object_id = i.message AND o.aspect LIKE '%:' || i.rater::text
			ORDER BY o.aspect, a.seq DESC) l
	WHERE l.undoes IS NULL`

// readGiven reads which feedback belongs to people who gave it in the console.
func (in *run) readGiven(messages, users []uuid.UUID) {
	var key givenKey
	in.Each([]any{&key.message, &key.aspect}, func() { in.feedback.given[key] = true }, givenSQL,
		db.IDArray(messages), db.IDArray(users))
}

// keepGiven refuses a line that would change what a person gave in the console. A
// report that is closed is not changed by a further one.
func (in *run) keepGiven(item *lineItem) error {
	var aspects []string
	switch user := item.user.String(); item.kind {
	case "label":
		aspects = []string{"label:" + user}
	case "report":
		m := in.messages[item.message]
		if known := in.feedback.reports[raterKey{m.tree, m.id, item.user}]; known != nil && known.open {
			aspects = []string{"report:" + user}
		}
	case "reaction":
		aspects = []string{"reaction:" + *item.Emoji + ":" + user}
		if other := opposite(*item.Emoji); other != "" {
			aspects = append(aspects, "reaction:"+other+":"+user)
		}
	}
	for _, aspect := range aspects {
		if in.feedback.given[givenKey{item.message, aspect}] {
			return refuse(givenByStaff, "%s gave a %s on this message in the console; it is changed only there.",
				item.user, item.kind)
		}
	}
	return nil
}
