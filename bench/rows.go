package main

import (
	"bufio"
	"io"
	"math"
	"slices"
	"strconv"
	"time"
)

// clientID is the one front end of the reference's tables.
const clientID = "00000000-0000-4000-8000-000000000001"

const toxicityModel = "unitary/multilingual-toxic-xlm-roberta"

// generated are the reference's tables in the order of their foreign keys.
var generated = []string{"api_client", "user", "message", "message_tree_state", "text_labels", "message_emoji", "message_toxicity"}

// generate writes the rows of one of the reference's tables as text for COPY.
func (w *world) generate(table string, to io.Writer) error {
	buffered := bufio.NewWriterSize(to, 1<<20)
	rows := &rows{world: w, to: buffered}
	each := func(row func(m *message)) {
		w.walk(func(tree []message) {
			for i := range tree {
				row(&tree[i])
			}
		})
	}
	switch table {
	case "api_client":
		rows.text(clientID).text("\tbench\tbench\t\\N\tt\tt\tweb").end()
	case "user":
		for u := range w.users {
			rows.userRow(u)
		}
	case "message":
		w.walk(func(tree []message) {
			for i := range tree {
				rows.messageRow(&tree[i], tree)
			}
		})
	case "message_tree_state":
		w.walk(rows.treeRow)
	case "text_labels":
		each(rows.labelRows)
	case "message_emoji":
		each(rows.emojiRows)
	case "message_toxicity":
		each(rows.toxicityRow)
	}
	if rows.failed != nil {
		return rows.failed
	}
	return buffered.Flush()
}

// rows writes rows field by field.
type rows struct {
	*world
	to     *bufio.Writer
	line   []byte
	failed error
}

func (o *rows) text(s string) *rows { o.line = append(o.line, s...); return o }
func (o *rows) tab() *rows          { o.line = append(o.line, '\t'); return o }
func (o *rows) null() *rows         { return o.text(`\N`) }
func (o *rows) int(v int) *rows     { o.line = strconv.AppendInt(o.line, int64(v), 10); return o }
func (o *rows) end() {
	if _, err := o.to.Write(append(o.line, '\n')); err != nil && o.failed == nil {
		o.failed = err
	}
	o.line = o.line[:0]
}

func (o *rows) bool(v bool) *rows {
	if v {
		return o.text("t")
	}
	return o.text("f")
}

func (o *rows) at(microseconds int64) *rows {
	o.line = time.UnixMicro(microseconds).UTC().AppendFormat(o.line, "2006-01-02 15:04:05.999999+00")
	return o
}

// uuid is the id of a thing, random but always the same.
func (o *rows) uuid(of, a, b uint64) *rows {
	r := stream(of|1<<8, a, b)
	high, low := r.bits()&^0xf000|0x4000, r.bits()&^(3<<62)|1<<63
	const digits = "0123456789abcdef"
	for i := 60; i >= 0; i -= 4 {
		o.line = append(o.line, digits[high>>uint(i)&15])
		if i == 32 || i == 16 {
			o.line = append(o.line, '-')
		}
	}
	o.line = append(o.line, '-')
	for i := 60; i >= 0; i -= 4 {
		o.line = append(o.line, digits[low>>uint(i)&15])
		if i == 48 {
			o.line = append(o.line, '-')
		}
	}
	return o
}

func (o *rows) user(u int) *rows           { return o.uuid(ofUser, uint64(u), 0) }
func (o *rows) messageID(m *message) *rows { return o.uuid(ofMessage, m.key, 0) }

func (o *rows) userRow(u int) {
	r := stream(ofUser, uint64(u), 0)
	enabled := !isTroll(u) || r.float() < 0.5
	o.user(u).text("\tuser_").int(u).text("\temail\tDisplay ").int(u).tab().at(o.start).tab().text(clientID).tab().bool(enabled).text("\t\tf\t")
	o.bool(r.float() < 0.95).tab().at(o.world.end - hour).tab().int(r.below(30)).tab()
	o.at(o.world.end - int64(r.exponential()*20*day)).tab().at(o.start).end()
}

func (o *rows) messageRow(m *message, tree []message) {
	o.messageID(m).tab()
	if m.parent < 0 {
		o.null()
	} else {
		o.messageID(&tree[m.parent])
	}
	role, mean, most := "prompter", 2.85, 120
	if m.depth%2 == 1 {
		role, mean, most = "assistant", 4.2, 330
	}
	o.tab().messageID(&tree[0]).tab().uuid(ofText, m.key, 1).tab().user(m.author).tab().text(role).tab().text(clientID).tab()
	o.uuid(ofText, m.key, 9).tab().at(m.at).text("\tMessagePayload\t")

	r := stream(ofText, m.key, 0)
	words := make([]int, max(3, min(most, int(math.Exp(mean+0.7*r.normal())))))
	o.text(`{"payload": {"text": "`)
	for i := range words {
		words[i] = o.words.draw(&r)
		if i > 0 {
			o.text(" ")
		}
		o.text(o.vocabulary[words[i]])
	}
	o.text(`."}, "payload_type": "MessagePayload"}`).tab().text(m.language).tab().int(m.depth).tab().int(m.replies).tab().bool(m.deleted).tab()
	for i, word := range words {
		if i > 0 {
			o.text(" ")
		}
		o.text(o.vocabulary[word]).text(":").int(i + 1)
	}
	o.text("\t3\t")
	if m.reviewed {
		o.bool(!m.spam)
	} else {
		o.null()
	}
	o.text("\t3\t\\N\tf\tf\t\\N\t").emojiCounts(m).end()
}

