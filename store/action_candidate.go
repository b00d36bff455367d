package store

import (
	"context"
	"fmt"

	"github.com/google/uuid"

	"treewarden/policy"
	"treewarden/store/candidates"
	"treewarden/store/jobs"
	"treewarden/store/lists"
)

func init() {
	register(Kind{
		Name: "find_candidates", Target: "list", Place: 115, Title: "Find candidates by a rule", Button: "Find",
		Past: "Found candidates for", Permission: policy.ListEdit, Undoable: true, aspects: []aspect{foundAspect{}},
	}, findCandidates)
	register(Kind{
		Name: "accept_candidates", Target: "list", Place: 116, Title: "Accept candidates", Button: "Accept",
		Past: "Accepted candidates for", Permission: policy.ListEdit, Undoable: true, aspects: []aspect{verdictAspect{}},
	}, func(d *actionTx, p VerdictParams) error { return decideCandidates(d, p, candidates.Accept) })
	register(Kind{
		Name: "refuse_candidates", Target: "list", Place: 117, Title: "Refuse candidates", Button: "Refuse",
		Past: "Refused candidates for", Permission: policy.ListEdit, Undoable: true, aspects: []aspect{verdictAspect{}},
	}, func(d *actionTx, p VerdictParams) error { return decideCandidates(d, p, candidates.Refuse) })
}

// Found tells what a search for candidates found, VerdictParams are the candidates to
// decide.
type (
	Found         = candidates.Found
	VerdictParams = candidates.VerdictParams
)

// FindParams is the rule of a search for candidates.
type FindParams struct {
	Rule candidates.Rule `json:"rule"`
	hits *candidates.Hits
	// found receives what was found.
	found *Found
}

// prepare searches before the action begins, so that nothing is locked meanwhile.
func (p FindParams) prepare(ctx context.Context, s *Store, act Act) (any, error) {
	search := candidates.Search{Most: candidates.MaxFound, Progress: act.Progress}
	if act.Preview {
		search.Newest = s.searchAtOnce
		if err := p.Rule.CheckPreview(ctx, s.pool, s.searchAtOnce); err != nil {
			return nil, err
		}
	}
	if _, err := lists.ByID(ctx, s.pool, act.Target); err != nil {
		return nil, err
	}
	hits, err := candidates.Find(ctx, s.pool, act.Target, p.Rule, search)
	if err != nil {
		return nil, err
	}
	p.hits = &hits
	return p, nil
}

func findCandidates(d *actionTx, p FindParams) error {
	list, err := d.openList()
	if err != nil {
		return err
	}
	if p.hits == nil {
		return fmt.Errorf("the rule for list %s was not run", list.ListID)
	}
	d.affected.Messages, err = candidates.Add(d.Ctx, d.Conn, list.ListID, d.id, p.Rule, *p.hits)
	if err != nil {
		return err
	}
	if p.found != nil {
		p.found.Found, p.found.LookedAt, p.found.More = d.affected.Messages, p.hits.LookedAt, p.hits.More
		p.found.Complete = !p.hits.More && !(d.act.Preview && p.hits.LookedAt >= int64(d.store.searchAtOnce))
	}
	if d.affected.Messages == 0 && !d.act.Preview {
		return errUnchanged
	}
	if p.found == nil {
		return nil
	}
	p.found.Sample, err = candidates.Sample(d.Ctx, d.Conn, list.ListID, d.id, d.at)
	return err
}

// FindCandidates runs a rule for a list: the messages that it finds become
// candidates. A preview counts them and changes nothing. If more than 200,000
// messages are to be read, the search becomes a job; then only the job is set.
// FindCandidates returns Invalid with what is wrong of each field of the rule.
func (s *Store) FindCandidates(
	ctx context.Context, actor Actor, list uuid.UUID, r candidates.Rule, preview bool, reason, idempotencyKey string,
) (Outcome, Found, *jobs.Job, error) {
	found := Found{Sample: []candidates.Candidate{}}
	act := Act{Kind: "find_candidates", Target: list, Reason: reason, Preview: preview, IdempotencyKey: idempotencyKey,
		Params: FindParams{Rule: r, found: &found}}
	if !preview && actor.UserID != uuid.Nil {
		if err := need(actor, policy.ListEdit); err != nil {
			return Outcome{}, found, nil, err
		}
		if err := r.Check(ctx, s.pool); err != nil {
			return Outcome{}, found, nil, err
		}
		long, err := r.ReadsMore(ctx, s.pool, s.searchAtOnce)
		if err != nil {
			return Outcome{}, found, nil, err
		}
		if long {
			all, err := r.Readable(ctx, s.pool, 0)
			if err != nil {
				return Outcome{}, found, nil, err
			}
			job, err := s.queue(ctx, actor, act, all)
			return Outcome{}, found, job, err
		}
	}
	outcome, err := s.Act(ctx, actor, act)
	if err == nil && outcome.Action.ID != 0 && found.LookedAt == 0 { // a repeated request, which did not act again
		found, err = candidates.FoundBy(ctx, s.pool, list, outcome.Action.Key, outcome.Action.At)
	}
	for i := range found.Sample { // the run had no number yet when they were read
		found.Sample[i].RuleAction = outcome.Action.ID
	}
	return outcome, found, nil, err
}

