package store

import (
	"context"
	"encoding/json"
	"errors"

	"github.com/google/uuid"

	"treewarden/policy"
	"treewarden/store/audit"
	"treewarden/store/exportjobs"
	"treewarden/store/exports"
	"treewarden/store/jobs"
	"treewarden/store/params"
)

// JobFrom is the number of objects from which on an act becomes a job.
const JobFrom = 500

// ActOrQueue performs an act that can be previewed or, if it changes more than
// 500 objects, makes a job of it. Either the outcome or the job is set.
func (s *Store) ActOrQueue(ctx context.Context, actor Actor, act Act) (Outcome, *jobs.Job, error) {
	if act.IdempotencyKey != "" { // a repeated request finds its job
		job, err := jobs.ByID(ctx, s.pool, jobs.ID(actor.UserID, act.IdempotencyKey))
		if err == nil {
			return Outcome{}, &job, checkAsked(job, act)
		}
		if !errors.Is(err, ErrNotFound) {
			return Outcome{}, nil, err
		}
		repeated, err := audit.WasActed(ctx, s.pool, actor.UserID, act.IdempotencyKey)
		if err != nil {
			return Outcome{}, nil, err
		}
		if repeated { // the preview would find nothing to do any more
			outcome, err := s.Act(ctx, actor, act)
			return outcome, nil, err
		}
	}
	preview := act
	preview.Preview, preview.IdempotencyKey = true, ""
	counted, err := s.actOrUndo(ctx, actor, preview)
	if err != nil {
		return Outcome{}, nil, err
	}
	if counted.Affected.Most() <= JobFrom || actor.UserID == uuid.Nil {
		outcome, err := s.actOrUndo(ctx, actor, act)
		return outcome, nil, err
	}
	job, err := s.queue(ctx, actor, act, counted.Affected.Most())
	return Outcome{}, job, err
}

// queue makes a job of an act, or finds the job of an earlier request with the
// same Idempotency-Key. total is the number of objects that the job works on.
func (s *Store) queue(ctx context.Context, actor Actor, act Act, total int64) (*jobs.Job, error) {
	request, err := jobs.NewRequest(act.Target, act.Reason, act.Params)
	if err != nil {
		return nil, err
	}
	job, err := jobs.Add(ctx, s.pool, jobs.Job{JobID: jobs.ID(actor.UserID, act.IdempotencyKey), Kind: act.Kind,
		Actor: actor.UserID, Via: actor.Via, Request: request, Total: total})
	if err != nil {
		return nil, err
	}
	return &job, checkAsked(job, act)
}

// checkAsked returns a Conflict if a job is not the one of an act.
func checkAsked(job jobs.Job, act Act) error {
	if request, err := jobs.NewRequest(act.Target, act.Reason, act.Params); err != nil || job.Asks(act.Kind, request) {
		return err
	}
	return &Conflict{Why: jobs.OtherRequest}
}

// UndoOrQueue undoes an action or, if it applied a list or was a bulk act and changed
// more than 500 objects, makes a job of the undo.
func (s *Store) UndoOrQueue(
	ctx context.Context, actor Actor, id int64, reason, idempotencyKey string,
) (Outcome, *jobs.Job, error) {
	undo := Act{Kind: UndoKind.Name, Reason: reason, Params: &undoParams{id}, IdempotencyKey: idempotencyKey}
	action, err := audit.ByID(ctx, s.pool, id)
	long := err == nil && (action.Kind == "apply_list" || action.Kind == bulkKind) && action.Affected.Most() > JobFrom
	if !long || action.UndoneBy != nil || actor.UserID == uuid.Nil || params.CheckReason(reason, true) != nil {
		outcome, err := s.actOrUndo(ctx, actor, undo)
		return outcome, nil, err
	}
	if err := (&actionTx{actor: actor}).mayUndo(action); err != nil {
		return Outcome{}, nil, err
	}
	undo.Target = uuid.MustParse(action.TargetID)
	job, err := s.queue(ctx, actor, undo, action.Affected.Most())
	return Outcome{}, job, err
}

