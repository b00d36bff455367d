package admin

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/PuerkitoBio/goquery"
	"github.com/google/uuid"

	"treewarden/policy"
	"treewarden/store"
	"treewarden/store/storetest"
)

// hiddenWordsOfWorld are words of each message of a world, none of which stands on
// a page otherwise.
var hiddenWordsOfWorld = []string{"bees sleep", "Upside", "Never.", "Standing.", "A second tree", "Sideways"}

// hideWorld makes every message of a world toxic, some by a classifier, some by
// labels, and takes further actions on them.
func hideWorld(t *testing.T, w *world) (ids []uuid.UUID, last int64) {
	t.Helper()
	storetest.Exec(t, w.store, "INSERT INTO classifier_models (name, outputs) VALUES ('detoxify', '{toxicity}')")
	storetest.Exec(t, w.store, `INSERT INTO classifier_outputs (tree_id, message_id, model_id, toxicity, scores)
		SELECT tree_id, message_id, (SELECT max(model_id) FROM classifier_models), 0.93, '{0.93}'
		FROM message_trees WHERE message_id <> $1`, w.reply)
	for range contentWarningVotes {
		storetest.Vote(t, w.store, w.reply, storetest.User(t, w.store, "Rater"), "hate_speech", 1, time.Now())
	}
	act := func(act store.Act) {
		t.Helper()
		act.Reason = "for the test"
		outcome, err := w.store.Act(t.Context(), w.actor, act)
		if err != nil {
			t.Fatal(act.Kind, err)
		}
		last = outcome.Action.ID
	}
	act(store.Act{Kind: "edit", Target: w.reply, Params: store.EditParams{Text: "Sideways. Upside down"}})
	act(store.Act{Kind: "react", Target: w.reply, Params: store.ReactParams{Emoji: "+1", Op: "add"}})
	act(store.Act{Kind: "report", Target: w.reply})
	act(store.Act{Kind: "label", Target: w.prompt, Params: store.LabelParams{Labels: map[string]float64{"spam": 1}}})
	act(store.Act{Kind: "delete", Target: w.prompt})
	if _, err := w.store.Undo(t.Context(), w.actor, last, "for the test", false, ""); err != nil {
		t.Fatal(err)
	}
	act(store.Act{Kind: "delete", Target: w.reply})
	act(store.Act{Kind: "undelete", Target: w.reply})
	act(store.Act{Kind: "resume", Target: w.halted})
	act(store.Act{Kind: "halt", Target: w.halted})
	act(store.Act{Kind: "ban", Target: w.user, Params: store.BanParams{Messages: "delete"}})
	storetest.Exec(t, w.store,
		"UPDATE jobs SET state = 'done', action_id = (SELECT id FROM actions WHERE seq = $1)", last-2)
	act(store.Act{Kind: "unban", Target: w.user, Params: store.UnbanParams{Messages: "restore"}})
	return []uuid.UUID{w.prompt, w.reply, w.deleted, w.halted}, last
}

// TestHiddenTextEverywhere walks every page that can name a message, as each role,
// and looks for the words of hidden messages outside of what a person opens.
func TestHiddenTextEverywhere(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	messages, last := hideWorld(t, w)
	addresses := []string{"/", "/audit", "/audit?actor=me", "/trees", "/messages", "/messages?deleted=include&has=report"}
	for n := int64(1); n <= last; n++ {
		addresses = append(addresses, fmt.Sprintf("/actions/%d", n), fmt.Sprintf("/actions/%d/undo", n),
			fmt.Sprintf("/?done=%d", n))
		for _, target := range append(messages, w.user, w.banned, w.list) {
			addresses = append(addresses, fmt.Sprintf("/actions/%d?target=%s", n, target),
				fmt.Sprintf("/actions/%d/undo?target=%s", n, target))
		}
	}
	for _, user := range []uuid.UUID{w.user, w.banned, w.actor.UserID} {
		for _, tab := range []string{"", "?tab=given", "?tab=actions", "?open=total"} {
			addresses = append(addresses, "/users/"+user.String()+tab)
		}
	}
	for _, id := range messages {
		addresses = append(addresses, at(id), at(id, "?view=raw"), at(id, "/history"), "/trees/"+id.String(),
			"/audit?target="+id.String(), "/lists/choose?message="+id.String())
	}
	for address, r := range w.addresses(get) {
		if !strings.HasPrefix(address, apiPrefix) && r.Permission != public {
			addresses = append(addresses, address)
		}
	}
	slices.Sort(addresses)
	addresses = slices.Compact(addresses)
	shown := 0
	for role, c := range map[string]*client{
		policy.Moderator: w.mod, policy.DataLead: staff(t, w.server, policy.DataLead), policy.Admin: w.asAdmin(),
	} {
		for _, address := range addresses {
			a := c.get(address)
			if !strings.HasPrefix(a.header.Get("Content-Type"), "text/html") {
				continue
			}
			if a.status == 200 {
				shown++
			}
			if found := leaked(a.page()); found != "" {
				t.Errorf("%s, as %s: %s", address, role, found)
			}
		}
	}
	if shown < 200 {
		t.Errorf("only %d pages were shown", shown)
	}
}

// leaked returns a place of a page where words of a hidden message stand, though
// nobody opened them. The form of an edit holds the text by its purpose, and a second
// look shows the message that is to be judged.
func leaked(page *goquery.Document) string {
	summaries := page.Find("details > summary").Clone()
	page.Find("details, textarea[name=text]").Remove()
	if page.Find(".judge-form").Length() > 0 {
		page.Find(".thread .current").Remove()
	}
	page.AppendSelection(summaries)
	texts := []string{page.Text()}
	for _, node := range page.Find("[title], [aria-label], [alt], [placeholder], [value]").EachIter() {
		for _, name := range []string{"title", "aria-label", "alt", "placeholder", "value"} {
			texts = append(texts, node.AttrOr(name, ""))
		}
	}
	for _, text := range texts {
		for _, words := range hiddenWordsOfWorld {
			if at := strings.Index(text, words); at >= 0 {
				return fmt.Sprintf("…%s…", strings.Join(strings.Fields(text[max(0, at-60):min(len(text), at+60)]), " "))
			}
		}
	}
	return ""
}
