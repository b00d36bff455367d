package main

import (
	"math"
	"strconv"
)

// The rows of the feedback on a message.

func (o *rows) labelRows(m *message) {
	r := stream(ofLabels, m.key, 0)
	for i, user := range o.labellers(m, &r) {
		o.uuid(ofLabels, m.key, uint64(i)).tab().user(user).tab().at(o.later(&r, m.at, 0.5)).tab()
		o.text(clientID).text("\t\t").messageID(m).tab().labels(m, &r).tab().uuid(ofLabels, m.key, uint64(i)).end()
	}
}

// labels writes one person's labels: a long form for replies, and a short one
// for most of the prompters' messages.
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
