package remote

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"
	"unicode"

	"treewarden/scoring/classifier"
)

// The limits of what is read of an answer. A batch of 1,000 texts with 20 outputs is
// about one megabyte.
const (
	maxAnswer  = 8 << 20
	maxErrors  = 64 << 10
	maxMessage = 400
	maxSaid    = 200 // of what the server says in an error
)

// caller sends requests to one server.
type caller struct {
	kind      Kind
	to        *url.URL
	key       Secret
	names     names
	anyNumber bool
	client    *http.Client
}

// post sends a request and reads the answer into a value.
func (c *caller) post(ctx context.Context, request, answer any) error {
	body, err := json.Marshal(request)
	if err != nil {
		return fmt.Errorf("write the request: %w", err)
	}
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, c.target(), bytes.NewReader(body))
	if err != nil {
		return c.fail(classifier.Misconfigured, 0, "the address of the server is wrong")
	}
	r.Header.Set("Content-Type", "application/json")
	r.Header.Set("Accept", "application/json")
	r.Header.Set("User-Agent", "treewarden")
	if c.key != "" && c.kind != Perspective {
		r.Header.Set("Authorization", "Bearer "+string(c.key))
	}
	response, err := c.client.Do(r)
	if err != nil {
		return c.broke(ctx, "no answer", err)
	}
	defer response.Body.Close()
	if response.StatusCode != http.StatusOK {
		return c.refused(response)
	}
	text, err := io.ReadAll(io.LimitReader(response.Body, maxAnswer+1))
	if err != nil {
		return c.broke(ctx, "the answer broke off", err)
	}
	if len(text) > maxAnswer {
		return c.fail(classifier.Broken, 0, "the answer is longer than %d MB; lower batch or check the url", maxAnswer>>20)
	}
	return c.decode(response, text, answer)
}

// target is the address of a request. Perspective takes the key in it, so it must
// not get into an error.
func (c *caller) target() string {
	if c.kind != Perspective || c.key == "" {
		return c.to.String()
	}
	to := *c.to
	query := to.Query()
	query.Set("key", string(c.key))
	to.RawQuery = query.Encode()
	return to.String()
}

// decode reads the JSON of an answer.
func (c *caller) decode(response *http.Response, text []byte, answer any) error {
	err := json.Unmarshal(text, answer)
	if err == nil {
		return nil
	}
	var known *classifier.Error
	var number *json.UnmarshalTypeError
	switch start := bytes.TrimSpace(text); {
	case errors.As(err, &known):
		return err
	case len(start) == 0:
		return c.fail(classifier.Broken, 0, "the answer is empty; check the url")
	case start[0] == '<':
		return c.fail(classifier.Broken, 0, "the answer is an HTML page instead of JSON; check the url")
	case errors.As(err, &number) && strings.HasPrefix(number.Value, "number "):
		return c.fail(classifier.Refused, 0, "the answer has the number %.40s, which is too large",
			number.Value[len("number "):])
	case bytes.Contains(text, []byte("NaN")) || bytes.Contains(text, []byte("Infinity")):
		// JSON has no such numbers, but programs in Python write them.
		return c.fail(classifier.Refused, 0, "the answer has a score that is no finite number")
	case !strings.Contains(response.Header.Get("Content-Type"), "json"):
		return c.fail(classifier.Broken, 0, "the answer is %.60q instead of JSON; check the url",
			response.Header.Get("Content-Type"))
	}
	return c.fail(classifier.Broken, 0, "the answer is not the JSON of kind %s (%v); check kind and url", c.kind, err)
}

// broke returns the error of a request that had no whole answer.
func (c *caller) broke(ctx context.Context, what string, err error) error {
	if errors.Is(ctx.Err(), context.Canceled) {
		return ctx.Err()
	}
	if ctx.Err() != nil {
		return &classifier.Error{
			Fault: classifier.Unavailable, Cause: ctx.Err(),
			Message: what + " within the time limit; raise timeout or lower batch",
		}
	}
	// The text of a *url.Error has the address in it, with Perspective's key.
	var inAddress *url.Error
	if errors.As(err, &inAddress) {
		err = inAddress.Err
	}
	return c.fail(classifier.Unavailable, 0, "%s: %v", what, err)
}

// refused returns the error of an answer that is not 200.
func (c *caller) refused(response *http.Response) error {
	status := response.StatusCode
	text, _ := io.ReadAll(io.LimitReader(response.Body, maxErrors)) // part of a message is better than none
	said := readProblem(text)
	said.text = clean(said.text, c.key, maxSaid)
	e := c.fail(faultOf(status, said), status, "%s%s%s", statusText(status), said.suffix(text), advice(status, said))
	if status >= 300 && status < 400 {
		e = c.fail(classifier.Misconfigured, status, "%s; redirects are not followed, write the final address into url",
			statusText(status))
		if to, err := response.Location(); err == nil {
			e = c.fail(classifier.Misconfigured, status,
				"%s to %s; redirects are not followed, write the final address into url",
				statusText(status), to.Host)
		}
	}
	e.RetryAfter = retryAfter(response.Header, time.Now())
	if e.RetryAfter == 0 && said.wait > 0 {
		e.RetryAfter = seconds(said.wait)
	}
	return e
}

