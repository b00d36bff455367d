package e2e

import (
	"os"
	"path/filepath"
	"testing"

	"treewarden/policy"
)

// mostOfAPicture is how large a picture of the README may be, in bytes.
const mostOfAPicture = 300_000

// TestScreenshots takes the pictures of the README, and writes them to the
// folder that TREEWARDEN_SCREENSHOTS names ("make screenshots"). With
// TREEWARDEN_GALLERY it also writes one of every page and state, in both sizes
// and themes, for those who design them.
func TestScreenshots(t *testing.T) {
	w := demonstration(t)
	b := signedIn(t, w, policy.Moderator)
	// A thread of plain names in which something was reported and nothing is
	// hidden, so that the picture shows the most.
	message := w.one(t, `SELECT m.message_id::text FROM messages m JOIN trees USING (tree_id)
		JOIN reports r USING (tree_id, message_id)
		JOIN messages reply ON reply.tree_id = m.tree_id AND reply.parent_id = m.message_id
		WHERE m.lang = 'en' AND m.depth = 2 AND NOT m.deleted AND length(m.text) BETWEEN 40 AND 300 AND r.status = 'open'
		AND NOT EXISTS (SELECT FROM messages other JOIN users u USING (user_id) LEFT
			JOIN classifier_outputs c USING (tree_id, message_id)
			WHERE other.tree_id = m.tree_id AND (u.display_name !~ '^[A-Za-z_0-9 ]+$' OR c.toxicity > 0.4))
		ORDER BY m.created_date DESC, 1 LIMIT 1`)
	for _, shot := range []struct {
		name, path, role, theme string
		open                    func(*tab)
	}{
		{"trollboard", "/trollboard?frame=week", policy.Moderator, "light", openFirstRow},
		{"trollboard-dark", "/trollboard?frame=week", policy.Moderator, "dark", openFirstRow},
		{"user", "", policy.Moderator, "light", nil},
		{"thread", "/messages/" + message, policy.Moderator, "light", openMenu},
		{"audit", "/audit", policy.Admin, "light", nil},
	} {
		if shot.role == policy.Admin {
			b = signedIn(t, w, policy.Admin)
		}
		b.theme(shot.theme)
		if shot.path == "" {
			b.visit("/trollboard?frame=total")
			shot.path = b.attribute(firstRow+" .named a", "href")
		}
		b.wantStatus(b.visit(shot.path), 200)
		if shot.open != nil {
			shot.open(b)
		}
		png := b.picture(false)
		if len(png) > mostOfAPicture {
			t.Errorf("the picture %s has %d bytes, more than %d", shot.name, len(png), mostOfAPicture)
		}
		keep(t, os.Getenv("TREEWARDEN_SCREENSHOTS"), shot.name, png)
	}
	if dir := os.Getenv("TREEWARDEN_GALLERY"); dir != "" {
		w.gallery(t, dir)
	}
}

func openFirstRow(b *tab) {
	b.click(firstRow + " .opener")
	b.see("tr.detail")
}

// keep writes a picture where pictures are wanted.
func keep(t *testing.T, dir, name string, png []byte) {
	t.Helper()
	if dir == "" {
		return
	}
	if err := os.WriteFile(filepath.Join(dir, name+".png"), png, 0o600); err != nil {
		t.Fatal(err)
	}
}

// gallery takes pictures of all views.
func (w *world) gallery(t *testing.T, dir string) {
	t.Helper()
	w.eachView(t, func(b *tab, v view) {
		for _, width := range []int64{wide, narrow} {
			b.size(width)
			b.theme("light")
			b.show(v)
			name := v.name
			if width == narrow {
				name += "-narrow"
			}
			keep(b.t, dir, name, b.picture(true))
			b.theme("dark")
			keep(b.t, dir, name+"-dark", b.picture(true))
		}
	})
}
