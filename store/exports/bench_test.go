package exports_test

import (
	"io"
	"runtime"
	"testing"
	"time"

	"treewarden/demo"
	"treewarden/store/exports"
	"treewarden/store/storetest"
)

// BenchmarkExport exports everything, and compares the time with that of a COPY of the
// same tables.
func BenchmarkExport(b *testing.B) {
	s := storetest.New(b)
	c := demo.Generate(demo.Options{Seed: 1, Scale: 5, Now: time.Now().Add(-time.Hour)})
	if err := demo.Load(ctx, s, c); err != nil {
		b.Fatal(err)
	}
	c = demo.Corpus{}
	storetest.Exec(b, s, "ANALYZE")
	copied := time.Duration(1 << 62)
	for range 3 {
		began := time.Now()
		for _, table := range []string{"trees", "messages", "emoji_aggregates", "label_aggregates", "label_votes",
			"reactions", "classifier_outputs"} {
			conn, err := storetest.DB(b, s).Acquire(ctx)
			if err != nil {
				b.Fatal(err)
			}
			if _, err := conn.Conn().PgConn().CopyTo(ctx, io.Discard, "COPY "+table+" TO STDOUT"); err != nil {
				b.Fatal(err)
			}
			conn.Release()
		}
		copied = min(copied, time.Since(began))
	}
	for _, format := range exports.Formats {
		b.Run(format, func(b *testing.B) {
			var m exports.Manifest
			var peak uint64
			for b.Loop() {
				var err error
				m, err = access(b, s).Write(ctx, io.Discard, exports.Options{Filters: everything(format),
					Progress: func(int64, int64) {
						var now runtime.MemStats
						runtime.ReadMemStats(&now)
						peak = max(peak, now.HeapAlloc)
					}})
				if err != nil {
					b.Fatal(err)
				}
			}
			each := b.Elapsed() / time.Duration(b.N)
			b.SetBytes(m.Bytes)
			b.ReportMetric(float64(m.Out.Messages)/each.Seconds(), "messages/s")
			b.ReportMetric(float64(copied)/float64(each), "of-COPY")
			b.ReportMetric(float64(peak)/(1<<20), "MB-heap")
		})
	}
}