func statusText(status int) string {
	if name := http.StatusText(status); name != "" {
		return fmt.Sprintf("the server answered %d %s", status, name)
	}
	return fmt.Sprintf("the server answered %d", status)
}

// advice says what to do about an error that no further request can mend.
func advice(status int, said problem) string {
	switch {
	case said.unusable, status == http.StatusUnauthorized, status == http.StatusForbidden:
		return "; check the key and the account"
	case status == http.StatusNotFound, status == http.StatusMethodNotAllowed:
		return "; check url and model"
	}
	return ""
}

// faultOf says what a status means.
func faultOf(status int, said problem) classifier.Fault {
	switch {
	case said.unusable:
		return classifier.Misconfigured
	case status == http.StatusRequestTimeout, status == http.StatusTooManyRequests, status >= 500,
		status == http.StatusFailedDependency: // TEI's answer when the model itself fails, as for lack of memory
		return classifier.Unavailable
	case status == http.StatusBadRequest, status == http.StatusRequestEntityTooLarge,
		status == http.StatusUnprocessableEntity:
		return classifier.Refused
	case status < 300:
		return classifier.Broken
	}
	return classifier.Misconfigured
}

// problem is what a server says about an error.
type problem struct {
	text string
	// wait is how many seconds a model takes to load.
	wait float64
	// unusable means that the key or the account is at fault, although the status
	// says something else.
	unusable bool
}

// suffix returns the text after the status.
func (p problem) suffix(body []byte) string {
	switch start := bytes.TrimSpace(body); {
	case p.text != "":
		return ": " + p.text
	case len(start) > 0 && start[0] == '<':
		return " with an HTML page"
	}
	return ""
}

// readProblem reads the body of an error. {"error": "…"} is what TEI, Hugging Face
// and plain servers write, {"error": {"message": "…"}} what OpenAI and Google write,
// {"detail": …} what FastAPI writes.
func readProblem(body []byte) problem {
	var outer struct {
		Error   json.RawMessage `json:"error"`
		Message string          `json:"message"`
		Detail  json.RawMessage `json:"detail"`
		Wait    float64         `json:"estimated_time"`
	}
	// Fields of another type are left empty.
	_ = json.Unmarshal(body, &outer)
	var inner struct {
		Message string `json:"message"`
		Code    any    `json:"code"`
		Details []struct {
			Reason string `json:"reason"`
		} `json:"details"`
	}
	_ = json.Unmarshal(outer.Error, &inner)
	var said, detail string
	_ = json.Unmarshal(outer.Error, &said)
	_ = json.Unmarshal(outer.Detail, &detail)
	p := problem{wait: outer.Wait}
	for _, text := range []string{inner.Message, said, outer.Message, detail} {
		if text != "" {
			p.text = text
			break
		}
	}
	// Google answers 400 to a wrong key, OpenAI 429 to an account without credit.
	p.unusable = inner.Code == "insufficient_quota" || strings.HasPrefix(inner.Message, "API key not valid")
	for _, d := range inner.Details {
		p.unusable = p.unusable || d.Reason == "API_KEY_INVALID"
	}
	return p
}

// fail makes an error. Its text has no key in it, even if the server repeats it.
func (c *caller) fail(fault classifier.Fault, status int, format string, args ...any) *classifier.Error {
	return &classifier.Error{Fault: fault, Status: status, Message: clean(fmt.Sprintf(format, args...), c.key, maxMessage)}
}

// clean hides a key, and makes a short line of a text of a server. It hides the key
// first, since a part of it could be left otherwise.
func clean(text string, key Secret, limit int) string {
	if key != "" {
		text = strings.ReplaceAll(text, string(key), hidden)
		text = strings.ReplaceAll(text, url.QueryEscape(string(key)), hidden)
	}
	text = strings.Join(strings.Fields(strings.Map(func(r rune) rune {
		if unicode.IsPrint(r) {
			return r
		}
		return ' '
	}, text)), " ")
	if runes := []rune(text); len(runes) > limit {
		text = string(runes[:limit]) + "…"
	}
	return text
}

// retryAfter reads how long to wait: Retry-After in seconds or as a date, or
// retry-after-ms, which OpenAI sends beside it.
func retryAfter(header http.Header, now time.Time) time.Duration {
	if ms, err := strconv.ParseFloat(header.Get("Retry-After-Ms"), 64); err == nil && ms > 0 {
		return seconds(ms / 1000)
	}
	text := header.Get("Retry-After")
	if n, err := strconv.ParseFloat(text, 64); err == nil && n > 0 {
		return seconds(n)
	}
	if at, err := http.ParseTime(text); err == nil {
		return seconds(max(at.Sub(now).Seconds(), 0))
	}
	return 0
}

// seconds makes a duration of at most a day, since larger numbers would overflow.
func seconds(n float64) time.Duration {
	return time.Duration(min(n, 24*60*60) * float64(time.Second))
}
