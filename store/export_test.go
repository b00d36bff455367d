package store

import (
	"context"

	"treewarden/store/jobs"
)

// SetSearchAtOnce makes a search of more than n messages a job.
func (s *Store) SetSearchAtOnce(n int) { s.searchAtOnce = n }

// RunJobsWatched is RunJobs that also calls watch with what the jobs report.
func (s *Store) RunJobsWatched(ctx context.Context, watch func(done int64)) error {
	return jobs.Run(ctx, s.pool, func(ctx context.Context, job jobs.Job, progress func(int64)) (int64, error) {
		return s.doJob(ctx, job, func(done int64) {
			progress(done)
			watch(done)
		})
	}, isRefusal)
}
