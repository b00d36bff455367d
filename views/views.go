// Package views holds the console's templates and static files, embedded.
//
// A page is views/NAME.html and begins with the partial "partials/top", ends
// with "partials/bottom". All templates share one namespace, so no page
// defines a block: the last definition would win everywhere.
package views

import (
	"bytes"
	"embed"
	"fmt"
	"io/fs"
	"path"
	"slices"
)

//go:embed *.html partials static
var files embed.FS

// Templates is the file system of all templates, named by their path.
func Templates() fs.FS { return files }

// bundleFirst lists the files of a bundle whose place matters; all others
// follow by name.
var bundleFirst = map[string][]string{
	".css": {"tokens.css", "base.css", "components.css"},
	".js":  {"start.js"},
}

// Static returns the files that a browser loads, by name. All stylesheets are
// one file, app.css, and all scripts another, app.js: two requests make a page
// whole, however many files the source has.
func Static() (map[string][]byte, error) {
	entries, err := fs.ReadDir(files, "static")
	if err != nil {
		return nil, fmt.Errorf("read the static files: %w", err)
	}
	assets := map[string][]byte{}
	bundles := map[string][]string{".css": slices.Clone(bundleFirst[".css"]), ".js": slices.Clone(bundleFirst[".js"])}
	for _, entry := range entries {
		name, ext := entry.Name(), path.Ext(entry.Name())
		if _, bundled := bundles[ext]; bundled {
			if !slices.Contains(bundles[ext], name) {
				bundles[ext] = append(bundles[ext], name)
			}
			continue
		}
		content, err := files.ReadFile(path.Join("static", name))
		if err != nil {
			return nil, fmt.Errorf("read static/%s: %w", name, err)
		}
		assets[name] = content
	}
	for ext, names := range bundles {
		var bundle bytes.Buffer
		for _, name := range names {
			content, err := files.ReadFile(path.Join("static", name))
			if err != nil {
				return nil, fmt.Errorf("read static/%s: %w", name, err)
			}
			bundle.Write(content)
			bundle.WriteByte('\n')
		}
		assets["app"+ext] = bundle.Bytes()
	}
	return assets, nil
}
