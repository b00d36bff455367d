package admin

import (
	"errors"
	"strconv"
	"time"

	"github.com/gofiber/fiber/v2"
	"github.com/gofiber/fiber/v2/middleware/adaptor"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"
)

// healthz answers that the program runs.
func (s *Server) healthz(c *fiber.Ctx) error {
	return c.JSON(map[string]string{"status": "ok", "version": s.Version})
}

// readyz answers whether the program can serve: the database answers and has
// the schema that this program knows.
func (s *Server) readyz(c *fiber.Ctx) error {
	if err := s.Ready(c.UserContext()); err != nil {
		if !s.Outage.Failed(err) {
			s.Log.Warn("not ready", "error", err)
		}
		return c.Status(fiber.StatusServiceUnavailable).JSON(map[string]string{"status": "unavailable",
			"why": "the database does not answer or its schema is not the one that this program needs"})
	}
	return c.JSON(map[string]string{"status": "ready", "version": s.Version})
}

// metrics counts requests. Each server has its own registry, so that tests can
// make many servers.
type metrics struct {
	registry *prometheus.Registry
	requests *prometheus.HistogramVec
	reading  chan struct{} // holds one while the figures of the queue are read
}

func newMetrics() *metrics {
	m := &metrics{
		registry: prometheus.NewRegistry(),
		reading:  make(chan struct{}, 1),
		requests: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name: "treewarden_request_seconds", Help: "How long requests took, by route.",
			Buckets: []float64{.005, .01, .025, .05, .1, .25, .5, 1, 2.5, 10},
		}, []string{"method", "route", "status"}),
	}
	m.registry.MustRegister(m.requests, collectors.NewGoCollector(),
		collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	return m
}

// showMetrics answers with the metrics of this process and its classifiers, and the figures
// of the queues if they can be read in time.
func (s *Server) showMetrics(c *fiber.Ctx) error {
	gatherers := prometheus.Gatherers{s.metrics.registry}
	if figures := s.queueMetrics(c.UserContext()); figures != nil {
		gatherers = append(gatherers, figures)
	}
	gatherers = append(gatherers, s.classifierMetrics(c.UserContext()))
	return adaptor.HTTPHandler(promhttp.HandlerFor(gatherers, promhttp.HandlerOpts{}))(c)
}

// observe gives each request its id, turns its error into an answer, and writes
// one line of log and one measurement. It leaves out the query, which may hold
// search terms or a sign-in link.
func (s *Server) observe(c *fiber.Ctx) error {
	start := time.Now()
	r := current(c)
	c.Set(fiber.HeaderXRequestID, r.ID)
	err := c.Next()
	// The raw path of an unknown address would become a label of its own.
	route := c.Route().Path
	var web *fiber.Error
	if errors.As(err, &web) && (web.Code == fiber.StatusNotFound || web.Code == fiber.StatusMethodNotAllowed) {
		route = "unknown"
	}
	if err != nil {
		if err := s.showError(c, err); err != nil {
			return err
		}
	}
	status, took := c.Response().StatusCode(), time.Since(start)
	s.metrics.requests.WithLabelValues(c.Method(), route, strconv.Itoa(status)).Observe(took.Seconds())
	s.Log.Debug("request", "request", r.ID, "method", c.Method(), "path", c.Path(), "status", status,
		"ms", float64(took.Microseconds())/1000, "person", r.Person.Name)
	return nil
}
