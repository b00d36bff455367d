package sessions

import (
	"errors"

	"github.com/jackc/pgerrcode"
	"github.com/jackc/pgx/v5/pgconn"

	"treewarden/store/policies"
	"treewarden/store/tables"
)

// ActorSQL returns the role, the languages and the version of the policy in force
// of user $1. It returns no row if they are not active, or are a key that was
// revoked or has expired.
const ActorSQL = `SELECT u.role, u.languages, ` + policies.CurrentSQL + ` FROM users u
	WHERE u.user_id = $1 AND (` + tables.UserStatusSQL + `) = 'active' AND NOT EXISTS (SELECT FROM api_keys k
		WHERE k.user_id = u.user_id AND (k.revoked_at IS NOT NULL OR k.expires_at <= now()))`

// RequireActiveSQL fails unless ActorSQL finds user $1. It can stand in one round
// trip with COMMIT: a failed statement undoes the transaction.
const RequireActiveSQL = `SELECT 1 / count(*) FROM (` + ActorSQL + `) actor`

// IsInactive reports whether an error is that of RequireActiveSQL.
func IsInactive(err error) bool {
	var pg *pgconn.PgError
	return errors.As(err, &pg) && pg.Code == pgerrcode.DivisionByZero
}
