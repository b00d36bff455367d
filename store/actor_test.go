package store_test

import (
	"errors"
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"

	"treewarden/policy"
	"treewarden/store"
	"treewarden/store/storetest"
)

// TestActorChangesWhileWaiting lets an action wait for a lock while its actor
// loses their access: the action is refused, and nothing is done.
func TestActorChangesWhileWaiting(t *testing.T) {
	t.Parallel()
	asAdmin := func(t *testing.T, w world, a store.Act) {
		t.Helper()
		act(t, w.Store, w.admin, a)
	}
	general := policy.General
	for name, change := range map[string]func(t *testing.T, w world){
		"banned": func(t *testing.T, w world) {
			t.Helper()
			asAdmin(t, w, store.Act{Kind: "ban", Target: w.moderator.UserID})
		},
		"another role": func(t *testing.T, w world) {
			t.Helper()
			asAdmin(t, w, store.Act{Kind: "update_user", Target: w.moderator.UserID, Params: store.UserPatch{Role: &general}})
		},
		"other permissions": func(t *testing.T, w world) {
			t.Helper()
			roles := slices.Clone(w.Policy().Roles())
			for i := range roles {
				if roles[i].Name == policy.Moderator {
					roles[i].Permissions = []policy.Permission{policy.Read}
				}
			}
			if _, err := w.ChangePolicy(ctx, store.CommandLine, store.PolicyChange{Roles: roles,
				Reason: "Moderators only read."}); err != nil {
				t.Error(err)
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			tx := holding(t, w.Store, "SELECT FROM trees FOR UPDATE")
			var both sync.WaitGroup
			both.Go(func() {
				var forbidden *store.Forbidden
				if _, err := w.Act(ctx, w.moderator, store.Act{Kind: "delete", Target: w.reply,
					Reason: "because"}); !errors.As(err, &forbidden) {
					t.Errorf("the waiting action: %v, want it refused", err)
				}
			})
			waiting(t, w.Store, 1)
			change(t, w)
			commit(t, tx)
			both.Wait()
			wantOne(t, w.Store, "0", "SELECT count(*) FROM actions WHERE kind = 'delete'")
			verify(t, w.Store)
		})
	}
}

// TestRevokedKeyWhileWaiting is like TestActorChangesWhileWaiting for a key.
func TestRevokedKeyWhileWaiting(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	key, err := w.CreateKey(ctx, store.CommandLine, "a tool", policy.Moderator, nil)
	if err != nil {
		t.Fatal(err)
	}
	person, err := w.PersonByKey(ctx, key)
	if err != nil {
		t.Fatal(err)
	}
	tx := holding(t, w.Store, "SELECT FROM trees FOR UPDATE")
	var both sync.WaitGroup
	both.Go(func() {
		var forbidden *store.Forbidden
		if _, err := w.Act(ctx, person.Actor, store.Act{Kind: "delete", Target: w.reply,
			Reason: "because"}); !errors.As(err, &forbidden) {
			t.Errorf("the waiting action: %v, want it refused", err)
		}
	})
	waiting(t, w.Store, 1)
	if err := w.RevokeKey(ctx, store.CommandLine, "a tool"); err != nil {
		t.Error(err)
	}
	commit(t, tx)
	both.Wait()
	wantOne(t, w.Store, "0", "SELECT count(*) FROM actions WHERE kind = 'delete'")
}

// TestIngestEndsWithItsKey revokes the key of an ingest, and bans its user, while
// the ingest waits for a tree.
func TestIngestEndsWithItsKey(t *testing.T) {
	t.Parallel()
	for name, end := range map[string]func(t *testing.T, w world, sender store.Actor){
		"revoked": func(t *testing.T, w world, _ store.Actor) {
			t.Helper()
			if err := w.RevokeKey(ctx, store.CommandLine, "a tool"); err != nil {
				t.Error(err)
			}
		},
		"banned": func(t *testing.T, w world, sender store.Actor) {
			t.Helper()
			act(t, w.Store, w.admin, store.Act{Kind: "ban", Target: sender.UserID})
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			key, err := w.CreateKey(ctx, store.CommandLine, "a tool", "collector", nil)
			if err != nil {
				t.Fatal(err)
			}
			sender, err := w.PersonByKey(ctx, key)
			if err != nil {
				t.Fatal(err)
			}
			line := fmt.Appendf(nil, `{"type": "reaction", "id": "r1", "message_id": %q, "user_id": %q, "emoji": "+1"}`,
				w.reply, uuid.New())
			tx := holding(t, w.Store, "SELECT FROM trees FOR UPDATE")
			var both sync.WaitGroup
			both.Go(func() {
				var forbidden *store.Forbidden
				if _, err := w.Ingest(ctx, sender.Actor, line); !errors.As(err, &forbidden) {
					t.Errorf("the waiting ingest: %v, want it refused", err)
				}
			})
			waiting(t, w.Store, 1)
			end(t, w, sender.Actor)
			commit(t, tx)
			both.Wait()
			wantOne(t, w.Store, "0", "SELECT count(*) FROM ingest_events")
			verify(t, w.Store)
		})
	}
}

