package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/http"
	"slices"
	"sync"
	"time"

	"github.com/google/uuid"

	"treewarden/policy"
	"treewarden/store"
)

const (
	openCases  = 100_000
	moderators = 20
)

// queueList is a page of the queue.
type queueList struct {
	Items []queueItem `json:"items"`
}

type queueItem struct {
	ID int64 `json:"id"`
}

// measureQueue opens 100,000 cases, times the queue's page and a decision with what
// shows the next case, beside a page of the board, and lets twenty moderators work on
// one queue.
func (b *bench) measureQueue(ctx context.Context) error {
	if err := b.openCases(ctx); err != nil {
		return err
	}
	key, err := b.store.CreateKey(ctx, store.CommandLine, "bench moderator "+uuid.NewString()[:8], policy.Moderator, nil)
	if err != nil {
		return err
	}
	var list queueList
	next := func() (queueItem, error) {
		if len(list.Items) < 2 {
			if err := b.web.get(ctx, key, "/api/v1/queue?limit=200&assigned=none", &list); err != nil {
				return queueItem{}, err
			}
			if len(list.Items) < 2 {
				return queueItem{}, errors.New("the queue is empty")
			}
		}
		first := list.Items[0]
		list.Items = list.Items[1:]
		return first, nil
	}
	took, err := b.inTurns(300, time.Minute,
		func(int) error { return b.web.get(ctx, b.keys[policy.Admin], boardPath+"total", nil) },
		func(int) error { return b.web.page(ctx, key, http.MethodGet, "/queue?lang=all") },
		func(int) error {
			c, err := next()
			if err != nil {
				return err
			}
			return b.web.decide(ctx, key, c, "dismiss")
		},
		func(int) error { // what a commit costs on this disk
			_, err := b.ours.Exec(ctx, "UPDATE cases SET later_until = NULL WHERE case_id = $1", list.Items[0].ID)
			return err
		},
		// What the page's script sends with the decision, whose next case stands there
		// already: it claims that one, and reads the one after it.
		func(int) error {
			return b.web.page(ctx, key, http.MethodPost, fmt.Sprintf("/queue/%d/claim", list.Items[0].ID), "X-Partial", "dialog")
		},
		func(int) error {
			return b.web.page(ctx, key, http.MethodGet, fmt.Sprintf("/queue/next?lang=all&not=%d", list.Items[0].ID),
				"X-Partial", "dialog")
		})
	if err != nil {
		return err
	}
	const limit = 50 * time.Millisecond
	what := fmt.Sprintf(", %d cases", openCases)
	b.within("board page over HTTP, beside the queue, p99", took[0].percentile(99), 0, "GET "+boardPath+"total")
	b.within("queue page over HTTP"+what+", p99", took[1].percentile(99), limit, "GET /queue?lang=all")
	b.within("an UPDATE of one row, committed, p99", took[3].percentile(99), 0, "UPDATE cases")
	b.within("decision over HTTP"+what+", p50", took[2].median(), 0, "POST /api/v1/queue/ID/resolve")
	b.within("decision over HTTP"+what+", p99", took[2].percentile(99), limit, "POST /api/v1/queue/ID/resolve")
	b.within("claim of the next case over HTTP"+what+", p99", took[4].percentile(99), limit, "POST /queue/ID/claim")
	b.within("case after the next one, read beforehand"+what+", p50", took[5].median(), 0, "GET /queue/next as a part")
	b.within("case after the next one, read beforehand"+what+", p99", took[5].percentile(99), 0,
		"GET /queue/next as a part")
	return b.workTogether(ctx)
}

// openCases adds reports until there are 100,000 open cases, or one for each message.
func (b *bench) openCases(ctx context.Context) error {
	if _, err := b.ours.Exec(ctx, `WITH raters AS (SELECT array_agg(user_id) AS ids FROM
			(SELECT user_id FROM users WHERE role = 'general' AND banned_at IS NULL ORDER BY user_id LIMIT 500) r)
		INSERT INTO reports (tree_id, message_id, user_id, reason, at)
		SELECT m.tree_id, m.message_id, r.ids[1 + n % cardinality(r.ids)], 'A report of the benchmark',
			now() - n * interval '1 s'
		FROM (SELECT tree_id, message_id, row_number() OVER () AS n FROM messages m WHERE NOT deleted AND NOT EXISTS
				(SELECT FROM cases c WHERE c.tree_id = m.tree_id AND c.message_id = m.message_id AND c.status = 'open')
			LIMIT greatest($1 - (SELECT count(*) FROM cases WHERE status = 'open'), 0)) m, raters r`, openCases); err != nil {
		return err
	}
	if err := b.store.RebuildScores(ctx); err != nil { // opens the cases of the reports
		return err
	}
	_, err := b.ours.Exec(ctx, "ANALYZE reports, cases")
	return err
}

