// Package policies keeps the versions of what roles may do, and the version in
// force. The package store changes it, by actions that can be undone.
package policies

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"sync/atomic"
	"time"

	"github.com/google/uuid"

	"treewarden/policy"
	"treewarden/store/db"
	"treewarden/store/tables"
)

// Version is one version of what roles may do.
type Version struct {
	Version int           `json:"version"`
	Roles   []policy.Role `json:"roles"`
	// Shipped reports whether these are the roles that ship with the program.
	Shipped  bool       `json:"shipped"`
	Note     string     `json:"note"`
	Author   string     `json:"author"`
	AuthorID *uuid.UUID `json:"author_id"` // null for the program itself and its command line
	At       time.Time  `json:"at"`
	Action   *int64     `json:"action"` // null for the version of a migration

	Policy *policy.Policy `json:"-"`
}

// Target is the type of object that the log calls the policy, and ID its id there.
const Target = "policy"

// ID is the id of the policy in the log.
var ID = uuid.MustParse("5c0f7a10-0000-4000-8000-000000000002")

// Of returns a version with roles; nil stands for those that ship with the program.
// Its error is a policy.Faults if the roles are not valid.
func Of(roles []policy.Role) (Version, error) {
	shipped, err := policy.Shipped()
	if err != nil {
		return Version{}, fmt.Errorf("read the shipped policy: %w", err)
	}
	v := Version{Policy: shipped, Shipped: true}
	if roles != nil {
		own, err := policy.New(roles)
		if err != nil {
			return v, err
		}
		if !own.Same(shipped) {
			v.Policy, v.Shipped = own, false
		}
	}
	v.Roles = v.Policy.Roles()
	return v, nil
}

// Same reports whether two versions have the same roles.
func (v Version) Same(other Version) bool { return v.Policy.Same(other.Policy) }

// State is a version in the log.
type State struct {
	Version int           `json:"version"`
	Shipped bool          `json:"shipped"`
	Roles   []policy.Role `json:"roles"`
}

// State returns the version as it stands in the log.
func (v Version) State() State { return State{v.Version, v.Shipped, v.Roles} }

// Read returns the version of a state.
func (s State) Read() (Version, error) {
	if s.Shipped {
		return Of(nil)
	}
	return Of(s.Roles)
}

// Orphans says who has a role that the version lacks, "" if nobody does.
func (v Version) Orphans(people []policy.Person) string {
	lost := map[string]int{}
	for _, person := range people {
		if !v.Policy.KnownRole(person.Role) {
			lost[person.Role]++
		}
	}
	for _, role := range slices.Sorted(maps.Keys(lost)) {
		return fmt.Sprintf("The role %s cannot go while people have it (%d). Give them another role first.",
			role, lost[role])
	}
	return ""
}

// Change is a change of what roles may do.
type Change struct {
	// Roles are all roles as they are to be; nil restores those that ship with the
	// program.
	Roles []policy.Role
	// Version is the version that the roles were changed from; nil is not checked.
	Version *int
	Reason  string
	Preview bool
	// IdempotencyKey identifies a request, so that a repeated one acts once.
	IdempotencyKey string
}

// Difference names who gains and who loses what by another version.
type Difference struct {
	Gains []policy.Change `json:"gains"`
	Loses []policy.Change `json:"loses"`
}

// Compare returns what people gain and lose when the next version comes into force.
func Compare(now, next Version, people []policy.Person) (d Difference) {
	d.Gains, d.Loses = policy.Difference(now.Policy, next.Policy, people)
	return d
}

// People counts the people who gain or lose something.
func (d Difference) People() int64 {
	people := map[string]bool{}
	for _, change := range slices.Concat(d.Gains, d.Loses) {
		people[change.ID] = true
	}
	return int64(len(people))
}

// CurrentSQL is an expression for the version in force.
const CurrentSQL = "(SELECT max(version) FROM policy_versions)"

// InForce holds the version in force for this process. Whoever reads a person reads
// the number of the version with them, so that a change holds for the next request
// of every process, even if its notification is lost.
type InForce struct {
	version atomic.Pointer[Version]
}

// At returns the policy in force. current is the number of its version, as read
// from the database just now.
func (f *InForce) At(ctx context.Context, c db.Conn, current int) (*policy.Policy, error) {
	if held := f.version.Load(); held != nil && held.Version == current {
		return held.Policy, nil
	}
	return f.Read(ctx, c)
}

// Held returns the policy in force as it was last read, nil before that.
func (f *InForce) Held() *policy.Policy {
	if held := f.version.Load(); held != nil {
		return held.Policy
	}
	return nil
}

// Read reads the policy in force from the database.
func (f *InForce) Read(ctx context.Context, c db.Conn) (*policy.Policy, error) {
	version, err := Current(ctx, c)
	if err != nil {
		return nil, err
	}
	for held := f.version.Load(); held == nil || held.Version < version.Version; held = f.version.Load() {
		if f.version.CompareAndSwap(held, &version) {
			break
		}
	}
	return version.Policy, nil
}

// Current reads the version in force.
func Current(ctx context.Context, c db.Conn) (Version, error) {
	versions, err := All(ctx, c, 1)
	if err != nil {
		return Version{}, err
	}
	return versions[0], nil
}

// Entering returns the roles that enter the console, by the version in force.
func Entering(ctx context.Context, c db.Conn) ([]string, error) {
	now, err := Current(ctx, c)
	if err != nil {
		return nil, err
	}
	return now.Policy.Entering(), nil
}

