package waves

import (
	"bytes"
	"cmp"
	"context"
	"maps"
	"slices"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5/pgtype"

	"treewarden/store/db"
)

// known is a wave in the database.
type known struct {
	WaveID  uuid.UUID
	First   pgtype.Timestamptz
	Outside bool // it has members that are not of the batch
}

// keep writes what the comparisons found: it gives each group its wave, and takes
// messages out of waves whose texts they are not like any more.
func (r *round) keep(ctx context.Context) error {
	waves, err := r.known(ctx)
	if err != nil {
		return err
	}
	r.joinMembers()
	groups := r.groups()
	assigned, merged := assign(groups, waves)

	// All waves whose members change.
	touched := map[uuid.UUID]bool{}
	var left, changed []*node
	for _, n := range r.nodes {
		wave, in := assigned[n.root()]
		switch {
		case in && (n.fresh || n.wave != wave || n.likeness != n.kept):
			changed = append(changed, n)
			touched[wave] = true
		case !in && n.fresh && n.wave != uuid.Nil:
			left = append(left, n)
		default:
			continue
		}
		if n.wave != uuid.Nil {
			touched[n.wave] = true
		}
	}
	if err := r.write(ctx, changed, left, assigned, merged); err != nil {
		return err
	}
	for from, to := range merged {
		touched[from], touched[to] = true, true
	}
	return r.count(ctx, slices.Collect(maps.Keys(touched)))
}

// known reads the waves that the messages are in, and those that have the id of one
// of them.
func (r *round) known(ctx context.Context) (map[uuid.UUID]known, error) {
	var ids, fresh []uuid.UUID
	for id, n := range r.nodes {
		ids = append(ids, id)
		if n.wave != uuid.Nil {
			ids = append(ids, n.wave)
		}
		if n.fresh {
			fresh = append(fresh, id)
		}
	}
	found, err := db.Collect[known](ctx, r.tx, `SELECT w.wave_id, w.first, EXISTS (SELECT FROM wave_messages m
			WHERE m.wave_id = w.wave_id AND NOT m.message_id = ANY ($2)) AS outside
		FROM waves w WHERE w.wave_id = ANY ($1)`, db.IDArray(ids), db.IDArray(fresh))
	waves := make(map[uuid.UUID]known, len(found))
	for _, w := range found {
		waves[w.WaveID] = w
	}
	return waves, err
}

// joinMembers joins the groups that have members of one wave.
func (r *round) joinMembers() {
	of := map[uuid.UUID]*node{}
	for _, n := range r.nodes {
		if n.fresh || n.wave == uuid.Nil {
			continue
		}
		if other := of[n.wave]; other != nil {
			join(n, other)
		}
		of[n.wave] = n
	}
}

// groups returns the groups of at least two messages, each with its oldest message
// first, in the order of these.
func (r *round) groups() [][]*node {
	of := map[*node][]*node{}
	for _, n := range r.nodes {
		of[n.root()] = append(of[n.root()], n)
	}
	var groups [][]*node
	for _, members := range of {
		if len(members) > 1 {
			slices.SortFunc(members, older)
			groups = append(groups, members)
		}
	}
	slices.SortFunc(groups, func(a, b []*node) int { return older(a[0], b[0]) })
	return groups
}

// assign gives each group the oldest wave that a member is in, and returns the
// waves that become part of another one. A new wave has the id of the oldest
// member that no other wave has.
//
// A message of the batch does not bring the wave that it was in, because it may be
// like other messages now. But a wave all of whose members are compared anew goes
// to one of their groups, so that its id stays.
func assign(
	groups [][]*node, waves map[uuid.UUID]known,
) (assigned map[*node]uuid.UUID, merged map[uuid.UUID]uuid.UUID) {
	assigned, merged = map[*node]uuid.UUID{}, map[uuid.UUID]uuid.UUID{}
	taken := map[uuid.UUID]bool{}
	for id := range waves {
		taken[id] = true
	}
	claimed := map[uuid.UUID]bool{}
	for _, members := range groups {
		var held, former []known
		for _, n := range members {
			switch w := waves[n.wave]; {
			case n.wave == uuid.Nil:
			case !n.fresh:
				held = append(held, w)
			case !w.Outside && !claimed[w.WaveID]:
				former = append(former, w)
			}
		}
		root := members[0].root()
		switch {
		case len(held) > 0:
			keep := oldest(held)
			assigned[root] = keep
			for _, w := range held {
				if w.WaveID != keep {
					merged[w.WaveID] = keep
				}
			}
		case len(former) > 0:
			assigned[root] = oldest(former)
			claimed[assigned[root]] = true
		default:
			assigned[root] = newID(members, taken)
			taken[assigned[root]] = true
		}
	}
	return assigned, merged
}

