package insights_test

import (
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"treewarden/store"
	"treewarden/store/insights"
	"treewarden/store/storetest"
)

// judged is an output of a message with what a reference says of it.
type judged struct {
	lang     string
	value    float64
	positive bool
}

// wantAgreement compares figures with those of all pairs of a positive and a negative
// message, and of a count by the threshold.
func wantAgreement(t *testing.T, what string, got insights.ModelAgreement, all []judged, threshold float64) {
	t.Helper()
	var positives, negatives, flagged, found int
	var won float64
	for _, p := range all {
		if p.value >= threshold {
			flagged++
		}
		if !p.positive {
			negatives++
			continue
		}
		positives++
		if p.value >= threshold {
			found++
		}
		for _, n := range all {
			switch {
			case n.positive:
			case p.value > n.value:
				won++
			case p.value == n.value:
				won += 0.5
			}
		}
	}
	if got.N != int64(len(all)) || got.Positives != int64(positives) || got.Flagged != int64(flagged) ||
		got.Few != (min(positives, negatives) < insights.FewFrom) {
		t.Errorf("%s: %+v, want %d messages, %d positive, %d flagged", what, got, len(all), positives, flagged)
	}
	share := func(name string, got *float64, of, all int) {
		t.Helper()
		if (got == nil) != (all == 0) || got != nil && !near(*got, float64(of)/float64(all)) {
			t.Errorf("%s: the %s is %v, want %d of %d", what, name, deref(got), of, all)
		}
	}
	share("precision", got.Precision, found, flagged)
	share("recall", got.Recall, found, positives)
	if positives == 0 || negatives == 0 {
		if got.AUC != nil || got.Low != nil {
			t.Errorf("%s: messages of one kind have an AUC", what)
		}
		return
	}
	want := won / float64(positives*negatives)
	if got.AUC == nil || math.Abs(*got.AUC-want) > *got.AUCError+1e-9 || *got.AUCError > 0.5 ||
		*got.Low > *got.AUC || *got.High < *got.AUC {
		t.Errorf("%s: AUC %v ± %v, want %v", what, deref(got.AUC), deref(got.AUCError), want)
	}
}

// figuresOf returns the figures of a model in a language.
func figuresOf(t *testing.T, all []insights.ModelAgreement, model, lang string) insights.ModelAgreement {
	t.Helper()
	for _, m := range all {
		if m.Model == model && m.Lang == lang {
			return m
		}
	}
	t.Fatalf("no figures of %s in %q: %+v", model, lang, all)
	return insights.ModelAgreement{}
}

// ofLang returns those of a language; all without one.
func ofLang(all []judged, lang string) (some []judged) {
	for _, j := range all {
		if lang == "" || j.lang == lang {
			some = append(some, j)
		}
	}
	return some
}

// TestAgreementOfTheSample compares the agreement of Detoxify with the labels of the
// public sample with figures computed from the file.
func TestAgreementOfTheSample(t *testing.T) {
	t.Parallel()
	s, all := imported(t, sample(t))
	a := counted(t, s)
	var worst float64
	for _, reference := range []string{insights.ReferenceToxicity, insights.ReferenceSpam} {
		for _, output := range []string{"toxicity", "insult", "severe_toxicity"} {
			r, err := a.ClassifierAgreement(ctx, insights.AgreementFilter{Reference: reference, Output: output})
			if err != nil || len(r.Models) != 1 || len(r.Outputs) != 7 || r.Threshold != 0.5 || r.ToxicFrom != 0.5 ||
				len(r.LeftOut) != 0 {
				t.Fatalf("%v: %+v", err, r)
			}
			var of []judged
			outputs := 0
			for _, m := range all {
				value, ok := m.Detoxify[output]
				if ok {
					outputs++
				}
				if label := m.Labels[reference].Value; ok && label != nil {
					of = append(of, judged{m.Lang, value, *label >= insights.LabelFrom})
				}
			}
			if len(of) < 1000 {
				t.Fatalf("the file has %d messages with both", len(of))
			}
			wantAgreement(t, reference+" "+output, r.Models[0], of, 0.5)
			if got := r.Models[0]; got.Messages != int64(outputs) || !near(*got.Share, float64(outputs)/float64(len(all))) {
				t.Errorf("%s: %d messages, share %v, want %d of %d", output, got.Messages, *got.Share, outputs, len(all))
			}
			worst = max(worst, *r.Models[0].AUCError)
			for _, m := range r.Languages {
				wantAgreement(t, reference+" "+output+" in "+m.Lang, m, ofLang(of, m.Lang), 0.5)
				if m.AUCError != nil && m.Positives > insights.FewFrom {
					worst = max(worst, *m.AUCError)
				}
			}
			wantCurve(t, r.Curves[0].Points, of)
		}
	}
	if worst > 0.01 {
		t.Errorf("the bins are too wide: the AUC may be wrong by %v", worst)
	}
}