// foundAspect is the aspect of the candidates that a rule found.
type foundAspect struct{}

func (foundAspect) event() string { return "" }

// undo removes the candidates of the run that nobody decided.
func (foundAspect) undo(d *actionTx, id int64) error {
	list, err := d.lockList(d.act.Target)
	if err != nil {
		return err
	}
	return candidates.Withdraw(d.Ctx, d.Conn, list.ListID, d.id, id)
}

func decideCandidates(d *actionTx, p VerdictParams, verdict string) error {
	ids, err := p.IDs()
	if err != nil {
		return err
	}
	list, err := d.openList()
	if err != nil {
		return err
	}
	if !p.OpenOnly {
		if err := d.refuseDecided(list.ListID, ids, verdict); err != nil {
			return err
		}
	}
	now, err := candidates.Decide(d.Ctx, d.Conn, list.ListID, d.id, d.actor.id(), d.at, verdict, ids)
	if err != nil {
		return err
	}
	d.affected.Messages = int64(len(now))
	if verdict == candidates.Refuse {
		return d.counted(d.affected.Messages, nil)
	}
	if !p.OpenOnly {
		now = ids // also those that were accepted before, and removed from the list since
	}
	_, added, err := lists.Add(d.Ctx, d.Conn, list, d.id, d.actor.id(), d.at, lists.NewItems(now), nil)
	return d.counted(max(d.affected.Messages, added), err)
}

// refuseDecided returns ErrNotFound if one of the ids is no candidate, and a
// Conflict if one has the other verdict.
func (d *actionTx) refuseDecided(list uuid.UUID, ids []uuid.UUID, verdict string) error {
	other, action, err := candidates.Other(d.Ctx, d.Conn, list, verdict, ids)
	if err != nil || action == 0 {
		return err
	}
	return d.standsInTheWay(action, "Somebody has decided otherwise about this candidate already ("+other+"). "+
		"Undo that first, or ask somebody who may. It is")
}

// verdictAspect is the aspect of the verdicts on candidates, with the items that
// accepted ones became.
type verdictAspect struct{}

func (verdictAspect) event() string { return "" }

// undo opens the candidates again, and removes the items that they became.
func (verdictAspect) undo(d *actionTx, id int64) error {
	list, err := d.lockList(d.act.Target)
	if err != nil {
		return err
	}
	changed, err := candidates.Reopen(d.Ctx, d.Conn, list.ListID, d.id, id)
	if err != nil {
		return err
	}
	if changed != uuid.Nil {
		return d.laterThan(id, candidates.Object, changed, candidates.AspectOf(list.ListID))
	}
	if err := d.restoreItems(list, id); err != nil && err != errUnchanged {
		return err
	}
	return nil
}

// DecideCandidates gives candidates of a list the verdict accept or refuse.
// Accepted ones become items of the list. It returns a Conflict if one of them
// has the other verdict already.
func (s *Store) DecideCandidates(
	ctx context.Context, actor Actor, list uuid.UUID, p VerdictParams, verdict, idempotencyKey string,
) (Outcome, error) {
	kind, ok := map[string]string{candidates.Accept: "accept_candidates", candidates.Refuse: "refuse_candidates"}[verdict]
	if !ok {
		return Outcome{}, Invalid{"verdict": "Choose accept or refuse."}
	}
	return s.Act(ctx, actor, Act{Kind: kind, Target: list, IdempotencyKey: idempotencyKey, Params: p})
}

// Candidate returns a candidate of a list, or ErrNotFound.
func (s *Store) Candidate(ctx context.Context, actor Actor, list, message uuid.UUID) (candidates.Candidate, error) {
	if _, err := s.ListByID(ctx, actor, list); err != nil {
		return candidates.Candidate{}, err
	}
	return candidates.ByID(ctx, s.pool, list, message)
}

// Candidates returns one page of the candidates of a list, the one found last
// first.
func (s *Store) Candidates(
	ctx context.Context, actor Actor, list uuid.UUID, f candidates.Filter,
) (List[candidates.Candidate], error) {
	if _, err := s.ListByID(ctx, actor, list); err != nil {
		return List[candidates.Candidate]{}, err
	}
	return candidates.All(ctx, s.pool, list, f)
}

// CandidateRuns returns the last runs of rules for a list, and the numbers of its
// candidates by verdict.
func (s *Store) CandidateRuns(
	ctx context.Context, actor Actor, list uuid.UUID,
) (runs []candidates.Run, counts candidates.Counts, err error) {
	if _, err = s.ListByID(ctx, actor, list); err != nil {
		return nil, counts, err
	}
	if runs, err = candidates.Runs(ctx, s.pool, list); err != nil {
		return nil, counts, err
	}
	counts, err = candidates.Count(ctx, s.pool, list)
	return runs, counts, err
}
