package demo

import (
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/google/uuid"

	"treewarden/scoring"
)

var testNow = time.Date(2026, 11, 22, 13, 37, 42, 0, time.UTC)

func generate() Corpus { return Generate(Options{Seed: 7, Now: testNow}) }

func TestSameSeedSameCorpus(t *testing.T) {
	a, b := generate(), generate()
	if !reflect.DeepEqual(a, b) {
		t.Fatal("the same seed gave two corpora")
	}
	c := Generate(Options{Seed: 8, Now: testNow})
	if a.Messages[0].ID == c.Messages[0].ID {
		t.Error("another seed gave the same ids")
	}
	// A corpus for a day later has all times a day later and no other
	// difference.
	d := Generate(Options{Seed: 7, Now: testNow.Add(24 * time.Hour)})
	for i, m := range d.Messages {
		m.Created = m.Created.Add(-24 * time.Hour)
		if !reflect.DeepEqual(m, a.Messages[i]) {
			t.Fatalf("message %d changed with the clock:\n%+v\n%+v", i, m, a.Messages[i])
		}
	}
}

func TestSize(t *testing.T) {
	for _, scale := range []int{0, 1, 2} {
		c := Generate(Options{Seed: 1, Scale: scale, Now: testNow})
		want := max(scale, 1)
		if len(c.Users) != want*usersPerScale || len(c.Trees) != want*treesPerScale {
			t.Errorf("scale %d has %d users and %d trees", scale, len(c.Users), len(c.Trees))
		}
		if n := len(c.Messages); n < want*8000 || n > want*20000 {
			t.Errorf("scale %d has %d messages", scale, n)
		}
	}
}

func TestNothingIsLaterThanNow(t *testing.T) {
	c := generate()
	check := func(what string, at time.Time) {
		if at.After(testNow) || at.Before(testNow.AddDate(-1, 0, 0)) {
			t.Errorf("%s is dated %v", what, at)
		}
	}
	for _, u := range c.Users {
		check("a user", u.Created)
		if !u.LastActivity.IsZero() {
			check("an activity", u.LastActivity)
			if u.LastActivity.Before(u.Created) {
				t.Errorf("%q acted before they came", u.DisplayName)
			}
		}
	}
	for _, x := range c.Trees {
		check("a tree", x.Created)
	}
	for _, x := range c.Messages {
		check("a message", x.Created)
	}
	for _, x := range c.Votes {
		check("a vote", x.At)
	}
	for _, x := range c.Reactions {
		check("a reaction", x.At)
	}
	for _, x := range c.Reports {
		check("a report", x.At)
	}
	for _, x := range c.Outputs {
		check("an output", x.At)
	}
}

// TestRowsHoldTogether checks the constraints of the tables and what people
// would notice: replies come after their parents, roles alternate, nobody acts
// twice.
func TestRowsHoldTogether(t *testing.T) {
	c := generate()
	users := map[uuid.UUID]User{uuid.Nil: {}}
	names := map[[2]string]bool{}
	for _, u := range c.Users {
		if _, ok := users[u.ID]; ok || names[[2]string{u.AuthMethod, u.Username}] {
			t.Errorf("the user %v or its name is there twice", u)
		}
		users[u.ID], names[[2]string{u.AuthMethod, u.Username}] = u, true
	}
	trees := map[uuid.UUID]Tree{}
	for _, x := range c.Trees {
		trees[x.ID] = x
	}
	messages := map[uuid.UUID]Message{}
	for _, m := range c.Messages {
		checkMessage(t, m, trees, messages)
		if _, ok := users[m.Author]; !ok {
			t.Errorf("nobody wrote message %v", m.ID)
		}
		messages[m.ID] = m
	}
	if len(messages) != len(c.Messages) {
		t.Error("a message is there twice")
	}
	type row struct {
		message, user uuid.UUID
		what          string
	}
	seen := map[row]bool{}
	check := func(what string, tree, message, user uuid.UUID, at time.Time) {
		m, ok := messages[message]
		if u := users[user]; !ok || m.Tree != tree || u.ID != user || at.Before(m.Created) {
			t.Errorf("the %s of message %v hangs in the air", what, message)
		}
		if seen[row{message, user, what}] {
			t.Errorf("the %s of message %v by %v is there twice", what, message, user)
		}
		seen[row{message, user, what}] = true
	}
	for _, x := range c.Votes {
		check("vote", x.Tree, x.Message, x.User, x.At)
		for i, v := range x.Values {
			if v != NotAsked && (v < 0 || v > 1) {
				t.Errorf("the label %s is %v", scoring.LabelNames[i], v)
			}
		}
	}
	for _, x := range c.Reactions {
		check("reaction "+x.Emoji, x.Tree, x.Message, x.User, x.At)
		if x.Emoji == "+1" && seen[row{x.Message, x.User, "reaction -1"}] {
			t.Errorf("%v gave %v both thumbs", x.User, x.Message)
		}
	}
	for _, x := range c.Reports {
		check("report", x.Tree, x.Message, x.User, x.At)
	}
	for _, x := range c.Outputs {
		check("output", x.Tree, x.Message, uuid.Nil, x.At)
		for i, v := range x.Scores {
			if v < 0 || v > 1 {
				t.Errorf("%s is %v", ClassifierOutputs[i], v)
			}
		}
	}
}