// wantCurve checks each point of a curve by a count.
func wantCurve(t *testing.T, points []insights.CurvePoint, all []judged) {
	t.Helper()
	for _, p := range points {
		var found, wrong, positives int
		for _, j := range all {
			switch {
			case j.positive && j.value >= p.From:
				found++
			case j.value >= p.From:
				wrong++
			}
			if j.positive {
				positives++
			}
		}
		if p.Flagged != int64(found+wrong) || !near(p.Recall, float64(found)/float64(positives)) ||
			!near(p.FalseRate, float64(wrong)/float64(len(all)-positives)) ||
			!near(p.Precision, float64(found)/float64(found+wrong)) {
			t.Errorf("%+v, want %d and %d", p, found, wrong)
		}
	}
	if last := points[len(points)-1]; last.Recall != 1 || last.FalseRate != 1 {
		t.Errorf("the curve ends at %+v", last)
	}
}

// The names of the models of judgedStore.
const (
	goodModel   = "it's $1 <b>good</b>"
	randomModel = `ran"dom`
	rewardModel = "reward"
)

// judgedStore is a store with messages of three languages, with outputs of three models,
// one of which gives rewards, and with labels and decisions. It returns the outputs by
// reference and model.
func judgedStore(t *testing.T) (*store.Store, map[string][]judged) {
	t.Helper()
	s := storetest.New(t)
	random := rand.New(rand.NewPCG(22, 0))
	raters := []uuid.UUID{storetest.User(t, s, "A"), storetest.User(t, s, "B")}
	for _, name := range []string{goodModel, randomModel, rewardModel} {
		storetest.Exec(t, s, "INSERT INTO classifier_models (name, outputs) VALUES ($1, '{toxicity,''=1+1}')", name)
	}
	of := map[string][]judged{}
	for i := range 150 {
		lang := []string{"en", "de", "th"}[i%3]
		bad := random.IntN(3) == 0
		ids := storetest.Tree(t, s, storetest.Node{Lang: lang, Author: raters[0], Replies: []storetest.Node{{Lang: lang}}})
		prompt := ids[0]
		share := map[bool]float64{true: 0.7, false: 0.2}[bad]
		outputs := map[string]float64{randomModel: math.Round(100*random.Float64()) / 100,
			goodModel:   math.Round(100*min(1, max(0, share+random.NormFloat64()/5))) / 100,
			rewardModel: 4 * random.NormFloat64()}
		if i == 0 {
			outputs[rewardModel] = -3
		}
		for _, message := range ids {
			for model, x := range outputs {
				storetest.Exec(t, s, `INSERT INTO classifier_outputs (tree_id, message_id, model_id, scores)
					SELECT $1, $2, model_id, ARRAY[$4::float8, 'NaN'] FROM classifier_models WHERE name = $3`,
					prompt, message, model, x)
			}
		}
		add := func(reference string, positive bool) {
			for model, x := range outputs {
				of[reference+" "+model] = append(of[reference+" "+model], judged{lang, x, positive})
			}
		}
		// Up to two votes, one of them may be wrong: a mean of 0.5 is a yes.
		if votes := random.IntN(3); votes > 0 {
			sum := 0.0
			for _, rater := range raters[:votes] {
				x := map[bool]float64{true: 1}[bad != (random.IntN(5) == 0)]
				storetest.Vote(t, s, prompt, rater, "toxicity", x, time.Now())
				sum += x
			}
			add(insights.ReferenceToxicity, sum/float64(votes) >= 0.5)
		}
		if decide(t, s, prompt, i%11, bad) {
			add(insights.ReferenceStaff, bad)
		}
	}
	// Outputs of a former text, and those of a message that no longer differs.
	for hash, lang := range map[string]string{`\x00`: "stale", "same": "th"} {
		id := storetest.Tree(t, s, storetest.Node{Lang: lang})[0]
		storetest.Vote(t, s, id, raters[0], "toxicity", 1, time.Now())
		storetest.Exec(t, s, `INSERT INTO classifier_outputs (tree_id, message_id, model_id, scores, run_here, text_hash)
			SELECT $1, $1, model_id, '{0.3}', true,
				CASE WHEN $2 = 'same' THEN substring(sha256(convert_to(m.text, 'UTF8')) FOR 8)
				ELSE '\x00' END FROM classifier_models, messages m WHERE message_id = $1 AND name = $3`, id, hash, goodModel)
	}
	key := insights.ReferenceToxicity + " " + goodModel
	of[key] = append(of[key], judged{"th", 0.3, true})
	return s, of
}

