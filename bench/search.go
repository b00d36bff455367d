package main

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"treewarden/store"
	"treewarden/store/messages"
)

// theirSearchSQL is Open-Assistant's search, which knows English only.
const theirSearchSQL = `SELECT m.*, (SELECT string_agg(e.emoji, ',') FROM message_emoji e
		WHERE e.message_id = m.id AND e.user_id = $1) AS user_emojis
	FROM message m WHERE deleted = false AND lang = 'en' AND search_vector @@ to_tsquery('english', $2)
	ORDER BY created_date DESC, id DESC LIMIT 11`

// measureSearch times searches. It compares finding the first rows with Open-Assistant's
// query, which has only some of these searches, and whose rows have no labels, outputs of
// classifiers, reports and counts of replies; our whole page has them. The index is sorted
// first, as serve does every few seconds.
func (b *bench) measureSearch(ctx context.Context) error {
	if err := b.store.KeepUpTexts(ctx); err != nil {
		return err
	}
	// The frequencies of words in the newest tenth of the English messages.
	words, err := column[string](ctx, b.ref, `SELECT word FROM ts_stat($$SELECT search_vector FROM message
		WHERE lang = 'en' AND created_date > (SELECT max(created_date) - interval '30 days' FROM message)$$)
		ORDER BY ndoc DESC, word`)
	if err != nil || len(words) < 200 {
		return errors.Join(err, errors.New("there are too few words to search for"))
	}
	texts, err := column[string](ctx, b.ours, `SELECT text FROM messages
		WHERE lang = 'en' AND NOT deleted AND length(text) > 100 ORDER BY message_id LIMIT 1`)
	if err != nil || len(texts) == 0 {
		return errors.Join(err, errors.New("there is no long English message"))
	}
	phrase := strings.Join(strings.Fields(texts[0])[3:5], " ")
	reader, err := column[any](ctx, b.ref, `SELECT id FROM "user" ORDER BY id LIMIT 1`)
	if err != nil || len(reader) == 0 {
		return errors.Join(err, errors.New("there is nobody to search"))
	}
	searcher := messages.Searcher{Pool: b.ours, Limit: messages.SearchTime, Frequencies: new(messages.Frequencies)}
	rare := words[min(8000, len(words)-1)]
	for _, of := range []struct {
		name, line, theirs string
		faster             float64 // at least, 0 where there is nothing to compare with
	}{
		{"a rare word", rare + " lang:en", rare, 10},
		{"a common word", words[0] + " lang:en", words[0], 1},
		{"two words", words[100] + " " + words[101] + " lang:en", words[100] + " & " + words[101], 1},
		{"a phrase", `"` + phrase + `" lang:en`, strings.ReplaceAll(phrase, " ", " <-> "), 1},
		{"a Chinese word", inChinese(300), "", 0},
		{"one Chinese character", string([]rune(inChinese(3))[:1]), "", 0},
		{"a regular expression and a word", words[300] + " /" + words[0][:3] + "[a-m]+/", "", 0},
		{"a regular expression", "/" + words[0][:3] + "[a-m]+/", "", 0},
	} {
		if of.faster > 0 {
			took, err := b.inTurns(5000, 20*time.Second, func(int) error {
				_, err := messages.IDs(ctx, b.ours, searcher, store.MessageFilter{Q: of.line}, 11)
				return err
			}, func(int) error { return b.drain(ctx, theirSearchSQL, reader[0], of.theirs) })
			if err != nil {
				return fmt.Errorf("find %s: %w", of.name, err)
			}
			how := fmt.Sprintf("messages.IDs, 11 of q=%s", of.line)
			b.faster("find "+of.name+", p50", took[1].median(), took[0].median(), of.faster, how)
			b.faster("find "+of.name+", p99", took[1].percentile(99), took[0].percentile(99), of.faster, how)
		}
		found := 0
		took, err := b.repeat(200, 10*time.Second, func(int) error {
			page, err := b.store.Messages(ctx, store.CommandLine, store.MessageFilter{Q: of.line, Page: store.Page{Limit: 11}})
			found = len(page.Items)
			return err
		})
		if err == nil && found == 0 && of.faster > 0 { // the words are of messages
			err = errors.New("it finds nothing")
		}
		if err != nil {
			return fmt.Errorf("search %s: %w", of.name, err)
		}
		how := fmt.Sprintf("store.Messages, 11 of q=%s", of.line)
		b.within(fmt.Sprintf("search %s, %d on the page, p50", of.name, found), took.median(), 0, how)
		b.within(fmt.Sprintf("search %s, p99", of.name), took.percentile(99), 3*time.Second, how)
	}
	return nil
}
