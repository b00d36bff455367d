package admin

import (
	"io/fs"
	"path"
	"strings"
	"testing"

	"github.com/jba/templatecheck"

	"treewarden/store/storetest"
	"treewarden/views"
)

// pageTypes maps every view to the type of its page. The files of other pages
// add theirs.
var pageTypes = map[string]any{
	"account":              accountPage{},
	"actionform":           actPage{},
	"action":               actionPage{},
	"audit":                auditPage{},
	"error":                errorPage{},
	"home":                 homePage{},
	"candidates":           candidatesPage{},
	"disputed":             disputedPage{},
	"queue":                queuePage{},
	"mywork":               myWorkPage{},
	"insights":             insightsPage{},
	"collection":           collectionPage{},
	"classifiers":          classifiersPage{},
	"partials/coverage":    coverageView{},
	"partials/sizes":       sizeChart{},
	"toxicity":             toxicityPage{},
	"correlations":         correlationsPage{},
	"contributors":         contributorsPage{},
	"raters":               ratersPage{},
	"models":               modelsPage{},
	"stafffigures":         staffFiguresPage{},
	"partials/intervals":   intervalChart{},
	"partials/heatmap":     heatMap{},
	"partials/chart":       chart{},
	"partials/case":        &casePanel{},
	"priority":             priorityPage{},
	"roles":                rolesPage{},
	"rolespreview":         rolesPreviewPage{},
	"rule":                 rulePage{},
	"job":                  jobPage{},
	"export":               exportPage{},
	"exportform":           exportFormPage{},
	"exports":              exportsPage{},
	"list":                 itemsPage{},
	"listadd":              addItemsPage{},
	"listapply":            applyPage{},
	"bulk":                 bulkPage{},
	"listchoose":           choosePage{},
	"listcompare":          comparePage{},
	"listform":             listFormPage{},
	"lists":                listsPage{},
	"sample":               samplePage{},
	"sampleform":           sampleFormPage{},
	"samplejudge":          judgePage{},
	"samples":              samplesPage{},
	"scoring":              scoringPage{},
	"signin":               signInPage{},
	"wave":                 wavePage{},
	"waves":                wavesPage{},
	"searches":             searchesPage{},
	"searchform":           searchFormPage{},
	"searchdelete":         searchDeletePage{},
	"why":                  whyPage{},
	"invitation":           invitationPage{},
	"keyform":              keyFormPage{},
	"keys":                 keysPage{},
	"secret":               secretPage{},
	"staff":                staffPage{},
	"staffedit":            staffFormPage{},
	"staffform":            staffFormPage{},
	"partials/keyform":     keyFormPage{},
	"partials/secret":      secretPage{},
	"partials/staffform":   staffFormPage{},
	"partials/actionform":  actPage{},
	"messagemenu":          menuPage{},
	"partials/messagemenu": menuPage{},
	"partials/listchoose":  choosePage{},
	"partials/listform":    listFormPage{},
	"partials/casemoves":   []caseMove{},
	"partials/refusal":     errorPage{},
}

// TestViews checks every view against the type of its page. It finds renamed
// fields, unknown functions and wrong arguments.
func TestViews(t *testing.T) {
	server := newServer(t, storetest.New(t))
	for name, page := range pageTypes {
		view := server.engine.Templates.Lookup(name)
		if view == nil {
			t.Errorf("there is no view %s", name)
			continue
		}
		if err := templatecheck.CheckHTML(view, page); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// TestEveryViewIsKnown checks that TestViews covers every page, that pages
// define no templates (all views share one namespace), and that no view holds
// anything that the content security policy forbids.
func TestEveryViewIsKnown(t *testing.T) {
	err := fs.WalkDir(views.Templates(), ".", func(name string, entry fs.DirEntry, err error) error {
		if err != nil || path.Ext(name) != ".html" {
			return err
		}
		text, err := fs.ReadFile(views.Templates(), name)
		if err != nil {
			return err
		}
		if view := strings.TrimSuffix(name, ".html"); path.Dir(view) == "." && pageTypes[view] == nil {
			t.Errorf("%s stands in no pageTypes", name)
		}
		for _, forbidden := range []string{"{{define", "{{block", "{{embed", " style=", "<style", " onclick=", " onchange=",
			" onsubmit=", "javascript:",
			"<<<<<<<", ">>>>>>>"} {
			if strings.Contains(string(text), forbidden) {
				t.Errorf("%s holds %q", name, forbidden)
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}