// TestTwoAdminsBanEachOther lets several admins ban each other at once: one ban is
// refused, since its actor was banned before.
func TestTwoAdminsBanEachOther(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	// The console keeps an admin who can sign in.
	storetest.Exec(t, w.Store, "UPDATE users SET password_hash = 'a hash' WHERE user_id = $1", w.admin.UserID)
	for range 5 {
		pair := [2]store.Actor{storetest.Staff(t, w.Store, policy.Admin), storetest.Staff(t, w.Store, policy.Admin)}
		errs := [2]error{}
		var both sync.WaitGroup
		for i := range pair {
			both.Go(func() {
				_, errs[i] = w.Act(ctx, pair[i], store.Act{Kind: "ban", Target: pair[1-i].UserID, Reason: "because"})
			})
		}
		both.Wait()
		var forbidden *store.Forbidden
		if (errs[0] == nil) == (errs[1] == nil) || !errors.As(errors.Join(errs[:]...), &forbidden) {
			t.Errorf("the two bans: %v and %v, want one refused", errs[0], errs[1])
		}
		wantOne(t, w.Store, "1", "SELECT count(*) FROM users WHERE banned_at IS NOT NULL AND user_id IN ($1, $2)",
			[]any{pair[0].UserID, pair[1].UserID}...)
	}
	verify(t, w.Store)
}

// TestActOnKey checks that only who manages keys acts on the user of a key.
func TestActOnKey(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	if _, err := w.CreateKey(ctx, store.CommandLine, "front end", policy.General, nil); err != nil {
		t.Fatal(err)
	}
	keys, err := w.Keys(ctx, store.CommandLine)
	if err != nil || len(keys) != 1 {
		t.Fatalf("%d keys, %v", len(keys), err)
	}
	name := "Renamed"
	for _, a := range []store.Act{
		{Kind: "update_user", Params: store.UserPatch{DisplayName: &name}}, {Kind: "ban"}, {Kind: "unban"},
	} {
		a.Target, a.Reason = keys[0].UserID, "because"
		var forbidden *store.Forbidden
		if _, err := w.Act(ctx, w.moderator, a); !errors.As(err, &forbidden) || forbidden.Permission != policy.KeyManage {
			t.Errorf("%s by a moderator: %v", a.Kind, err)
		}
		if _, err := w.Act(ctx, w.admin, a); err != nil {
			t.Errorf("%s by an admin: %v", a.Kind, err)
		}
	}
}

// TestEventsAfterRevocation lets a key wait for events, revokes it, and makes an
// event: the key does not get it.
func TestEventsAfterRevocation(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	key, err := w.CreateKey(ctx, store.CommandLine, "front end", policy.Collector, nil)
	if err != nil {
		t.Fatal(err)
	}
	person, err := w.PersonByKey(ctx, key)
	if err != nil {
		t.Fatal(err)
	}
	waited := make(chan error, 1)
	asked := make(chan struct{})
	go func() {
		close(asked)
		_, err := w.Events(ctx, person.Actor, 0, 20*time.Second)
		waited <- err
	}()
	<-asked
	if err := w.RevokeKey(ctx, store.CommandLine, "front end"); err != nil {
		t.Fatal(err)
	}
	act(t, w.Store, w.admin, store.Act{Kind: "ban", Target: w.troll})
	var forbidden *store.Forbidden
	if err := <-waited; !errors.As(err, &forbidden) {
		t.Errorf("the revoked key gets the event: %v", err)
	}
}
