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

// Standing is the state of a message that decides whether a fact counts.
type Standing struct {
	Deleted  bool // the message is deleted
	Recorded bool // the message has a reaction record
	// ByOther reports whether the rater is neither banned nor the message's
	// author. It is ignored for facts without a rater.
	ByOther bool
	// Repeated reports whether the rater flagged or reported the message before. One
	// person's red flag and reports count as one by the current rules.
	Repeated bool
}

// counts reports whether a fact counts by the current rules and by
// Open-Assistant's. Imports, ingests and recounts use this one rule;
// source.condition is the same rule in SQL, and tests compare the two.
func (f Fact) counts(s Standing) (current, legacy bool) {
	src := &sources[f]
	current = src.rater == "" || s.ByOther && !s.Repeated
	switch {
	case src.evenDeleted:
		legacy = true
	case src.recorded: // the fact is itself a reaction record
		legacy = !s.Deleted
	default:
		legacy = !s.Deleted && s.Recorded
	}
	return current, legacy
}

// yesFromSQL is scoring.YesFrom as SQL.
var yesFromSQL = strconv.FormatFloat(scoring.YesFrom, 'g', -1, 64)

// countedLabels are the labels whose votes are counted by a signal.
var countedLabels = slices.DeleteFunc(slices.Clone(scoring.Labels[:]),
	func(l scoring.Label) bool { return l.Signal == "" })

// CountedNames are the names of countedLabels in their order, then of the
// toxicity label.
var CountedNames = func() (names []string) {
	for _, l := range countedLabels {
		names = append(names, l.Name)
	}
	return append(names, scoring.ToxicityLabel)
}()

// RedFlag is the name of the red-flag reaction.
const RedFlag = "red_flag"

// reactionSignals maps the reactions that count to their signals.
var reactionSignals = map[string]scoring.Signal{
	RedFlag: scoring.RedFlags, "+1": scoring.Upvotes, "-1": scoring.Downvotes,
}

// quoted returns the keys of a map as a list of SQL strings.
func quoted[V any](of map[string]V) string {
	names := make([]string, 0, len(of))
	for name := range of {
		names = append(names, "'"+name+"'")
	}
	slices.Sort(names)
	return strings.Join(names, ", ")
}

// Labels holds the number of yes votes for each of countedLabels, and the sum, in
// units of 10⁻¹², and number of toxicity values.
type Labels struct {
	Yes         [scoring.NumLabels]int64 // in the order of countedLabels
	Sum, Number int64
}

// VoteLabels returns the counts of one user's labels.
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

// MeanLabels returns the counts of labels imported as means and numbers of raters.
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

// Deltas holds the changes of facts to an author's counters at one time. There is
// room for every column twice, more than the facts of one message add.
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

// signal adds n to a signal, by its place, for each way of counting that includes it.
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

// The places of the signals of facts.
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
	placeOfFact = [numFacts]int{ // of facts with one signal
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

// Once adds a fact with one signal: a report, a rejection, a spam prompt, a
// deletion or a toxic message.
func (d *Deltas) Once(f Fact, s Standing) {
	current, legacy := f.counts(s)
	d.signal(placeOfFact[f], 1, current, legacy)
}

// Flag adds a user's red flag (Reaction) or report.
func (d *Deltas) Flag(f Fact, s Standing) {
	current, legacy := f.counts(s)
	d.signal(redFlags, 1, current, legacy)
}

// Reaction adds one user's reaction, if it has a signal.
func (d *Deltas) Reaction(emoji string, s Standing) {
	if signal, ok := reactionSignals[emoji]; ok {
		current, legacy := Reaction.counts(s)
		d.signal(signal.Place(), 1, current, legacy)
	}
}

// Reactions adds the imported counts of reactions.
func (d *Deltas) Reactions(flags, up, down int64, s Standing) {
	current, legacy := ReactionCounts.counts(s)
	d.signal(redFlags, flags, current, legacy)
	d.signal(upvotes, up, current, legacy)
	d.signal(downvotes, down, current, legacy)
}

// Labels adds labels: one user's (Vote), or means (LabelMeans).
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

// Toxicity adds the toxicity that counts.
func (d *Deltas) Toxicity(highest float64) {
	d.add(scoring.ToxicitySumColumn, toFixed(highest, 1))
	d.add(scoring.ToxicityCountColumn, 1)
}

// Add adds deltas, times a sign, to the counts of an author at a time.
func (t *Update) Add(author uuid.UUID, at pgtype.Timestamptz, sign int64, d *Deltas) {
	if d.n > 0 {
		d.addTo(t.Hour(author, at), sign)
	}
}

// toFixed returns value × times in units of 10⁻¹², rounded like PostgreSQL's
// numeric: it takes 15 digits of a double and rounds half away from zero.
func toFixed(value float64, times int) int64 {
	// Nearly every value is so far from a half that neither digits beyond the
	// fifteenth nor the error of the product affect rounding.
	if times > 0 && times <= 10 && value >= 0 && value <= 1 {
		f := value * 1e12 * float64(times)
		if whole := math.Floor(f); math.Abs(f-whole-0.5) > 0.01 {
			return int64(math.Round(f))
		}
	}
	digits := strconv.FormatFloat(math.Abs(value), 'e', 14, 64) // d.dddddddddddddde-dd
	exponent, err := strconv.Atoi(digits[17:])
	if err != nil || exponent < -40 { // too small for any number of votes
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
