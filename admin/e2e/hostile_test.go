package e2e

import (
	"encoding/json"
	"fmt"
	"iter"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/google/uuid"

	"treewarden/corpus"
	"treewarden/policy"
	"treewarden/store"
	"treewarden/store/storetest"
)

// hostile lists texts that broke a web page. With TREEWARDEN_CORPORA set,
// corporaTexts adds some 2,300 more.
var hostile = []string{
	`<script>alert(1)</script>`,
	`"><img src=x onerror=alert(2)>`,
	`<svg/onload=alert(3)>`,
	`'-alert(4)-'`,
	`[click](javascript:alert(5))`,
	`![picture](http://tracker.example/pixel.png)`,
	`<iframe srcdoc="<script>alert(6)</script>"></iframe>`,
	`</title></textarea></bdi></div><script>alert(7)</script>`,
	`<a href="javascript:alert(8)" style="position:fixed;inset:0">over it all</a>`,
	`<style>@import "http://tracker.example/x.css"; * { display: none }</style>`,
	`{{template "x"}}${7*7}<%= 7*7 %>`,
	"evil\u202egnp.exe \u2066admin\u2069",
	"z̷̧̢̛͎̹̟̲̤͖͔̗̻͍͂͛̈́̀̿͆̽̉͆͝͠a̴l̸g̷o̶",
	"مرحبا بكم في هذه المحادثة الطويلة",
	`'; DROP TABLE users; --`,
	`=HYPERLINK("http://tracker.example","x")`,
	"word" + strings.Repeat("w", 300),
	"   ",
	"\u200b\u200c\u200d\ufeff",
}

// corporaTexts returns the hostile texts of the public collections.
func corporaTexts(t *testing.T) []string {
	t.Helper()
	dir := os.Getenv("TREEWARDEN_CORPORA")
	if dir == "" {
		t.Run("Corpora", func(t *testing.T) {
			t.Skip("TREEWARDEN_CORPORA is not set: only our own hostile texts were tried, not the public collections of them")
		})
		return nil
	}
	read := func(name string) []byte {
		content, err := os.ReadFile(filepath.Join(dir, "bad-input", name))
		if err != nil {
			t.Fatal(err)
		}
		return content
	}
	texts := strings.Split(string(read("xss-payloads.txt")), "\n")
	var naughty []string
	var purify []struct{ Payload string }
	var bidi []struct{ Text string }
	for name, into := range map[string]any{"blns.json": &naughty, "dompurify-expect.json": &purify,
		"bidi_homoglyph_lines.json": &bidi} {
		if err := json.Unmarshal(read(name), into); err != nil {
			t.Fatalf("%s: %v", name, err)
		}
	}
	texts = append(texts, naughty...)
	for _, p := range purify {
		texts = append(texts, p.Payload)
	}
	for _, b := range bidi {
		texts = append(texts, b.Text)
	}
	return texts
}

// hostileWorld is a console with hostile texts on every page: as texts, names,
// notes, reasons, origins, models, labels and languages.
type hostileWorld struct {
	*world
	texts   []string
	prompts []uuid.UUID // of trees with repliesEach replies; they have all texts together
	users   []uuid.UUID // the author of each text
	long    uuid.UUID   // a message with a word of 10,000 letters
	arabic  uuid.UUID   // a message of 2,000 letters from right to left
	edits   []int64     // each put many texts into one message
	banned  uuid.UUID   // an author who was banned for hostile words
}

// repliesEach is the number of texts on a message's page.
const repliesEach = 99

func newHostileWorld(t *testing.T) *hostileWorld {
	t.Helper()
	h := &hostileWorld{world: newWorld(t)}
	seen := map[string]bool{}
	for _, text := range append(slices.Clone(hostile), corporaTexts(t)...) {
		text = strings.ReplaceAll(strings.ToValidUTF8(text, "\uFFFD"), "\x00", "\uFFFD")
		if !seen[text] {
			seen[text] = true
			h.texts = append(h.texts, text)
		}
	}
	h.plant(t)
	h.name(t)
	h.work(t)
	return h
}

