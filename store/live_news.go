package store

import (
	"context"
	"encoding/base64"
	"strings"

	"github.com/google/uuid"

	"treewarden/scoring"
)

// liveChannel is where transactions say whose board rows they changed.
const liveChannel = "treewarden_board"

// everybody is the payload that says that all rows may have changed.
const everybody = "*"

// otherFormula is the payload that says that another formula is in force.
const otherFormula = "formula"

const (
	idText = 22 // an id's length in a payload
	// idsInPayload keep a payload below PostgreSQL's 8,000 bytes.
	idsInPayload = 340
	// Who changes more users than this says that everybody changed.
	idsMost = 20_000
)

// toxicFrom is the classifier's toxicity from which the counters count a message
// as toxic. It is remembered; who writes with one that is no longer true is told
// to begin again (tallying.write).
func (l *live) toxicFrom(ctx context.Context, c conn) (float64, error) {
	l.toxic.Lock()
	defer l.toxic.Unlock()
	if !l.toxic.known {
		if err := c.QueryRow(ctx, "SELECT toxic_from FROM counted_with").Scan(&l.toxic.from); err != nil {
			return 0, err
		}
		l.toxic.known = true
	}
	return l.toxic.from, nil
}

func (l *live) forgetToxicFrom() {
	l.toxic.Lock()
	defer l.toxic.Unlock()
	l.toxic.known = false
}

// formulaInForce is the formula in force, from memory if that is up to date.
func (l *live) formulaInForce(ctx context.Context) (scoring.Formula, error) {
	l.formula.Lock()
	inForce, known, changes := l.formula.inForce, l.formula.known, l.formula.changes
	l.formula.Unlock()
	if known {
		return inForce, nil
	}
	inForce, err := formulaInForce(ctx, l.pool)
	if err != nil {
		return inForce, err
	}
	l.formula.Lock()
	defer l.formula.Unlock()
	if l.formula.hearing && l.formula.changes == changes {
		l.formula.inForce, l.formula.known = inForce, true
	}
	return inForce, nil
}

// forgetFormula has the formula in force read again.
func (l *live) forgetFormula() {
	l.formula.Lock()
	defer l.formula.Unlock()
	l.formula.known = false
	l.formula.changes++
}

// hear notes whether the database is listened to.
func (l *live) hear(now bool) {
	l.forgetFormula()
	l.formula.Lock()
	defer l.formula.Unlock()
	l.formula.hearing = now
}

// payloads tell other processes whose rows changed.
func (l *live) payloads(users map[uuid.UUID]bool) []string {
	if len(users) > idsMost {
		return []string{everybody}
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

// heard takes in a payload of any process.
func (l *live) heard(payload string) {
	switch payload {
	case everybody:
		l.forgetToxicFrom()
		l.markAll()
		return
	case otherFormula:
		l.forgetFormula()
		l.tell()
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
	l.mark(users)
}

// mark has users read again before the next look at the board.
func (l *live) mark(users map[uuid.UUID]bool) {
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

func (l *live) markAll() {
	l.mu.Lock()
	l.all = true
	l.mu.Unlock()
	l.wake()
}

func (l *live) wake() {
	select {
	case l.kick <- struct{}{}:
	default:
	}
}
