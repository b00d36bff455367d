package samples

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
)

// newID returns the id of the sample of an order: the same for the same
// Idempotency-Key of the same person.
func (d Access) newID(o Order) uuid.UUID {
	if o.IdempotencyKey == "" {
		return uuid.New()
	}
	return uuid.NewSHA1(d.Person, []byte("sample "+o.IdempotencyKey))
}

// useKey reports whether the order was drawn before with the same
// Idempotency-Key, else it keeps the key. Orders and actions share the keys of a
// person, and wait for each other here. No action has the number of an order, -1.
func (d Access) useKey(ctx context.Context, tx pgx.Tx, o Order) (drawn bool, err error) {
	key := o.IdempotencyKey
	if key == "" {
		return false, nil
	}
	asked, err := json.Marshal(o)
	if err != nil {
		return false, fmt.Errorf("write down the order: %w", err)
	}
	request := sha256.Sum256(asked)
	if _, err := tx.Exec(ctx, "SELECT pg_advisory_xact_lock(hashtextextended($1, 0))", d.Person.String()+key); err != nil {
		return false, err
	}
	var before []byte
	err = tx.QueryRow(ctx, "SELECT request FROM idempotency_keys WHERE actor_id = $1 AND key = $2", d.Person, key).
		Scan(&before)
	switch {
	case errors.Is(err, pgx.ErrNoRows):
		_, err = tx.Exec(ctx, `INSERT INTO idempotency_keys (actor_id, key, request, action_id) VALUES ($1, $2, $3, -1)`,
			d.Person, key, request[:])
		return false, err
	case err == nil && !bytes.Equal(before, request[:]):
		return false, ErrKeyUsed
	}
	return true, err
}
