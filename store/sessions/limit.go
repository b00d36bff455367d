package sessions

import (
	"context"
	"net/netip"
	"sync"
	"time"

	"treewarden/store/db"
)

// The limits of wrong passwords per quarter of an hour: for one account from one
// network, for one network and all accounts, and for the old password of a person
// who is signed in. There is none for an account and all networks: anybody who
// knows a name could lock its owner out.
const (
	attemptWindow   = 15 * time.Minute
	attemptsAccount = 10
	attemptsNetwork = 50
	attemptsOld     = 10
)

// network returns the network of an address. One person has a whole /64 of IPv6.
func network(ip string) string {
	addr, err := netip.ParseAddr(ip)
	if err != nil {
		return ip
	}
	addr = addr.WithZone("").Unmap()
	if addr.Is4() {
		return addr.String()
	}
	prefix, err := addr.Prefix(64)
	if err != nil {
		return ip
	}
	return prefix.String()
}

// guesses are the attempts that are checked now, by their subject. Those of one
// subject are checked one after the other: several people who sign in at once with
// the right password must not use up the limit together.
var guesses = struct {
	sync.Mutex
	waiting map[string]*turn
}{waiting: map[string]*turn{}}

// turn is held by the attempt that is checked.
type turn struct {
	taken chan struct{}
	users int
}

// takeTurn waits until no other attempt on a subject is checked. The caller calls
// the function that it returns when the attempt is checked.
func takeTurn(ctx context.Context, subject string) (leave func(), err error) {
	guesses.Lock()
	t := guesses.waiting[subject]
	if t == nil {
		t = &turn{taken: make(chan struct{}, 1)}
		guesses.waiting[subject] = t
	}
	t.users++
	guesses.Unlock()
	drop := func() {
		guesses.Lock()
		defer guesses.Unlock()
		if t.users--; t.users == 0 {
			delete(guesses.waiting, subject)
		}
	}
	select {
	case t.taken <- struct{}{}:
		return func() { <-t.taken; drop() }, nil
	case <-ctx.Done():
		drop()
		return nil, ctx.Err()
	}
}

// limit is a number of wrong passwords that a subject may give.
type limit struct {
	subject string
	most    int
}

// countGuess counts a guess against each limit, before the password is compared:
// guesses at the same time, on any instance, cannot pass the limit together. It
// returns ErrTooMany at the first limit that is reached.
func countGuess(ctx context.Context, c db.Conn, limits ...limit) error {
	for _, l := range limits {
		var n int
		err := c.QueryRow(ctx, `INSERT INTO sign_in_attempts AS a (subject, window_start, failures) VALUES ($1, now(), 1)
			ON CONFLICT (subject) DO UPDATE SET
				failures = CASE WHEN a.window_start > now() - $2::interval THEN least(a.failures, $3) + 1 ELSE 1 END,
				window_start = CASE WHEN a.window_start > now() - $2::interval THEN a.window_start ELSE now() END
			RETURNING failures`, l.subject, attemptWindow, l.most).Scan(&n)
		if err != nil {
			return db.Translate(err)
		}
		if n > l.most {
			return ErrTooMany
		}
	}
	return nil
}

// forgive takes the count of a right password back: all of the first subject, one of
// the others.
func forgive(ctx context.Context, c db.Conn, limits ...limit) error {
	for i, l := range limits {
		sql := "UPDATE sign_in_attempts SET failures = failures - 1 WHERE subject = $1 AND failures > 0"
		if i == 0 {
			sql = "DELETE FROM sign_in_attempts WHERE subject = $1"
		}
		if _, err := c.Exec(ctx, sql, l.subject); err != nil {
			return db.Translate(err)
		}
	}
	return nil
}

// Forget removes what no longer has an effect: attempts of former quarters of an
// hour, expired links and ended sessions.
func Forget(ctx context.Context, c db.Conn) error {
	for _, step := range []struct {
		sql string
		age time.Duration
	}{
		{"DELETE FROM sign_in_attempts WHERE window_start <= now() - $1::interval", attemptWindow},
		{"DELETE FROM sign_in_links WHERE expires_at <= now() - $1::interval", 0},
		{"DELETE FROM sessions WHERE expires_at <= now() OR last_seen_at <= now() - $1::interval", sessionIdle},
	} {
		if _, err := c.Exec(ctx, step.sql, step.age); err != nil {
			return db.Translate(err)
		}
	}
	return nil
}
