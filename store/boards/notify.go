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

// channel is where transactions say whose board rows they changed.
const channel = "treewarden_board"

// allUsers is the payload that says that all rows may have changed.
const allUsers = "*"

// formulaChanged is the payload that says that another formula is in force.
const formulaChanged = "formula"

const (
	idText = 22 // an id's length in a payload
	// idsInPayload keep a payload below PostgreSQL's 8,000 bytes.
	idsInPayload = 340
	// Who changes more users than this says that everybody changed.
	idsMost = 20_000
)

// Announce adds the statements that tell other processes what a transaction
// changed, once it is committed.
func (l *Boards) Announce(batch *pgx.Batch, changed counters.Changed) {
	payloads := l.payloads(changed.Users)
	if changed.Formula {
		payloads = append(payloads, formulaChanged)
	}
	for _, payload := range payloads {
		batch.Queue("SELECT pg_notify($1, $2)", channel, payload)
	}
}

// Mark has the boards of this process read again what a transaction changed.
func (l *Boards) Mark(changed counters.Changed) {
	l.markUsers(changed.Users)
	if changed.Formula {
		l.forgetFormula()
		l.threshold.Forget()
	}
}

// AnnounceAll tells every process, once a transaction is committed, that all
// boards changed.
func AnnounceAll(ctx context.Context, c db.Conn) error {
	_, err := c.Exec(ctx, "SELECT pg_notify($1, $2)", channel, allUsers)
	return err
}

// FormulaInForce is the formula in force, from memory if that is up to date.
func (l *Boards) FormulaInForce(ctx context.Context) (scoring.Formula, error) {
	l.formula.Lock()
	inForce, known, changes := l.formula.inForce, l.formula.known, l.formula.changes
	l.formula.Unlock()
	if known {
		return inForce, nil
	}
	inForce, err := l.readFormula(ctx)
	if err != nil {
		return inForce, err
	}
	l.formula.Lock()
	defer l.formula.Unlock()
	if l.formula.listening && l.formula.changes == changes {
		l.formula.inForce, l.formula.known = inForce, true
	}
	return inForce, nil
}

// forgetFormula has the formula in force read again.
func (l *Boards) forgetFormula() {
	l.formula.Lock()
	defer l.formula.Unlock()
	l.formula.known = false
	l.formula.changes++
}

// hear notes whether the database is listened to.
func (l *Boards) setListening(now bool) {
	l.forgetFormula()
	l.formula.Lock()
	defer l.formula.Unlock()
	l.formula.listening = now
}

// payloads tell other processes whose rows changed.
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

// onNotify takes in a payload of any process.
func (l *Boards) onNotify(payload string) {
	switch payload {
	case allUsers:
		l.threshold.Forget()
		l.MarkAll()
		return
	case formulaChanged:
		l.forgetFormula()
		l.notifyWatchers()
		return
	}
	from, ids, _ := strings.Cut(payload, ":")
	if from == l.name {
		return // marked when it was done
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

// markUsers has users read again before the next look at the board.
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
