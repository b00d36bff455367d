package demo

import (
	"fmt"
	"strings"
	"time"
)

// troll writes the planned messages of every troll.
func (g *generator) troll() {
	byLanguage := make(map[*language][]*node) // honest messages that trolls may answer
	for _, tree := range g.trees {
		if len(tree.nodes) > 1 {
			byLanguage[tree.language] = append(byLanguage[tree.language], tree.nodes...)
		}
	}
	for _, p := range g.crew.trolls {
		at := p.from
		for i := range p.prompts + p.replies {
			if p.Kind != Flooder || i%10 == 0 {
				at = g.between(p.from, p.to)
			} else if at = at.Add(time.Duration(5+g.rand.IntN(50)) * time.Second); at.After(g.now) {
				at = g.now // a burst lasts for some minutes
			}
			if i < p.prompts {
				g.trollPrompt(p, at)
			} else if parent := g.victim(byLanguage[g.hunting(p)], at); parent != nil {
				g.trollReply(p, parent, at)
			}
		}
	}
}

// hunting picks the language of the trees that a troll writes in. It is the
// troll's own, except for trolls that write in the wrong language.
func (g *generator) hunting(p *person) *language {
	for p.Kind == WrongLanguage {
		if t := g.language(); t != p.languages[0] {
			return t
		}
	}
	return p.languages[0]
}

// victim finds a message that existed at a time and may be answered, or nil if
// there is none.
func (g *generator) victim(among []*node, at time.Time) *node {
	for range 50 {
		if len(among) == 0 {
			break
		}
		n := among[g.rand.IntN(len(among))]
		if n.Created.Before(at) && n.Depth < maxDepth && len(n.kids) < maxChildren+3 {
			return n
		}
	}
	return nil
}

func (g *generator) trollPrompt(p *person, at time.Time) {
	t := g.hunting(p)
	_, about := g.prompt(t)
	text, nature := g.trollText(p, about)
	g.root(p, t, at, text, nature, about)
	p.touch(at)
}

func (g *generator) trollReply(p *person, parent *node, at time.Time) {
	text, nature := g.trollText(p, parent.about)
	reply := g.reply(parent, p, at, text, nature)
	p.touch(at)
	// Sometimes an honest person answers: the messages below a bad message are
	// not always bad.
	if reply.Depth < maxDepth && g.chance(0.2) {
		if author := g.writer(parent.tree.language); author != parent.author {
			at := g.soon(at, 5*time.Hour)
			text := g.followUp(parent.about)
			if reply.Role == "prompter" {
				text = g.answer(parent.about)
			}
			g.reply(reply, author, at, text, good)
			author.touch(at)
		}
	}
}

// trollText writes the text of a kind of troll.
func (g *generator) trollText(p *person, about subject) (string, nature) {
	own := p.languages[0]
	name := g.pick(own.slur)
	switch p.Kind {
	case Flooder:
		text := g.pick(own.flood)
		if g.chance(0.3) {
			text += strings.Repeat("!", 1+g.rand.IntN(8))
		}
		return text, flood
	case Vandal:
		text := g.pick(own.insult)
		if g.chance(0.25) {
			text = strings.ToUpper(text)
		}
		return text, abuse
	case Spammer:
		return g.advert(p.campaign), advert
	case SlurWriter:
		text := fill(fill(g.pick(own.abuse), "slur", name), "task", g.pick(own.topics[0].tasks))
		if g.chance(0.3) {
			text += " " + fill(g.pick(own.abuse), "slur", g.pick(own.slur))
		}
		return fill(text, "task", g.pick(own.topics[0].tasks)), slur
	case WrongLanguage:
		foreignAbout := subject{language: own, topic: &own.topics[g.rand.IntN(len(own.topics))]}
		if g.chance(0.5) {
			text, _ := g.prompt(own)
			return text, foreign
		}
		return g.answer(foreignAbout), foreign
	}
	return g.poor(about, "assistant"), poor
}

// advert writes a version of a ring's text. The versions differ a little, so
// that a comparison of whole texts finds no duplicates.
func (g *generator) advert(c *campaign) string {
	text := c.text
	c.sent++
	if g.chance(0.4) {
		text = strings.Replace(text, c.discount, fmt.Sprint(20+5*g.rand.IntN(13)), 1)
	}
	if g.chance(0.4) {
		text = strings.Replace(text, c.url, fmt.Sprintf("%s?r=%d", c.url, c.sent), 1)
	}
	if g.chance(0.3) {
		text = strings.ReplaceAll(text, "!!!", strings.Repeat("!", 1+g.rand.IntN(5)))
	}
	if g.chance(0.25) {
		text = g.pick([]string{"🔥 ", "💰 ", "👉 ", "🔥🔥 "}) + text
	}
	if g.chance(0.2) {
		text = strings.NewReplacer("a", "а", "e", "е", "o", "о").Replace(text) // Cyrillic letters that look like Latin ones
	}
	if g.chance(0.2) {
		runes := []rune(text)
		at := g.rand.IntN(len(runes))
		text = string(runes[:at]) + "\u200b" + string(runes[at:])
	}
	return text
}

// curious puts the texts that break consoles into the corpus, each once as a
// prompt and once as a reply by honest people.
func (g *generator) curious() {
	var prompts, replies []*node
	for _, tree := range g.trees {
		if tree.language.code != "en" || tree.nodes[0].nature != good || tree.nodes[0].author == nil {
			continue
		}
		for i, n := range tree.nodes {
			switch {
			case n.nature == good && i == 0:
				prompts = append(prompts, n)
			case n.nature == good && n.author != nil:
				replies = append(replies, n)
			}
		}
	}
	for i, text := range oddTexts {
		for _, nodes := range [][]*node{prompts, replies} {
			nodes[i*len(nodes)/len(oddTexts)].Text = text
		}
	}
}