// plant imports every text as a message by a user of its own, with a model,
// labels, reactions and classifiers of the same name, and as the origin and the
// language of a tree.
func (h *hostileWorld) plant(t *testing.T) {
	t.Helper()
	now := time.Now().UTC().Truncate(time.Second)
	at := func(i int) *time.Time { date := now.Add(-time.Duration(i) * time.Minute); return &date }
	var records []*corpus.Record
	var record *corpus.Record
	message := func(i int, text string) corpus.Message {
		name := beginning(text, 200)
		id, user, yes, half, toxicity := uuid.New(), uuid.New(), true, 0.6, 0.4
		if i%10 == 3 {
			toxicity = 0.9 // hidden until it is opened
		}
		h.users = append(h.users, user)
		return corpus.Message{
			MessageID: id, UserID: &user, CreatedDate: at(i), Text: text, Role: corpus.Assistant, Lang: &name,
			ReviewResult: &yes,
			Synthetic:    i%3 == 0, ModelName: &name, Emojis: map[string]int{"+1": 1, name: 2},
			Labels:      map[string]corpus.Label{"quality": {Value: &half, Count: 3}, name: {Value: &half, Count: 3}},
			Classifiers: map[string]map[string]*float64{corpus.Detoxify: {"toxicity": &toxicity}},
		}
	}
	for i, text := range h.texts {
		m := message(i, text)
		if i%(repliesEach+1) == 0 {
			m.Role = corpus.Prompter
			record = &corpus.Record{Prompt: true}
			records = append(records, record)
			h.prompts = append(h.prompts, m.MessageID)
			// A few models and outputs are enough: each becomes a row of a dictionary.
			m.Classifiers[beginning(text, 60)+" "] = map[string]*float64{"toxicity": m.Labels["quality"].Value,
				beginning(text, 60): m.Labels["quality"].Value}
		} else {
			m.ParentID, m.Depth = &record.Messages[0].MessageID, 1
		}
		record.Messages = append(record.Messages, m)
	}
	for i, text := range h.texts {
		origin, growing := beginning(text, 200), "growing"
		alone := message(len(h.texts)+i, text)
		alone.Role, alone.UserID = corpus.Prompter, nil
		h.users = h.users[:len(h.texts)]
		records = append(records, &corpus.Record{Prompt: true, Tree: corpus.Tree{Origin: &origin, State: &growing},
			Messages: []corpus.Message{alone}})
	}
	word := message(0, strings.Repeat("Wassermelone", 10_000/12)+" ende")
	word.Role, word.ModelName = corpus.Prompter, nil
	ar := "ar"
	speech := message(0, strings.TrimSpace(strings.Repeat("مرحبا بكم في هذه المحادثة الطويلة. ", 2000/34)))
	speech.Role, speech.ParentID, speech.Depth, speech.Lang = corpus.Assistant, &word.MessageID, 1, &ar
	h.long, h.arabic = word.MessageID, speech.MessageID
	records = append(records, &corpus.Record{Prompt: true, Messages: []corpus.Message{word, speech}})

	summary, err := h.store.Import(t.Context(), each(records), store.ImportOptions{})
	if err != nil || summary.Rejected+summary.Orphans > 0 {
		t.Fatalf("import the hostile texts: %v, %+v", err, summary.Errors)
	}
}

// name renames every user to a text, and gives some of them a note, a ban and
// reports with hostile words.
func (h *hostileWorld) name(t *testing.T) {
	t.Helper()
	names := make([]string, len(h.texts))
	for i, text := range h.texts {
		names[i] = beginning(text, 256)
	}
	storetest.Exec(t, h.store,
		`UPDATE users SET display_name = n.name FROM unnest($1::uuid[], $2::text[]) AS n (id, name) WHERE user_id = n.id`,
		h.users[:len(h.texts)], names)
	for i, name := range names {
		names[i] = beginning(name+" …", 500)
	}
	storetest.Exec(t, h.store, `INSERT INTO reports (tree_id, message_id, user_id, reason, at)
		SELECT tree_id, message_id, m.user_id, n.reason, now() FROM unnest($1::uuid[], $2::text[]) AS n (id, reason)
			JOIN messages m ON m.user_id = n.id
		WHERE tree_id = ANY ($3)`, h.users[:len(h.texts)], names, h.prompts)
	// The page of the prompt shows all reports of a tree.
	storetest.Exec(t, h.store, `INSERT INTO reports (tree_id, message_id, user_id, reason, at)
		SELECT tree_id, tree_id, user_id, reason, at FROM reports WHERE message_id <> tree_id`)
	if err := h.store.RebuildScores(t.Context()); err != nil {
		t.Fatal(err)
	}
}

// work makes staff act with hostile reasons, notes and texts.
func (h *hostileWorld) work(t *testing.T) {
	t.Helper()
	users := h.users[:len(h.texts)]
	// One text in eight as a reason: the log takes them one by one. The author
	// of the first prompt stays free, to be banned by hand.
	for i := 1; i < len(h.texts); i += 8 {
		reason := beginning(h.texts[i], 480) + " is why"
		role := policy.Moderator
		if i%16 == 1 {
			role = policy.Admin
		}
		h.act(t, role, store.Act{Kind: "ban", Target: users[i], Reason: reason})
		h.banned = users[i]
	}
	for batch := range slices.Chunk(h.texts, 150) {
		notes := beginning(strings.Join(batch, "\n"), 9000)
		user := users[len(h.edits)*150]
		h.act(t, policy.Moderator, store.Act{Kind: "update_user", Target: user, Params: store.UserPatch{Notes: &notes}})
		edit := h.act(t, policy.Moderator, store.Act{Kind: "edit", Target: h.prompts[len(h.edits)%len(h.prompts)],
			Reason: "all of these", Params: store.EditParams{Text: beginning(strings.Join(batch, "\n\n"), 19_000)}})
		h.edits = append(h.edits, edit.ID)
	}
}

// beginning returns the beginning of a text, cut between letters, of at most n
// bytes.
func beginning(text string, n int) string {
	for len(text) > n {
		_, size := utf8.DecodeLastRuneInString(text)
		text = text[:len(text)-size]
	}
	return text
}

func each(records []*corpus.Record) iter.Seq2[*corpus.Record, error] {
	return func(yield func(*corpus.Record, error) bool) {
		for i, r := range records {
			r.Line = i + 1
			if !yield(r, nil) {
				return
			}
		}
	}
}

func (h *hostileWorld) String() string { return fmt.Sprintf("%d hostile texts", len(h.texts)) }
