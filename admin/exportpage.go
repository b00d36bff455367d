package admin

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/dustin/go-humanize"
	"github.com/gofiber/fiber/v2"

	"treewarden/corpus"
	"treewarden/policy"
	"treewarden/store"
	"treewarden/store/db"
	"treewarden/store/exportjobs"
	"treewarden/store/exports"
	"treewarden/store/jobs"
	"treewarden/store/lists"
)

// exportView is an export as pages show it.
type exportView struct {
	exportjobs.Export
	Badge     badge
	MayCancel bool
}

var exportBadges = map[string]badge{
	jobs.Queued:    {"Waiting", "", "The export starts in a moment"},
	jobs.Running:   {"Running", "info", "The file is being written"},
	jobs.Done:      {"Done", "ok", "The file is whole"},
	jobs.Failed:    {"Failed", "bad", "There is no file"},
	jobs.Cancelled: {"Cancelled", "warn", "There is no file"},
}

func viewExport(e exportjobs.Export, person store.Person) exportView {
	v := exportView{Export: e, Badge: exportBadges[e.State]}
	v.MayCancel = e.IsOpen() && (e.Actor == person.UserID || person.May(policy.UndoAll))
	return v
}

// Path returns the address of the export's page.
func (e exportView) Path() string { return exportsPath + "/" + e.ExportID.String() }

// Size writes the size of the file.
func (e exportView) Size() string {
	if e.Bytes == nil {
		return ""
	}
	return humanize.IBytes(uint64(*e.Bytes)) //nolint:gosec // a size is not negative
}

// Sum returns the SHA-256 of the file, or "".
func (e exportView) Sum() string { return orEmpty(e.SHA256) }

// Percent returns how much of the messages the export has looked at.
func (e exportView) Percent() int64 { return 100 * e.Done / max(1, e.Total) }

// exportsPage lists the exports.
type exportsPage struct {
	Layout
	List  store.List[exportjobs.Export]
	Lines []exportView
	Open  bool // an export has not ended
	Pager Pager
	CSV   string
}

func (p exportsPage) api() any { return p.List }

func (p exportsPage) csv() (header []string, rows [][]string) {
	header = []string{"export_id", "file", "format", "state", "messages", "trees", "bytes", "sha256", "actor_name",
		"created_at", "ended_at"}
	for _, e := range p.List.Items {
		row := []string{e.ExportID.String(), e.File, "", e.State, "", "", "", orEmpty(e.SHA256), e.ActorName,
			rfc3339(&e.CreatedAt), rfc3339(e.EndedAt)}
		if m := e.Manifest; m != nil {
			row[2], row[4], row[5], row[6] = m.Format, strconv.FormatInt(m.Out.Messages, 10),
				strconv.FormatInt(m.Out.Trees, 10), strconv.FormatInt(m.Bytes, 10)
		}
		rows = append(rows, row)
	}
	return header, rows
}

// exports lists the exports.
func (s *Server) exports(c *fiber.Ctx) error {
	var q pageQuery
	if err := decodeQuery(c, &q); err != nil {
		return err
	}
	access, err := s.exportAccess(c)
	if err != nil {
		return err
	}
	if wantsCSV(c) {
		return s.sendCSV(c, "exports", func(ctx context.Context, page store.Page) (listPage, *string, error) {
			found, err := access.All(ctx, page)
			return exportsPage{List: found}, found.Next, err
		})
	}
	var p exportsPage
	if p.List, err = access.All(c.UserContext(), q.page()); err != nil {
		return err
	}
	p.Layout = s.layout(c, "Exports")
	p.CSV = mustQuery(p.Query, "format", "csv", "cursor", "")
	p.Pager = p.pager(p.List.Prev, p.List.Next, "")
	for _, e := range p.List.Items {
		p.Lines = append(p.Lines, viewExport(e, p.Person))
		p.Open = p.Open || e.IsOpen()
	}
	if p.Open {
		p.Refresh = 3
	}
	return s.render(c, "exports", p)
}

// exportPage shows an export. It refreshes itself while the job is open.
type exportPage struct {
	Layout
	Export  exportView
	Filters []Choice // what the file holds: names and values
	LeftOut []exportReason
}

func (p exportPage) api() any { return p.Export.Export }

// exportReason counts what was left out for a reason.
type exportReason struct {
	Text            string
	Trees, Messages int64
}

// export shows an export.
func (s *Server) export(c *fiber.Ctx) error {
	id, err := pathID(c)
	if err != nil {
		return err
	}
	access, err := s.exportAccess(c)
	if err != nil {
		return err
	}
	export, err := access.ByID(c.UserContext(), id)
	if err != nil {
		return err
	}
	p := exportPage{Layout: s.layout(c, "Export"), Filters: exportFilters(export)}
	p.Export = viewExport(export, p.Person)
	if export.Manifest != nil {
		p.LeftOut = exportReasons(export.Manifest.LeftOut)
	}
	if export.IsOpen() {
		p.Refresh = 3
	}
	return s.render(c, "export", p)
}

