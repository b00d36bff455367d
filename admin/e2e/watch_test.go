package e2e

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/chromedp/cdproto/log"
	"github.com/chromedp/cdproto/network"
	"github.com/chromedp/cdproto/page"
	"github.com/chromedp/cdproto/runtime"
	"github.com/chromedp/chromedp"
)

// watch records the events that must not happen in a tab: an error or a warning
// in the console (violations of the content security policy among them), an
// uncaught exception, a dialog of JavaScript, a request to another host.
type watch struct {
	base    string
	dismiss func() // closes a dialog, which would block the page

	mu       sync.Mutex
	faults   []string
	statuses map[string]bool // the expected ones, such as "status of 404"
	answers  int             // since weigh was last called
	bytes    int             // their size over the wire
}

// expect allows answers with a status that a browser reports as an error.
func (w *watch) expect(statuses ...int) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.statuses == nil {
		w.statuses = map[string]bool{}
	}
	for _, s := range statuses {
		w.statuses[fmt.Sprintf("status of %d", s)] = true
	}
}

// see is called for each event of the tab and must not block.
func (w *watch) see(event any) {
	switch e := event.(type) {
	case *page.EventJavascriptDialogOpening:
		w.fault("a dialog opened: %s %q", e.Type, e.Message)
		go w.dismiss()
	case *runtime.EventExceptionThrown:
		d := e.ExceptionDetails
		what := d.Text
		if d.Exception != nil {
			what += " " + d.Exception.Description
		}
		w.fault("an exception was thrown: %s (%s:%d)", what, d.URL, d.LineNumber+1)
	case *runtime.EventConsoleAPICalled:
		if e.Type == "error" || e.Type == "warning" || e.Type == "assert" {
			var said []string
			for _, a := range e.Args {
				said = append(said, string(a.Value)+a.Description)
			}
			w.fault("console.%s: %s", e.Type, strings.Join(said, " "))
		}
	case *log.EventEntryAdded:
		if e.Entry.Level == log.EntryLevelError || e.Entry.Level == log.EntryLevelWarning {
			w.entry(e.Entry)
		}
	case *network.EventLoadingFinished:
		w.mu.Lock()
		w.answers, w.bytes = w.answers+1, w.bytes+int(e.EncodedDataLength)
		w.mu.Unlock()
	case *network.EventRequestWillBeSent:
		if !strings.HasPrefix(e.Request.URL, w.base+"/") && !isLocal(e.Request.URL) {
			w.fault("a request went elsewhere: %s", e.Request.URL)
		}
	}
}

func (w *watch) entry(e *log.Entry) {
	w.mu.Lock()
	expected := false
	for status := range w.statuses {
		expected = expected || strings.Contains(e.Text, status)
	}
	w.mu.Unlock()
	if !expected {
		w.fault("the browser says (%s, %s): %s %s", e.Source, e.Level, e.Text, e.URL)
	}
}

func (w *watch) fault(format string, args ...any) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if len(w.faults) < 50 {
		w.faults = append(w.faults, fmt.Sprintf(format, args...))
	}
}

// weigh returns the number of answers since its last call, and their size over
// the wire, compressed and with headers.
func (w *watch) weigh() (answers, bytes int) {
	w.mu.Lock()
	defer w.mu.Unlock()
	answers, bytes = w.answers, w.bytes
	w.answers, w.bytes = 0, 0
	return answers, bytes
}

// take returns the faults since the last time.
func (w *watch) take() []string {
	w.mu.Lock()
	defer w.mu.Unlock()
	faults := w.faults
	w.faults = nil
	return faults
}

func (w *watch) report(t *testing.T) {
	t.Helper()
	for _, fault := range w.take() {
		t.Error(fault)
	}
}

// dismissDialog closes a dialog of JavaScript, which our pages never open.
func dismissDialog(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	// The dialog itself fails the test, so an error here does not matter.
	_, _ = chromedp.Call(ctx, page.HandleJavaScriptDialog, page.HandleJavaScriptDialogParams{})
}

// quote writes a text as a literal of JavaScript.
func quote(text string) string {
	literal, err := json.Marshal(text)
	if err != nil {
		panic(err) // every string can be encoded
	}
	return string(literal)
}

// isLocal reports whether an address needs no network: the browser's own fields
// use such addresses for pictures.
func isLocal(address string) bool {
	return strings.HasPrefix(address, "about:") || strings.HasPrefix(address, "data:")
}
