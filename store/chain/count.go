package chain

import "treewarden/store/db"

// queueCount queues the statements that count an entry in action_counts, and as undone the
// one that it undoes. Whoever writes an entry holds the end of the chain, so that nobody
// else changes these rows.
func (l *Link) queueCount(p *db.Pipe) {
	p.Queue(`INSERT INTO action_counts AS c (step, start, actor, kind, actions)
		SELECT step, date_trunc(step, $1::timestamptz, 'UTC'),
			coalesce($2::uuid, '00000000-0000-0000-0000-000000000000'), $3::text, 1
		FROM (VALUES ('hour'), ('day')) s(step)
		ON CONFLICT (step, start, actor, kind) DO UPDATE SET actions = c.actions + 1`, l.At, l.ActorID, l.Kind)
	if l.Undoes != nil {
		p.Queue(`UPDATE action_counts c SET undone = undone + 1 FROM actions a WHERE a.id = $1
			AND c.step IN ('hour', 'day') AND c.start = date_trunc(c.step, a.at, 'UTC')
			AND c.start IN (date_trunc('hour', a.at, 'UTC'), date_trunc('day', a.at, 'UTC'))
			AND c.actor = coalesce(a.actor_id, '00000000-0000-0000-0000-000000000000') AND c.kind = a.kind`, *l.Undoes)
	}
}