// reasonTexts are the reasons for which an export leaves messages out, in words.
var reasonTexts = map[string]string{
	"state": "in trees in another state", "lang": "in trees in another language",
	"synthetic": "in trees with a synthetic message", "limit": "in trees over the limit",
	"no_message": "trees without a message", "none_kept": "trees of which nothing is kept", "list": "on a list",
	"deleted": "deleted", "not_deleted": "not deleted", "not_accepted": "not reviewed yet, or rejected",
	"not_rejected": "not rejected", "not_synthetic": "not synthetic", "user": "by other users",
	"banned": "by banned users", "classifier": "found by a classifier", "since": "too early, or without a date",
	"until": "too late", "reply": "replies", "no_parent": "without their parent",
}

// reasonText writes a reason. A reason that this program does not know is written as it
// is.
func reasonText(reason string) string {
	top, isBelow := strings.CutPrefix(reason, "below_")
	text, known := reasonTexts[top]
	if !known {
		text = strings.ReplaceAll(top, "_", " ")
	}
	if isBelow {
		return "Replies below messages that are left out: " + text
	}
	return capital(text)
}

// exportReasons returns what was left out, most messages first.
func exportReasons(left exports.LeftOut) (all []exportReason) {
	names := slices.Collect(maps.Keys(left.Messages))
	for name := range left.Trees {
		if _, ok := left.Messages[name]; !ok {
			names = append(names, name)
		}
	}
	for _, name := range names {
		all = append(all, exportReason{reasonText(name), left.Trees[name], left.Messages[name]})
	}
	slices.SortFunc(all, func(a, b exportReason) int {
		if a.Messages != b.Messages {
			return int(b.Messages - a.Messages)
		}
		return strings.Compare(a.Text, b.Text)
	})
	return all
}

// exportFilters writes the filters of an export as names and values.
func exportFilters(e exportjobs.Export) (all []Choice) {
	f, err := e.Filters.Filters()
	if err != nil { // of an earlier version
		return nil
	}
	add := func(name, value string) { all = append(all, Choice{Text: name, Value: value}) }
	add("Format", formatTitle(f.Format))
	add("Trees", stateFilter(f.State))
	if f.Lang != "" {
		add("Language", langName(f.Lang)+" ("+langCode(f.Lang)+")")
	}
	if f.Limit > 0 {
		add("At most", counted(f.Limit, "tree"))
	}
	add("Deleted messages", including(f.IncludeDeleted, f.DeletedOnly))
	switch {
	case f.SpamOnly:
		add("Review", "only rejected messages")
	case f.IncludeSpam:
		add("Review", "any result")
	default:
		add("Review", "accepted messages")
	}
	add("Synthetic messages", including(f.IncludeSynthetic, f.SyntheticOnly))
	if f.PromptsOnly {
		add("Replies", "left out")
	}
	if f.User != nil {
		add("Only of the user", f.User.String())
	}
	if f.Since != nil {
		add("From", f.Since.Format("2006-01-02 15:04")+" UTC on")
	}
	if f.Until != nil {
		add("Until", f.Until.Format("2006-01-02 15:04")+" UTC")
	}
	if f.WithoutBanned {
		add("Messages of banned users", "left out")
	}
	for _, comparison := range f.WithoutClassifier {
		add("Left out where", comparison)
	}
	for _, list := range f.WithoutList {
		if e.Manifest != nil {
			for _, l := range e.Manifest.Lists {
				if l.ListID.String() == strings.ToLower(list) {
					list = l.Name
				}
			}
		}
		add("Without the list", list)
	}
	if f.DeletedNodes == exports.Blank {
		add("Left out in the middle", "stays without its text")
	}
	if f.ExportLabels {
		add("Labels", "means and numbers")
	}
	if f.ExportEvents {
		add("Events", "those of imported messages")
	}
	if e.Anonymized {
		add("Ids", "replaced with a seed")
	}
	return all
}

func including(include, only bool) string {
	switch {
	case only:
		return "only these"
	case include:
		return "kept"
	}
	return "left out"
}

func stateFilter(state string) string {
	if state == exports.AllStates {
		return "in any state"
	}
	return stateTitle(state)
}

func formatTitle(format string) string {
	switch format {
	case exports.Trees:
		return "Trees: one on each line, with its messages (JSON)"
	case exports.Messages:
		return "Messages: one on each line (JSON)"
	case exports.CSV:
		return "Messages: one in each row (CSV)"
	}
	return "Messages: one in each row (Parquet, as the public OASST data)"
}

// exportForm holds the fields of the page that stand for two flags each.
type exportForm struct {
	Deleted     string `form:"deleted" validate:"omitempty,oneof=include only"`
	Review      string `form:"review" validate:"omitempty,oneof=include only"`
	Synthetic   string `form:"synthetic" validate:"omitempty,oneof=include only"`
	Classifiers string `form:"classifiers" validate:"max=10000"` // a comparison on each line
}

