package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// ourImports lists the packages of ours that a package may import. A package
// that is not in the list follows the rule of the folder above it.
var ourImports = map[string][]string{
	"cmd":   {"demo", "admin", "store", "policy", "scoring", "corpus", "views", "migrations", "markup"},
	"admin": {"store", "policy", "scoring", "corpus", "views", "markup"},
	"bench": {"demo", "store", "scoring", "policy", "corpus", "migrations", "admin", "views", "markup"},

	// The packages of store, lowest first. Each may import only packages above
	// it in this list.
	"store/postgres": {},
	"store/db":       {},
	"store/tables":   {"store/db", "corpus", "scoring"},
	"store/counters": {"store/db", "store/tables", "scoring", "corpus"},
	"store/boards":   {"store/db", "store/tables", "store/counters", "scoring", "corpus"},
	"store/similar":  {"store/db", "scoring"},
	"store/derived":  {"store/db", "scoring", "corpus"},
	"store/queue":    {"store/db", "scoring", "policy"},
	"store/figures":  {"store/db", "store/queue", "policy"},
	"store/rings":    {"store/db", "scoring"},
	"store/classify": {
		"store/db", "store/tables", "store/counters", "store/derived", "store/cases", "store/messages", "store/jobs",
		"scoring", "corpus",
	},
	"store/insights": {"store/db", "store/tables", "store/figures", "store/cases", "store/derived", "store/versions",
		"scoring", "policy"},
	"store/cases": {
		"store/db", "store/counters", "store/tables", "store/queue", "store/figures", "store/rings", "scoring", "policy",
	},
	"store/params": {"store/db", "store/cases", "scoring", "policy", "corpus"},
	"store/events": {"store/db", "store/tables"},
	"store/ingest": {
		"store/db", "store/tables", "store/counters", "store/derived", "store/cases", "store/events", "scoring", "corpus",
	},
	"store/importer": {
		"store/db", "store/tables", "store/counters", "store/derived", "store/cases", "store/events", "scoring", "corpus",
	},
	"store/raters":     {"store/db", "store/rings", "scoring"},
	"store/messages":   {"store/db", "store/tables", "store/counters", "store/derived", "scoring", "corpus"},
	"store/names":      {"store/db", "store/messages", "corpus"},
	"store/candidates": {"store/db", "store/messages", "store/similar", "scoring"},
	"store/waves":      {"store/db", "store/tables", "store/messages", "store/derived", "store/similar", "scoring"},
	"store/samples":    {"store/db", "scoring"},
	"store/chain":      {"store/db"},
	"store/jobs":       {"store/db", "store/tables"},
	"store/policies":   {"store/db", "store/tables", "policy"},
	"store/sessions":   {"store/db", "store/tables", "store/policies", "policy"},
	"store/accounts": {
		"store/db", "store/tables", "store/sessions", "store/messages", "store/names", "policy", "corpus",
	},
	"store/lists": {
		"store/db", "store/tables", "store/messages", "store/names", "store/accounts", "scoring", "corpus",
	},
	"store/searches": {"store/db", "store/messages", "store/accounts"},
	"store/users":    {"store/db", "store/tables", "store/messages", "store/names", "corpus"},
	"store/aspects":  {"store/db", "store/accounts", "store/tables"},
	"store/versions": {"store/db", "store/tables", "scoring"},
	"store/exports": {
		"store/db", "store/tables", "store/messages", "store/chain", "store/versions", "scoring", "corpus",
	},
	"store/exportjobs": {"store/db", "store/tables", "store/jobs", "store/exports"},
	"store/proof": {
		"store/db", "store/aspects", "store/tables", "store/lists", "store/candidates", "store/versions", "store/cases",
		"store/figures",
	},
	"store/scores": {"store/db", "store/counters", "store/users", "scoring"},
	"store/audit":  {"store/db", "store/chain"},
	"store/selection": {
		"store/db", "store/tables", "store/cases", "store/params", "store/messages", "store/waves", "store/audit",
		"store/lists",
		"policy",
	},
	"store/briefs": {"store/db", "store/users", "store/messages", "store/scores", "store/audit", "scoring"},
	"store/bulk":   {"store/db", "store/tables", "store/counters", "store/boards", "store/derived", "store/cases"},
	"store": {
		"store/db", "store/tables", "store/counters", "store/boards", "store/ingest", "store/importer", "store/raters",
		"store/users", "store/messages", "store/lists", "store/candidates", "store/chain", "store/sessions", "store/jobs",
		"store/derived", "store/samples", "store/policies", "store/audit", "store/bulk", "store/accounts",
		"store/events", "store/aspects", "store/scores", "store/briefs",
		"store/proof", "store/cases", "store/queue", "store/versions", "store/params", "store/figures", "store/waves",
		"store/selection", "store/searches", "store/exports", "store/exportjobs", "store/insights",
		"store/classify",
		"scoring", "policy", "migrations", "corpus",
	},
	"store/storetest": {"store", "store/postgres", "store/derived", "migrations", "policy"},

	"demo":   {"store", "policy", "scoring", "corpus"},
	"corpus": {"scoring"}, "scoring": {}, "policy": {}, "views": {}, "migrations": {}, "markup": {},
}

