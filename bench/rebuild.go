package main

import (
	"context"
	"encoding/json"
	"errors"
	"maps"
	"net/http"
	"strings"
	"time"

	"treewarden/policy"
	"treewarden/scoring"
)

// measureRebuild times the rebuild of all counters, stored, against the
// legacy's refresh, which does the same.
func (b *bench) measureRebuild(ctx context.Context) error {
	began := time.Now()
	for _, window := range scoring.Windows {
		if err := b.refresh(ctx, window); err != nil {
			return err
		}
	}
	theirs := time.Since(began)
	ours, err := b.web.run("score", "rebuild")
	if err != nil {
		return err
	}
	verify, err := b.web.run("score", "verify")
	if err != nil {
		return err
	}
	b.faster("everything counted anew and stored, against the refresh", theirs, ours, 8, "treewarden score rebuild")
	b.faster("everything counted anew and compared", theirs, verify, 0, "treewarden score verify")
	return nil
}

// measureVerify verifies the counters after all other sections have changed the
// database.
func (b *bench) measureVerify(context.Context) error {
	took, err := b.web.run("score", "verify")
	r := row{Figure: "score verify after the whole run", Ours: "finds nothing",
		Target: "nothing", Holds: holds, How: "treewarden score verify"}
	if err != nil {
		r.Ours, _, _ = strings.Cut(err.Error(), "\n")
		r.Holds = misses
	} else {
		r.Ours += ", " + span(took)
	}
	b.add(r)
	return nil
}

// measureTry times the trial of a formula on all users.
func (b *bench) measureTry(ctx context.Context) error {
	const path = "/api/v1/scoring/try"
	weights := maps.Clone(scoring.Treewarden.Weights)
	weights[scoring.SpamLabels] = 2
	body, err := json.Marshal(map[string]any{"weights": weights, "frame": scoring.Total})
	if err != nil {
		return err
	}
	took, err := b.repeat(5, 20*time.Second, func(int) error {
		return b.web.ask(ctx, b.keys[policy.Admin], http.MethodPost, path, "application/json", body, nil)
	})
	var no *refused
	if errors.As(err, &no) && (no.status == http.StatusNotFound || no.status == http.StatusMethodNotAllowed) {
		b.logf("there is no %s yet", path)
		return nil
	}
	if err != nil {
		return err
	}
	b.within("trying a formula on all users", took.median(), 2*time.Second, "POST "+path)
	return nil
}
