package similar_test

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"os"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"

	"treewarden/corpus"
	"treewarden/store"
	"treewarden/store/derived"
	"treewarden/store/similar"
	"treewarden/store/storetest"
)

// benchMessages is the number of messages of the benchmark, unless
// TREEWARDEN_BENCH_MESSAGES sets another.
const benchMessages = 20_000

// BenchmarkDuplicates imports texts of about 500 characters, a tenth of which are
// near-duplicates of another one. It reports the time that all near-duplicates
// take to be found, as messages a second and as a share of the import's time, and
// the time of a search for one message.
func BenchmarkDuplicates(b *testing.B) {
	n := benchMessages
	if s := os.Getenv("TREEWARDEN_BENCH_MESSAGES"); s != "" {
		var err error
		if n, err = strconv.Atoi(s); err != nil {
			b.Fatalf("TREEWARDEN_BENCH_MESSAGES: %v", err)
		}
	}
	ids := make([]uuid.UUID, n)
	for i := range ids {
		ids[i] = uuid.New()
	}
	text := lines(ids, []string{"en"}, benchTexts(n))
	var importing, sorting, finding, searching time.Duration
	for b.Loop() {
		s := storetest.New(b)
		step := func(what string, do func() error) time.Duration {
			began := time.Now()
			if err := do(); err != nil {
				b.Fatalf("%s: %v", what, err)
			}
			return time.Since(began)
		}
		importing += step("import", func() error {
			_, err := s.Import(b.Context(), corpus.NewReader(bytes.NewReader(text), "").All(), store.ImportOptions{})
			return err
		})
		sorting += step("sort in", func() error { return derived.KeepUp(b.Context(), storetest.DB(b, s)) })
		found := 0
		finding += step("find all", func() error {
			return similar.Duplicates(b.Context(), storetest.DB(b, s), 0.8, "", nil,
				func(similar.Duplicate) error { found++; return nil })
		})
		if found < n/12 || found > n/9 {
			b.Fatalf("found %d of about %d", found, n/10)
		}
		searching += step("find one", func() error {
			for i := range 100 {
				if _, err := similar.Of(b.Context(), storetest.DB(b, s), ids[i*n/100], 0.8, 20); err != nil {
					return err
				}
			}
			return nil
		})
	}
	b.ReportMetric(float64(b.N*n)/finding.Seconds(), "found-messages/s")
	b.ReportMetric(float64(b.N*n)/sorting.Seconds(), "sorted-messages/s")
	b.ReportMetric((sorting+finding).Seconds()/importing.Seconds(), "find/import")
	b.ReportMetric(searching.Seconds()*1000/float64(100*b.N), "ms/search")
	b.ReportMetric(0, "ns/op")
}

// benchTexts makes texts, a tenth of which are others with a word changed.
func benchTexts(n int) []string {
	random := rand.New(rand.NewPCG(1, 2))
	texts := make([]string, n)
	for i := range texts {
		if i%10 == 9 {
			words := strings.Fields(texts[random.IntN(i)])
			words[random.IntN(len(words))] = "other"
			texts[i] = strings.Join(words, " ")
			continue
		}
		var text strings.Builder
		for range 60 + random.IntN(60) {
			fmt.Fprintf(&text, "w%x ", random.IntN(5000))
		}
		texts[i] = text.String()
	}
	return texts
}
