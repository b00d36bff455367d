package main

import (
	"bufio"
	"io"
	"math"
	"slices"
	"strconv"
	"time"
)

// clientID is the only front end in Open-Assistant's tables.
const clientID = "00000000-0000-4000-8000-000000000001"

const toxicityModel = "unitary/multilingual-toxic-xlm-roberta"

// generated lists Open-Assistant's tables in the order of their foreign keys.
var generated = []string{"api_client", "user", "message", "message_tree_state",
	"text_labels", "message_emoji", "message_toxicity"}

// generate writes the rows of one of Open-Assistant's tables as text for COPY.
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

// uuid writes the id of a thing, which is random but always the same.
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
	o.user(u).text("\tuser_").int(u).text("\temail\tDisplay ").int(u).tab()
	o.at(o.start).tab().text(clientID).tab().bool(enabled).text("\t\tf\t")
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
	o.tab().messageID(&tree[0]).tab().uuid(ofText, m.key,
		1).tab().user(m.author).tab().text(role).tab().text(clientID).tab()
	o.uuid(ofText, m.key, 9).tab().at(m.at).text("\tMessagePayload\t")

	r := stream(ofText, m.key, 0)
	words := make([]int, max(3, min(most, int(math.Exp(mean+0.7*r.normal())))))
	o.text(`{"payload": {"text": "`)
	for i := range words {
		words[i] = o.words.draw(&r)
		if m.language == chinese {
			o.text(inChinese(words[i]))
			continue
		}
		if i > 0 {
			o.text(" ")
		}
		o.text(o.vocabulary[words[i]])
	}
	o.text(`."}, "payload_type": "MessagePayload"}`).tab().text(m.language).tab().int(m.depth).tab()
	o.int(m.replies).tab().bool(m.deleted).tab()
	for i, word := range words {
		if m.language == chinese {
			break // Open-Assistant's search knows no words in it
		}
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

// chinese is the language of the texts without spaces.
const chinese = "zh"

// inChinese returns the number of a word as two of some 3,000 characters.
func inChinese(word int) string {
	const characters = 3000
	return string([]rune{'一' + rune(word%characters), '一' + rune(word*7919%characters)})
}

// emojiCounts writes the counts that Open-Assistant stores with a message.
// Without a reaction it is JSON's null, which is not SQL's.
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
	o.messageID(prompt).text("\t12\t6\t3\t").text(state).tab().bool(active)
	o.text("\t\\N\t\\N\t").text(prompt.language).end()
}