// decide decides something about a message, as the tables have it. It reports false if it
// decided nothing.
func decide(t *testing.T, s *store.Store, message uuid.UUID, how int, bad bool) bool {
	t.Helper()
	decided := func(outcome string) {
		storetest.Exec(t, s, `INSERT INTO cases (tree_id, message_id, status, opened_at, reporters, reports, red_flags,
			imported_flags, outcome, action_id) VALUES ($1, $1, 'decided', now(), '{}', 1, 0, 0, $2, 1)`, message, outcome)
	}
	const deletion = "UPDATE messages SET deleted = true, deleted_root = $1, deletion_by_staff = $2 WHERE tree_id = $1"
	const review = "UPDATE messages SET review_result = $2, review_by_staff = true WHERE message_id = $1"
	switch {
	case how == 0: // without staff
		storetest.Exec(t, s, deletion, message, false)
		return false
	case how == 1: // a case that is open
		storetest.Exec(t, s, `INSERT INTO cases (tree_id, message_id, opened_at, reporters, reports, red_flags,
			imported_flags) VALUES ($1, $1, now(), '{}', 1, 0, 0)`, message)
		return false
	case how == 2: // under review again
		storetest.Exec(t, s, review, message, nil)
		return false
	case bad && how < 6: // its reply is deleted with it, which says nothing about the reply
		decided("dismiss")
		storetest.Exec(t, s, deletion, message, true)
	case bad && how < 8:
		storetest.Exec(t, s, review, message, false)
	case bad:
		storetest.Exec(t, s, review, message, true)
		decided("dismiss")
		decided([]string{"delete", "reject", "halt", "ban"}[how%4])
	case how < 7:
		storetest.Exec(t, s, review, message, true)
	default:
		decided("dismiss")
	}
	return true
}

// TestAgreementOfClassifiers compares the figures of several models with counts by hand,
// for labels and for decisions of staff.
func TestAgreementOfClassifiers(t *testing.T) {
	t.Parallel()
	s, of := judgedStore(t)
	a := counted(t, s)
	// The threshold is a bin's, and then one that is rounded.
	for from, threshold := range map[float64]float64{0.5: 0.5, 0.55: 0.55, 0.5034: 0.505, 0: 0, 1: 1, 0.9999951: 1} {
		storetest.Exec(t, s, `INSERT INTO formula_versions (formula_id, version, name, weights, toxic_from, note, author)
			SELECT gen_random_uuid(), version + 1, name, weights, $1, '', '' FROM formula_versions
			ORDER BY version DESC LIMIT 1`, from)
		for _, reference := range []string{insights.ReferenceToxicity, insights.ReferenceStaff} {
			for _, lang := range []string{"", "de", "xx"} {
				r, err := a.ClassifierAgreement(ctx, insights.AgreementFilter{Reference: reference, Lang: lang})
				if err != nil || r.Output != "toxicity" || len(r.LeftOut) != 1 || r.LeftOut[0].Model != rewardModel ||
					r.LeftOut[0].Low >= 0 || !slices.Equal(r.Outputs, []string{"toxicity"}) {
					t.Fatalf("%v: %+v", err, r)
				}
				if r.ToxicFrom != from || r.Threshold != threshold {
					t.Errorf("the threshold %v becomes %v, want %v", r.ToxicFrom, r.Threshold, threshold)
				}
				if lang == "xx" {
					if len(r.Models) != 0 || len(r.Curves) != 0 {
						t.Errorf("a language without messages: %+v", r)
					}
					continue
				}
				if len(r.Models) != 2 || len(r.Languages) != 7 || len(r.Curves) != 2 {
					t.Fatalf("%d models, %d by language, %d curves: %+v", len(r.Models), len(r.Languages), len(r.Curves), r.Languages)
				}
				for _, model := range []string{goodModel, randomModel} {
					all := of[reference+" "+model]
					wantAgreement(t, reference+" "+model+" "+lang, figuresOf(t, r.Models, model, lang), ofLang(all, lang), threshold)
					for _, in := range []string{"en", "de", "th"} {
						wantAgreement(t, reference+" "+model+" in "+in, figuresOf(t, r.Languages, model, in), ofLang(all, in), threshold)
					}
				}
				if stale := figuresOf(t, r.Languages, goodModel, "stale"); stale.N != 0 || stale.Messages != 1 ||
					*stale.Share != 1 {
					t.Errorf("the output of a former text counts: %+v", stale)
				}
				if lang == "" && (r.Models[0].Model != goodModel || *r.Models[0].AUC < 0.8 || r.Models[0].Few) {
					t.Errorf("the model that helps is not the first: %+v", r.Models)
				}
				for _, c := range r.Curves {
					wantCurve(t, c.Points, ofLang(of[reference+" "+c.Model], lang))
				}
				wantShownAgreement(t, s, r)
			}
		}
	}
}

