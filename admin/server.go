// package admin serves the console: its pages and, with the same handlers, its
// API under /api/v1. It is the only package that knows fiber.
package admin

import (
	"bytes"
	"context"
	"fmt"
	"log/slog"
	"net/http"
	"time"

	"github.com/gofiber/fiber/v2"
	"github.com/gofiber/fiber/v2/middleware/compress"
	"github.com/gofiber/template/html/v2"
	"github.com/valyala/fasthttp"

	"treewarden/policy"
	"treewarden/store"
	"treewarden/views"
)

// requestTimeout is how long a request may take, its queries included.
const requestTimeout = 10 * time.Second

// actTimeout is how long a request may take that changes something. A ban that
// deletes all messages of a busy user, or its undo, touches tens of thousands.
const actTimeout = 2 * time.Minute

// bodyLimit bounds what a form or an API call may send, in bytes.
const bodyLimit = 1 << 20

// Config is what a Server is made of.
type Config struct {
	Store   *store.Store
	Policy  *policy.Policy
	Log     *slog.Logger
	Version string
	// Secure says that people reach the console over https: cookies then
	// travel only there, and browsers are told to stay there.
	Secure bool
	// TrustedProxies lists the addresses whose X-Real-IP header is believed.
	TrustedProxies []string
	// Ready says whether the program can serve; nil asks the database only.
	Ready func(context.Context) error
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
	streams    *boardStreams

	description descriptionOnce
}

// New makes a server. It panics where an embedded template or file is broken:
// that is a fault of the build, and no request should have to find it.
func New(config Config) *Server {
	if config.Log == nil {
		config.Log = slog.New(slog.DiscardHandler)
	}
	if config.Ready == nil {
		config.Ready = config.Store.Ready
	}
	s := &Server{Config: config, store: config.Store, metrics: newMetrics()}
	s.streams = newBoardStreams(s.metrics.registry)
	s.loadAssets()
	s.engine = html.NewFileSystem(http.FS(views.Templates()), ".html")
	s.engine.AddFuncMap(s.functions())
	if err := s.engine.Load(); err != nil {
		panic(fmt.Sprintf("admin: a template does not parse: %v", err))
	}
	s.app = fiber.New(fiber.Config{
		AppName:               "treewarden",
		DisableStartupMessage: true,
		// Strings taken from a request must outlive it.
		Immutable:     true,
		CaseSensitive: true,
		StrictRouting: true,
		BodyLimit:     bodyLimit,
		// A form of parts is read by its handler: read with the headers, it
		// would be for anybody, and a fault in it would hide the address.
		DisablePreParseMultipartForm: true,
		// Shared links carry long queries.
		ReadBufferSize: 16 << 10,
		ReadTimeout:    15 * time.Second,
		WriteTimeout:   30 * time.Second,
		IdleTimeout:    2 * time.Minute,
		ErrorHandler:   s.showError,
		Views:          s.engine,
		// Without a trusted proxy, nobody's headers tell who is calling.
		EnableTrustedProxyCheck: true,
		TrustedProxies:          config.TrustedProxies,
		ProxyHeader:             "X-Real-IP",
	})
	s.app.Server().HeaderReceived = limits
	s.mount()
	return s
}

// App is the server's fiber application, for listening and for tests.
func (s *Server) App() *fiber.App { return s.app }

// mount puts up the middleware, outermost first, and then every route.
func (s *Server) mount() {
	s.app.Use(
		s.secure,
		compress.New(compress.Config{Level: compress.LevelBestSpeed, Next: isStream}),
		s.observe,
		recoverPanic,
		deadline,
		refuseEncoded,
		s.refuseCrossOrigin,
	)
	s.routes = allRoutes()
	for _, r := range s.routes {
		handlers := []fiber.Handler{s.guard(r), func(c *fiber.Ctx) error { return r.Handler(s, c) }}
		if r.Kind != apiOnly {
			s.add(r.Method, r.Path, handlers)
		}
		if r.Kind != pageOnly {
			s.add(r.Method, apiPrefix+r.Path, handlers)
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

// limits lets an ingest with a key send more than other requests may.
func limits(header *fasthttp.RequestHeader) fasthttp.RequestConfig {
	path, _, _ := bytes.Cut(header.RequestURI(), []byte("?"))
	if string(path) == apiPrefix+ingestPath && len(header.Peek(fiber.HeaderAuthorization)) > 0 {
		return fasthttp.RequestConfig{MaxRequestBodySize: ingestLimit}
	}
	return fasthttp.RequestConfig{}
}

// isStream says that an answer must not wait for its end to be compressed.
func isStream(c *fiber.Ctx) bool { return c.Path() == apiPrefix+eventsPath || c.Path() == livePath }

// deadline gives the request its time and its store calls a context that ends.
func deadline(c *fiber.Ctx) error {
	timeout := requestTimeout
	if c.Method() != fiber.MethodGet && c.Method() != fiber.MethodHead {
		timeout = actTimeout
	}
	ctx, cancel := context.WithTimeout(context.Background(), timeout)
	defer cancel()
	c.SetUserContext(ctx)
	return c.Next()
}
