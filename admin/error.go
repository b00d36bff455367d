package admin

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/gofiber/fiber/v2"

	"treewarden/corpus/search"
	"treewarden/policy"
	"treewarden/store"
	"treewarden/store/db"
	"treewarden/store/events"
	"treewarden/store/exportjobs"
)

var (
	errNotSignedIn = errors.New("sign in first")
	errBadKey      = errors.New("the key in the Authorization header is unknown, was revoked or has expired; " +
		"the header reads “Bearer KEY”")
	errCrossOrigin = errors.New("this request came from another site, so nothing was done")

	errTooManyLines = errors.New("the ingest has too many lines")
)

// failure is an error as a page or the API shows it. No other file knows
// statuses or which error texts may be shown.
type failure struct {
	Status  int
	Code    string // for programs
	Title   string
	Message string // what is wrong
	Advice  string // what to do
	Fields  map[string]string
	// Places are where in the texts of the fields a fault is.
	Places map[string]search.Span
	// RetryAfter is the number of seconds after which another try makes sense.
	RetryAfter int
	Version    int
	Action     *store.Action // the action that is in conflict
	// Expected is the number of objects now, if another one was expected.
	Expected *int64
	Last     *int64 // the id of the last event, if a later one was named
	Missing  policy.Permission
	Holders  []string // the roles that have the missing permission
	Why      string   // the address of the page that explains the refusal; may be empty
}

// describe returns the failure for an error. An error of an unknown kind is an
// internal one, and its text is never shown.
func (s *Server) describe(err error) failure {
	var (
		malformed store.Malformed
		invalid   store.Invalid
		forbidden *store.Forbidden
		conflict  *store.Conflict
		refusal   policy.Refusal
		ahead     events.AheadError
		web       *fiber.Error
		silent    unavailable
	)
	var syntax *search.SyntaxError
	field := fieldFault{Field: "q"}
	errors.As(err, &field)
	switch {
	case errors.As(err, &syntax):
		return failure{Status: 422, Code: "invalid_fields", Title: "The search is not valid", Message: syntax.Why,
			Fields: map[string]string{field.Field: syntax.Why},
			Places: map[string]search.Span{field.Field: {Start: syntax.Start, End: syntax.End}},
			Advice: "Nothing was done. Go back and correct it."}
	case errors.Is(err, store.ErrNotFound):
		return failure{Status: 404, Code: "not_found", Title: "Not found",
			Message: "There is nothing here under this address.",
			Advice:  "It may never have existed here: look for it by its name or its text."}
	case errors.As(err, &malformed):
		return failure{Status: 400, Code: "malformed", Title: "That address is not valid",
			Message: fullStop(capital(string(malformed))),
			Advice:  "Check the address for a part that was cut off or changed."}
	case errors.As(err, &invalid):
		return failure{Status: 422, Code: "invalid_fields", Title: "Some fields are wrong", Message: capital(invalid.Error()),
			Fields: invalid,
			Advice: "Nothing was done. Go back and correct them."}
	case errors.As(err, &forbidden):
		f := failure{Status: 403, Code: "forbidden", Title: "You may not do this",
			Message: forbidden.Why, Missing: forbidden.Permission}
		if f.Missing != "" && s.store != nil {
			f.Holders = s.store.Policy().Holders(f.Missing)
			f.Advice = "An admin can give you a role that may."
		}
		return f
	case errors.As(err, &refusal):
		return failure{Status: 403, Code: "forbidden", Title: "You may not do this", Message: string(refusal)}
	case errors.As(err, &conflict):
		return failure{Status: 409, Code: "conflict", Title: "This cannot be done now", Message: conflict.Why,
			Version: conflict.Version, Action: conflict.Action, Expected: conflict.Expected,
			Advice: "Nothing was done. Look at it as it is now, then decide again."}
	case errors.Is(err, exportjobs.ErrGone):
		return failure{Status: 410, Code: "gone", Title: "The file is gone",
			Message: "The file of this export was removed. " + keptText + ".",
			Advice:  "Its manifest is still there. Export again with the same filters."}
	case errors.As(err, &ahead):
		return failure{Status: 409, Code: "conflict", Title: "There is no such event", Message: ahead.Error(),
			Last: &ahead.Last}
	case errors.As(err, &silent):
		return silent.failure()
	case errors.Is(err, errNotSignedIn):
		return failure{Status: 401, Code: "not_signed_in", Title: "You are not signed in",
			Message: "Your session has ended, or you have not signed in yet.",
			Advice:  "Sign in, then do it again."}
	case errors.Is(err, errBadKey):
		return failure{Status: 401, Code: "bad_key", Title: "This key does not work", Message: capital(errBadKey.Error()) +
			"."}
	case errors.Is(err, store.ErrSignIn):
		return failure{Status: 401, Code: "sign_in", Title: "You are not signed in",
			Message: fullStop(capital(store.ErrSignIn.Error()))}
	case errors.Is(err, store.ErrTooMany):
		return failure{Status: 429, Code: "too_many", Title: "Too many attempts",
			Message: fullStop(capital(store.ErrTooMany.Error())),
			Advice:  "Wait 15 minutes, then try again."}
	case errors.Is(err, errCrossOrigin):
		return failure{Status: 403, Code: "cross_origin", Title: "Refused", Message: capital(errCrossOrigin.Error()) + ".",
			Advice: "Open the console itself and do it there."}
	case errors.Is(err, errUnclear):
		return failure{Status: 400, Code: "bad_request", Title: "That request is not valid",
			Message: capital(errUnclear.Error()) + ".",
			Advice:  "Send either Content-Length or Transfer-Encoding: chunked, with no space before the colon."}
	case errors.Is(err, errTooManyLines):
		return failure{Status: 413, Code: "too_large", Title: "Too much at once", Advice: "Send fewer at once.",
			Message: fmt.Sprintf("An ingest may have %d lines; this one has more, and none was taken in.", ingestLines)}
	case errors.Is(err, errTooManyBodies):
		return failure{Status: 503, Code: "busy", Title: "Too much at once", RetryAfter: 2,
			Message: capital(errTooManyBodies.Error()) + ".",
			Advice:  "Nothing was done. Try again in a moment."}
	case errors.As(err, &web):
		return describeWeb(web)
	case errors.Is(err, store.ErrUnsure):
		return failure{Status: 503, Code: "unsure", Title: "It is not known whether this was done",
			Message: "The connection to the database was lost while this was saved.",
			Advice:  "Look at the audit log for what you did last, before you do it again."}
	case db.IsBusy(err):
		return failure{Status: 503, Code: "busy", Title: "Others are at work on this", RetryAfter: 2,
			Message: "Others are changing the same data, or too much is being changed at once.",
			Advice:  "Nothing was done. Try again in a moment."}
	case errors.Is(err, context.Canceled):
		return failure{Status: 503, Code: "left", Title: "This was cancelled", RetryAfter: 1,
			Message: "The browser or program that asked has gone, or the console is stopping.",
			Advice:  "Nothing was done. Try again in a moment."}
	case errors.Is(err, context.DeadlineExceeded):
		return failure{Status: 503, Code: "too_slow", Title: "This took too long", RetryAfter: 2,
			Message: "The database did not answer in time.",
			Advice:  "Try again in a moment, or ask for less at once."}
	case s.databaseAway():
		return failure{Status: 503, Code: "unavailable", Title: "The database does not answer", RetryAfter: 5,
			Message: "The console cannot reach its database at the moment.",
			Advice:  "Nothing was done. Try again in a moment."}
	}
	return failure{Status: 500, Code: "internal", Title: "Something went wrong here",
		Message: "This is a fault of the program, not yours.",
		Advice:  "Try again. If it happens again, give an admin the request id below. The log has more about it."}
}

