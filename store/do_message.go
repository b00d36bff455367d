package store

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"math"
	"slices"
	"strings"
	"treewarden/store/tables"
	"unicode/utf8"

	"github.com/google/uuid"
)

// errUnchanged ends an action that has nothing to change: it is not logged,
// and its caller answers as if it had been done.
var errUnchanged = errors.New("nothing to change")

func doEdit(d *actionTx) error {
	switch n := utf8.RuneCountInString(d.act.Text); {
	case strings.TrimSpace(d.act.Text) == "":
		return Invalid{"text": "A message is not empty. Delete it if nothing of it should stay."}
	case n > tables.MaxText:
		return Invalid{"text": fmt.Sprintf("A message has at most %d characters; this one has %d.", tables.MaxText, n)}
	}
	if err := checkText("text", d.act.Text); err != nil {
		return err
	}
	m, err := d.lockMessage(d.act.Target)
	if err != nil {
		return err
	}
	if err := d.checkVersion(m.Version); err != nil {
		return err
	}
	if m.Text == d.act.Text {
		return Invalid{"text": "The text is as it was."}
	}
	if err := d.keepRevisions(d.act.Text, m); err != nil {
		return err
	}
	d.affected.Messages = 1
	_, err = d.change(textAspect, "chosen AS (SELECT $2::uuid AS tree_id, $3::uuid AS id)", "text = $4, edited = true", m.TreeID, m.MessageID, d.act.Text)
	return err
}

// keepRevisions writes down the first text of a message, once, and its new one.
func (d *actionTx) keepRevisions(text string, m Message) error {
	if _, err := d.exec(`INSERT INTO revisions (tree_id, message_id, text, user_id, at)
		SELECT m.tree_id, m.message_id, m.text, m.user_id, m.created_date FROM messages m WHERE m.tree_id = $1 AND m.message_id = $2
		AND NOT EXISTS (SELECT FROM revisions r WHERE r.tree_id = m.tree_id AND r.message_id = m.message_id)`, m.TreeID, m.MessageID); err != nil {
		return err
	}
	_, err := d.exec("INSERT INTO revisions (tree_id, message_id, text, user_id, at, action_id) VALUES ($1, $2, $3, $4, $5, $6)",
		m.TreeID, m.MessageID, text, d.actor.id(), d.at, d.id)
	return err
}

// id is the actor's row in users, null for the program and its command line.
func (a Actor) id() any {
	if a.UserID == uuid.Nil {
		return nil
	}
	return a.UserID
}

func doReview(d *actionTx) error {
	results := map[string]*bool{"accepted": new(true), "rejected": new(false), "pending": nil}
	result, ok := results[d.act.Result]
	if !ok {
		return Invalid{"result": "Choose accepted, rejected or pending."}
	}
	m, err := d.lockMessage(d.act.Target)
	if err != nil {
		return err
	}
	if err := d.checkVersion(m.Version); err != nil {
		return err
	}
	if (m.ReviewResult == nil) == (result == nil) && (result == nil || *m.ReviewResult == *result) {
		return d.withLatest(&Conflict{Why: "The review of this message is " + d.act.Result + " already.", Version: m.Version})
	}
	if err := d.watchMessage(m); err != nil {
		return err
	}
	d.affected.Messages = 1
	_, err = d.change(reviewAspect, "chosen AS (SELECT $2::uuid AS tree_id, $3::uuid AS id)",
		"review_result = $4, review_at = $5, review_by_staff = true", m.TreeID, m.MessageID, result, d.at)
	return err
}

// lockForFeedback locks the message that the actor gives something, and has the
// counters follow it. Who is no person in the database has nothing to give.
func (d *actionTx) lockForFeedback() (Message, error) {
	if d.actor.UserID == uuid.Nil {
		return Message{}, &Forbidden{Why: "Labels, reactions and reports are given by a person or a key."}
	}
	if err := d.lockGiver(); err != nil {
		return Message{}, err
	}
	m, err := d.lockMessage(d.act.Target)
	if err != nil {
		return m, err
	}
	return m, d.watchMessage(m)
}