func checkMessage(t *testing.T, m Message, trees map[uuid.UUID]Tree, before map[uuid.UUID]Message) {
	tree, ok := trees[m.Tree]
	switch parent, known := before[m.Parent]; {
	case !ok:
		t.Errorf("message %v is in no tree", m.ID)
	case m.Parent == uuid.Nil && (m.ID != m.Tree || m.Role != "prompter" || m.Depth != 0 ||
		!m.Created.Equal(tree.Created)):
		t.Errorf("the prompt %v does not fit its tree", m.ID)
	case m.Parent != uuid.Nil && (!known || parent.Tree != m.Tree || parent.Role == m.Role || parent.Depth+1 != m.Depth ||
		m.Created.Before(parent.Created)):
		t.Errorf("message %v does not fit its parent", m.ID)
	case m.Depth > 5 || m.Text == "" || utf8.RuneCountInString(m.Text) > textLimit || !utf8.ValidString(m.Text) ||
		strings.Contains(m.Text, "\x00"):
		t.Errorf("message %v is too deep, or its text is no text: %q", m.ID, m.Text)
	case strings.ContainsAny(m.Text, "{}") && !strings.Contains(m.Text, "```") && !slices.Contains(oddTexts, m.Text):
		t.Errorf("a form was not filled in: %q", m.Text)
	case m.Deleted != (m.DeletedRoot != uuid.Nil), known && parent.Deleted && m.DeletedRoot != parent.DeletedRoot:
		t.Errorf("message %v is deleted by halves", m.ID)
	}
}

// TestEverythingIsThere counts the things that a moderator should find.
func TestEverythingIsThere(t *testing.T) {
	c := generate()
	count := map[string]int{}
	kinds := map[uuid.UUID]Kind{}
	for _, u := range c.Users {
		count["kind "+string(u.Kind)]++
		count["sign-in "+u.AuthMethod]++
		kinds[u.ID] = u.Kind
		if slices.Contains(oddNames, u.DisplayName) {
			count["odd name"]++
		}
	}
	for _, x := range c.Trees {
		count["state "+x.State]++
		count["lang "+x.Lang]++
	}
	frames := []struct {
		name  string
		since time.Duration
	}{{"day", 24 * time.Hour}, {"week", 7 * 24 * time.Hour}, {"month", 30 * 24 * time.Hour}}
	for _, m := range c.Messages {
		count["depth "+string(rune('0'+m.Depth))]++
		for what, is := range map[string]bool{
			"deleted": m.Deleted, "deleted with a subtree": m.Deleted && m.DeletedRoot != m.ID, "synthetic": m.Synthetic,
			"rejected": m.ReviewResult != nil && !*m.ReviewResult, "pending": m.ReviewResult == nil, "ranked": m.Rank != nil,
			"nobody's": m.Author == uuid.Nil, "near the limit": utf8.RuneCountInString(m.Text) > 1900,
			"code": strings.Contains(m.Text, "```"), "table": strings.Contains(m.Text, "|---|"),
			"heading": strings.Contains(m.Text, "## "), "list": strings.Contains(m.Text, "\n- "),
			"odd text": slices.Contains(oddTexts, m.Text),
		} {
			if is {
				count[what]++
			}
		}
		for _, f := range frames {
			if testNow.Sub(m.Created) < f.since {
				count["messages of the "+f.name]++
				if kinds[m.Author] != Honest && m.Author != uuid.Nil {
					count["trolls' messages of the "+f.name]++
				}
			}
		}
	}
	for _, x := range c.Reactions {
		count["reaction "+x.Emoji]++
	}
	for _, x := range c.Reports {
		count["report "+x.Status]++
	}
	for _, x := range c.Votes {
		for _, label := range []int{spam, langMismatch, hateSpeech, notAppropriate, pii, sexualContent} {
			if x.Values[label] == 1 {
				count["vote "+scoring.LabelNames[label]]++
			}
		}
	}
	for _, x := range c.Outputs {
		if x.Scores[0] >= 0.5 {
			count["toxic"]++
		}
	}
	var wanted []string
	for _, k := range append(Trolls, Honest) {
		wanted = append(wanted, "kind "+string(k))
	}
	for _, s := range States {
		wanted = append(wanted, "state "+s)
	}
	for _, l := range []string{"en", "es", "de", "fr", "ru", "pt-BR", "uk-UA", "zh", "ja", "th", "ar", "he"} {
		wanted = append(wanted, "lang "+l)
	}
	wanted = append(wanted, "sign-in local", "sign-in discord", "sign-in google", "odd name", "depth 5", "deleted",
		"deleted with a subtree", "synthetic", "rejected", "pending", "ranked", "nobody's", "near the limit", "code", "table",
		"heading", "list", "odd text", "messages of the day", "messages of the week", "messages of the month",
		"trolls' messages of the day", "trolls' messages of the week", "trolls' messages of the month", "reaction +1",
		"reaction -1", "reaction red_flag", "reaction _skip_reply", "report open", "report upheld", "report dismissed",
		"report withdrawn", "vote spam", "vote lang_mismatch", "vote hate_speech",
		"vote not_appropriate", "vote pii", "vote sexual_content", "toxic")
	for _, what := range wanted {
		if count[what] < 3 {
			t.Errorf("%s: only %d", what, count[what])
		}
	}
	t.Log(len(c.Messages), "messages,", len(c.Votes), "votes,", len(c.Reactions), "reactions,", len(c.Reports), "reports")
	t.Log(count)
}