// describeWeb returns the failure for an error of the web server itself.
func describeWeb(err *fiber.Error) failure {
	switch err.Code {
	case fiber.StatusNotFound:
		return failure{Status: 404, Code: "not_found", Title: "Not found", Message: "There is no such page."}
	case fiber.StatusMethodNotAllowed:
		return failure{Status: 405, Code: "method_not_allowed", Title: "Method not allowed",
			Message: "This address does not take this kind of request."}
	case fiber.StatusRequestEntityTooLarge:
		return failure{Status: 413, Code: "too_large", Title: "Too much at once",
			Message: fmt.Sprintf("A request may be %d kB long, an ingest or the ids for a list %d kB; this one is longer.",
				bodyLimit>>10, ingestLimit>>10),
			Advice: "Send less at once."}
	case fiber.StatusUnsupportedMediaType:
		return failure{Status: 415, Code: "encoded", Title: "That request is not valid",
			Message: "The body of this request is compressed.", Advice: "Send it plain."}
	case fiber.StatusRequestHeaderFieldsTooLarge:
		return failure{Status: 431, Code: "headers_too_large", Title: "This address is too long",
			Message: "The address or the headers of this request are too long.", Advice: "Shorten the query."}
	case fiber.StatusNotAcceptable:
		return failure{Status: 406, Code: "not_acceptable", Title: "This is not a page",
			Message: "This address sends a stream of events, to programs that accept one."}
	case fiber.StatusTooManyRequests:
		return failure{Status: 429, Code: "too_many", Title: "Too many open boards",
			Message: "This console cannot keep more boards up to date.",
			Advice:  "Close one, or try again later."}
	case fiber.StatusRequestTimeout:
		return failure{Status: 408, Code: "timeout", Title: "This took too long",
			Message: "The request did not arrive whole in time.", Advice: "Try again."}
	}
	if err.Code >= 500 {
		return failure{Status: 500, Code: "internal", Title: "Something went wrong here",
			Message: "This is a fault of the program, not yours.", Advice: "Try again."}
	}
	return failure{Status: err.Code, Code: "bad_request", Title: "That request is not valid",
		Message: "The web server could not read this request."}
}

// databaseAway pings the database, so that it needs no knowledge of the
// driver's errors.
func (s *Server) databaseAway() bool {
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Second)
	defer cancel()
	return s.store.Ready(ctx) != nil
}