// given writes down that the actor's own row on a message changed.
func (d *actionTx) logFeedback(m Message, aspect string, before, after any) error {
	d.affected.Messages = 1
	b, err := json.Marshal(before)
	if err != nil {
		return fmt.Errorf("write down the former state: %w", err)
	}
	a, err := json.Marshal(after)
	if err != nil {
		return fmt.Errorf("write down the new state: %w", err)
	}
	_, err = d.exec(`INSERT INTO action_objects (action_id, object_type, object_id, aspect, tree_id, before, after)
		VALUES ($1, 'message', $2, $3, $4, nullif($5::jsonb, 'null'), nullif($6::jsonb, 'null'))`, d.id, m.MessageID, aspect, m.TreeID, b, a)
	return err
}

func doLabel(d *actionTx) error {
	if len(d.act.Labels) == 0 {
		return Invalid{"labels": "Give at least one label."}
	}
	wrong := Invalid{}
	for name, value := range d.act.Labels {
		switch {
		case !tables.IsLabel(name):
			wrong["labels"] = "There is no label " + fmt.Sprintf("%.60q", name) + "; there are " + strings.Join(LabelNames, ", ") + "."
		case math.IsNaN(value) || value < 0 || value > 1:
			wrong["labels"] = "A label's value is a number from 0 to 1: " + name + " is not."
		}
	}
	if len(wrong) > 0 {
		return wrong
	}
	m, err := d.lockForFeedback()
	if err != nil {
		return err
	}
	before, err := d.readFeedback(labelAspect, "", d.actor.UserID, m)
	if err != nil {
		return err
	}
	after := feedbackState{At: d.at, Labels: d.act.Labels}
	if before != nil && maps.Equal(before.Labels, after.Labels) {
		return errUnchanged
	}
	if err := d.writeFeedback(labelAspect, "", d.actor.UserID, m, &after); err != nil {
		return err
	}
	return d.logFeedback(m, rowAspect(labelAspect, d.actor.UserID.String()), before, after)
}

func doReact(d *actionTx) error {
	wrong := Invalid{}
	if !slices.Contains(Emojis, d.act.Emoji) {
		wrong["emoji"] = "Choose one of " + strings.Join(Emojis, ", ") + "."
	}
	if d.act.Op != "add" && d.act.Op != "remove" {
		wrong["op"] = "Choose add or remove."
	}
	if len(wrong) > 0 {
		return wrong
	}
	m, err := d.lockForFeedback()
	if err != nil {
		return err
	}
	// 👍 and 👎 exclude each other.
	remove := map[string]string{"+1": "-1", "-1": "+1"}[d.act.Emoji]
	if d.act.Op == "remove" {
		remove = d.act.Emoji
	}
	changed := 0
	for _, emoji := range []string{remove, d.act.Emoji} {
		if emoji == "" || (emoji == d.act.Emoji && d.act.Op == "remove" && changed > 0) {
			continue
		}
		before, err := d.readFeedback(reactionAspect, emoji, d.actor.UserID, m)
		if err != nil {
			return err
		}
		var after *feedbackState
		if emoji != remove {
			after = &feedbackState{At: d.at}
		}
		if (before == nil) == (after == nil) {
			continue
		}
		changed++
		if err := d.writeFeedback(reactionAspect, emoji, d.actor.UserID, m, after); err != nil {
			return err
		}
		if err := d.logFeedback(m, rowAspect(reactionAspect, emoji, d.actor.UserID.String()), before, after); err != nil {
			return err
		}
	}
	if changed == 0 {
		return errUnchanged
	}
	return nil
}

func doReport(d *actionTx) error {
	m, err := d.lockForFeedback()
	if err != nil {
		return err
	}
	before, err := d.readFeedback(reportAspect, "", d.actor.UserID, m)
	if err != nil {
		return err
	}
	after := feedbackState{At: d.at, Reason: strings.TrimSpace(d.act.Reason)}
	if before != nil {
		// One person's open report counts once; further reasons join it.
		after = feedbackState{At: before.At, Reason: before.Reason + "\n" + after.Reason}
	}
	if err := d.writeFeedback(reportAspect, "", d.actor.UserID, m, &after); err != nil {
		return err
	}
	return d.logFeedback(m, rowAspect(reportAspect, d.actor.UserID.String()), before, after)
}
