package e2e

import (
	"bytes"
	"io"
	"net/http"
	"net/http/cookiejar"
	"os"
	"path/filepath"
	"testing"

	"github.com/PuerkitoBio/goquery"

	"treewarden/policy"
)

// TestMarkup requests every page as a browser without JavaScript does, and looks
// for ids that occur twice. With TREEWARDEN_PAGES it also writes the pages into
// that folder, where the Nu HTML checker reads them (make html).
func TestMarkup(t *testing.T) {
	w := demonstration(t)
	people := map[string]*http.Client{"nobody": {}}
	for _, role := range []string{policy.Moderator, policy.Admin, policy.DataLead} {
		jar, err := cookiejar.New(nil)
		if err != nil {
			t.Fatal(err)
		}
		people[role] = &http.Client{Jar: jar}
		w.page(t, people[role], w.signInPath(t, role), http.StatusOK)
	}
	for _, v := range w.views(t) {
		status := v.status
		if status == 0 {
			status = http.StatusOK
		}
		page := w.page(t, people[or(v.role, policy.Moderator)], v.path, status)
		wantUniqueIDs(t, v.name, page)
		if dir := os.Getenv("TREEWARDEN_PAGES"); dir != "" {
			if err := os.WriteFile(filepath.Join(dir, v.name+".html"), page, 0o600); err != nil {
				t.Fatal(err)
			}
		}
	}
}

// page requests a page.
func (w *world) page(t *testing.T, client *http.Client, path string, want int) []byte {
	t.Helper()
	request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, w.base+path, nil)
	if err != nil {
		t.Fatal(err)
	}
	request.Header.Set("Accept", "text/html")
	response, err := client.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	page, err := io.ReadAll(response.Body)
	if err != nil || response.StatusCode != want {
		t.Errorf("%s: status %d, want %d, error %v", path, response.StatusCode, want, err)
	}
	return page
}

func wantUniqueIDs(t *testing.T, name string, page []byte) {
	t.Helper()
	document, err := goquery.NewDocumentFromReader(bytes.NewReader(page))
	if err != nil {
		t.Fatal(err)
	}
	seen := map[string]bool{}
	document.Find("[id]").Each(func(_ int, s *goquery.Selection) {
		if id := s.AttrOr("id", ""); seen[id] {
			t.Errorf("%s: the id %q occurs twice", name, id)
		} else {
			seen[id] = true
		}
	})
}
