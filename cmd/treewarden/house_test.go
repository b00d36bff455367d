package main

import (
	"encoding/json"
	"errors"
	"io"
	"os/exec"
	"slices"
	"strings"
	"testing"
)

// TestHouse holds who may import whom: fiber never leaves admin, pgx never
// leaves store (and the benchmark), casbin never leaves policy, and the
// packages at the bottom import nothing of ours.
func TestHouse(t *testing.T) {
	may := map[string][]string{
		"cmd": {"admin", "store", "policy", "scoring", "corpus", "views", "migrations", "markup"}, "admin": {"store", "policy", "scoring", "corpus", "views", "markup"},
		"store": {"scoring", "policy", "migrations", "corpus"}, "bench": {"store", "scoring", "policy", "corpus", "migrations", "admin", "views", "markup"},
	}
	only := map[string][]string{
		"github.com/gofiber": {"admin"}, "github.com/valyala/fasthttp": {"admin"}, "github.com/casbin": {"policy"},
		"github.com/jackc/pgx": {"store", "migrations", "bench"}, "github.com/chromedp": {"admin/e2e"},
	}
	out, err := exec.Command("go", "list", "-json=ImportPath,Imports", "../../...").Output()
	if err != nil {
		t.Fatal(err)
	}
	for packages := json.NewDecoder(strings.NewReader(string(out))); ; {
		var p struct {
			ImportPath string
			Imports    []string
		}
		if err := packages.Decode(&p); errors.Is(err, io.EOF) {
			return
		} else if err != nil {
			t.Fatal(err)
		}
		room := strings.TrimPrefix(p.ImportPath, "treewarden/")
		top, _, _ := strings.Cut(room, "/")
		for _, imported := range p.Imports {
			if ours, ok := strings.CutPrefix(imported, "treewarden/"); ok {
				if floor, _, _ := strings.Cut(ours, "/"); floor != top && !slices.Contains(may[top], floor) {
					t.Errorf("%s imports %s", room, ours)
				}
			}
			for library, rooms := range only {
				if strings.HasPrefix(imported, library) && !slices.ContainsFunc(rooms, func(r string) bool { return room == r || strings.HasPrefix(room, r+"/") }) {
					t.Errorf("%s imports %s, which belongs to %s", room, imported, strings.Join(rooms, ", "))
				}
			}
		}
	}
}
