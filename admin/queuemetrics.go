package admin

import (
	"context"
	"time"

	"github.com/google/uuid"
	"github.com/prometheus/client_golang/prometheus"

	"treewarden/store/figures"
	"treewarden/store/queue"
)

// queueMetricsTimeout is how long a reading of the metrics waits for the figures of the
// queue.
const queueMetricsTimeout = 2 * time.Second

// ageLabels name the classes of ages.
var ageLabels = [len(queue.AgeLimits) + 1]string{"under_1h", "under_4h", "under_1d", "under_3d", "under_7d", "older"}

var (
	decisionLabels = []string{"outcome", "lang", "moderator"}
	decisionsTotal = prometheus.NewDesc("treewarden_queue_decisions_total",
		"Decided cases. The moderator is a user's id, or program.", decisionLabels, nil)
	undoneTotal = prometheus.NewDesc("treewarden_queue_undone_total",
		"Decisions that were undone, by the outcome and the moderator of the decision.", decisionLabels, nil)
	firstAction = prometheus.NewDesc("treewarden_queue_first_action_seconds",
		"From the first report or red flag of a person to the first decision.", []string{"lang"}, nil)
	openCases = prometheus.NewDesc("treewarden_queue_open_cases", "Open cases by age.", []string{"lang", "age"}, nil)
)

// readForMetrics waits for its turn to read the database for the metrics: everybody may read
// these, so that one request at a time does. It returns a context with a time limit, and
// whether it is its turn. release is to be called in any case.
func (s *Server) readForMetrics(ctx context.Context) (limited context.Context, release func(), ok bool) {
	limited, cancel := context.WithTimeout(ctx, queueMetricsTimeout)
	select {
	case s.metrics.reading <- struct{}{}:
		return limited, func() {
			<-s.metrics.reading
			cancel()
		}, true
	case <-limited.Done():
		return limited, cancel, false
	}
}

// queueMetrics reads the figures of the queue, or returns nil if that fails.
func (s *Server) queueMetrics(ctx context.Context) prometheus.Gatherer {
	ctx, release, ok := s.readForMetrics(ctx)
	defer release()
	if !ok {
		return nil
	}
	totals, err := s.store.QueueTotals(ctx)
	if err != nil {
		if !s.Outage.Failed(err) {
			s.Log.Warn("the metrics are without the figures of the queue", "error", err)
		}
		return nil
	}
	registry := prometheus.NewRegistry()
	registry.MustRegister(queueCollector(totals))
	return registry
}

// queueCollector makes metrics of the figures of the queue.
type queueCollector figures.Totals

// Describe implements prometheus.Collector.
func (queueCollector) Describe(out chan<- *prometheus.Desc) {
	for _, desc := range []*prometheus.Desc{decisionsTotal, undoneTotal, firstAction, openCases} {
		out <- desc
	}
}

// Collect implements prometheus.Collector.
func (q queueCollector) Collect(out chan<- prometheus.Metric) {
	for _, d := range q.Decisions {
		moderator := programItself
		if d.Moderator != uuid.Nil {
			moderator = d.Moderator.String()
		}
		for desc, n := range map[*prometheus.Desc]int64{decisionsTotal: d.Decided, undoneTotal: d.Undone} {
			out <- prometheus.MustNewConstMetric(desc, prometheus.CounterValue, float64(n), d.Outcome, d.Lang, moderator)
		}
	}
	for lang, w := range q.Waits {
		buckets, reached := map[float64]uint64{}, uint64(0)
		for i, class := range figures.Classes {
			if reached += uint64(w.Classes[i]); class.Most > 0 {
				buckets[class.Most.Seconds()] = reached
			}
		}
		out <- prometheus.MustNewConstHistogram(firstAction, reached, float64(w.Seconds), buckets, lang)
	}
	for _, a := range q.Open {
		for i, n := range a.Classes {
			out <- prometheus.MustNewConstMetric(openCases, prometheus.GaugeValue, float64(n), a.Lang, ageLabels[i])
		}
	}
}
