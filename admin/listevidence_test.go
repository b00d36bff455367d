package admin

import (
	"net/http"
	"testing"

	"treewarden/store"
	"treewarden/store/lists"
	"treewarden/store/storetest"
)

// TestEvidenceOfEdited edits a message that was accepted from the candidates, and
// undoes the edit. What matched belongs to the former text only.
func TestEvidenceOfEdited(t *testing.T) {
	t.Parallel()
	l := newLead(t)
	named := newTexts(t, l, map[string]storetest.Node{"a": {Text: "the first idiot"}})
	l.find(named, object{"words": []string{"idiot"}})
	l.send(http.MethodPost, l.list+"/candidates/"+named["a"].String(), object{"verdict": "accept"}).want(200)
	check := func(when, state string, evidence int) {
		t.Helper()
		var page store.List[lists.Item]
		l.get(l.list + "/items").want(200).json(&page)
		if len(page.Items) != 1 || page.Items[0].State != state || len(page.Items[0].Evidence) != evidence {
			t.Fatalf("%s: %+v", when, page.Items)
		}
		for _, m := range page.Items[0].Evidence {
			if got := (*page.Items[0].Text)[m.Start:m.End]; got != "idiot" {
				t.Errorf("%s: the evidence marks %q", when, got)
			}
		}
	}
	check("accepted", "present", 1)
	admin := storetest.Staff(t, l.store, "admin")
	outcome, err := l.store.Act(t.Context(), admin, store.Act{Kind: "edit", Target: named["a"],
		Params: store.EditParams{Text: "kind"}, Reason: "because"})
	if err != nil {
		t.Fatal(err)
	}
	check("edited", "edited_since", 0)
	if _, err := l.store.Undo(t.Context(), admin, outcome.Action.ID, "because", false, ""); err != nil {
		t.Fatal(err)
	}
	check("back", "present", 1)
}
