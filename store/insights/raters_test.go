package insights_test

import (
	"math"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"treewarden/scoring"
	"treewarden/store"
	"treewarden/store/insights"
	"treewarden/store/storetest"
)

// rate stores the votes of raters: a row for each of them, with a value for each message,
// or NaN for none. It returns the languages of the messages.
func rate(t *testing.T, s *store.Store, label, lang string, ratings [][]float64) {
	t.Helper()
	messages := make([]uuid.UUID, len(ratings[0]))
	for i := range messages {
		messages[i] = storetest.Tree(t, s, storetest.Node{Lang: lang})[0]
	}
	for _, values := range ratings {
		rater := storetest.User(t, s, "Rater")
		for i, x := range values {
			if !math.IsNaN(x) {
				storetest.Vote(t, s, messages[i], rater, label, x, time.Now())
			}
		}
	}
}

func wantNear(t *testing.T, what string, got *float64, want, within float64) {
	t.Helper()
	if got == nil || math.Abs(*got-want) > within {
		t.Errorf("%s is %v, want %v", what, deref(got), want)
	}
}

func deref(x *float64) any {
	if x == nil {
		return nil
	}
	return *x
}

func of(t *testing.T, all []insights.Agreement, label, lang string) insights.Agreement {
	t.Helper()
	for _, a := range all {
		if a.Label == label && a.Lang == lang {
			return a
		}
	}
	t.Fatalf("no figures of %s in %q: %+v", label, lang, all)
	return insights.Agreement{}
}

// TestRatersPublished checks alpha against the worked examples of Krippendorff (2011,
// "Computing Krippendorff's Alpha-Reliability"): binary data of two observers (B), and
// interval data of four observers with missing values (C and E).
func TestRatersPublished(t *testing.T) {
	t.Parallel()
	s := storetest.New(t)
	rate(t, s, "spam", "en", [][]float64{{0, 1, 0, 0, 0, 0, 0, 0, 1, 0}, {1, 1, 1, 0, 0, 1, 0, 0, 0, 0}})
	no := math.NaN()
	ratings := [][]float64{
		{1, 2, 3, 3, 2, 1, 4, 1, 2, no, no, no},
		{1, 2, 3, 3, 2, 2, 4, 1, 2, 5, no, 3},
		{no, 3, 3, 3, 2, 3, 4, 2, 2, 5, 1, no},
		{1, 2, 3, 3, 2, 4, 4, 1, 2, 5, 1, no},
	}
	for _, row := range ratings {
		for i := range row {
			row[i] /= 5 // alpha for interval data does not depend on the unit
		}
	}
	rate(t, s, "quality", "de", ratings)
	r, err := counted(t, s).Raters(ctx, "", "")
	if err != nil {
		t.Fatal(err)
	}
	spam, quality := of(t, r.Labels, "spam", ""), of(t, r.Labels, "quality", "")
	wantNear(t, "alpha of binary data", spam.Alpha, 0.095, 0.0005)
	wantNear(t, "agreement of binary data", spam.Agreement, 0.6, 1e-9)
	wantNear(t, "the share of yes", spam.Mean, 0.3, 1e-9)
	wantNear(t, "alpha of interval data", quality.Alpha, 0.849, 0.0005)
	if spam.Messages != 10 || spam.Votes != 20 || quality.Messages != 11 || quality.Votes != 40 {
		t.Errorf("%+v, %+v", spam, quality)
	}
	if spam.Answer != insights.AnswerYesNo || quality.Answer != insights.AnswerScale || spam.Difference != nil ||
		quality.Agreement != nil || r.Label != "spam" || len(r.Languages) != 1 || r.Languages[0].Lang != "en" {
		t.Errorf("%+v", r)
	}
}

// vote is a vote on a message.
type vote struct {
	message int
	lang    string
	value   float64
}

// alphaOf computes alpha and the observed disagreement over all pairs of votes.
func alphaOf(all []vote) (alpha, observed float64, messages, n int) {
	byMessage := map[int][]float64{}
	for _, v := range all {
		byMessage[v.message] = append(byMessage[v.message], v.value)
	}
	var pairable []float64
	for _, values := range byMessage {
		if len(values) < 2 {
			continue
		}
		messages++
		pairable = append(pairable, values...)
		for i, a := range values {
			for j, b := range values {
				if i != j {
					observed += (a - b) * (a - b) / float64(len(values)-1)
				}
			}
		}
	}
	n = len(pairable)
	observed /= float64(n)
	var expected float64
	for i, a := range pairable {
		for j, b := range pairable {
			if i != j {
				expected += (a - b) * (a - b)
			}
		}
	}
	expected /= float64(n) * float64(n-1)
	return 1 - observed/expected, observed, messages, n
}