// wantShownAgreement runs the queries that are shown: they give the same.
func wantShownAgreement(t *testing.T, s *store.Store, r insights.ClassifierAgreement) {
	t.Helper()
	for name, want := range map[string][]insights.ModelAgreement{"models": r.Models, "languages": r.Languages} {
		rows, err := storetest.DB(t, s).Query(ctx, r.Queries[name])
		if err != nil {
			t.Fatalf("%v\n%s", err, r.Queries[name])
		}
		shown, err := pgx.CollectRows(rows, pgx.RowToStructByName[insights.ModelAgreement])
		if err != nil || len(shown) != len(want) {
			t.Fatalf("the query of %s gives %d rows, %v, want %d", name, len(shown), err, len(want))
		}
		for i := range want {
			want[i].Low, want[i].High, want[i].Few = nil, nil, false
			if fmt.Sprint(flat(shown[i])) != fmt.Sprint(flat(want[i])) {
				t.Errorf("the query of %s: %v, want %v", name, flat(shown[i]), flat(want[i]))
			}
		}
	}
	rows, err := storetest.DB(t, s).Query(ctx, r.Queries["curves"])
	if err != nil {
		t.Fatal(err)
	}
	points := 0
	for rows.Next() {
		points++
	}
	for _, c := range r.Curves {
		points -= len(c.Points)
	}
	if points != 0 || rows.Err() != nil {
		t.Errorf("the query of the curves gives %d rows more than points, %v", points, rows.Err())
	}
}

// flat returns the figures without pointers.
func flat(m insights.ModelAgreement) []any {
	return []any{m.Model, m.Lang, m.Messages, deref(m.Share), m.N, m.Positives, deref(m.AUC), deref(m.AUCError), m.Flagged,
		deref(m.Precision), deref(m.Recall)}
}

// TestBadAgreement asks for what does not exist, and of nothing, and finds wrong rows.
func TestBadAgreement(t *testing.T) {
	t.Parallel()
	empty := counted(t, storetest.New(t))
	r, err := empty.ClassifierAgreement(ctx, insights.AgreementFilter{})
	if err != nil || r.Output != "" || len(r.Models)+len(r.Languages)+len(r.Curves) != 0 {
		t.Errorf("%v, %+v", err, r)
	}
	s, _ := judgedStore(t)
	a := counted(t, s)
	for name, wrong := range map[string]insights.AgreementFilter{
		"reference": {Reference: "people"}, "output": {Output: "insult"},
	} {
		for _, of := range []insights.Access{a, empty} {
			var parameter store.BadParameter
			if _, err := of.ClassifierAgreement(ctx, wrong); !errors.As(err, &parameter) || parameter.Name != name {
				t.Errorf("%s: %v", name, err)
			}
		}
	}
	for _, sql := range []string{
		"UPDATE insight_agreement SET positives[203] = positives[203] + 1 WHERE lang = 'de' AND reference = 'staff'",
		"UPDATE insight_agreement SET negatives = negatives || 1", "DELETE FROM insight_agreement WHERE lang = 'th'",
		"UPDATE insight_ranges SET high = 0.5", "UPDATE insight_agreement SET reference = 'spam' WHERE reference = 'staff'",
	} {
		counted(t, s)
		storetest.Exec(t, s, sql)
		check, err := a.Verify(ctx)
		if err != nil || len(check.Found) == 0 || !strings.HasPrefix(check.Found[0], "insight_") {
			t.Errorf("%s is not found: %v, %+v", sql, err, check)
		}
	}
	// A decision is counted by the next count.
	counted(t, s)
	storetest.Exec(t, s, "UPDATE cases SET outcome = 'ban' WHERE outcome = 'dismiss'")
	if check, err := a.Verify(ctx); err != nil || len(check.Found) == 0 {
		t.Errorf("a decision is not found: %v, %+v", err, check)
	}
	counted(t, s)
}