// set sets the flags of the fields.
func (f exportForm) set(flags *exports.Flags) {
	for _, field := range []struct {
		value         string
		include, only *bool
	}{
		{f.Deleted, &flags.IncludeDeleted, &flags.DeletedOnly}, {f.Review, &flags.IncludeSpam, &flags.SpamOnly},
		{f.Synthetic, &flags.IncludeSynthetic, &flags.SyntheticOnly},
	} {
		*field.include = *field.include || field.value == "include"
		*field.only = *field.only || field.value == "only"
	}
	for line := range strings.Lines(f.Classifiers) {
		if line = strings.TrimSpace(line); line != "" {
			flags.WithoutClassifier = append(flags.WithoutClassifier, line)
		}
	}
}

// exportFormPage is the form of a new export.
type exportFormPage struct {
	Layout
	Body                                                          exportBody
	Form                                                          exportForm
	Limit                                                         string
	Formats, States, Languages, Deleted, Review, Synthetic, Nodes []Choice
	Lists                                                         []exportList
	Wrong                                                         store.Invalid
}

// exportList is a list that can be left out.
type exportList struct {
	listView
	Chosen bool
}

func (p exportFormPage) api() any { return nil }

// Elsewhere returns the errors of fields that the form does not show beside them.
func (p exportFormPage) Elsewhere() string {
	return elsewhere(p.Wrong, "format", "out", "state", "lang", "limit", "user", "since", "until", "without_list",
		"without_classifier", "anonymizer_seed", "deleted_nodes")
}

// newExportForm shows the form of a new export.
func (s *Server) newExportForm(c *fiber.Ctx) error {
	if err := decodeQuery(c); err != nil {
		return err
	}
	p, err := s.exportForm(c, exportBody{}, exportForm{})
	if err != nil {
		return err
	}
	return s.render(c, "exportform", p)
}

// exportForm fills the form of an export with what was typed.
func (s *Server) exportForm(c *fiber.Ctx, body exportBody, form exportForm) (exportFormPage, error) {
	p := exportFormPage{Layout: s.layout(c, "New export"), Body: body, Form: form, Limit: c.FormValue("limit")}
	p.Body.Key = rand.Text()
	p.Formats = []Choice{{"", "Trees, or messages if single messages are chosen", body.Format == ""}}
	for _, format := range exports.Formats {
		p.Formats = append(p.Formats, Choice{format, formatTitle(format), body.Format == format})
	}
	p.States = []Choice{{"", capital(stateTitle(corpus.DefaultState)) + " (default)", body.State == ""},
		{exports.AllStates, "Any state", body.State == exports.AllStates}}
	p.States = append(p.States, stateChoices(body.State)[1:]...)
	languages, err := s.store.Languages(c.UserContext())
	if err != nil {
		return p, err
	}
	p.Languages = languageChoices(languages, body.Lang)
	p.Deleted = choices(form.Deleted, "", "Leave out", "include", "Keep", "only", "Only these")
	p.Review = choices(form.Review, "", "Accepted messages", "include", "Any result, also not reviewed", "only",
		"Only rejected messages")
	p.Synthetic = choices(form.Synthetic, "", "Leave out their trees", "include", "Keep", "only", "Only these")
	p.Nodes = choices(body.DeletedNodes, "", "Leave them out too", exports.Blank,
		"Keep them, and the message above without its text")
	found, err := s.store.Lists(c.UserContext(), s.actor(c), lists.Filter{Page: store.Page{Limit: db.MaxPage}})
	var forbidden *store.Forbidden
	if err != nil && !errors.As(err, &forbidden) { // who may not see lists cannot choose them here
		return p, err
	}
	for _, list := range found.Items {
		p.Lists = append(p.Lists, exportList{viewList(list), slices.Contains(body.WithoutList, list.ListID.String())})
	}
	return p, nil
}

// Kept says how long files are kept.
func (p exportFormPage) Kept() string { return keptText }

// Kept is described at exportFormPage.
func (p exportsPage) Kept() string { return keptText }

// keptText says how long files are kept.
var keptText = fmt.Sprintf("The newest %d files are kept, each for %s", exportjobs.KeptFiles,
	dayCount(int(exportjobs.Kept.Hours()/24)))

// exportRefused shows the form again, with its errors.
func (s *Server) exportRefused(c *fiber.Ctx, body exportBody, form exportForm, err error) error {
	var invalid store.Invalid
	if !errors.As(err, &invalid) {
		return err
	}
	p, formErr := s.exportForm(c, body, form)
	if formErr != nil {
		return errors.Join(err, formErr)
	}
	p.Wrong = invalid
	return s.renderStatus(c, fiber.StatusUnprocessableEntity, "exportform", p)
}
