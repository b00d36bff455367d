package admin

import (
	"fmt"
	"html/template"
)

// icons holds the drawings, on a grid of 16 with strokes of 1.5.
var icons = map[string]string{
	"audit": `<path d="M4 2.25h8a.75.75 0 0 1 .75.75v10a.75.75 0 0 1-.75.75H4a.75.75 0 0 1-.75-.75V3` +
		`A.75.75 0 0 1 4 2.25Z"/><path d="M5.75 5.5h4.5M5.75 8h4.5M5.75 10.5h2.5"/>`,
	"ban":     `<circle cx="8" cy="8" r="5.75"/><path d="m4 4 8 8"/>`,
	"board":   `<path d="M2.75 13.25V9.5M8 13.25v-10M13.25 13.25V6.75"/>`,
	"chart":   `<path d="M2.75 2.75v10.5h10.5"/><path d="m5.25 10.25 2.5-3.5 2.25 2 3-4.5"/>`,
	"check":   `<path d="m3 8.5 3.25 3.25L13 4.75"/>`,
	"chevron": `<path d="m4.5 6.25 3.5 3.5 3.5-3.5"/>`,
	"clock":   `<circle cx="8" cy="8" r="5.75"/><path d="M8 4.75V8l2.25 1.5"/>`,
	"close":   `<path d="m4 4 8 8M12 4l-8 8"/>`,
	"copy": `<rect x="5.5" y="5.5" width="7.75" height="7.75" rx="1.5"/>` +
		`<path d="M10.5 5.5V4.25a1.5 1.5 0 0 0-1.5-1.5H4.25a1.5 1.5 0 0 0-1.5 1.5V9a1.5 1.5 0 0 0 1.5 1.5` +
		`H5.5"/>`,
	"dots":     `<path d="M3.25 8h.01M8 8h.01M12.75 8h.01" stroke-width="2.25"/>`,
	"download": `<path d="M8 2.5v7.25M4.75 6.75 8 10l3.25-3.25M2.75 13.25h10.5"/>`,
	"edit": `<path d="M9.75 4.25 11.75 6.25` +
		`M3 13l.6-2.9L10.9 2.8a1.3 1.3 0 0 1 1.85 0l.45.45a1.3 1.3 0 0 1 0 1.85L5.9 12.4 3 13Z"/>`,
	"flag": `<path d="M3.75 14V2.75h8.5l-2 3.25 2 3.25h-8.5"/>`,
	"halt": `<path d="M5.4 2.25h5.2l3.15 3.15v5.2l-3.15 3.15H5.4L2.25 10.6V5.4L5.4 2.25Z"/>` +
		`<path d="M6.25 6.25h3.5v3.5h-3.5z"/>`,
	"home": `<path d="m2.5 7.25 5.5-4.5 5.5 4.5v5.25a1 1 0 0 1-1 1H9.75v-3.75h-3.5v3.75H3.5a1 1 0 0 1-1-1V7.25Z"/>`,
	"info": `<circle cx="8" cy="8" r="5.75"/><path d="M8 7.5v3.25M8 5.25h.01"/>`,
	"key":  `<circle cx="5.25" cy="10.75" r="2.5"/><path d="m7.1 8.9 6.15-6.15M10.25 5.75l2 2M12.25 3.75l1 1"/>`,
	"label": `<path d="M2.5 3.5v4.1l5.9 5.9a1 1 0 0 0 1.4 0l3.7-3.7a1 1 0 0 0 0-1.4L7.6 2.5h-4.1` +
		`a1 1 0 0 0-1 1Z"/><path d="M5.25 5.25h.01" stroke-width="2"/>`,
	"link": `<path d="M6.75 9.25a2.6 2.6 0 0 0 3.7 0l2-2a2.6 2.6 0 0 0-3.7-3.7l-.9.9` +
		`M9.25 6.75a2.6 2.6 0 0 0-3.7 0l-2 2a2.6 2.6 0 0 0 3.7 3.7l.9-.9"/>`,
	"list": `<path d="M6 4.25h7.25M6 8h7.25M6 11.75h7.25M2.75 4.25h.01M2.75 8h.01` +
		`M2.75 11.75h.01" stroke-width="1.75"/>`,
	"message": `<path d="M2.5 4A1.25 1.25 0 0 1 3.75 2.75h8.5A1.25 1.25 0 0 1 13.5 4v6a1.25 1.25 0 0 1-1.25 1.25` +
		`H7l-3 2.5v-2.5h-.25A1.25 1.25 0 0 1 2.5 10V4Z"/>`,
	"moon": `<path d="M13.25 9.5A5.75 5.75 0 0 1 6.5 2.75a5.5 5.5 0 1 0 6.75 6.75Z"/>`,
	"next": `<path d="m6.25 4.5 3.5 3.5-3.5 3.5"/>`,
	"open": `<path d="M6.5 3.25H4.25a1.5 1.5 0 0 0-1.5 1.5v7a1.5 1.5 0 0 0 1.5 1.5h7a1.5 1.5 0 0 0 1.5-1.5V9.5` +
		`M9.25 2.75h4v4M13 3 7.5 8.5"/>`,
	"plus": `<path d="M8 3.25v9.5M3.25 8h9.5"/>`,
	"prev": `<path d="m9.75 4.5-3.5 3.5 3.5 3.5"/>`,
	"react": `<circle cx="8" cy="8" r="5.75"/>` +
		`<path d="M5.6 9.5a2.8 2.8 0 0 0 4.8 0M6.1 6.25h.01M9.9 6.25h.01" stroke-width="1.75"/>`,
	"resume": `<path d="M4.75 3.25v9.5l8-4.75-8-4.75Z"/>`,
	"search": `<circle cx="7" cy="7" r="4.25"/><path d="m10.25 10.25 3.25 3.25"/>`,
	"shield": `<path d="M8 1.75 13 3.5v4c0 3.25-2 5.5-5 6.75-3-1.25-5-3.5-5-6.75v-4L8 1.75Z"/>` +
		`<path d="m5.75 7.75 1.75 1.75 3-3.25"/>`,
	"sign-out": `<path d="M6 13.25H4.25a1.5 1.5 0 0 1-1.5-1.5v-7.5a1.5 1.5 0 0 1 1.5-1.5H6M10.25 11 13.25 8l-3-3` +
		`M13 8H6.25"/>`,
	"spam": `<path d="M8 2.5 14 13H2L8 2.5Z"/><path d="M8 6.75v2.75M8 11.25h.01"/>`,
	"staff": `<rect x="2.25" y="3.25" width="11.5" height="9.5" rx="1.25"/><circle cx="5.9" cy="6.9" r="1.4"/>` +
		`<path d="M3.9 10.6c.3-1.1.9-1.6 2-1.6s1.7.5 2 1.6M10 6.5h1.75M10 9.25h1.75"/>`,
	"sun": `<circle cx="8" cy="8" r="2.75"/>` +
		`<path d="M8 1.75v1M8 13.25v1M1.75 8h1M13.25 8h1M3.6 3.6l.7.7M11.7 11.7l.7.7M12.4 3.6l-.7.7` +
		`M4.3 11.7l-.7.7"/>`,
	"system": `<rect x="2.25" y="3" width="11.5" height="8" rx="1.25"/><path d="M5.75 13.5h4.5M8 11v2.5"/>`,
	"trash": `<path d="M2.75 4.25h10.5M6.25 4.25v-1.5h3.5v1.5` +
		`M4 4.25l.6 8.1a1 1 0 0 0 1 .9h4.8a1 1 0 0 0 1-.9l.6-8.1M6.75 7v3.75M9.25 7v3.75"/>`,
	"tree": `<circle cx="8" cy="3.5" r="1.5"/><circle cx="3.75" cy="12.5" r="1.5"/>` +
		`<circle cx="12.25" cy="12.5" r="1.5"/>` +
		`<path d="M8 5v3M3.75 11V9.5a1.5 1.5 0 0 1 1.5-1.5h5.5a1.5 1.5 0 0 1 1.5 1.5V11"/>`,
	"undo": `<path d="M5.5 3 2.75 5.75 5.5 8.5M3 5.75h6.25a3.75 3.75 0 0 1 0 7.5H6.5"/>`,
	"weights": `<path d="M4 2.75v4.5M4 10.25v3M8 2.75v1.5M8 7.25v6M12 2.75v5.5M12 11.25v2"/>` +
		`<circle cx="4" cy="8.75" r="1.5"/><circle cx="8" cy="5.75" r="1.5"/>` +
		`<circle cx="12" cy="9.75" r="1.5"/>`,
	"user": `<circle cx="8" cy="5.25" r="2.75"/><path d="M2.75 13.5c.5-2.75 2.5-4 5.25-4s4.75 1.25 5.25 4"/>`,
	"users": `<circle cx="6" cy="5.5" r="2.5"/>` +
		`<path d="M1.5 13c.4-2.5 2.1-3.75 4.5-3.75S10.1 10.5 10.5 13M10.5 3.25a2.4 2.4 0 0 1 0 4.5` +
		`M12 9.6c1.4.5 2.2 1.6 2.5 3.4"/>`,
}

// icon returns a drawing. It is decoration: the words beside it, or the name of
// its button, hold the meaning.
func icon(name string) (template.HTML, error) {
	drawing, ok := icons[name]
	if !ok {
		return "", fmt.Errorf("there is no icon %q", name)
	}
	return template.HTML(`<svg width="16" height="16" viewBox="0 0 16 16" fill="none" stroke="currentColor" ` +
		`stroke-width="1.5" stroke-linecap="round" stroke-linejoin="round" aria-hidden="true" focusable="false">` +
		drawing + `</svg>`), nil
}
