package admin

import (
	"errors"
	"io"
	"net"
	"net/http"
	"testing"
	"time"

	"treewarden/policy"
	"treewarden/store/storetest"
)

// TestTheEndOfTheServerEndsTheWait checks that a client that waits for events
// gets a whole answer when the server shuts down.
func TestTheEndOfTheServerEndsTheWait(t *testing.T) {
	t.Parallel()
	s := storetest.New(t)
	server := newServer(t, s)
	key := program(t, server, policy.Collector).key
	listener, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	served := make(chan error, 1)
	go func() { served <- server.App().Listener(listener) }()
	type result struct {
		status int
		body   string
		err    error
	}
	answered := make(chan result, 1)
	ask := func() (r result) {
		request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "http://"+listener.Addr().String()+
			"/api/v1/events?wait=30", nil)
		if err != nil {
			return result{err: err}
		}
		request.Header.Set("Authorization", "Bearer "+key)
		response, err := http.DefaultClient.Do(request)
		if err != nil {
			return result{err: err}
		}
		defer response.Body.Close()
		body, err := io.ReadAll(response.Body)
		return result{response.StatusCode, string(body), err}
	}
	go func() { answered <- ask() }()
	for server.App().Server().GetOpenConnectionsCount() == 0 {
		time.Sleep(10 * time.Millisecond)
	}
	time.Sleep(300 * time.Millisecond) // until it waits
	if err := server.Shutdown(20 * time.Second); err != nil {
		t.Errorf("shut down: %v", err)
	}
	if r := <-answered; r.err != nil || r.status != 200 || r.body != `{"items":[],"next":0}` {
		t.Errorf("the one who waited: %+v", r)
	}
	if err := <-served; err != nil && !errors.Is(err, net.ErrClosed) {
		t.Errorf("the server: %v", err)
	}
}
