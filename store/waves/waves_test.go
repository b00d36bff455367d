package waves_test

import (
	"bytes"
	"context"
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
		if err := s.KeepUpTexts(t.Context()); err != nil {
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
func measure(all []written, of map[uuid.UUID]uuid.UUID) (recall, wrong float64) {
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

// groupsOf returns the messages of each wave as text, so that two databases with the
// same messages can be compared.
func groupsOf(of map[uuid.UUID]uuid.UUID) string {
	lines := make([]string, 0, len(of))
	for message, wave := range of {
		lines = append(lines, message.String()+" "+wave.String())
	}
	slices.Sort(lines)
	return strings.Join(lines, "\n")
}

// difference returns the lines that only one of two texts has.
func difference(got, want string) string {
	var all []string
	for _, pair := range [][3]string{{"+", got, want}, {"-", want, got}} {
		for line := range strings.SplitSeq(pair[1], "\n") {
			if !strings.Contains(pair[2], line) {
				all = append(all, pair[0]+" "+line)
			}
		}
	}
	return strings.Join(all[:min(len(all), 20)], "\n")
}

// TestWorkers: several processes at once, and one that is stopped again and again,
// find the waves that one finds.
func TestWorkers(t *testing.T) {
	t.Parallel()
	all := newWriter(7).messages(40, 800)
	one, many, stopped := storetest.New(t), storetest.New(t), storetest.New(t)
	for _, s := range []*store.Store{one, many, stopped} {
		add(t, s, all)
		// The same order in all three, whatever transactions wrote the messages.
		storetest.Exec(t, s, "UPDATE sketches SET changed = 0")
	}
	keepUp(t, one)
	want := groupsOf(found(t, one))
	if strings.Count(want, "\n") < 100 {
		t.Fatalf("one worker found %q", want)
	}

	for pending(t, many) {
		var wait sync.WaitGroup
		for range 4 {
			wait.Go(func() {
				if err := many.KeepUpTexts(t.Context()); err != nil {
					t.Error(err)
				}
			})
		}
		wait.Wait()
	}
	if got := groupsOf(found(t, many)); got != want {
		t.Errorf("four workers:\n%s", difference(got, want))
	}

	// Each try has a little more time than the one before it, so that one batch or
	// another is stopped at each of its statements. It is a tenth more, so that all tries
	// together take only some times as long as a batch, however slow that is.
	cut := 0
	for allowed := 2 * time.Millisecond; pending(t, stopped); allowed += max(time.Millisecond, allowed/10) {
		short, stop := context.WithTimeout(t.Context(), allowed)
		_, err := waves.KeepUp(short, storetest.DB(t, stopped))
		stop()
		if err != nil {
			if short.Err() == nil {
				t.Fatal(err)
			}
			cut++
		}
	}
	if got := groupsOf(found(t, stopped)); got != want {
		t.Errorf("a worker that was stopped %d times:\n%s", cut, difference(got, want))
	}
	if cut == 0 {
		t.Error("the worker was never stopped")
	}

	// All again, from the first message on, as on another server: nothing changes.
	storetest.Exec(t, one, "UPDATE wave_cursor SET changed = 1000000000000")
	keepUp(t, one)
	if got := groupsOf(found(t, one)); got != want {
		t.Errorf("compared again:\n%s", difference(got, want))
	}
}

// TestArrival: messages that come one by one are in the waves that all at once are in.
func TestArrival(t *testing.T) {
	t.Parallel()
	s := storetest.New(t)
	all := newWriter(9).messages(6, 30)
	for part := range slices.Chunk(all, 9) {
		add(t, s, part)
		keepUp(t, s)
	}
	if recall, wrong := measure(all, found(t, s)); recall < 0.95 || wrong > 0.01 {
		t.Errorf("recall %.4f and %.4f false pairs, want at least 0.95 and at most 0.01", recall, wrong)
	}
}

const (
	lottery = "You have won the great lottery of our town, call us before the end of the week to get your prize."
	shoes   = "Our shop sells the best running shoes of the country, and only today you pay half of the price."
)

func edit(t *testing.T, s *store.Store, by store.Actor, id uuid.UUID, text string) {
	t.Helper()
	if _, err := s.Act(t.Context(), by, store.Act{Kind: "edit", Target: id, Reason: "a test",
		Params: store.EditParams{Text: text}}); err != nil {
		t.Fatal(err)
	}
	keepUp(t, s)
}

// TestEdit: a message whose text was edited leaves its wave, joins another, and
// joins two; the id of a wave stays.
func TestEdit(t *testing.T) {
	t.Parallel()
	s := storetest.New(t)
	moderator := storetest.Staff(t, s, "moderator")
	var all []written
	for i := range 8 {
		text := []string{lottery, shoes}[i/4]
		all = append(all, written{uuid.New(), fmt.Sprint("user ", i%3), fmt.Sprint(text, " ", i), 0})
	}
	add(t, s, all)
	keepUp(t, s)
	check := func(when string, want ...int) { // the message whose id the wave of each has; -1: none
		t.Helper()
		of := found(t, s)
		for i, w := range want {
			id := uuid.Nil
			if w >= 0 {
				id = all[w].id
			}
			if of[all[i].id] != id {
				t.Errorf("%s: message %d is in wave %s, want that of message %d", when, i, of[all[i].id], w)
			}
		}
	}
	check("at first", 0, 0, 0, 0, 4, 4, 4, 4)
	edit(t, s, moderator, all[2].id, "Nobody else writes a text about the gardens of Babylon.")
	check("after an edit", 0, 0, -1, 0, 4, 4, 4, 4)
	edit(t, s, moderator, all[2].id, shoes)
	check("after an edit to another wave", 0, 0, 4, 0, 4, 4, 4, 4)
	edit(t, s, moderator, all[0].id, "The first message of the wave is now about the towers of Ur.")
	check("without the first message", -1, 0, 4, 0, 4, 4, 4, 4)
	edit(t, s, moderator, all[0].id, lottery)
	check("the first message again", 0, 0, 4, 0, 4, 4, 4, 4)
	edit(t, s, moderator, all[1].id, "Yes.")
	edit(t, s, moderator, all[3].id, "No, thank you very much.")
	check("a wave of one", -1, -1, 4, -1, 4, 4, 4, 4)
	edit(t, s, moderator, all[3].id, lottery)
	check("a wave again", 0, -1, 4, 0, 4, 4, 4, 4)
	edit(t, s, moderator, all[2].id, "Thank you.")
	check("at the end", 0, -1, -1, 0, 4, 4, 4, 4)
}

// TestJoin: a message that is like two waves makes one of them, with the id of the
// older one.
func TestJoin(t *testing.T) {
	t.Parallel()
	s := storetest.New(t)
	const call = "call us on the telephone before the end of this week to get your prize"
	first, second := "You have won the great lottery of our town, "+call, call+", then tell all friends about these gifts"
	var all []written
	for i, text := range []string{second, second, first, first, first} {
		all = append(all, written{uuid.New(), fmt.Sprint("user ", i%3), text, 0})
	}
	add(t, s, all)
	keepUp(t, s)
	of := found(t, s)
	if of[all[0].id] != all[0].id || of[all[1].id] != all[0].id || of[all[2].id] != all[2].id ||
		of[all[4].id] != all[2].id {
		t.Fatalf("before they join: %v", of)
	}
	joining := []written{{uuid.New(), "user 9", "Yes.", 0}} // the others are a second later, or more
	for _, prize := range []string{"prize", "present", "money", "telephone", "reward"} {
		text := strings.Replace(first, "prize", prize, 1) + ", then tell all friends about these gifts"
		joining = append(joining, written{uuid.New(), "user 9", text, 0})
	}
	add(t, s, joining)
	keepUp(t, s)
	of = found(t, s)
	for message, wave := range of {
		if wave != all[0].id || len(of) != 10 {
			t.Errorf("message %s of %d is in wave %s, want %s", message, len(of), wave, all[0].id)
		}
	}
	reader := waves.Reader{Conn: storetest.DB(t, s)}
	if w, err := reader.ByID(t.Context(), all[2].id, 0); err != nil || w.WaveID != all[0].id || w.Messages != 10 ||
		w.Text != second {
		t.Errorf("by the id of the wave that is no more: %+v, %v", w, err)
	}
	var members int
	if err := storetest.DB(t, s).QueryRow(t.Context(), "SELECT count(*) FROM ("+waves.MembersSQL+") m", all[0].id).
		Scan(&members); err != nil || members != 10 {
		t.Errorf("%d members, %v", members, err)
	}
}

// TestShortTexts: what people write again and again is no wave.
func TestShortTexts(t *testing.T) {
	t.Parallel()
	s := storetest.New(t)
	var all []written
	for i, text := range []string{"yes", "Yes, please!", "Thank you for your help!", "ありがとうございます", "谢谢你的帮助",
		"Большое спасибо", "?!", "", strings.Repeat(" \n", 50), strings.Repeat("😀", 50)} {
		for k := range 4 {
			all = append(all, written{uuid.New(), fmt.Sprint("user ", k), text, i})
		}
	}
	texts := []string{"今すぐこの番号に電話して、無料の景品を受け取ってください。", "立即拨打这个号码领取您的免费奖品吧",
		"โทรหาเราที่หมายเลขนี้เพื่อรับรางวัลฟรีของคุณวันนี้"}
	for i, text := range texts {
		for k := range 4 {
			all = append(all, written{uuid.New(), fmt.Sprint("user ", k), fmt.Sprint(text, k), 100 + i})
		}
	}
	add(t, s, all)
	keepUp(t, s)
	of := found(t, s)
	for _, m := range all {
		if in := of[m.id] != uuid.Nil; in != (m.wave >= 100) {
			t.Errorf("%q is in a wave: %v", m.text, in)
		}
	}
}

// TestManyCopies: the work on a wave does not grow with the square of its size, and
// all copies are in it.
func TestManyCopies(t *testing.T) {
	t.Parallel()
	s := storetest.New(t)
	all := make([]written, 6000) // more than those that share a band are read of
	for i := range all {
		all[i] = written{uuid.New(), fmt.Sprint("user ", i%50), fmt.Sprint(lottery, i), 1}
	}
	add(t, s, all)
	keepUp(t, s)
	of := found(t, s)
	for _, m := range all {
		if of[m.id] != of[all[0].id] || of[m.id] == uuid.Nil {
			t.Fatalf("message %s is in wave %s, the first one in %s", m.id, of[m.id], of[all[0].id])
		}
	}
}

// TestRestored: a database that was restored on another server, whose transactions
// have smaller numbers, goes on.
func TestRestored(t *testing.T) {
	t.Parallel()
	s := storetest.New(t)
	all := newWriter(11).messages(5, 20)
	add(t, s, all[:len(all)/2])
	keepUp(t, s)
	storetest.Exec(t, s, "UPDATE sketches SET changed = changed + 1000000000000")
	storetest.Exec(t, s, "UPDATE wave_cursor SET changed = changed + 1000000000000")
	add(t, s, all[len(all)/2:])
	keepUp(t, s)
	if recall, wrong := measure(all, found(t, s)); recall < 0.95 || wrong > 0.01 {
		t.Errorf("recall %.4f and %.4f false pairs, want at least 0.95 and at most 0.01", recall, wrong)
	}
}

// TestMigrated: messages from before there were waves are compared too.
func TestMigrated(t *testing.T) {
	t.Parallel()
	s := storetest.New(t)
	all := newWriter(13).messages(5, 20)
	add(t, s, all)
	storetest.Exec(t, s, "UPDATE sketches SET changed = 0")
	storetest.Exec(t, s, "DELETE FROM sketches WHERE message_id < '80000000-0000-0000-0000-000000000000'")
	storetest.Exec(t, s, "INSERT INTO text_backfill (after_tree, after_message) VALUES ($1, $1)", uuid.Nil)
	keepUp(t, s)
	if recall, wrong := measure(all, found(t, s)); recall < 0.95 || wrong > 0.01 {
		t.Errorf("recall %.4f and %.4f false pairs, want at least 0.95 and at most 0.01", recall, wrong)
	}
}
