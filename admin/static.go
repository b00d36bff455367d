package admin

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"mime"
	"path"
	"strings"

	"github.com/gofiber/fiber/v2"

	"treewarden/store"
	"treewarden/views"
)

// iconFile begins the name of a static file that is an icon.
const iconFile = "icon-"

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
	for name := range icons {
		// A stylesheet draws these in tables with many rows.
		drawing, err := icon(name)
		if err != nil {
			panic(fmt.Sprintf("admin: %v", err))
		}
		alone := strings.Replace(string(drawing), "<svg ", `<svg xmlns="http://www.w3.org/2000/svg" `, 1)
		s.assets[iconFile+name+".svg"] = asset{[]byte(alone), "image/svg+xml", "icon"}
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
	switch {
	case strings.HasPrefix(c.Params("name"), iconFile):
		// A stylesheet names it without a version.
		c.Set(fiber.HeaderCacheControl, "public, max-age=86400")
	case c.Query("v") == a.version:
		c.Set(fiber.HeaderCacheControl, "public, max-age=31536000, immutable")
	default:
		c.Set(fiber.HeaderCacheControl, "no-cache")
	}
	return c.Send(a.content)
}