// emojiCounts is what the reference keeps beside a message: JSON's null, which
// is not SQL's, where there is no reaction.
func (o *rows) emojiCounts(m *message) *rows {
	reactions := o.reactions(m)
	if reactions == nil {
		return o.text("null")
	}
	counts := map[string]int{}
	var names []string
	for _, x := range reactions {
		if counts[x.emoji]++; counts[x.emoji] == 1 {
			names = append(names, x.emoji)
		}
	}
	o.text("{")
	for i, name := range names {
		if i > 0 {
			o.text(", ")
		}
		o.text(`"`).text(name).text(`": `).int(counts[name])
	}
	return o.text("}")
}

func (o *rows) treeRow(tree []message) {
	prompt := &tree[0]
	r := stream(ofTree, uint64(prompt.tree), 1)
	c := r.float()
	alone := len(tree) == 1
	state := "ready_for_export"
	switch {
	case prompt.spam && c < 0.9 || c < 0.01:
		state = "aborted_low_grade"
	case alone && c > 0.9:
		state = "initial_prompt_review"
	case alone:
		state = "prompt_lottery_waiting"
	case c >= 0.55 && c < 0.75:
		state = "growing"
	case c >= 0.75 && c < 0.85:
		state = "ranking"
	case c >= 0.85 && c < 0.88:
		state = "halted_by_moderator"
	}
	active := slices.Contains([]string{"initial_prompt_review", "growing", "ranking"}, state)
	o.messageID(prompt).text("\t12\t6\t3\t").text(state).tab().bool(active).text("\t\\N\t\\N\t").text(prompt.language).end()
}

func (o *rows) labelRows(m *message) {
	r := stream(ofLabels, m.key, 0)
	for i, user := range o.labellers(m, &r) {
		o.uuid(ofLabels, m.key, uint64(i)).tab().user(user).tab().at(o.later(&r, m.at, 0.5)).tab()
		o.text(clientID).text("\t\t").messageID(m).tab().labels(m, &r).tab().uuid(ofLabels, m.key, uint64(i)).end()
	}
}

// labels is one person's opinion of a message: a long form for replies, a short
// one for most of the prompters' messages.
func (o *rows) labels(m *message, r *random) *rows {
	badly, quality := 1.0, 0.7
	if m.spam {
		badly, quality = 12, 0.2
	}
	mark := func(name string, chance float64) {
		o.text(`, "`).text(name).text(`": `)
		if r.float() < chance {
			o.text("1.0")
		} else {
			o.text("0.0")
		}
	}
	slide := func(name string, mean float64) {
		o.text(`, "`).text(name).text(`": `)
		o.text([]string{"0.0", "0.25", "0.5", "0.75", "1.0"}[max(0, min(4, int(math.Round(4*mean+1.1*r.normal()))))])
	}
	long := m.depth%2 == 1 || m.depth == 0 || r.float() < 0.25
	o.text(`{"spam": `)
	if p := r.float(); m.spam && p < 0.8 || p < 0.03 {
		o.text("1.0")
	} else {
		o.text("0.0")
	}
	slide("quality", quality)
	if long {
		mark("lang_mismatch", 0.02*badly)
		mark("pii", 0.01*badly)
		mark("not_appropriate", 0.02*badly)
		mark("hate_speech", 0.008*badly)
		mark("sexual_content", 0.012*badly)
		slide("humor", 0.2)
		slide("toxicity", 0.03*badly)
		slide("violence", 0.02*badly)
		slide("creativity", 0.5)
		if m.depth%2 == 1 {
			mark("fails_task", 0.05*badly)
			slide("helpfulness", quality)
		}
		if r.float() < 0.03 {
			mark("political_content", 0.4)
			mark("moral_judgement", 0.3)
		}
	}
	return o.text("}")
}

func (o *rows) emojiRows(m *message) {
	r := stream(ofReactions, m.key, 1)
	for _, x := range o.reactions(m) {
		o.messageID(m).tab().user(x.user).tab().text(x.emoji).tab().at(o.later(&r, m.at, 1)).end()
	}
}

func (o *rows) toxicityRow(m *message) {
	r := stream(ofToxicity, m.key, 0)
	o.messageID(m).tab().text(toxicityModel).tab()
	o.line = strconv.AppendFloat(o.line, r.float()*r.float(), 'f', 6, 64)
	o.text("\ttoxicity\t").at(min(m.at+2e6, o.world.end)).end()
}
