package admin

import (
	"net/url"
	"slices"
	"strings"
	"testing"

	"github.com/PuerkitoBio/goquery"

	"treewarden/policy"
	"treewarden/store"
	"treewarden/store/storetest"
)

// formFields returns the fields that a browser would send with a form, without buttons.
func formFields(form *goquery.Selection) url.Values {
	values := url.Values{}
	form.Find("input[name], select[name]").Each(func(_ int, field *goquery.Selection) {
		name, value := field.AttrOr("name", ""), field.AttrOr("value", "")
		if _, checked := field.Attr("checked"); field.AttrOr("type", "") == "checkbox" && !checked {
			return
		}
		if goquery.NodeName(field) == "select" {
			value = field.Find("option[selected]").AttrOr("value", "")
		}
		values.Add(name, value)
	})
	return values
}

// rolesForm returns the form of the page of roles, and the number of a role's column.
func rolesForm(t *testing.T, a answer) (url.Values, func(role string) string) {
	t.Helper()
	values := formFields(a.page().Find("form.roles"))
	return values, func(role string) string {
		for _, number := range values["role"] {
			if values.Get("name."+number) == role {
				return number
			}
		}
		t.Fatalf("the form has no role %s", role)
		return ""
	}
}

// take takes a value from a field.
func take(values url.Values, field string, permission policy.Permission) {
	values[field] = slices.DeleteFunc(values[field], func(v string) bool { return v == string(permission) })
}

// TestRolesMatrix checks that the matrix shows what is in force, each cell under its
// own name.
func TestRolesMatrix(t *testing.T) {
	t.Parallel()
	server := newServer(t, storetest.New(t))
	admin := staff(t, server, policy.Admin)
	page := admin.get(rolesPath).want(200).page()
	shipped, err := policy.Shipped()
	if err != nil {
		t.Fatal(err)
	}
	boxes := page.Find(`.matrix input[type="checkbox"]`)
	if want := len(policy.All) * len(policy.Roles); boxes.Length() != want {
		t.Errorf("%d checkboxes, want %d", boxes.Length(), want)
	}
	for _, role := range shipped.Roles() {
		for _, info := range policy.All {
			box := page.Find(`[aria-label="` + capital(role.Title) + ": " + info.Does + `"]`)
			if _, on := box.Attr("checked"); box.Length() != 1 || on != shipped.Allows(role.Name, info.Permission) {
				t.Errorf("%s, %s: %d boxes, ticked %v", role.Name, info.Permission, box.Length(), on)
			}
		}
	}
	if page.Find(`.nav a[href="`+rolesPath+`"][data-go="p"][aria-current]`).Length() != 1 {
		t.Error("the navigation does not lead here")
	}
	moderator := staff(t, server, policy.Moderator)
	if moderator.get("/").want(200).page().Find(`.nav a[href="`+rolesPath+`"]`).Length() != 0 {
		t.Error("a moderator is led to the roles")
	}
	moderator.get(rolesPath).want(403)
}

