package db_test

import (
	"errors"
	"net/url"
	"os"
	"strings"
	"testing"

	"treewarden/store/db"
	"treewarden/store/storetest"
)

func TestMain(m *testing.M) { os.Exit(storetest.Main(m)) }

// TestPools opens pools with a number of connections by the setting, by the URL and by
// default, and refuses what the server cannot give (fault 34).
func TestPools(t *testing.T) {
	t.Parallel()
	address, err := url.Parse(storetest.Database(t))
	if err != nil {
		t.Fatal(err)
	}
	of := func(most string) string {
		u := *address
		query := u.Query()
		query.Set("pool_max_conns", most)
		u.RawQuery = query.Encode()
		return u.String()
	}
	for _, x := range []struct {
		url                          string
		connections                  int
		reads, acts, lines, searches int32
	}{
		{address.String(), 5, 2, 1, 1, 1}, {address.String(), 6, 3, 1, 1, 1}, {address.String(), 20, 8, 5, 5, 2},
		{of("1"), 0, 2, 1, 1, 1}, {of("8"), 0, 3, 2, 2, 1}, {of("8"), 12, 5, 3, 3, 1},
	} {
		p, err := db.OpenPools(t.Context(), x.url, x.connections)
		if err != nil {
			t.Errorf("%d connections: %v", x.connections, err)
			continue
		}
		reads, acts, lines := p.Reads.Config().MaxConns, p.Acts.Config().MaxConns, p.Lines.Config().MaxConns
		searches := p.Searches.Config().MaxConns
		if reads != x.reads || acts != x.acts || lines != x.lines || searches != x.searches {
			t.Errorf("%d connections of %s are shared %d, %d, %d, %d", x.connections, x.url, reads, acts, lines, searches)
		}
		p.Close()
	}
	p, err := db.OpenPools(t.Context(), address.String(), 0)
	if err != nil {
		t.Fatal(err)
	}
	all := p.Reads.Config().MaxConns + p.Acts.Config().MaxConns + p.Lines.Config().MaxConns +
		p.Searches.Config().MaxConns
	if all <= 4 || all > int32(db.DefaultConnections()) {
		t.Errorf("the default is %d connections", all)
	}
	p.Close()
	for connections, words := range map[int]string{4: "at least 5", -1: "at least 5", 1_000_000: "max_connections"} {
		if _, err := db.OpenPools(t.Context(), address.String(), connections); err == nil ||
			!strings.Contains(err.Error(), words) {
			t.Errorf("%d connections: %v", connections, err)
		}
	}
}

// TestPreviewsLeaveConnections takes all connections that previews may have: one more
// preview is told to try again, an action goes on.
func TestPreviewsLeaveConnections(t *testing.T) {
	t.Parallel()
	p, err := db.OpenPools(t.Context(), storetest.Database(t), 12)
	if err != nil {
		t.Fatal(err)
	}
	defer p.Close()
	_, end, err := p.Act(t.Context(), true)
	if err != nil {
		t.Fatal(err)
	}
	if _, _, err := p.Act(t.Context(), true); !errors.Is(err, db.ErrBusy) {
		t.Errorf("one preview too many gets %v", err)
	}
	_, endAct, err := p.Act(t.Context(), false)
	if err != nil {
		t.Fatalf("an action gets %v", err)
	}
	endAct()
	end()
	_, end, err = p.Act(t.Context(), true)
	if err != nil {
		t.Fatalf("a preview after the others gets %v", err)
	}
	end()
}
