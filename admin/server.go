// Package admin serves the console: its pages and, with the same handlers, its
// API under /api/v1. It is the only package that knows fiber.
package admin

import (
	"bytes"
	"context"
	"fmt"
	"log/slog"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/gofiber/fiber/v2"
	"github.com/gofiber/fiber/v2/middleware/compress"
	"github.com/gofiber/template/html/v2"
	"github.com/valyala/fasthttp"

	"treewarden/scoring/classifier/config"
	"treewarden/store"
	"treewarden/views"
)

// requestTimeout is the time limit of a request, its queries included.
const requestTimeout = 10 * time.Second

// actTimeout is the time limit of a request that changes something. A ban that
// deletes all messages of a busy user, or its undo, touches tens of thousands.
const actTimeout = 2 * time.Minute

// writeTimeout is the time limit for writing an answer, or a part of one that is
// sent in parts.
const writeTimeout = 30 * time.Second

// bodyLimit is the limit of the body of a form or an API call, in bytes.
const bodyLimit = 1 << 20

// Config holds the settings of a Server.
type Config struct {
	Store   *store.Store
	Log     *slog.Logger
	Version string
	// Secure reports whether people use the console over https. If so, browsers
	// send its cookies over https only, and stay on https.
	Secure bool
	// TrustedProxies lists the addresses whose X-Real-IP header the server
	// uses.
	TrustedProxies []string
	// Ready reports whether the program can serve. If it is nil, the server
	// asks the database only.
	Ready func(context.Context) error
	// Outage counts what fails while the database is away. If it is nil, the server has
	// its own.
	Outage *Outage
	// Classifiers are those that this process runs.
	Classifiers []config.Configured
}

// Server is the console's web server.
type Server struct {
	Config
	store   *store.Store
	app     *fiber.App
	engine  *html.Engine
	assets  map[string]asset
	metrics *metrics
	routes  []route

	chainWatch chainWatch
	streams    *liveStreams
	bodies     chan struct{} // held by requests with big bodies

	listening   listening
	description descriptionOnce
	warnOfTLS   sync.Once
}

// New makes a server. It panics if an embedded template or file is broken: that
// is an error of the build, and no request should be the first to find it.
func New(config Config) *Server {
	if config.Log == nil {
		config.Log = slog.New(slog.DiscardHandler)
	}
	if config.Ready == nil {
		config.Ready = config.Store.Ready
	}
	if config.Outage == nil {
		config.Outage = NewOutage(context.Background(), config.Log, config.Store.Ready)
	}
	s := &Server{Config: config, store: config.Store, metrics: newMetrics(), bodies: make(chan struct{}, bigBodies)}
	s.streams = newLiveStreams(s.metrics.registry)
	s.loadAssets()
	s.engine = html.NewFileSystem(http.FS(views.Templates()), ".html")
	s.engine.AddFuncMap(s.functions())
	if err := s.engine.Load(); err != nil {
		panic(fmt.Sprintf("admin: a template does not parse: %v", err))
	}
	s.app = fiber.New(fiber.Config{
		AppName:               "treewarden",
		DisableStartupMessage: true,
		// Strings from a request must stay valid after it.
		Immutable:     true,
		CaseSensitive: true,
		StrictRouting: true,
		// readBody reads bodies, after it knows who sends them.
		BodyLimit:         bodyLimit,
		StreamRequestBody: true,
		// The handler reads a multipart form. A server that read it with the
		// headers would do so for anybody, and an error in it would hide the
		// address.
		DisablePreParseMultipartForm: true,
		// Shared links can have long queries.
		ReadBufferSize: 16 << 10,
		ReadTimeout:    15 * time.Second,
		WriteTimeout:   writeTimeout,
		IdleTimeout:    2 * time.Minute,
		ErrorHandler:   s.showError,
		Views:          s.engine,
		// Without a trusted proxy, no header names the client's address.
		EnableTrustedProxyCheck: true,
		TrustedProxies:          config.TrustedProxies,
	})
	s.app.Server().HeaderReceived = s.announced
	s.mount()
	s.app.Server().Handler = closeUnread(s.app.Server().Handler)
	return s
}

