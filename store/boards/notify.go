package boards

import (
	"context"
	"encoding/base64"
	"strings"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"treewarden/scoring"
	"treewarden/store/counters"
	"treewarden/store/db"
)

// channel is the channel of notifications about changed users.
const channel = "treewarden_board"

// allUsers is the payload for a change of all users.
const allUsers = "*"

// The payloads for a change of the weights in force, of what roles may do, and of who
// holds cases of the queue.
const (
	weightsChanged = "formula"
	policyChanged  = "policy"
	claimsChanged  = "claims"
)

const (
	idText = 22 // the length of an id in a payload
	// idsInPayload keeps a payload below PostgreSQL's limit of 8,000 bytes.
	idsInPayload = 340
	// A transaction that changes more users than this sends allUsers.
	idsMost = 20_000
)

// Announce adds the statements that notify other processes of a transaction's
// changes after the commit.
func (l *Boards) Announce(batch *pgx.Batch, changed counters.Changed) {
	payloads := l.payloads(changed.Users)
	if changed.Formula || changed.Priority {
		payloads = append(payloads, weightsChanged)
	}
	if changed.Policy {
		payloads = append(payloads, policyChanged)
	}
	if changed.Claims {
		payloads = append(payloads, claimsChanged)
	}
	for _, payload := range payloads {
		batch.Queue("SELECT pg_notify($1, $2)", channel, payload)
	}
}

// Mark makes the boards of this process read a transaction's changes.
func (l *Boards) Mark(changed counters.Changed) {
	l.markUsers(changed.Users)
	if changed.Formula || changed.Priority {
		l.forgetWeights()
	}
	if changed.Formula {
		l.rules.Forget()
	}
}

// AnnounceAll notifies every process after the commit that all users changed.
func AnnounceAll(ctx context.Context, c db.Conn) error {
	_, err := c.Exec(ctx, "SELECT pg_notify($1, $2)", channel, allUsers)
	return err
}

// FormulaInForce returns the formula in force, from the cache if it is up to date.
func (l *Boards) FormulaInForce(ctx context.Context) (scoring.Formula, error) {
	inForce, err := l.WeightsInForce(ctx)
	return inForce.Formula, err
}

// WeightsInForce returns the weights in force, from the cache if it is up to date.
func (l *Boards) WeightsInForce(ctx context.Context) (Weights, error) {
	l.weights.Lock()
	inForce, known, changes := l.weights.inForce, l.weights.known, l.weights.changes
	l.weights.Unlock()
	if known {
		return inForce, nil
	}
	inForce, err := l.readWeights(ctx)
	if err != nil {
		return inForce, err
	}
	l.weights.Lock()
	defer l.weights.Unlock()
	if l.weights.listening && l.weights.changes == changes {
		l.weights.inForce, l.weights.known = inForce, true
	}
	return inForce, nil
}

// forgetWeights removes the weights from the cache.
func (l *Boards) forgetWeights() {
	l.weights.Lock()
	defer l.weights.Unlock()
	l.weights.known = false
	l.weights.changes++
}

// setListening records whether the process listens to the database.
func (l *Boards) setListening(now bool) {
	l.forgetWeights()
	l.weights.Lock()
	defer l.weights.Unlock()
	l.weights.listening = now
}

// payloads returns the payloads for changed users.
func (l *Boards) payloads(users map[uuid.UUID]bool) []string {
	if len(users) > idsMost {
		return []string{allUsers}
	}
	var all []string
	var b strings.Builder
	n := 0
	for user := range users {
		if n%idsInPayload == 0 {
			if n > 0 {
				all = append(all, b.String())
			}
			b.Reset()
			b.WriteString(l.name)
			b.WriteByte(':')
		}
		b.WriteString(base64.RawURLEncoding.EncodeToString(user[:]))
		n++
	}
	if n > 0 {
		all = append(all, b.String())
	}
	return all
}

// onNotify handles a payload of any process.
func (l *Boards) onNotify(ctx context.Context, payload string) {
	switch payload {
	case allUsers:
		l.rules.Forget()
		l.MarkAll()
		return
	case weightsChanged:
		l.forgetWeights()
		l.notifyWatchers()
		return
	case claimsChanged: // nothing that is kept in memory
		l.notifyWatchers()
		return
	case policyChanged:
		l.readPolicy(ctx)
		return
	}
	from, ids, _ := strings.Cut(payload, ":")
	if from == l.name {
		return // marked by Mark
	}
	users := make(map[uuid.UUID]bool, len(ids)/idText)
	for ; len(ids) >= idText; ids = ids[idText:] {
		var user uuid.UUID
		if n, err := base64.RawURLEncoding.Decode(user[:], []byte(ids[:idText])); err == nil && n == len(user) {
			users[user] = true
		}
	}
	l.markUsers(users)
}

// markUsers marks users to be read before the next use of the board.
func (l *Boards) markUsers(users map[uuid.UUID]bool) {
	if len(users) == 0 {
		return
	}
	l.mu.Lock()
	for user := range users {
		l.pending[user] = true
	}
	l.mu.Unlock()
	l.wake()
}

func (l *Boards) MarkAll() {
	l.mu.Lock()
	l.all = true
	l.mu.Unlock()
	l.wake()
}

func (l *Boards) wake() {
	select {
	case l.wakeReader <- struct{}{}:
	default:
	}
}