// libraries lists the packages of ours that may import a library.
var libraries = map[string][]string{
	"github.com/gofiber": {"admin"}, "github.com/valyala/fasthttp": {"admin"}, "github.com/casbin": {"policy"},
	"github.com/jackc/pgx": {"store", "migrations", "bench"}, "github.com/chromedp": {"admin/e2e"},
	"github.com/parquet-go": {"corpus"},
}

// within reports whether a package is one of some folders, or is below one.
func within(name string, folders []string) bool {
	return slices.ContainsFunc(folders, func(f string) bool { return name == f || strings.HasPrefix(name, f+"/") })
}

// ruleOf returns the rule of a package, or of the nearest folder above it.
func ruleOf(name string) (folder string, may []string) {
	for folder = name; folder != "."; folder = filepath.Dir(folder) {
		if may, ok := ourImports[folder]; ok {
			return folder, may
		}
	}
	return "", nil
}

// TestHouse checks the imports: only admin uses fiber, only store (and the
// benchmark) uses pgx, only policy uses casbin, and no package imports a higher
// one. It also checks the size of packages.
func TestHouse(t *testing.T) {
	out, err := exec.Command("go", "list", "-json=ImportPath,Imports,GoFiles,Dir", "../../...").Output()
	if err != nil {
		t.Fatal(err)
	}
	for packages := json.NewDecoder(bytes.NewReader(out)); ; {
		var p struct {
			ImportPath, Dir  string
			Imports, GoFiles []string
		}
		if err := packages.Decode(&p); errors.Is(err, io.EOF) {
			return
		} else if err != nil {
			t.Fatal(err)
		}
		name := strings.TrimPrefix(p.ImportPath, "treewarden/")
		folder, may := ruleOf(name)
		if folder == "" {
			t.Errorf("%s has no rule of what it may import", name)
		}
		for _, imported := range p.Imports {
			if ours, ok := strings.CutPrefix(imported, "treewarden/"); ok && !slices.Contains(may, ours) {
				// A folder's own packages and those below the ones it may import are free
				// to it, save within store, where the order of the packages is the rule.
				inStore := strings.HasPrefix(ours, "store/") && ours != "store/storetest"
				if inStore && within(name, []string{"store"}) || !within(ours, append(slices.Clone(may), folder)) {
					t.Errorf("%s imports %s", name, ours)
				}
			}
			for library, folders := range libraries {
				if strings.HasPrefix(imported, library) && !within(name, folders) {
					t.Errorf("%s imports %s, which belongs to %s", name, imported, strings.Join(folders, ", "))
				}
			}
		}
		checkSize(t, name, p.Dir, p.GoFiles)
	}
}

// The limits of files and lines of a package, without tests. admin may have
// more files, because it has a file for each page.
const (
	maxFiles = 40
	maxLines = 6000
)

func checkSize(t *testing.T, name, dir string, files []string) {
	if name == "admin" {
		return
	}
	lines := 0
	for _, file := range files {
		text, err := os.ReadFile(filepath.Join(dir, file))
		if err != nil {
			t.Fatal(err)
		}
		lines += bytes.Count(text, []byte("\n"))
	}
	if len(files) > maxFiles || lines > maxLines {
		t.Errorf("%s has %d files and %d lines; %d and %d are the most", name, len(files), lines, maxFiles, maxLines)
	}
}