// App returns the server's fiber application, for listening and for tests.
func (s *Server) App() *fiber.App { return s.app }

// mount registers the middleware, outermost first, and then every route.
func (s *Server) mount() {
	s.app.Use(
		s.secure,
		compress.New(compress.Config{Level: compress.LevelBestSpeed, Next: isStream}),
		s.observe,
		recoverPanic,
		deadline,
		s.readBody,
		followClient,
		refuseEncoded,
		s.refuseCrossOrigin,
	)
	s.routes = allRoutes()
	for _, r := range s.routes {
		handlers := []fiber.Handler{s.guard(r), func(c *fiber.Ctx) error {
			if r.Method == get && !isAPI(c) {
				if to := writtenOtherwise(c); to != "" {
					return c.Redirect(to, fiber.StatusMovedPermanently)
				}
			}
			return s.handle(c, r)
		}}
		if r.Kind != apiOnly {
			s.add(r.Method, r.Path, handlers)
		}
		if r.Kind != pageOnly {
			s.add(r.Method, apiPrefix+r.Path, slices.Insert(handlers, 1, knownParameters(r)))
		}
	}
}

func (s *Server) add(method, path string, handlers []fiber.Handler) {
	if method == fiber.MethodGet {
		s.app.Get(path, handlers...) // and HEAD
		return
	}
	s.app.Add(method, path, handlers...)
}

// limitOf returns the limit of a request's body: a higher one for an ingest with a
// key, and for the adding of messages to a list with a key or a session.
func limitOf(header *fasthttp.RequestHeader) int {
	path, _, _ := bytes.Cut(header.RequestURI(), []byte("?"))
	toList := func(prefix, suffix string) bool {
		return bytes.HasPrefix(path, []byte(prefix+listsPath+"/")) && bytes.HasSuffix(path, []byte(suffix))
	}
	key := len(header.Peek(fiber.HeaderAuthorization)) > 0
	session := bytes.Contains(header.Peek(fiber.HeaderCookie), []byte(sessionCookie+"="))
	if key && (string(path) == apiPrefix+ingestPath || toList(apiPrefix, "/items")) ||
		(key || session) && toList("", addPath) {
		return ingestLimit
	}
	return bodyLimit
}

// isStream reports whether an answer must not be compressed as a whole at its
// end. The compression of an export would hide an error half-way.
func isStream(c *fiber.Ctx) bool {
	return c.Path() == apiPrefix+eventsPath || isLivePath(c.Path()) || isExportFile(c.Path()) ||
		strings.HasPrefix(c.Path(), listsPath+"/") && c.Query("format") != ""
}

// deadline gives the request its time limit, and its store calls a context that
// ends with it.
func deadline(c *fiber.Ctx) error {
	timeout := requestTimeout
	if c.Method() != fiber.MethodGet && c.Method() != fiber.MethodHead {
		timeout = actTimeout
	}
	r := current(c)
	r.Present, r.leave = context.WithCancel(context.Background())
	defer r.leave()
	ctx, cancel := context.WithTimeout(r.Present, timeout)
	defer cancel()
	c.SetUserContext(ctx)
	return c.Next()
}

// leaveDelay is the time after which a request looks whether its client is still
// there. Most have ended by then.
const leaveDelay = 100 * time.Millisecond

// followClient ends the work on a request when its client has left. Its body is read
// already.
func followClient(c *fiber.Ctx) error {
	connection, ok := c.Context().Conn().(*conn)
	if !ok || isLivePath(c.Path()) { // a stream watches its own client
		return c.Next()
	}
	r := current(c)
	var mu sync.Mutex
	over, stop := false, func() {}
	look := time.AfterFunc(leaveDelay, func() {
		mu.Lock()
		defer mu.Unlock()
		if !over {
			stop = connection.onLeave(r.leave)
		}
	})
	defer func() {
		look.Stop()
		mu.Lock()
		over = true
		mu.Unlock()
		stop()
	}()
	return c.Next()
}
