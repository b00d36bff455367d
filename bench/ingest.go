package main

import (
	"bytes"
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/jackc/pgx/v5"

	"treewarden/policy"
)

// measureIngest compares the rate of ingested lines with the rate of their
// plain rows.
func (b *bench) measureIngest(ctx context.Context) error { return b.ingestBeside(ctx, "") }

// ingestBeside is measureIngest beside other work, which the names of the figures say.
// Lines and rows go into the same tables, batch by batch in turn, so that a change in
// the machine's speed affects both.
func (b *bench) ingestBeside(ctx context.Context, work string) error {
	c, err := b.newCollector(ctx)
	if err != nil {
		return err
	}
	bare, sending := c.half(0), c.half(1)
	for _, size := range []int{500, 1000} {
		var ours, plain time.Duration
		var left submissions
		batches := b.count(20_000 / size)
		for i := range batches {
			rows, sent := submissions(bare.mixed(size)), sending.mixed(size)
			text := lines(sent...)
			// Foreign keys lock trees in the order of the rows; the classifier does in that of their ids.
			slices.SortFunc(rows, func(a, b submission) int { return bytes.Compare(a.about.Tree[:], b.about.Tree[:]) })
			began := time.Now()
			if err := pgx.BeginFunc(ctx, b.ours, func(tx pgx.Tx) error { return rows.plain(ctx, tx) }); err != nil {
				return err
			}
			half := time.Now()
			if err := b.web.ingest(ctx, b.keys[policy.Collector], text); err != nil {
				return err
			}
			if i > 0 { // the first warms caches
				plain, ours = plain+half.Sub(began), ours+time.Since(half)
			}
			left = append(left, rows...)
		}
		if err := left.remove(ctx, b); err != nil {
			return err
		}
		n := float64(size * (batches - 1))
		b.rate(fmt.Sprintf("ingest in batches of %d%s, lines a second, against plain INSERTs", size, work), n/plain.Seconds(),
			n/ours.Seconds(), 0.3,
			"POST /api/v1/ingest: 55 % labels, 30 % reactions, 15 % replies; INSERT … VALUES of the same rows")
	}
	return nil
}