// TestRolesByForm adds a role, previews and saves it, removes it and restores the
// shipped roles, all by plain forms.
func TestRolesByForm(t *testing.T) {
	t.Parallel()
	server := newServer(t, storetest.New(t))
	admin := staff(t, server, policy.Admin)
	keeper := storetest.Staff(t, server.store, policy.Moderator)
	values, _ := rolesForm(t, admin.get(rolesPath).want(200))
	for field, value := range map[string]string{"new_name": "german_moderator", "new_title": "German  moderator",
		"new_from": policy.Moderator, "do": "add"} {
		values.Set(field, value)
	}
	values, at := rolesForm(t, admin.post(rolesPath, values).want(200))
	number := at("german_moderator")
	if values.Get("title."+number) != "German moderator" || values.Get("rank."+number) != "1" ||
		!slices.Equal(values["may."+number], values["may."+at(policy.Moderator)]) {
		t.Fatalf("the new column: %v", values)
	}
	values.Set("languages."+number, "de, de-AT pt_BR")
	values.Set("do", "preview")
	wrong := admin.post(rolesPath, values).want(422)
	if text := wrong.text(".matrix"); !strings.Contains(text, "de-AT is within another one") {
		t.Errorf("the fault is not shown: %s", text)
	}
	values.Set("languages."+number, "de")
	take(values, "may."+at(policy.Moderator), policy.UserBan)
	preview := admin.post(rolesPath, values).want(200)
	for _, words := range []string{keeper.Name + " Loses ban and unban",
		"German moderator New role, rank 1, languages: German",
		"Moderator May no longer ban and unban"} {
		if !strings.Contains(preview.text("main"), words) {
			t.Errorf("the preview lacks %q: %s", words, preview.text("main"))
		}
	}
	// Back to the form: nothing is lost, and nothing was saved.
	sent := formFields(preview.page().Find(".apply form"))
	sent.Set("do", "edit")
	sent.Set("reason", "A reason.")
	again, _ := rolesForm(t, admin.post(rolesPath, sent).want(200))
	if again.Get("languages."+number) != "de" || slices.Contains(again["may."+at(policy.Moderator)], "user.ban") ||
		again.Get("reason") != "A reason." {
		t.Errorf("after the preview: %v", again)
	}
	sent.Set("do", "save")
	sent.Set("reason", "x")
	if a := admin.post(rolesPath, sent).want(422); a.text("#roles-reason-more .error") == "" ||
		!strings.Contains(a.text("main"), "Loses ban and unban") {
		t.Error("too short a reason is not refused at its field")
	}
	sent.Set("reason", "A team for German.")
	saved := admin.post(rolesPath, sent).want(303)
	page := admin.get(saved.header.Get("Location")).want(200)
	if text := page.text("main"); !strings.Contains(text, "A team for German.") ||
		page.page().Find(".toast form").Length() != 1 {
		t.Errorf("after saving: %s", text)
	}
	// A stale form keeps its edits and shows what is in force.
	stale := url.Values{}
	for field, all := range sent {
		stale[field] = slices.Clone(all)
	}
	stale.Del("key")
	stale.Set("title."+at(policy.Moderator), "watcher")
	late := admin.post(rolesPath, stale).want(409)
	kept, _ := rolesForm(t, late)
	if kept.Get("title."+at(policy.Moderator)) != "watcher" || kept.Get("version") != "2" ||
		!strings.Contains(late.text(".notice"), "version 2 is now the current one") ||
		late.page().Find("td.changed [name='title."+at(policy.Moderator)+"']").Length() != 1 {
		t.Errorf("a stale form: %v %s", kept.Get("version"), late.text(".notice"))
	}
	// The role that nobody has can go; moderators cannot.
	if page.page().Find(`button[value="remove.`+at(policy.Moderator)+`"]`).Length() != 0 {
		t.Error("a role that somebody has can be removed")
	}
	values, at = rolesForm(t, page)
	values.Set("do", "remove."+at("german_moderator"))
	values, _ = rolesForm(t, admin.post(rolesPath, values).want(200))
	values.Set("do", "preview")
	if text := admin.post(rolesPath, values).want(200).text("main"); !strings.Contains(text, "German moderator Removed") {
		t.Errorf("the preview of a removal: %s", text)
	}
	// Back to the shipped roles.
	restore := admin.get(restorePath).want(200)
	if !strings.Contains(restore.text("main"), keeper.Name+" Gains ban and unban") {
		t.Errorf("%s", restore.text("main"))
	}
	sent = formFields(restore.page().Find(".apply form"))
	admin.post(restorePath, sent).want(422)
	sent.Set("version", "1")
	sent.Set("reason", "As it ships.")
	admin.post(restorePath, sent).want(409)
	sent.Set("version", "2")
	admin.post(restorePath, sent).want(303)
	if !strings.Contains(admin.get(rolesPath).want(200).text(".page-sub"), "as shipped") {
		t.Error("the shipped roles are not in force")
	}
}