// TestRatersAgainstPairs checks the figures of random votes against all pairs of votes,
// and the queries that are shown against the figures.
func TestRatersAgainstPairs(t *testing.T) {
	t.Parallel()
	s := storetest.New(t)
	random := rand.New(rand.NewPCG(21, 0))
	all := map[string][]vote{}
	raters := make([]uuid.UUID, 5)
	for i := range raters {
		raters[i] = storetest.User(t, s, "Rater")
	}
	for i := range 60 {
		lang := []string{"en", "de", "th"}[random.IntN(3)]
		message := storetest.Tree(t, s, storetest.Node{Lang: lang, Deleted: i%7 == 3})[0]
		truth := random.Float64()
		for _, rater := range raters[:random.IntN(6)] {
			for _, label := range []string{"spam", "pii", "toxicity"} {
				x := math.Round(100*min(1, max(0, truth+random.NormFloat64()/4))) / 100
				storetest.Vote(t, s, message, rater, label, x, time.Now())
				if label != "toxicity" {
					x = map[bool]float64{true: 1}[x >= scoring.YesFrom]
				}
				all[label] = append(all[label], vote{i, lang, x})
			}
		}
	}
	// A label on which all agree, and one that one rater alone has answered.
	rate(t, s, "hate_speech", "en", [][]float64{{0, 0}, {0, 0}})
	rate(t, s, "humor", "en", [][]float64{{0.5, 1}})
	a := counted(t, s)
	check := func(what string, got insights.Agreement, votes []vote) {
		t.Helper()
		alpha, observed, messages, n := alphaOf(votes)
		wantNear(t, what+": alpha", got.Alpha, alpha, 1e-9)
		if got.Answer == insights.AnswerYesNo {
			wantNear(t, what+": agreement", got.Agreement, 1-observed, 1e-9)
		} else {
			wantNear(t, what+": difference", got.Difference, math.Sqrt(observed), 1e-9)
		}
		if got.Messages != int64(messages) || got.Votes != int64(n) {
			t.Errorf("%s: %d messages and %d votes, want %d and %d", what, got.Messages, got.Votes, messages, n)
		}
	}
	for label, votes := range all {
		r, err := a.Raters(ctx, label, "")
		if err != nil {
			t.Fatal(err)
		}
		check(label, of(t, r.Labels, label, ""), votes)
		if len(r.Languages) != 3 || len(r.Langs) != 3 {
			t.Errorf("%d languages, want 3", len(r.Languages))
		}
		for _, lang := range r.Langs {
			var some []vote
			for _, v := range votes {
				if v.lang == lang {
					some = append(some, v)
				}
			}
			check(label+" in "+lang, of(t, r.Languages, label, lang), some)
			in, err := a.Raters(ctx, "", lang)
			if err != nil {
				t.Fatal(err)
			}
			check(label+" of "+lang, of(t, in.Labels, label, lang), some)
		}
		for name, want := range map[string]int{"labels": len(r.Labels), "languages": len(r.Languages)} {
			rows, err := storetest.DB(t, s).Query(ctx, r.Queries[name])
			if err != nil {
				t.Fatal(err)
			}
			shown, err := pgx.CollectRows(rows, pgx.RowToStructByName[insights.Agreement])
			if err != nil || len(shown) != want {
				t.Errorf("the query of %s gives %d rows, %v, want %d", name, len(shown), err, want)
			}
			got, want := of(t, shown, label, map[string]string{"labels": "", "languages": "de"}[name]).Alpha,
				of(t, append(r.Labels, r.Languages...), label, map[string]string{"labels": "", "languages": "de"}[name]).Alpha
			wantNear(t, "alpha by the query that is shown", got, *want, 0)
		}
	}
	r, err := a.Raters(ctx, "hate_speech", "")
	if same := of(t, r.Labels, "hate_speech", ""); err != nil || same.Alpha != nil || *same.Agreement != 1 ||
		same.Messages != 2 {
		t.Errorf("votes that are all the same: %+v, %v", same, err)
	}
	for _, l := range r.Labels {
		if l.Label == "humor" {
			t.Errorf("one rater alone has figures: %+v", l)
		}
	}
	storetest.Exec(t, s, "UPDATE insight_raters SET within = within + 0.5 WHERE label = 'spam' AND lang = 'de'")
	if wrong, err := a.Verify(ctx); err != nil || len(wrong.Found) != 1 {
		t.Errorf("verify finds %v, %v, want one figure", wrong.Found, err)
	}
}
