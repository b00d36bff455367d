package similar_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"treewarden/corpus"
	"treewarden/corpus/search"
	"treewarden/demo"
	"treewarden/scoring/likeness"
	"treewarden/store"
	"treewarden/store/db"
	"treewarden/store/derived"
	"treewarden/store/similar"
	"treewarden/store/storetest"
)

func TestMain(m *testing.M) { os.Exit(storetest.Main(m)) }

// checkSketches checks that the sketch and the terms of each message are those of its
// text, and returns the number of messages.
func checkSketches(t *testing.T, s *store.Store) int {
	t.Helper()
	rows, err := storetest.DB(t, s).Query(t.Context(), `SELECT m.message_id, m.lang, m.text, s.bands, w.terms, w.pairs,
			nullif(m.created_date, '-infinity'), coalesce(w.created_date = m.created_date, false) FROM messages m
		FULL JOIN sketches s ON s.tree_id = m.tree_id AND s.message_id = m.message_id
		FULL JOIN message_terms w ON w.tree_id = m.tree_id AND w.message_id = m.message_id`)
	if err != nil {
		t.Fatal(err)
	}
	var id *uuid.UUID
	var lang, text *string
	var date *time.Time
	var bands, terms []int32
	var pairs []byte
	n, dated := 0, false
	if _, err := pgx.ForEachRow(rows, []any{&id, &lang, &text, &bands, &terms, &pairs, &date, &dated}, func() error {
		n++
		if id == nil || bands == nil || !slices.Equal(bands, likeness.Sketch(*text)) {
			t.Errorf("message %v has the sketch %v", id, bands)
		} else if terms == nil || !slices.Equal(terms, derived.Terms(*text, lang, date, nil)) {
			t.Errorf("message %v has the terms %v", id, terms)
		} else if !slices.Equal(pairs, search.Pairs(*text, nil)) {
			t.Errorf("message %v has the pairs %x", id, pairs)
		} else if !dated {
			t.Errorf("the terms of message %v have another date", id)
		}
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	return n
}

// lines returns prompts with texts, a minute apart, as an import reads them.
func lines(ids []uuid.UUID, langs, texts []string) []byte {
	var all []byte
	for i, text := range texts {
		at := time.Date(2024, 1, 1, 0, i, 0, 0, time.UTC)
		user, lang := uuid.NewSHA1(uuid.Nil, []byte{byte(i), byte(i >> 8)}), langs[i%len(langs)]
		all = append((&corpus.Record{Messages: []corpus.Message{{
			MessageID: ids[i], UserID: &user, CreatedDate: &at, Role: corpus.Prompter, Lang: &lang, Text: text,
		}}}).Append(all), '\n')
	}
	return all
}

func imported(t *testing.T, s *store.Store, text []byte) store.ImportSummary {
	t.Helper()
	done, err := s.Import(t.Context(), corpus.NewReader(bytes.NewReader(text), "").All(), store.ImportOptions{})
	if err != nil || done.Faults() {
		t.Fatalf("%+v, %v", done, err)
	}
	return done
}

func newIDs(n int) []uuid.UUID {
	ids := make([]uuid.UUID, n)
	for i := range ids {
		ids[i] = uuid.New()
	}
	return ids
}

// duplicates returns what is like a message written before it, by message.
func duplicates(t *testing.T, s *store.Store, least float64, lang string) map[uuid.UUID]similar.Duplicate {
	t.Helper()
	found := map[uuid.UUID]similar.Duplicate{}
	var done, total int64
	if err := similar.Duplicates(t.Context(), storetest.DB(t, s), least, lang,
		func(n, of int64) { done, total = n, of },
		func(d similar.Duplicate) error {
			if _, twice := found[d.MessageID]; twice {
				t.Errorf("message %s came twice", d.MessageID)
			}
			found[d.MessageID] = d
			return nil
		}); err != nil {
		t.Fatal(err)
	}
	if done != total || int(total) < len(found) {
		t.Errorf("the progress ended with %d of %d for %d found", done, total, len(found))
	}
	return found
}

const (
	recipe  = "Melt the butter with the sugar, add the flour and the eggs, and bake it for 40 minutes at 180 degrees."
	edited  = "melt the butter with the sugar - add the flour and the eggs; and bake it for 40 minutes at 190 degrees!"
	weather = "Tomorrow it rains in the north, and in the south the sun comes out in the afternoon."
)

func TestImport(t *testing.T) {
	t.Parallel()
	s := storetest.New(t)
	ids := newIDs(4)
	imported(t, s, lines(ids, []string{"en"}, []string{recipe, weather, "ok", recipe}))
	if n := checkSketches(t, s); n != 4 {
		t.Errorf("%d messages, want 4", n)
	}
	if found := duplicates(t, s, 0.9, ""); len(found) != 1 || found[ids[3]].OtherID != ids[0] {
		t.Errorf("after the first import: %v", found)
	}
	imported(t, s, lines(ids, []string{"en"}, []string{recipe, weather, weather + " So it goes.", "no"}))
	checkSketches(t, s)
	if found := duplicates(t, s, 0.8, ""); len(found) != 1 || found[ids[2]].OtherID != ids[1] {
		t.Errorf("after the second import: %v", found)
	}
	imported(t, s, bytes.ReplaceAll(lines(ids, []string{"en"}, []string{recipe, weather, weather + " So it goes.", "no"}),
		[]byte(`"2024-01-01`), []byte(`"2024-01-02`)))
	checkSketches(t, s)
	var date time.Time
	if err := storetest.DB(t, s).QueryRow(t.Context(),
		"SELECT min(created_date) FROM message_terms").Scan(&date); err != nil ||
		date.Before(time.Date(2024, 1, 2, 0, 0, 0, 0, time.UTC)) {
		t.Errorf("after an import with later dates: %v, %v", date, err)
	}
	imported(t, s, lines(ids, []string{"de"}, []string{recipe, weather, weather + " So it goes.", "no"}))
	checkSketches(t, s)
}

func TestIngest(t *testing.T) {
	t.Parallel()
	s := storetest.New(t)
	var text []byte
	for i, id := range newIDs(3) {
		line, err := json.Marshal(map[string]any{"type": "message", "id": uuid.NewString(),
			"created_date": time.Now().Add(time.Duration(i-9) * time.Minute), "message_id": id,
			"user_id": storetest.User(t, s, "x"), "role": "prompter", "lang": "en", "text": []string{recipe, "ok", edited}[i]})
		if err != nil {
			t.Fatal(err)
		}
		text = append(append(text, line...), '\n')
	}
	done, err := s.Ingest(t.Context(), store.CommandLine, text)
	if err != nil || done.Accepted != 3 {
		t.Fatalf("%+v, %v", done, err)
	}
	if n := checkSketches(t, s); n != 3 {
		t.Errorf("%d messages, want 3", n)
	}
	if found := duplicates(t, s, 0.8, ""); len(found) != 1 {
		t.Errorf("found %v", found)
	}
}

func TestEditAndUndo(t *testing.T) {
	t.Parallel()
	s := storetest.New(t)
	ids := newIDs(2)
	imported(t, s, lines(ids, []string{"en"}, []string{recipe, weather}))
	moderator := storetest.Staff(t, s, "moderator")
	act := store.Act{Kind: "edit", Target: ids[1], Reason: "a test", Params: store.EditParams{Text: recipe}, Preview: true}
	if _, err := s.Act(t.Context(), moderator, act); err != nil {
		t.Fatal(err)
	}
	checkSketches(t, s)
	act.Preview = false
	done, err := s.Act(t.Context(), moderator, act)
	if err != nil {
		t.Fatal(err)
	}
	checkSketches(t, s)
	if found := duplicates(t, s, 1, ""); found[ids[1]].OtherID != ids[0] {
		t.Errorf("after the edit: %v", found)
	}
	if _, err := s.Undo(t.Context(), moderator, done.Action.ID, "a test", false, ""); err != nil {
		t.Fatal(err)
	}
	checkSketches(t, s)
	if found := duplicates(t, s, 0.5, ""); len(found) != 0 {
		t.Errorf("after the undo: %v", found)
	}
}

func TestDemo(t *testing.T) {
	t.Parallel()
	s := storetest.New(t)
	c := demo.Generate(demo.Options{Seed: 3, Now: time.Now()})
	if err := demo.Load(t.Context(), s, c); err != nil {
		t.Fatal(err)
	}
	if n := checkSketches(t, s); n != len(c.Messages) {
		t.Errorf("%d messages, want %d", n, len(c.Messages))
	}
}

func TestBackfill(t *testing.T) {
	t.Parallel()
	s := storetest.New(t)
	ids, texts := newIDs(5000), make([]string, 5000)
	for i := range texts {
		texts[i] = fmt.Sprintf("%s Part %d.", recipe, i)
	}
	imported(t, s, lines(ids, []string{"en"}, texts))
	storetest.Exec(t, s, "DELETE FROM sketches WHERE message_id <> $1", ids[7])
	storetest.Exec(t, s, "DELETE FROM message_terms WHERE message_id <> $1", ids[8])
	storetest.Exec(t, s, "INSERT INTO text_backfill (after_tree, after_message) VALUES ($1, $1)", uuid.Nil)
	find := func() int {
		t.Helper()
		list, err := s.Messages(t.Context(), store.CommandLine, store.MessageFilter{Q: `"part 4321" OR "part 17"`})
		if err != nil {
			t.Fatal(err)
		}
		return len(list.Items)
	}
	if n := find(); n != 2 {
		t.Errorf("while the terms are missing, a search finds %d messages, want 2", n)
	}
	// One process stops in between.
	short, stop := context.WithTimeout(t.Context(), 100*time.Millisecond)
	defer stop()
	if err := derived.Backfill(short, storetest.DB(t, s)); err != nil && short.Err() == nil {
		t.Fatal(err)
	}
	left := func() (n int) {
		if err := storetest.DB(t, s).QueryRow(t.Context(), "SELECT count(*) FROM text_backfill").Scan(&n); err != nil {
			t.Fatal(err)
		}
		return n
	}
	for left() > 0 {
		var wait sync.WaitGroup
		for range 3 {
			wait.Go(func() {
				if err := derived.KeepUp(t.Context(), storetest.DB(t, s)); err != nil {
					t.Error(err)
				}
			})
		}
		wait.Wait()
	}
	if n := checkSketches(t, s); n != 5000 {
		t.Errorf("%d messages, want 5000", n)
	}
	if n := find(); n != 2 {
		t.Errorf("with the terms, a search finds %d messages, want 2", n)
	}
	if err := s.KeepUpTexts(t.Context()); err != nil {
		t.Error(err)
	}
}

func TestDuplicates(t *testing.T) {
	t.Parallel()
	s := storetest.New(t)
	ids := newIDs(6)
	imported(t, s, lines(ids, []string{"pt-BR", "pt", "en"}, []string{recipe, edited, recipe, weather, recipe, weather}))
	want := func(lang string, least float64, want map[int]int) {
		t.Helper()
		found := duplicates(t, s, least, lang)
		if len(found) != len(want) {
			t.Errorf("%q, %v: found %v", lang, least, found)
		}
		for i, other := range want {
			if d := found[ids[i]]; d.OtherID != ids[other] || d.TreeID != ids[i] || d.Likeness < least {
				t.Errorf("%q, %v: message %d: got %+v, want the other to be %d", lang, least, i, d, other)
			}
		}
	}
	want("", 0.8, map[int]int{1: 0, 2: 0, 4: 0, 5: 3})
	want("", 1, map[int]int{2: 0, 4: 0, 5: 3})
	want("pt", 0.8, map[int]int{1: 0, 4: 0})
	want("PT-br", 0.8, nil)
	want("en", 0.8, nil)
	storetest.Exec(t, s, "UPDATE messages SET deleted = true WHERE message_id = $1", ids[0])
	want("", 1, map[int]int{4: 2, 5: 3})

	matches, err := similar.Of(t.Context(), storetest.DB(t, s), ids[2], 0.8, 10)
	if err != nil || len(matches) != 3 || matches[0].Likeness != 1 || matches[2].MessageID != ids[1] {
		t.Errorf("like message 2: %+v, %v", matches, err)
	}
	if got := likeness.Likeness(recipe, edited); len(matches) == 3 && matches[2].Likeness != got {
		t.Errorf("a likeness of %v, want %v", matches[2].Likeness, got)
	}
	if _, err := similar.Of(t.Context(), storetest.DB(t, s), uuid.New(), 0.8, 10); !errors.Is(err, db.ErrNotFound) {
		t.Errorf("an unknown message: %v", err)
	}
	stop := errors.New("stop")
	if err := similar.Duplicates(t.Context(), storetest.DB(t, s), 1, "", nil,
		func(similar.Duplicate) error { return stop }); !errors.Is(err, stop) {
		t.Errorf("an error of the caller comes back as %v", err)
	}
}

// TestManyIdentical has 20,000 identical texts of many users, one of which begins
// the group, among others that are unlike.
func TestManyIdentical(t *testing.T) {
	t.Parallel()
	s := storetest.New(t)
	ids, texts := newIDs(21_000), make([]string, 21_000)
	for i := range texts {
		if texts[i] = recipe; i%21 == 0 {
			texts[i] = uuid.NewString() + " " + uuid.NewString() + " " + uuid.NewString()
		}
	}
	imported(t, s, lines(ids, []string{"en"}, texts))
	found := duplicates(t, s, 0.9, "en")
	if len(found) != 19_999 {
		t.Errorf("found %d duplicates, want 19,999", len(found))
	}
	for _, d := range found {
		if d.OtherID != ids[1] || d.Likeness != 1 {
			t.Fatalf("got %+v, want a likeness of 1 to the first message %s", d, ids[1])
		}
	}
	matches, err := similar.Of(t.Context(), storetest.DB(t, s), ids[2], 0.9, 50)
	if err != nil || len(matches) != 50 || matches[49].Likeness != 1 {
		t.Errorf("%d matches, %v", len(matches), err)
	}
}