func (s *Store) actOrUndo(ctx context.Context, actor Actor, act Act) (Outcome, error) {
	if undo, ok := act.Params.(*undoParams); ok {
		return s.undoBy(ctx, actor, act, undo.Action)
	}
	return s.Act(ctx, actor, act)
}

// Job returns a job.
func (s *Store) Job(ctx context.Context, actor Actor, id uuid.UUID) (jobs.Job, error) {
	if err := need(actor, policy.Read); err != nil {
		return jobs.Job{}, err
	}
	return jobs.ByID(ctx, s.pool, id)
}

// ListJobs returns the jobs on a list that have not ended.
func (s *Store) ListJobs(ctx context.Context, actor Actor, list uuid.UUID) ([]jobs.Job, error) {
	if err := need(actor, policy.ListRead); err != nil {
		return nil, err
	}
	return jobs.Open(ctx, s.pool, list)
}

// CancelJob cancels a job of the actor or, with the permission undo.all, of
// anybody. An action is done whole or not at all: a job that is cancelled in time
// changes nothing.
func (s *Store) CancelJob(ctx context.Context, actor Actor, id uuid.UUID) (jobs.Job, error) {
	job, err := s.Job(ctx, actor, id)
	if err != nil {
		return job, err
	}
	if job.Actor != actor.UserID {
		if err := need(actor, policy.UndoAll); err != nil {
			return job, err
		}
	}
	return jobs.Cancel(ctx, s.pool, id)
}

// RunJobs performs jobs, one after the other, until none waits. Several processes
// may do so at once.
func (s *Store) RunJobs(ctx context.Context) error {
	return jobs.Run(ctx, s.pool, s.doJob, isRefusal)
}

// RunExports writes the files of the exports that wait, and removes old ones.
func (s *Store) RunExports(ctx context.Context, program string) error {
	return exportjobs.Run(ctx, s.pool, program, func(ctx context.Context, job jobs.Job) (exports.Access, error) {
		actor, err := s.jobActor(ctx, job)
		if err != nil {
			return exports.Access{}, err
		}
		return s.Exports(actor)
	}, isRefusal)
}

// doJob performs the act of a job, as the person who started it may now.
func (s *Store) doJob(ctx context.Context, job jobs.Job, progress func(int64)) (int64, error) {
	request := job.Act()
	kind, known := KindNamed(job.Kind)
	if request.Target == uuid.Nil || !known || kind.NewParams == nil {
		return 0, Malformed("This version of the program cannot do this job.")
	}
	params := kind.NewParams()
	if err := json.Unmarshal(request.Params, params); err != nil {
		return 0, Malformed("This version of the program cannot do this job.")
	}
	actor, err := s.jobActor(ctx, job)
	if err != nil {
		return 0, err
	}
	outcome, err := s.actOrUndo(ctx, actor, Act{Kind: job.Kind, Target: request.Target, Reason: request.Reason,
		Params: params, IdempotencyKey: "job " + job.JobID.String(), Progress: progress})
	return outcome.Action.Key, err
}

// jobActor returns the person who started a job, with what they may do now.
func (s *Store) jobActor(ctx context.Context, job jobs.Job) (Actor, error) {
	user, err := userByID(ctx, s.pool, job.Actor)
	if err == nil && user.Status != Active {
		err = &Forbidden{Why: "The account that started this is no longer active."}
	}
	if err != nil {
		return Actor{}, err
	}
	actor := Actor{UserID: user.UserID, Name: user.DisplayName, Role: user.Role, Languages: user.ActsOn, Via: job.Via}
	actor.Policy, err = s.policies.Read(ctx, s.pool)
	return actor, err
}

// isRefusal reports whether an error is the actor's, so that another try has the
// same result.
func isRefusal(err error) bool {
	var forbidden *Forbidden
	var conflict *Conflict
	var invalid Invalid
	var malformed Malformed
	return errors.As(err, &forbidden) || errors.As(err, &conflict) || errors.As(err, &invalid) ||
		errors.As(err, &malformed) || errors.Is(err, ErrNotFound)
}