// workTogether lets twenty moderators take cases from one queue and decide them, and
// checks that no case was decided twice and that nothing differs afterwards.
func (b *bench) workTogether(ctx context.Context) error {
	length := max(time.Duration(float64(time.Minute)*b.effort), time.Second)
	_, before, err := b.store.VerifyLog(ctx, nil) // the loaded users have bans by no action
	if err != nil {
		return err
	}
	working, stop := context.WithTimeout(ctx, length)
	defer stop()
	var mu sync.Mutex
	decided, refused := map[int64]int{}, 0
	var failed error
	var all sync.WaitGroup
	began := time.Now()
	for n := range moderators {
		key, err := b.store.CreateKey(ctx, store.CommandLine, fmt.Sprintf("bench moderator %d %s", n, uuid.NewString()[:8]),
			policy.Moderator, nil)
		if err != nil {
			return err
		}
		all.Go(func() {
			for working.Err() == nil {
				done, id, err := b.takeAndDecide(ctx, key)
				mu.Lock()
				switch {
				case err != nil:
					failed = err
					stop()
				case done:
					decided[id]++
				default:
					refused++
				}
				mu.Unlock()
			}
		})
	}
	all.Wait()
	if failed != nil {
		return failed
	}
	seconds, twice := time.Since(began).Seconds(), 0
	for _, times := range decided {
		if times > 1 {
			twice++
		}
	}
	var closed int
	if err := b.ours.QueryRow(ctx, `SELECT count(*) FROM cases WHERE status = 'decided' AND decided_at >= $1`, began).
		Scan(&closed); err != nil {
		return err
	}
	faults, err := b.store.VerifyScores(ctx)
	if err != nil {
		return err
	}
	_, differences, err := b.store.VerifyLog(ctx, nil)
	if err != nil {
		return err
	}
	differences = slices.DeleteFunc(differences, func(d string) bool { return slices.Contains(before, d) })
	for _, difference := range differences {
		b.logf("audit verify: %s", difference)
	}
	b.add(row{Figure: fmt.Sprintf("%d moderators on one queue", moderators),
		Target: "none twice, none lost, no difference",
		Ours: fmt.Sprintf("%.0f decisions/s; %d decided, %d twice, %d in the database; %d of score verify, "+
			"%d of audit verify",
			float64(len(decided))/seconds, len(decided), twice, closed, len(faults), len(differences)),
		Holds: verdictOf(twice == 0 && closed == len(decided) && len(faults)+len(differences) == 0),
		How:   fmt.Sprintf("claim and decide over HTTP for %.0f s; %d claims came second", seconds, refused)})
	return nil
}

// takeAndDecide claims one of the most urgent cases and decides it. It reports false if
// somebody else was faster.
func (b *bench) takeAndDecide(ctx context.Context, key string) (bool, int64, error) {
	var list queueList
	if err := b.web.get(ctx, key, "/api/v1/queue?limit=20&assigned=none", &list); err != nil {
		return false, 0, err
	}
	if len(list.Items) == 0 {
		return false, 0, errors.New("the queue is empty")
	}
	c := list.Items[rand.IntN(len(list.Items))]
	err := b.web.ask(ctx, key, http.MethodPost, fmt.Sprintf("/api/v1/queue/%d/claim", c.ID), "", nil, nil)
	if err == nil {
		err = b.web.decide(ctx, key, c, []string{"dismiss", "reject", "delete"}[rand.IntN(3)])
	}
	var no *refused
	if errors.As(err, &no) && no.status == http.StatusConflict {
		return false, c.ID, nil
	}
	return err == nil, c.ID, err
}

// decide decides a case.
func (p *program) decide(ctx context.Context, key string, c queueItem, outcome string) error {
	body, err := json.Marshal(map[string]string{"outcome": outcome, "reason": reason})
	if err != nil {
		return err
	}
	return p.ask(ctx, key, http.MethodPost, fmt.Sprintf("/api/v1/queue/%d/resolve", c.ID), "application/json", body, nil)
}

// page requests a page; headers are names and values.
func (p *program) page(ctx context.Context, key, method, path string, headers ...string) error {
	request, err := http.NewRequestWithContext(ctx, method, p.address+path, nil)
	if err != nil {
		return err
	}
	request.Header.Set("Accept", "text/html")
	for i := 0; i+1 < len(headers); i += 2 {
		request.Header.Set(headers[i], headers[i+1])
	}
	_, err = p.send(request, key)
	return err
}