// All reads versions, the newest first. There is at least one: a migration inserts
// it, and none is ever removed.
func All(ctx context.Context, c db.Conn, limit int) ([]Version, error) {
	type row struct {
		Version      int
		Rules        []byte
		Known        []policy.Permission
		Note, Author string
		AuthorID     *uuid.UUID
		At           time.Time
		ActionID     *int64
	}
	rows, err := db.Collect[row](ctx, c, `SELECT version, rules, known, note, author, author_id, at,
			`+tables.NumberSQL("action_id")+` AS action_id
		FROM policy_versions ORDER BY version DESC LIMIT $1`, limit)
	if err != nil {
		return nil, err
	}
	if len(rows) == 0 {
		return nil, errors.New("the database holds no policy: its migrations were tampered with")
	}
	versions := make([]Version, len(rows))
	for i, r := range rows {
		v := Version{
			Version: r.Version, Shipped: r.Rules == nil,
			Note: r.Note, Author: r.Author, AuthorID: r.AuthorID, At: r.At, Action: r.ActionID,
		}
		if v.Policy, err = read(r.Rules, r.Known); err != nil {
			return nil, fmt.Errorf("version %d of the policy: %w", r.Version, err)
		}
		v.Roles = v.Policy.Roles()
		versions[i] = v
	}
	return versions, nil
}

// read returns the policy of stored rules, and the shipped one if there are none.
func read(stored []byte, known []policy.Permission) (*policy.Policy, error) {
	shipped, err := policy.Shipped()
	if err != nil || stored == nil {
		return shipped, err
	}
	var lines rules
	if err := json.Unmarshal(stored, &lines); err != nil {
		return nil, fmt.Errorf("read the rules: %w", err)
	}
	lines = lines.brought(shipped, known)
	return policy.Load(&lines)
}

// rules are lines of casbin: the kind of a rule (p, g or p2), then its fields. They
// implement policy.Adapter.
type rules [][]string

// LoadPolicy adds the rules to a model.
func (r rules) LoadPolicy(to policy.Model) error {
	for _, line := range r {
		if len(line) < 2 {
			return fmt.Errorf("the rule %q is too short", line)
		}
		if err := to.AddPolicy(line[0][:1], line[0], line[1:]); err != nil {
			return fmt.Errorf("the rule %q: %w", line, err)
		}
	}
	return nil
}

// SavePolicy takes the rules of a model.
func (r *rules) SavePolicy(of policy.Model) error {
	for _, kind := range []string{"p2", "g", "p"} {
		for _, line := range of[kind[:1]][kind].Policy {
			*r = append(*r, append([]string{kind}, line...))
		}
	}
	return nil
}

// brought returns the rules as this program takes them. They were made with the
// known permissions: those that came later are granted to the roles that ship with
// them, and those that are gone are left out.
func (r rules) brought(shipped *policy.Policy, known []policy.Permission) rules {
	names := permissions()
	lines := slices.DeleteFunc(slices.Clone(r), func(line []string) bool {
		return line[0] == "p" && len(line) > 2 && !slices.Contains(names, policy.Permission(line[2]))
	})
	for _, permission := range names {
		if slices.Contains(known, permission) {
			continue
		}
		for _, role := range shipped.Holders(permission) {
			if slices.ContainsFunc(r, func(line []string) bool { return line[0] == "p2" && line[1] == role }) {
				lines = append(lines, []string{"p", role, string(permission)})
			}
		}
	}
	return lines
}

func permissions() []policy.Permission {
	names := make([]policy.Permission, len(policy.All))
	for i, info := range policy.All {
		names[i] = info.Permission
	}
	return names
}

// Insert adds a version.
func Insert(ctx context.Context, c db.Conn, v Version) error {
	var stored []byte
	if !v.Shipped {
		var lines rules
		if err := v.Policy.Save(&lines); err != nil {
			return err
		}
		var err error
		if stored, err = json.Marshal(lines); err != nil {
			return fmt.Errorf("write down the rules: %w", err)
		}
	}
	_, err := c.Exec(ctx, `INSERT INTO policy_versions (version, rules, known, note, author_id, author, at, action_id)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8)`,
		v.Version, stored, permissions(), v.Note, v.AuthorID, v.Author, v.At, v.Action)
	return db.Translate(err)
}

// lock is the key of the advisory lock on the version in force.
const lock = 7_052

// Lock prevents other changes of the policy, and of somebody's role, until the
// transaction ends.
func Lock(ctx context.Context, c db.Conn) error {
	_, err := c.Exec(ctx, "SELECT pg_advisory_xact_lock($1)", lock)
	return err
}

// notRevoked is a condition on users u: they are no API key that was revoked, which
// never works again and so holds no role.
const notRevoked = `NOT EXISTS (SELECT FROM api_keys k WHERE k.user_id = u.user_id AND k.revoked_at IS NOT NULL)`

// People returns the people who have a role above that of contributors, and the
// keys that are not revoked.
func People(ctx context.Context, c db.Conn) ([]policy.Person, error) {
	type row struct {
		UserID      uuid.UUID
		DisplayName string
		Role        string
		Languages   []string
	}
	rows, err := db.Collect[row](ctx, c, `SELECT user_id, display_name, role, languages FROM users u
		WHERE role <> 'general' AND `+notRevoked+` ORDER BY lower(display_name), user_id`)
	people := make([]policy.Person, len(rows))
	for i, r := range rows {
		people[i] = policy.Person{
			ID: r.UserID.String(), Name: r.DisplayName, Subject: policy.Subject{Role: r.Role, Languages: r.Languages},
		}
	}
	return people, err
}