// TestRolesRefused checks that a refused change keeps what was typed.
func TestRolesRefused(t *testing.T) {
	t.Parallel()
	server := newServer(t, storetest.New(t))
	admin := staff(t, server, policy.Admin)
	values, at := rolesForm(t, admin.get(rolesPath).want(200))
	take(values, "may."+at(policy.Admin), policy.PolicyManage)
	values.Set("rank."+at(policy.DataLead), "high")
	values.Set("do", "preview")
	a := admin.post(rolesPath, values).want(422)
	for _, words := range []string{"Admin: Admins keep policy.manage", "Data lead: A rank is a number from 0 to 100."} {
		if !strings.Contains(a.text(".notice"), words) {
			t.Errorf("the faults lack %q: %s", words, a.text(".notice"))
		}
	}
	if kept, _ := rolesForm(t, a); kept.Get("rank."+at(policy.DataLead)) != "high" ||
		slices.Contains(kept["may."+at(policy.Admin)], "policy.manage") {
		t.Errorf("what was typed is lost: %v", kept)
	}
	// A moderator who may change the policy would give what they lack.
	roles, _ := rolesNow(t, admin)
	if _, err := server.store.ChangePolicy(t.Context(), store.CommandLine, store.PolicyChange{Reason: "To try it.",
		Roles: changedRole(roles, policy.Moderator, func(r *policy.Role) {
			r.Permissions = append(r.Permissions, policy.PolicyManage)
		})}); err != nil {
		t.Fatal(err)
	}
	editor := staff(t, server, policy.Moderator)
	values, at = rolesForm(t, editor.get(rolesPath).want(200))
	values.Add("may."+at(policy.Moderator), string(policy.UserErase))
	values.Set("do", "preview")
	a = editor.post(rolesPath, values).want(403)
	kept, _ := rolesForm(t, a)
	if !strings.Contains(a.text(".notice"), "you may not do so yourself") ||
		!slices.Contains(kept["may."+at(policy.Moderator)], "user.erase") {
		t.Errorf("%s", a.text("main"))
	}
}

// TestWhyPage follows the link of a refusal to its explanation.
func TestWhyPage(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	lead, admin := staff(t, w.server, policy.DataLead), staff(t, w.server, policy.Admin)
	author, _ := thread(t, w.server.store)
	path := "/users/" + author.String()
	link := lead.get(path+"/ban").want(403).page().Find(`main a[href^="`+whyPath+`"]`).AttrOr("href", "")
	page := lead.get(link).want(200)
	text := page.text("main")
	for _, words := range []string{"You may not ban and unban, on this user", "lacks the permission user.ban",
		"Can be changed in the roles by admin.", "A data lead may act on a contributor"} {
		if !strings.Contains(text, words) {
			t.Errorf("%s lacks %q: %s", link, words, text)
		}
	}
	if page.page().Find(`main a[href="`+rolesPath+`"], #why-user`).Length() != 0 {
		t.Error("a data lead is led to the roles, or may ask about others")
	}
	pasted := url.QueryEscape("http://127.0.0.1" + path)
	own := admin.get(whyPath + "?permission=user.ban&target=" + pasted).want(200)
	if own.page().Find(`.because a[href="`+rolesPath+`"]`).Length() == 0 ||
		!strings.Contains(own.text("main"), "allowed") {
		t.Errorf("an admin: %s", own.text("main"))
	}
	for query, wrong := range map[string]struct {
		status int
		field  string
	}{
		"":                             {200, ""},
		"?permission=user.bann":        {400, "#why-permission-more"},
		"?permission=user.ban&user=no": {404, "#why-user-more"},
		"?permission=user.ban&target=user:00000000-0000-4000-8000-000000000000": {404, "#why-target-more"},
		"?permission=user.ban&target=no":                                        {400, "#why-target-more"},
	} {
		a := admin.get(whyPath + query).want(wrong.status)
		if wrong.field != "" && a.text(wrong.field+" .error") == "" {
			t.Errorf("%s: no error at %s", query, wrong.field)
		}
	}
	lead.get(whyPath + "?permission=user.ban&user=" + author.String()).want(403)
	lead.get("/settings/roles").want(403)
}

// TestPermissionGroups checks that each permission is in one group of the matrix.
func TestPermissionGroups(t *testing.T) {
	t.Parallel()
	times := map[policy.Permission]int{}
	for _, group := range permissionGroups {
		for _, permission := range group.permissions {
			times[permission]++
		}
	}
	for _, info := range policy.All {
		if times[info.Permission] != 1 {
			t.Errorf("%s is in %d groups", info.Permission, times[info.Permission])
		}
	}
}