func oldest(waves []known) uuid.UUID {
	return slices.MinFunc(waves, func(a, b known) int {
		return cmp.Or(compareTimes(a.First, b.First), bytes.Compare(a.WaveID[:], b.WaveID[:]))
	}).WaveID
}

func newID(members []*node, taken map[uuid.UUID]bool) uuid.UUID {
	for _, n := range members {
		if !taken[n.id] {
			return n.id
		}
	}
	// Every member gave a wave its id and left it.
	id := members[0].id
	for taken[id] {
		id = uuid.NewSHA1(id, nil)
	}
	return id
}

// write writes the members that changed, takes away those that left, and moves
// those of merged waves.
func (r *round) write(
	ctx context.Context, changed, left []*node, assigned map[*node]uuid.UUID, merged map[uuid.UUID]uuid.UUID,
) error {
	for from, to := range merged {
		if _, err := r.tx.Exec(ctx, "UPDATE wave_messages SET wave_id = $2 WHERE wave_id = $1", from, to); err != nil {
			return err
		}
	}
	if len(left) > 0 {
		trees, ids := idsOf(left)
		if _, err := r.tx.Exec(ctx, `DELETE FROM wave_messages WHERE (tree_id, message_id)
			IN (SELECT * FROM unnest($1::uuid[], $2::uuid[]))`, db.IDArray(trees), db.IDArray(ids)); err != nil {
			return err
		}
	}
	if len(changed) == 0 {
		return nil
	}
	trees, ids := idsOf(changed)
	waves, alike := make([]uuid.UUID, len(changed)), make([]float64, len(changed))
	for i, n := range changed {
		waves[i], alike[i] = assigned[n.root()], n.likeness
	}
	_, err := r.tx.Exec(ctx, `INSERT INTO wave_messages (tree_id, message_id, wave_id, user_id, lang, at, likeness)
		SELECT m.tree_id, m.message_id, x.wave, m.user_id, m.lang, m.created_date, x.likeness
		FROM unnest($1::uuid[], $2::uuid[], $3::uuid[], $4::float8[]) x(tree, id, wave, likeness)
		JOIN messages m ON m.tree_id = x.tree AND m.message_id = x.id
		ON CONFLICT (tree_id, message_id) DO UPDATE SET wave_id = excluded.wave_id, user_id = excluded.user_id,
			lang = excluded.lang, at = excluded.at, likeness = excluded.likeness`,
		db.IDArray(trees), db.IDArray(ids), db.IDArray(waves), alike)
	return err
}

func idsOf(nodes []*node) (trees, ids []uuid.UUID) {
	for _, n := range nodes {
		trees, ids = append(trees, n.tree), append(ids, n.id)
	}
	return trees, ids
}

// count computes the columns of waves from their members. A wave of one message is
// none.
func (r *round) count(ctx context.Context, waves []uuid.UUID) error {
	if len(waves) == 0 {
		return nil
	}
	for _, sql := range []string{
		`INSERT INTO waves (wave_id, messages, users, first, last, likeness, langs)
			SELECT wave_id, count(*), count(DISTINCT user_id), min(at), max(at), avg(likeness),
				coalesce(array_agg(DISTINCT lang) FILTER (WHERE lang IS NOT NULL), '{}')
			FROM wave_messages WHERE wave_id = ANY ($1) GROUP BY wave_id HAVING count(*) > 1
			ON CONFLICT (wave_id) DO UPDATE SET messages = excluded.messages, users = excluded.users,
				first = excluded.first, last = excluded.last, likeness = excluded.likeness, langs = excluded.langs`,
		`DELETE FROM wave_messages WHERE wave_id IN (SELECT wave_id FROM wave_messages WHERE wave_id = ANY ($1)
			GROUP BY wave_id HAVING count(*) = 1)`,
		`DELETE FROM waves w WHERE wave_id = ANY ($1)
			AND NOT EXISTS (SELECT FROM wave_messages m WHERE m.wave_id = w.wave_id)`,
	} {
		if _, err := r.tx.Exec(ctx, sql, db.IDArray(waves)); err != nil {
			return err
		}
	}
	return nil
}
