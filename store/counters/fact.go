package counters

import (
	"math"
	"math/big"
	"slices"
	"strconv"
	"strings"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5/pgtype"

	"treewarden/corpus"
	"treewarden/scoring"
)

// Standing is what decides whether a fact of a message counts.
type Standing struct {
	Deleted  bool // the message is deleted
	Recorded bool // the message has a reaction record
	// ByOther says that who gave it is neither banned nor the message's author.
	// Facts that nobody gave do not look at it.
	ByOther bool
}

// counts says whether a fact counts by the rules in force, and as Open-Assistant
// counted. It is the one rule in Go, for imports, ingests and recounts; in SQL
// source.condition says it again, and tests compare the two.
func (f Fact) counts(s Standing) (current, legacy bool) {
	src := &sources[f]
	current = src.giver == "" || s.ByOther
	switch {
	case src.evenDeleted:
		legacy = true
	case src.recorded: // it is a reaction record itself
		legacy = !s.Deleted
	default:
		legacy = !s.Deleted && s.Recorded
	}
	return current, legacy
}

// yesFromSQL writes the value from which a label says yes into a query.
var yesFromSQL = strconv.FormatFloat(scoring.YesFrom, 'g', -1, 64)

// countedLabels are the labels of which a signal counts the votes.
var countedLabels = slices.DeleteFunc(slices.Clone(scoring.Labels[:]),
	func(l scoring.Label) bool { return l.Signal == "" })

// CountedNames are the names of the labels that counters are counted from:
// those of countedLabels in their order, then that of toxicity.
var CountedNames = func() (names []string) {
	for _, l := range countedLabels {
		names = append(names, l.Name)
	}
	return append(names, scoring.ToxicityLabel)
}()

// reactionSignals are the reactions that count.
var reactionSignals = map[string]scoring.Signal{
	"red_flag": scoring.RedFlags, "+1": scoring.Upvotes, "-1": scoring.Downvotes,
}

// quoted lists the keys of a map as SQL texts.
func quoted[V any](of map[string]V) string {
	names := make([]string, 0, len(of))
	for name := range of {
		names = append(names, "'"+name+"'")
	}
	slices.Sort(names)
	return strings.Join(names, ", ")
}

// Labels are what labels come to: how many votes said yes to each of
// countedLabels, and the sum, in units of 10⁻¹², and number of the toxicity
// label's values.
type Labels struct {
	Yes         [scoring.NumLabels]int64 // in the order of countedLabels
	Sum, Number int64
}

// VoteLabels are one person's labels.
func VoteLabels(values map[string]*float64) (l Labels) {
	for i := range countedLabels {
		if value := values[countedLabels[i].Name]; value != nil && *value >= scoring.YesFrom {
			l.Yes[i] = 1
		}
	}
	if value := values[scoring.ToxicityLabel]; value != nil {
		l.Sum, l.Number = toFixed(*value, 1), 1
	}
	return l
}

// MeanLabels are labels that came as a mean and a number of people each.
func MeanLabels(means map[string]corpus.Label) (l Labels) {
	for i := range countedLabels {
		if mean := means[countedLabels[i].Name]; mean.Value != nil {
			l.Yes[i] = int64(math.RoundToEven(*mean.Value * float64(mean.Count)))
		}
	}
	if mean := means[scoring.ToxicityLabel]; mean.Value != nil {
		people := min(mean.Count, maxPeople)
		l.Sum, l.Number = toFixed(*mean.Value, people), int64(people)
	}
	return l
}

// Deltas are what facts add to an author's counters at one moment. There is room
// for every column twice, more than the facts of one message add.
type Deltas struct {
	columns [2 * len(scoring.Counters{})]uint8
	counts  [2 * len(scoring.Counters{})]int64
	n       int
}

// Reset empties the deltas.
func (d *Deltas) Reset() { d.n = 0 }

func (d *Deltas) add(column int, n int64) {
	if n != 0 {
		d.columns[d.n], d.counts[d.n] = uint8(column), n
		d.n++
	}
}

// signal adds a signal, given by its place, as often as each way of counting has it.
func (d *Deltas) signal(place int, n int64, current, legacy bool) {
	if current {
		d.add(place, n)
	}
	if legacy {
		d.add(scoring.NumSignals+place, n)
	}
}

// addTo adds the deltas, times a sign, to counters.
func (d *Deltas) addTo(c *scoring.Counters, sign int64) {
	for i := range d.n {
		c[d.columns[i]] += sign * d.counts[i]
	}
}

// The places of the signals that facts count.
var (
	redFlags     = scoring.RedFlags.Place()
	upvotes      = scoring.Upvotes.Place()
	downvotes    = scoring.Downvotes.Place()
	placeOfLabel = func() (places []int) { // in the order of countedLabels
		for _, l := range countedLabels {
			places = append(places, l.Signal.Place())
		}
		return places
	}()
	placeOfFact = [numFacts]int{ // of those that are one signal once
		Report: redFlags, Rejection: scoring.Rejected.Place(), SpamPrompt: scoring.SpamPrompts.Place(),
		Deletion: scoring.Deleted.Place(), ToxicMessage: scoring.ToxicMessages.Place(),
	}
)

