package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"sync"
	"sync/atomic"
	"time"

	"github.com/jackc/pgx/v5"

	"treewarden/policy"
	"treewarden/scoring"
	"treewarden/store"
)

const boardPath = "/api/v1/trollboard?limit=100&frame="

// measureBoard times a page of each board.
func (b *bench) measureBoard(ctx context.Context) error {
	for _, window := range scoring.Windows {
		took, err := b.inTurns(500, 30*time.Second,
			func(int) error { return b.drain(ctx, legacy["board_page"], string(window), 100) },
			func(int) error {
				_, err := b.store.Board(ctx, store.CommandLine, boardOf(window, 100))
				return err
			},
			func(int) error { return b.web.get(ctx, b.keys[policy.Admin], boardPath+string(window), nil) })
		if err != nil {
			return err
		}
		theirs, inProcess, overHTTP := took[0], took[1], took[2]
		name := "board page, " + string(window) + ", 100 rows"
		b.faster(name+", p50", theirs.median(), inProcess.median(), 50, "store.Board; Open-Assistant: board_page")
		b.faster(name+", p50, ours over HTTP", theirs.median(), overHTTP.median(), 0, "GET "+boardPath+string(window))
		b.atMost(name+", p99 against its own p50", inProcess.median(), inProcess.percentile(99), 5, "store.Board")
		b.atMost(name+", over HTTP, p99 against its own p50", overHTTP.median(), overHTTP.percentile(99), 5, "GET "+boardPath+
			string(window))
		if window == scoring.Total {
			b.boardPage = inProcess.median()
		}
	}
	return nil
}

// clients is the number of concurrent readers of boards.
const clients = 8

// measureHTTP measures how fast clients can read the board.
func (b *bench) measureHTTP(ctx context.Context) error {
	listener, err := new(net.ListenConfig).Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	theirs := &http.Server{Handler: http.HandlerFunc(b.legacyBoard), ReadHeaderTimeout: time.Minute}
	go func() { _ = theirs.Serve(listener) }()
	defer theirs.Close()
	// Open-Assistant uses the same client. It ignores the key.
	web := *b.web
	web.address = "http://" + listener.Addr().String()
	var plain, ours float64
	var took spans
	const rounds = 4
	for range rounds {
		rate, _, err := b.clients(ctx, func() error { return web.get(ctx, "", "/", nil) })
		if err != nil {
			return err
		}
		plain += rate / rounds
		rate, answered, err := b.clients(ctx, func() error {
			return b.web.get(ctx, b.keys[policy.Admin], boardPath+"total", nil)
		})
		if err != nil {
			return err
		}
		ours += rate / rounds
		took = append(took, answered...)
	}
	b.rate(fmt.Sprintf("board over HTTP, %d clients, pages a second", clients), plain, ours, 60, "GET "+boardPath+
		"total; Open-Assistant: board_rows as JSON")
	b.within(fmt.Sprintf("board over HTTP, %d clients, p99", clients), took.percentile(99), 0, "GET "+boardPath+"total")
	return nil
}

// clients runs requests concurrently for a while. It returns the number of
// answers per second and the times of the requests.
func (b *bench) clients(ctx context.Context, request func() error) (rate float64, took spans, err error) {
	var wait sync.WaitGroup
	var mu sync.Mutex
	var failed atomic.Pointer[error]
	length := max(time.Duration(float64(3*time.Second)*b.effort), 100*time.Millisecond)
	began := time.Now()
	for range clients {
		wait.Go(func() {
			var own spans
			for time.Since(began) < length && ctx.Err() == nil {
				start := time.Now()
				if err := request(); err != nil {
					failed.Store(&err)
					return
				}
				own = append(own, time.Since(start))
			}
			mu.Lock()
			defer mu.Unlock()
			took = append(took, own...)
		})
	}
	wait.Wait()
	if p := failed.Load(); p != nil {
		return 0, nil, *p
	}
	return float64(len(took)) / time.Since(began).Seconds(), took, ctx.Err()
}

// legacyRow is a row of Open-Assistant's board in its JSON form.
type legacyRow struct {
	UserID       string    `json:"user_id"`
	Username     string    `json:"username"`
	AuthMethod   string    `json:"auth_method"`
	DisplayName  string    `json:"display_name"`
	LastActivity time.Time `json:"last_activity_date"`
	Enabled      bool      `json:"enabled"`
	Deleted      bool      `json:"deleted"`
	Show         bool      `json:"show_on_leaderboard"`
	Rank         int       `json:"rank"`
	Score        int       `json:"troll_score"`
	Flags        int       `json:"red_flags"`
	Up           int       `json:"upvotes"`
	Down         int       `json:"downvotes"`
	SpamPrompts  int       `json:"spam_prompts"`
	Spam         int       `json:"spam"`
	Lang         int       `json:"lang_mismach"`
	Unfit        int       `json:"not_appropriate"`
	PII          int       `json:"pii"`
	Hate         int       `json:"hate_speech"`
	Sexual       int       `json:"sexual_content"`
	Political    int       `json:"political_content"`
	Quality      *float64  `json:"quality"`
	Humor        *float64  `json:"humor"`
	Toxicity     *float64  `json:"toxicity"`
	Violence     *float64  `json:"violence"`
	Helpfulness  *float64  `json:"helpfulness"`
}

// legacyBoard answers with Open-Assistant's page.
func (b *bench) legacyBoard(w http.ResponseWriter, r *http.Request) {
	found, err := b.legacyRows(r.Context(), scoring.Total, 100)
	if err == nil {
		w.Header().Set("Content-Type", "application/json")
		err = json.NewEncoder(w).Encode(found)
	}
	if err != nil && !errors.Is(err, context.Canceled) {
		http.Error(w, err.Error(), http.StatusInternalServerError)
	}
}

func (b *bench) legacyRows(ctx context.Context, window scoring.Window, limit int) ([]legacyRow, error) {
	rows, err := b.ref.Query(ctx, legacy["board_rows"], string(window), limit)
	if err != nil {
		return nil, err
	}
	return pgx.CollectRows(rows, pgx.RowToStructByPos[legacyRow])
}
