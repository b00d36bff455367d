package admin

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"mime"
	"path"

	"github.com/gofiber/fiber/v2"

	"treewarden/store"
	"treewarden/views"
)

// asset is one static file.
type asset struct {
	content []byte
	mime    string
	version string // a hash of the content, a part of the address
}

// loadAssets reads the embedded files. See New for why it panics.
func (s *Server) loadAssets() {
	files, err := views.Static()
	if err != nil {
		panic(fmt.Sprintf("admin: %v", err))
	}
	s.assets = map[string]asset{}
	for name, content := range files {
		sum := sha256.Sum256(content)
		kind := mime.TypeByExtension(path.Ext(name))
		if path.Ext(name) == ".js" {
			kind = "text/javascript; charset=utf-8"
		}
		s.assets[name] = asset{content, kind, hex.EncodeToString(sum[:6])}
	}
}

// assetPath returns the address of a static file. A browser may cache the
// address forever.
func (s *Server) assetPath(name string) (string, error) {
	a, ok := s.assets[name]
	if !ok {
		return "", fmt.Errorf("there is no static file %q", name)
	}
	return "/static/" + name + "?v=" + a.version, nil
}

func (s *Server) static(c *fiber.Ctx) error {
	a, ok := s.assets[c.Params("name")]
	if !ok {
		return store.ErrNotFound
	}
	c.Set(fiber.HeaderContentType, a.mime)
	if c.Query("v") == a.version {
		c.Set(fiber.HeaderCacheControl, "public, max-age=31536000, immutable")
	} else {
		c.Set(fiber.HeaderCacheControl, "no-cache")
	}
	return c.Send(a.content)
}
