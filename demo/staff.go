package demo

import (
	"context"
	"errors"
	"fmt"

	"github.com/google/uuid"

	"treewarden/policy"
	"treewarden/store"
)

// Staff lists the accounts of the demonstration, one for each role and named
// like it.
var Staff = []string{policy.Admin, policy.Moderator, policy.DataLead}

// EnsureStaff makes the missing accounts and returns all accounts by their
// names. They have no password: only the links that each start prints open
// them. An account that was removed from the console is not missing and stays
// removed.
func EnsureStaff(ctx context.Context, s *store.Store) (map[string]store.Actor, error) {
	there, err := s.Staff(ctx, store.CommandLine)
	if err != nil {
		return nil, err
	}
	staff := make(map[string]store.Actor)
	add := func(id uuid.UUID, username, name, role string) {
		staff[username] = store.Actor{UserID: id, Name: name, Role: role, Via: "session", Policy: s.Policy()}
	}
	for _, u := range there {
		add(u.UserID, u.Username, u.DisplayName, u.Role)
	}
	for _, role := range Staff {
		if _, ok := staff[role]; ok {
			continue
		}
		u, err := s.CreateStaff(ctx, store.CommandLine, role, role, "")
		var taken store.Invalid
		if errors.As(err, &taken) {
			continue
		}
		if err != nil {
			return nil, fmt.Errorf("make the account %s: %w", role, err)
		}
		add(u.UserID, u.Username, u.DisplayName, u.Role)
	}
	return staff, nil
}
