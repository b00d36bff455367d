package waves_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"treewarden/corpus"
	"treewarden/store"
	"treewarden/store/storetest"
	"treewarden/store/waves"
)

func TestMain(m *testing.M) { os.Exit(storetest.Main(m)) }

// written is a message of a test.
type written struct {
	id   uuid.UUID
	user string
	text string
	wave int // the generated wave that it belongs to; 0: none
}

// writer makes texts of words that do not exist, and changes them as senders of
// spam do.
type writer struct {
	*rand.Rand
	words []string
}

func newWriter(seed uint64) *writer {
	w := &writer{Rand: rand.New(rand.NewPCG(seed, 1))}
	for range 3000 {
		var word strings.Builder
		for range 1 + w.IntN(4) {
			word.WriteByte("bcdfghklmnprstvwz"[w.IntN(17)])
			word.WriteByte("aeiou"[w.IntN(5)])
		}
		w.words = append(w.words, word.String())
	}
	return w
}

// word returns a word; some are common, as in a language.
func (w *writer) word() string {
	return w.words[int(float64(len(w.words))*w.Float64()*w.Float64())]
}

// text returns a text of 12 to 60 words, one of which is a number.
func (w *writer) text() []string {
	words := make([]string, 12+w.IntN(49))
	for i := range words {
		words[i] = w.word()
	}
	words[w.IntN(len(words))] = fmt.Sprint(10000 + w.IntN(90000))
	return words
}

// copy returns a text with one word in ten, the digits, the case and the spaces
// changed.
func (w *writer) copy(text []string) string {
	words := slices.Clone(text)
	for _, i := range w.Perm(len(words))[:len(words)/10] {
		words[i] = w.word()
	}
	for i, word := range words {
		if strings.ContainsAny(word, "0123456789") {
			words[i] = fmt.Sprint(10000 + w.IntN(90000))
		}
		if w.IntN(4) == 0 {
			words[i] = strings.ToUpper(words[i])
		}
		if w.IntN(5) == 0 {
			words[i] += [...]string{" ", "\n", "\t", " - ", "!"}[w.IntN(5)]
		}
	}
	return strings.Join(words, " ")
}

// messages makes waves of 3 to 20 messages and others, in any order.
func (w *writer) messages(waveCount, others int) []written {
	var all []written
	for wave := range waveCount {
		text := w.text()
		for i := range 3 + w.IntN(18) {
			m := written{uuid.New(), fmt.Sprint("user ", w.IntN(8)), strings.Join(text, " "), wave + 1}
			if i > 0 {
				m.text = w.copy(text)
			}
			all = append(all, m)
		}
	}
	for range others {
		all = append(all, written{uuid.New(), fmt.Sprint("user ", w.IntN(1000)), strings.Join(w.text(), " "), 0})
	}
	w.Shuffle(len(all), func(i, k int) { all[i], all[k] = all[k], all[i] })
	return all
}

// add imports messages as prompts, a second apart.
func add(t *testing.T, s *store.Store, all []written) {
	t.Helper()
	var lines []byte
	for i, m := range all {
		at, lang := time.Date(2024, 1, 1, 0, 0, i, 0, time.UTC), "en"
		user := uuid.NewSHA1(uuid.Nil, []byte(m.user))
		lines = append((&corpus.Record{Messages: []corpus.Message{{
			MessageID: m.id, UserID: &user, CreatedDate: &at, Role: corpus.Prompter, Lang: &lang, Text: m.text,
		}}}).Append(lines), '\n')
	}
	done, err := s.Import(t.Context(), corpus.NewReader(bytes.NewReader(lines), "").All(), store.ImportOptions{})
	if err != nil || done.Faults() {
		t.Fatalf("%+v, %v", done, err)
	}
}

// pending reports whether messages wait to be compared.
func pending(t *testing.T, s *store.Store) (is bool) {
	t.Helper()
	if err := storetest.DB(t, s).QueryRow(t.Context(), `SELECT EXISTS (SELECT FROM sketches s, wave_cursor c
		WHERE (s.changed, s.message_id) > (c.changed, c.message_id))`).Scan(&is); err != nil {
		t.Fatal(err)
	}
	return is
}

// keepUp compares all messages. The transactions of other tests on the same server
// delay it.
func keepUp(t *testing.T, s *store.Store) {
	t.Helper()
	for first := true; first || pending(t, s); first = false {
		if err := s.KeepUpSketches(t.Context()); err != nil {
			t.Fatal(err)
		}
		if pending(t, s) {
			time.Sleep(10 * time.Millisecond)
		}
	}
}

// found returns the waves of the messages by their ids, and checks that the
// columns of the waves are those of their members.
func found(t *testing.T, s *store.Store) map[uuid.UUID]uuid.UUID {
	t.Helper()
	rows, err := storetest.DB(t, s).Query(t.Context(), "SELECT message_id, wave_id FROM wave_messages")
	if err != nil {
		t.Fatal(err)
	}
	of := map[uuid.UUID]uuid.UUID{}
	var message, wave uuid.UUID
	if _, err := pgx.ForEachRow(rows, []any{&message, &wave}, func() error {
		of[message] = wave
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	var wrong int
	if err := storetest.DB(t, s).QueryRow(t.Context(), `SELECT count(*) FROM waves w FULL JOIN (
			SELECT wave_id, count(*) AS messages, count(DISTINCT user_id) AS users, min(at) AS first, max(at) AS last,
				avg(likeness) AS likeness FROM wave_messages GROUP BY wave_id) m USING (wave_id)
		WHERE (w.messages, w.users, w.first, w.last) IS DISTINCT FROM (m.messages, m.users, m.first, m.last)
			OR abs(w.likeness - m.likeness) > 1e-9 OR w.messages < 2`).Scan(&wrong); err != nil || wrong > 0 {
		t.Errorf("%d waves are not what their members are, %v", wrong, err)
	}
	return of
}

// measure compares the waves with those that were generated: the share of the pairs
// of a generated wave that are in one wave, and of the pairs in one wave that are of
// no generated one.
func measure(all []written, of map[uuid.UUID]uuid.UUID) (recall, false_ float64) {
	pairs, hit, together := 0, 0, 0
	for i, a := range all {
		for _, b := range all[:i] {
			one := of[a.id] != uuid.Nil && of[a.id] == of[b.id]
			same := a.wave != 0 && a.wave == b.wave
			if same {
				pairs++
			}
			if one {
				together++
			}
			if same && one {
				hit++
			}
		}
	}
	return float64(hit) / float64(pairs), float64(together-hit) / float64(max(together, 1))
}

// TestRecall generates waves among other messages: case, spaces, digits and one
// word in ten differ from copy to copy. At least 95 % of the pairs of a wave must be
// found, and at most 1 % of what is found may be false.
func TestRecall(t *testing.T) {
	t.Parallel()
	for seed := range uint64(3) {
		s := storetest.New(t)
		all := newWriter(seed+1).messages(60, 1500)
		add(t, s, all)
		keepUp(t, s)
		recall, wrong := measure(all, found(t, s))
		t.Logf("seed %d: recall %.4f, false pairs %.4f", seed, recall, wrong)
		if recall < 0.95 || wrong > 0.01 {
			t.Errorf("seed %d: recall %.4f and %.4f false pairs, want at least 0.95 and at most 0.01", seed, recall, wrong)
		}
	}
}

var _ = context.Canceled
var _ = errors.Is
var _ sync.Mutex
var _ = waves.Least
