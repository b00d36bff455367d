package sessions

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"

	"github.com/alexedwards/argon2id"
	"github.com/google/uuid"

	"treewarden/store/db"
)

// passwordParams are fixed, so that a hash has the same cost on every machine.
var passwordParams = &argon2id.Params{Memory: 64 * 1024, Iterations: 1, Parallelism: 2, SaltLength: 16, KeyLength: 32}

// hashing limits the number of concurrent password hashes, which take 64 MiB each.
var hashing = make(chan struct{}, 4)

// HashPassword returns the hash of a password that the database stores.
func HashPassword(ctx context.Context, password string) (string, error) {
	select {
	case hashing <- struct{}{}:
		defer func() { <-hashing }()
	case <-ctx.Done():
		return "", ctx.Err()
	}
	return argon2id.CreateHash(password, passwordParams)
}

// noPassword is the hash for a sign-in to an unknown account, so that it takes as
// long as one to a known account.
const noPassword = "$argon2id$v=19$m=65536,t=1,p=2$AAAAAAAAAAAAAAAAAAAAAA$AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"

// PasswordFits reports whether a password has a hash.
func PasswordFits(ctx context.Context, password, hash string) (bool, error) {
	select {
	case hashing <- struct{}{}:
		defer func() { <-hashing }()
	case <-ctx.Done():
		return false, ctx.Err()
	}
	return argon2id.ComparePasswordAndHash(password, hash)
}

// SetPassword sets the hash of a user's password; nil is no password.
func SetPassword(ctx context.Context, c db.Conn, user uuid.UUID, hash *string) error {
	_, err := c.Exec(ctx, "UPDATE users SET password_hash = $2 WHERE user_id = $1", user, hash)
	return err
}

// NewToken returns a secret of 256 bits and its hash, which is stored.
func NewToken() (token string, hash []byte) {
	secret := make([]byte, 32)
	rand.Read(secret) // never fails
	token = base64.RawURLEncoding.EncodeToString(secret)
	return token, HashToken(token)
}

// HashToken returns the hash of a secret, which the database stores.
func HashToken(token string) []byte {
	sum := sha256.Sum256([]byte(token))
	return sum[:]
}
