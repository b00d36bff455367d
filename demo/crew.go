package demo

import (
	"fmt"
	"math"
	"sort"
	"strconv"
	"strings"
	"time"
)

// person is a contributor with the state of the generator.
type person struct {
	User
	languages []*language // the languages that they write, mostly the first one
	first     time.Time   // the time of their first activity; zero if there is none yet

	// For trolls: their time of activity and the number of their messages.
	from, to         time.Time
	prompts, replies int
	campaign         *campaign
}

// campaign is the text that a ring of spammers advertises.
type campaign struct {
	ring           []*person
	text, url      string
	code, discount string
	sent           int
}

// touch records that a person was active at a time.
func (p *person) touch(at time.Time) {
	if p.first.IsZero() || at.Before(p.first) {
		p.first = at
	}
	if at.After(p.LastActivity) {
		p.LastActivity = at
	}
}

// crew holds all contributors, and the honest ones by the language that they
// write.
type crew struct {
	all       []*person
	trolls    []*person
	speakers  map[*language]*speakers
	usernames map[string]bool
}

// speakers holds the honest people who write a language, with the running sums
// of their activity.
type speakers struct {
	people []*person
	sums   []float64
}

func (s *speakers) add(p *person, weight float64) {
	s.people = append(s.people, p)
	if n := len(s.sums); n > 0 {
		weight += s.sums[n-1]
	}
	s.sums = append(s.sums, weight)
}

// writer picks an honest person who writes a language. A few write much, and
// many write little.
func (g *generator) writer(t *language) *person {
	s := g.crew.speakers[t]
	at := g.rand.Float64() * s.sums[len(s.sums)-1]
	return s.people[min(sort.SearchFloat64s(s.sums, at), len(s.people)-1)]
}

// trollsPerKind is the number of trolls of each kind at scale 1.
const trollsPerKind = 4

// cast makes all contributors.
func (g *generator) cast() {
	g.crew.speakers = make(map[*language]*speakers)
	g.crew.usernames = make(map[string]bool)
	list := languages()
	for _, t := range list {
		g.crew.speakers[t] = &speakers{}
	}
	honest := g.size * (usersPerScale - trollsPerKind*len(Trolls))
	for i := range honest {
		t := list[i%len(list)] // each language has an honest writer, even in the smallest corpus
		if i >= 5*len(list) {
			t = g.language()
		}
		p := g.person(t, Honest)
		// Zipf's law, a little flattened: the first person of a corpus writes
		// some ten times as much as the fiftieth.
		weight := 1 / math.Pow(float64(i)+4, 0.9)
		g.crew.speakers[t].add(p, weight)
		if second := g.language(); second != t && g.chance(0.3) {
			p.languages = append(p.languages, second)
			g.crew.speakers[second].add(p, weight/3)
		}
		if i%5 == 3 && i/5 < len(oddNames) {
			p.DisplayName = oddNames[i/5]
		}
	}
	for n := range g.size * trollsPerKind {
		for _, kind := range Trolls {
			t := g.language()
			if n == 0 {
				t = list[0]
			}
			p := g.person(t, kind)
			g.plan(p, n)
			g.crew.trolls = append(g.crew.trolls, p)
		}
	}
	g.found()
}

// plan sets a troll's span of time and amount. The spans alternate, so that
// each time frame of a board has different trolls.
func (g *generator) plan(p *person, n int) {
	day := 24 * time.Hour
	spans := [][2]time.Duration{{20 * time.Hour, 0}, {6 * day, day}, {25 * day, 8 * day}, {160 * day, 40 * day}}
	span := spans[n%len(spans)]
	p.from, p.to = g.now.Add(-span[0]), g.now.Add(-span[1])
	amount := func(prompts, replies int) {
		p.prompts, p.replies = prompts/2+g.rand.IntN(prompts+1), replies/2+g.rand.IntN(replies+1)
	}
	switch p.Kind {
	case Flooder:
		amount(12, 35)
	case Vandal:
		amount(2, 25)
	case Spammer:
		amount(10, 8)
	case SlurWriter:
		amount(3, 18)
	case WrongLanguage:
		amount(5, 14)
	case DownVoter:
		amount(1, 4)
	}
}

// found makes the rings of spammers. The members of a ring send versions of one
// text.
func (g *generator) found() {
	var ring *campaign
	for _, p := range g.crew.trolls {
		if p.Kind != Spammer {
			continue
		}
		if ring == nil || len(ring.ring) == trollsPerKind {
			t := p.languages[0]
			product := g.pick(t.product)
			ring = &campaign{
				url:      fmt.Sprintf("https://deals-%d.example/buy", g.rand.IntN(900)+100),
				code:     fmt.Sprintf("SAVE%d", g.rand.IntN(90)+10),
				discount: strconv.Itoa(20 + 5*g.rand.IntN(13)),
			}
			text := strings.NewReplacer("{product}", product, "{url}", ring.url, "{code}", ring.code, "{n}",
				ring.discount).Replace(g.pick(t.ad))
			ring.text = capital(text)
		}
		p.campaign = ring
		ring.ring = append(ring.ring, p)
		p.languages, p.Lang = ring.ring[0].languages, ring.ring[0].Lang // one text, one language
	}
}

// language picks a language with a probability by its share.
func (g *generator) language() *language {
	list := languages()
	at := g.rand.Float64() * 100
	for _, t := range list {
		if at -= t.share; at < 0 {
			return t
		}
	}
	return list[0]
}

// person makes a contributor with a name in their language.
func (g *generator) person(t *language, kind Kind) *person {
	given, family := g.pick(t.given), g.pick(t.family)
	p := &person{User: User{ID: g.id(), Kind: kind, Lang: t.code}, languages: []*language{t}}
	switch n := g.rand.IntN(20); {
	case n < 10:
		p.DisplayName = given + " " + family
		if t.code == "zh" || t.code == "ja" {
			p.DisplayName = family + given
		}
	case n < 12:
		p.DisplayName = given
	case n < 14:
		p.DisplayName = given + strconv.Itoa(g.rand.IntN(99)+1)
	case n < 18:
		p.DisplayName = g.pick(t.handle)
	default:
		p.DisplayName = g.pick(t.handle) + "_" + strconv.Itoa(g.rand.IntN(900)+100)
	}
	switch n := g.rand.IntN(20); {
	case n < 11:
		p.AuthMethod = "local"
		p.Username = g.username(func() string { return "c" + strconv.FormatUint(g.rand.Uint64()>>4, 36) })
		p.Email = p.Username + "@mail.example"
	case n < 17:
		p.AuthMethod = "discord"
		p.Username = g.username(func() string { return strconv.FormatUint(1e17+g.rand.Uint64N(8e17), 10) })
	default:
		p.AuthMethod = "google"
		p.Username = g.username(func() string { return strconv.FormatUint(1e17+g.rand.Uint64N(8e17), 10) + "021" })
		p.Email = p.Username + "@gmail.example"
	}
	g.crew.all = append(g.crew.all, p)
	return p
}

// username makes names until one is new.
func (g *generator) username(try func() string) string {
	for {
		if name := try(); !g.crew.usernames[name] {
			g.crew.usernames[name] = true
			return name
		}
	}
}
