package insights

import (
	"context"

	"treewarden/store/figures"
)

// Staff counts actions of the log: those that the audit log shows to the actor without
// a target. They are read from the log itself, so that they are those of now.
func (a Access) Staff(ctx context.Context, f figures.StaffFilter) (figures.Staff, error) {
	if a.Log != nil {
		return figures.Staff{}, a.Log
	}
	f.Own = a.Own
	return figures.ReadStaff(ctx, a.Pool, f, a.Now())
}