// errorPage is the page of an error.
type errorPage struct {
	Layout
	Failure   failure
	RequestID string
	Back      string
	Unread    bool // the web server could not read the request, nor who sent it
}

func (p errorPage) api() any {
	type errorBody struct {
		Code      string                 `json:"code"`
		Message   string                 `json:"message"`
		Fields    map[string]string      `json:"fields,omitempty"`
		Places    map[string]search.Span `json:"places,omitempty" description:"the part of a field that is wrong"`
		RequestID string                 `json:"request_id,omitempty"`
		Version   int                    `json:"version,omitempty" description:"with 409: the current version"`
		Action    *store.Action          `json:"action,omitempty"`
		Expected  *int64                 `json:"expected,omitempty" description:"with 409: the number of objects now"`
		Last      *int64                 `json:"last,omitempty" description:"with 409: the id of the last event"`
	}
	f := p.Failure
	b := errorBody{Code: f.Code, Message: f.Message, Fields: f.Fields, Places: f.Places, Version: f.Version,
		Action: f.Action, Expected: f.Expected, Last: f.Last}
	if f.Status >= 500 {
		b.RequestID = p.RequestID
	}
	return struct {
		Error errorBody `json:"error"`
	}{b}
}

// showError is fiber's error handler. It uses no middleware's work, because it
// also runs before any middleware (for a body over the limit or too large
// headers).
func (s *Server) showError(c *fiber.Ctx, err error) error {
	s.setSecurityHeaders(c)
	f := s.describe(err)
	parsed := c.Locals(requestKey{}) != nil
	r := current(c)
	if conn, ok := c.Context().Conn().(*conn); isUnderAPI(c.Path()) || !parsed && ok && conn.isToAPI() {
		c.Path(apiPrefix + "/") // all addresses below /api answer as the API does
	}
	if f.RetryAfter > 0 {
		c.Set(fiber.HeaderRetryAfter, strconv.Itoa(f.RetryAfter))
	}
	s.logFailure(c, f, err)
	if f.Status == fiber.StatusUnauthorized && s.sendToSignIn(c, err) {
		return c.Redirect("/sign-in?return="+escapeQuery(here(c)), fiber.StatusSeeOther)
	}
	if f.Status < 500 && !r.SignedIn && !isAPI(c) && c.UserContext() != nil {
		// The page of an error has the layout too, if a person is signed in. The
		// request's own time has ended with its middleware.
		ctx, cancel := context.WithTimeout(context.Background(), 2*time.Second)
		defer cancel()
		c.SetUserContext(ctx)
		if s.identify(c) != nil {
			r.SignedIn = false
		}
	}
	if r.SignedIn && f.Code == "forbidden" {
		f.Why = whyRefused(c.Path(), f.Missing, r.Permission)
	}
	if r.SignedIn && f.Action != nil && s.quote(c, f.Action) != nil {
		f.Action.Quote = "" // the page needs no quotation
	}
	p := errorPage{Layout: s.layout(c, f.Title), Failure: f, RequestID: r.ID, Back: s.back(c), Unread: !parsed}
	p.Toast = nil
	view := "error"
	if isPartial(c) {
		view = "partials/refusal"
	}
	if renderErr := s.renderStatus(c, f.Status, view, p); renderErr != nil {
		s.Log.Error("the page of an error failed", "request", r.ID, "error", renderErr)
		c.Set(fiber.HeaderContentType, fiber.MIMETextPlainCharsetUTF8)
		return c.Status(f.Status).SendString(strings.Join([]string{f.Title + ".", f.Message, f.Advice}, " "))
	}
	return nil
}

// isUnderAPI reports whether an address is below /api.
func isUnderAPI(address string) bool {
	path, _, _ := strings.Cut(address, "?")
	return strings.HasPrefix(path+"/", "/api/")
}

// logFailure logs an error of the program. What comes in floods is counted.
func (s *Server) logFailure(c *fiber.Ctx, f failure, err error) {
	switch {
	case f.Status < 500 || f.Code == codeUnavailable: // the classifier's own state tells of it
	case f.Code == "unavailable":
		s.Outage.count(err)
	case f.Code == "busy" || f.Code == "too_slow":
		s.Outage.delayed(f.Code, err)
	case f.Code == "left":
		s.Log.Debug("the client left before the answer", "request", current(c).ID, "method", c.Method(), "path", c.Path())
	default:
		s.Log.Error("request failed", "request", current(c).ID, "method", c.Method(),
			"path", c.Path(), "status", f.Status, "error", err)
	}
}

// sendToSignIn reports whether a request without a session is redirected to the
// sign-in page: a browser asked for a page.
func (s *Server) sendToSignIn(c *fiber.Ctx, err error) bool {
	reading := c.Method() == fiber.MethodGet || c.Method() == fiber.MethodHead
	return errors.Is(err, errNotSignedIn) && reading && !isAPI(c) && !isPartial(c)
}

// back returns the page of this site that a person came from.
func (s *Server) back(c *fiber.Ctx) string {
	if path := localPath(c.FormValue("return"), ""); path != "" {
		return path
	}
	return ""
}