// TestStatesFitTheirTrees checks that a tree fits its state.
func TestStatesFitTheirTrees(t *testing.T) {
	c := generate()
	prompts := map[uuid.UUID]Message{}
	replies := map[uuid.UUID]int{}
	for _, m := range c.Messages {
		if m.Parent == uuid.Nil {
			prompts[m.ID] = m
		} else {
			replies[m.Tree]++
		}
	}
	for _, x := range c.Trees {
		accepted := prompts[x.ID].ReviewResult
		switch x.State {
		case reviewing:
			if accepted != nil || replies[x.ID] > 0 {
				t.Errorf("%s %v is past its review", x.State, x.ID)
			}
		case aborted:
			if accepted == nil || *accepted || replies[x.ID] > 0 {
				t.Errorf("%s %v was not rejected", x.State, x.ID)
			}
		default:
			if accepted == nil || !*accepted || x.State != waiting && replies[x.ID] == 0 {
				t.Errorf("%s %v was not accepted, or has not grown", x.State, x.ID)
			}
		}
		if active := slices.Contains([]string{reviewing, growing, ranking, readyToScore}, x.State); active != x.Active {
			t.Errorf("%s %v: active is %v", x.State, x.ID, x.Active)
		}
	}
}

// TestAdvertsAreNearDuplicates checks that the texts of a ring are all
// different and share most of their words.
func TestAdvertsAreNearDuplicates(t *testing.T) {
	c := generate()
	kinds := map[uuid.UUID]Kind{}
	for _, u := range c.Users {
		kinds[u.ID] = u.Kind
	}
	texts, authors := map[string]bool{}, map[uuid.UUID]bool{}
	n := 0
	for _, m := range c.Messages {
		if kinds[m.Author] == Spammer {
			texts[m.Text], authors[m.Author] = true, true
			n++
		}
	}
	if n < 20 || len(authors) < trollsPerKind || len(texts) < n/2 {
		t.Errorf("%d adverts in %d versions by %d accounts", n, len(texts), len(authors))
	}
}

func TestVocabulariesAreComplete(t *testing.T) {
	list := languages()
	var share float64
	for _, language := range list {
		share += language.share
		for what, words := range map[string][]string{
			"given": language.given, "family": language.family, "handle": language.handle, "ask": language.ask,
			"compare": language.compare,
			"context": language.context, "follow": language.follow, "open": language.open, "close": language.close,
			"advice": language.advice,
			"head":   language.head, "criterion": language.criterion, "report": language.report, "flood": language.flood,
			"insult": language.insult,
			"abuse":  language.abuse, "slur": language.slur, "ad": language.ad, "product": language.product,
		} {
			least := 2
			if what == "head" || what == "criterion" {
				least = 4
			}
			if len(words) < least {
				t.Errorf("%s has %d of %s", language.code, len(words), what)
			}
		}
		if len(language.topics) < 5 {
			t.Errorf("%s has %d topics", language.code, len(language.topics))
		}
		for _, topic := range language.topics {
			if len(topic.tasks) < 3 || len(topic.pairs) < 2 || len(topic.questions) < 2 || len(topic.tips) < 4 {
				t.Errorf("%s says too little of %s", language.code, topic.name)
			}
		}
	}
	if share != 100 {
		t.Errorf("the shares of the languages add up to %v", share)
	}
}

func BenchmarkGenerate(b *testing.B) {
	for b.Loop() {
		generate()
	}
}
