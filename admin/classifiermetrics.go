package admin

import (
	"context"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"treewarden/scoring/classifier/config"
	"treewarden/scoring/classifier/guard"
	"treewarden/store"
	"treewarden/store/classify"
)

// classifierDesc makes the description of a metric of a classifier.
func classifierDesc(name, help string, labels ...string) *prometheus.Desc {
	return prometheus.NewDesc("treewarden_classifier_"+name, help, append([]string{"model"}, labels...), nil)
}

var (
	classifierTexts    = classifierDesc("texts_total", "Texts that got scores.")
	classifierRefused  = classifierDesc("refused_total", "Texts that the classifier refused.")
	classifierRequests = classifierDesc("requests_total", "Requests that were sent.")
	classifierErrors   = classifierDesc("errors_total", "Requests that failed or were refused.")
	classifierSeconds  = classifierDesc("request_seconds_total", "Time that all requests took together.")
	classifierCost     = classifierDesc("cost_total", "Texts × price / 1000, in the currency of the price.")
	classifierBreaker  = classifierDesc("breaker", "1 for the phase of the circuit breaker, 0 for the others.", "phase")
	classifierQueued   = classifierDesc("queued_messages", "New and edited messages that wait, counted up to 100,001.")
	classifierLag      = classifierDesc("lag_seconds", "Time since the oldest waiting message was queued.")
)

// classifierMetrics returns the metrics of the classifiers. Without an answer of the
// database in time, those of the queues are left out.
func (s *Server) classifierMetrics(ctx context.Context) prometheus.Gatherer {
	c := classifierCollector{classifiers: s.Classifiers, now: time.Now()}
	if len(s.Classifiers) > 0 {
		c.waiting = s.classifiersWaiting(ctx)
	}
	registry := prometheus.NewRegistry()
	registry.MustRegister(c)
	return registry
}

// classifiersWaiting reads what the classifiers have yet to do, or returns nil if that
// fails.
func (s *Server) classifiersWaiting(ctx context.Context) map[string]classify.Waiting {
	ctx, release, ok := s.readForMetrics(ctx)
	defer release()
	if !ok {
		return nil
	}
	access, err := s.store.Classifiers(store.CommandLine)
	if err != nil {
		return nil
	}
	waiting, err := access.Waiting(ctx)
	if err != nil && !s.Outage.Failed(err) {
		s.Log.Warn("the metrics are without the queues of the classifiers", "error", err)
	}
	return waiting
}

// classifierCollector makes metrics of the classifiers.
type classifierCollector struct {
	classifiers []config.Configured
	waiting     map[string]classify.Waiting
	now         time.Time
}

// Describe implements prometheus.Collector.
func (classifierCollector) Describe(out chan<- *prometheus.Desc) {
	for _, desc := range []*prometheus.Desc{classifierTexts, classifierRefused, classifierRequests, classifierErrors,
		classifierSeconds, classifierCost, classifierBreaker, classifierQueued, classifierLag} {
		out <- desc
	}
}

// Collect implements prometheus.Collector.
func (c classifierCollector) Collect(out chan<- prometheus.Metric) {
	for _, one := range c.classifiers {
		state := one.State()
		for desc, n := range map[*prometheus.Desc]float64{
			classifierTexts: float64(state.Texts), classifierRefused: float64(state.Refused),
			classifierRequests: float64(state.Requests), classifierErrors: float64(state.Errors),
			classifierSeconds: state.Seconds, classifierCost: costOf(one, state),
		} {
			out <- prometheus.MustNewConstMetric(desc, prometheus.CounterValue, n, one.Name)
		}
		for _, phase := range []guard.Phase{guard.Closed, guard.Open, guard.HalfOpen} {
			current := 0.0
			if phase == state.Phase {
				current = 1
			}
			out <- prometheus.MustNewConstMetric(classifierBreaker, prometheus.GaugeValue, current, one.Name, string(phase))
		}
		w, known := c.waiting[one.Name]
		if !known {
			continue
		}
		lag := 0.0
		if w.OldestQueuedAt != nil {
			lag = max(c.now.Sub(*w.OldestQueuedAt).Seconds(), 0)
		}
		out <- prometheus.MustNewConstMetric(classifierQueued, prometheus.GaugeValue, float64(w.Queued), one.Name)
		out <- prometheus.MustNewConstMetric(classifierLag, prometheus.GaugeValue, lag, one.Name)
	}
}