// messageFacts are the facts that the fields of a message decide alone. holds says
// whether a new message brings the fact; top, that its deletion aimed at it. A
// recount asks the database by the conditions of sources.
var messageFacts = []struct {
	fact  Fact
	holds func(m *corpus.Message, top bool) bool
}{
	{Rejection, func(m *corpus.Message, _ bool) bool {
		return m.ReviewResult != nil && !*m.ReviewResult && m.ParentID != nil
	}},
	{Deletion, func(m *corpus.Message, top bool) bool { return m.Deleted && top }},
}

// Message counts a new message and the facts that its fields decide. They have
// the message's own date.
func (d *Deltas) Message(m *corpus.Message, top bool, s Standing) {
	d.written()
	for _, f := range messageFacts {
		if f.holds(m, top) {
			d.Once(f.fact, s)
		}
	}
}

// written counts the message itself.
func (d *Deltas) written() { d.add(scoring.MessagesColumn, 1) }

// Once counts a fact that is one signal once: a report, a rejection, a spam
// prompt, a deletion, a toxic message.
func (d *Deltas) Once(f Fact, s Standing) {
	current, legacy := f.counts(s)
	d.signal(placeOfFact[f], 1, current, legacy)
}

// Reaction counts one person's reaction, if it is one that counts.
func (d *Deltas) Reaction(emoji string, s Standing) {
	if signal, ok := reactionSignals[emoji]; ok {
		current, legacy := Reaction.counts(s)
		d.signal(signal.Place(), 1, current, legacy)
	}
}

// Reactions counts how often each reaction was given, as a file says.
func (d *Deltas) Reactions(flags, up, down int64, s Standing) {
	current, legacy := ReactionCounts.counts(s)
	d.signal(redFlags, flags, current, legacy)
	d.signal(upvotes, up, current, legacy)
	d.signal(downvotes, down, current, legacy)
}

// Labels counts labels: one person's (Vote), or means (LabelMeans).
func (d *Deltas) Labels(f Fact, l *Labels, s Standing) {
	current, legacy := f.counts(s)
	for i, place := range placeOfLabel {
		d.signal(place, l.Yes[i], current, legacy)
	}
	if current {
		d.add(scoring.LabelToxicitySumColumn, l.Sum)
		d.add(scoring.LabelToxicityCountColumn, l.Number)
	}
}

// Toxicity counts the highest toxicity that any classifier gave.
func (d *Deltas) Toxicity(highest float64) {
	d.add(scoring.ToxicitySumColumn, toFixed(highest, 1))
	d.add(scoring.ToxicityCountColumn, 1)
}

// Highest is the highest toxicity that any classifier gave; ok is false where none
// gave one.
func Highest(classifiers map[string]map[string]*float64) (highest float64, ok bool) {
	for _, outputs := range classifiers {
		if toxicity := ToxicityOf(outputs); toxicity != nil && (!ok || *toxicity > highest) {
			highest, ok = *toxicity, true
		}
	}
	return highest, ok
}

// ToxicityOf is the output that scores sum: the one of this name, if it is a
// figure from 0 to 1.
func ToxicityOf(outputs map[string]*float64) *float64 {
	if t := outputs[scoring.ToxicityLabel]; t != nil && *t >= 0 && *t <= 1 {
		return t
	}
	return nil
}

// Add adds deltas, times a sign, to what was counted of an author at a time.
func (t *Update) Add(author uuid.UUID, at pgtype.Timestamptz, sign int64, d *Deltas) {
	if d.n > 0 {
		d.addTo(t.Hour(author, at), sign)
	}
}

// toFixed is value × times in units of 10^-12, rounded as PostgreSQL does it in
// numeric: it takes 15 digits of a double, and rounds a half away from zero.
func toFixed(value float64, times int) int64 {
	// Almost every figure is so far from a half that no digit beyond the
	// fifteenth, and no error of multiplying, could round it the other way.
	if times > 0 && times <= 10 && value >= 0 && value <= 1 {
		f := value * 1e12 * float64(times)
		if whole := math.Floor(f); math.Abs(f-whole-0.5) > 0.01 {
			return int64(math.Round(f))
		}
	}
	digits := strconv.FormatFloat(math.Abs(value), 'e', 14, 64) // d.dddddddddddddde-dd
	exponent, err := strconv.Atoi(digits[17:])
	if err != nil || exponent < -40 { // too small to count, however often
		return 0
	}
	n, ok := new(big.Int).SetString(digits[:1]+digits[2:16], 10)
	if !ok {
		return 0
	}
	n.Mul(n, big.NewInt(int64(times)))
	ten := big.NewInt(10)
	if power := int64(exponent) - 14 + 12; power >= 0 {
		n.Mul(n, ten.Exp(ten, big.NewInt(power), nil))
	} else {
		unit := ten.Exp(ten, big.NewInt(-power), nil)
		n.Add(n.Mul(n, big.NewInt(2)), unit) // round(n/unit) = ⌊(2n + unit) / 2unit⌋
		n.Quo(n, unit.Mul(unit, big.NewInt(2)))
	}
	if value < 0 {
		n.Neg(n)
	}
	return n.Int64()
}
