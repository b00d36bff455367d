package admin

import (
	"slices"

	"github.com/gofiber/fiber/v2"

	"treewarden/policy"
	"treewarden/store"
)

// apiPrefix is the prefix of the API. Every route that is not pageOnly exists
// below it too, and answers JSON there.
const apiPrefix = "/api/v1"

// public is the permission of a route that does not need a signed-in person.
// Every other route names a real permission: TestEveryRouteIsGuarded fails on a
// route without one.
const public policy.Permission = "public"

// routeKind is the kind of a route: a page, an API method or both.
type routeKind int

const (
	both routeKind = iota
	pageOnly
	apiOnly
)

// route is one URL with its permission and its handlers.
type route struct {
	Method     string
	Path       string
	Permission policy.Permission
	Handler    func(*Server, *fiber.Ctx) error
	Kind       routeKind
}

// livePaths are the addresses of the streams that keep open pages up to date. Their
// answers go on until the client leaves, so they are neither compressed nor bounded
// like others.
var livePaths = []string{boardPath + "/live", queuePath + "/live"}

func isLivePath(path string) bool { return slices.Contains(livePaths, path) }

const (
	get   = fiber.MethodGet
	post  = fiber.MethodPost
	put   = fiber.MethodPut
	patch = fiber.MethodPatch
	del   = fiber.MethodDelete
)

// routes lists every URL of the program except those of the actions, which
// actRoutes makes from store.Kinds.
func routes() []route {
	return []route{
		{get, "/healthz", public, (*Server).healthz, pageOnly},
		{get, "/readyz", public, (*Server).readyz, pageOnly},
		{get, "/metrics", public, (*Server).showMetrics, pageOnly},
		{get, "/static/:name", public, (*Server).static, pageOnly},
		{get, "/api/openapi.json", public, (*Server).openAPI, pageOnly},

		{get, "/sign-in", public, (*Server).signInPage, pageOnly},
		{post, "/sign-in", public, (*Server).signIn, pageOnly},
		{get, "/sign-in/link", public, (*Server).redeemLink, pageOnly},
		{get, invitationPath, public, (*Server).showInvitation, pageOnly},
		{post, invitationPath, public, (*Server).acceptInvitation, pageOnly},
		{post, "/sign-out", public, (*Server).signOut, pageOnly},

		{get, "/", policy.Read, (*Server).home, pageOnly},

		{get, boardPath, policy.Read, (*Server).trollboard, both},
		{get, boardPath + "/live", policy.Read, (*Server).trollboardLive, pageOnly},

		{get, "/users", policy.Read, (*Server).users, both},
		{get, "/users/:id", policy.Read, (*Server).user, both},
		{patch, "/users/:id", policy.UserEdit, (*Server).updateUser, apiOnly},
		{post, "/users/:id", policy.UserEdit, (*Server).updateUser, pageOnly},
		{get, "/users/:id/messages", policy.Read, (*Server).userMessages, both},
		{get, "/users/:id/given", policy.Read, (*Server).userFeedback, both},
		{get, "/users/:id/actions", policy.Read, (*Server).userActions, both},
		{get, "/users/:id/score", policy.Read, (*Server).score, both},
		{get, "/users/:id/rater", policy.Read, (*Server).rater, apiOnly},

		{get, "/messages", policy.Read, (*Server).messages, both},
		{get, "/messages/:id", policy.Read, (*Server).message, both},
		{get, "/messages/:id/menu", policy.Read, (*Server).messageMenu, pageOnly},
		{get, "/messages/:id/history", policy.Read, (*Server).history, both},
		{get, "/messages/:id/thread", policy.Read, (*Server).thread, both},
		{get, "/messages/:id/similar", policy.Read, (*Server).similar, apiOnly},

		{post, bulkPath, policy.BulkAct, (*Server).bulk, both},
		{get, searchesPath, policy.Read, (*Server).searches, both},
		{post, searchesPath, policy.Read, (*Server).saveSearch, both},
		{get, searchesPath + "/new", policy.Read, (*Server).newSearchForm, pageOnly},
		{del, searchesPath + "/:id", policy.Read, (*Server).deleteSearch, apiOnly},
		{get, searchesPath + "/:id/remove", policy.Read, (*Server).deleteSearchForm, pageOnly},
		{post, searchesPath + "/:id/remove", policy.Read, (*Server).deleteSearch, pageOnly},

		{get, wavesPath, policy.Read, (*Server).waves, both},
		{get, wavesPath + "/:id", policy.Read, (*Server).wave, both},

		{get, "/trees", policy.Read, (*Server).trees, both},
		{get, "/trees/:id", policy.Read, (*Server).tree, both},

		{get, queuePath, policy.Read, (*Server).queue, both},
		{get, queuePath + "/live", policy.Read, (*Server).queueLive, pageOnly},
		{get, queuePath + "/next", policy.QueueWork, (*Server).peekNext, pageOnly},
		{post, queuePath + "/next", policy.QueueWork, (*Server).nextCase, pageOnly},
		{post, queuePath + "/skipped", policy.QueueWork, (*Server).takeBackSkips, pageOnly},
		{post, breakPath, policy.QueueWork, (*Server).dismissBreak, pageOnly},
		{get, myWorkPath, policy.AuditOwn, (*Server).myWork, pageOnly},
		{get, queuePath + "/priority", policy.ScoringRead, (*Server).priority, apiOnly},
		{put, queuePath + "/priority", policy.ScoringSave, (*Server).putPriority, apiOnly},
		{post, queuePath + "/priority/try", policy.ScoringRead, (*Server).tryPriority, apiOnly},
		{get, queuePath + "/:id", policy.Read, (*Server).caseShown, both},
		{post, queuePath + "/:id/claim", policy.QueueWork, claimCase, both},
		{post, queuePath + "/:id/release", policy.QueueWork, releaseCase, both},
		{post, queuePath + "/:id/skip", policy.QueueWork, skipCase, both},
		{post, queuePath + "/:id/later", policy.QueueWork, postponeCase, both},
		{post, queuePath + "/:id/resolve", policy.QueueWork, (*Server).resolveCase, both},

		{get, listsPath, policy.ListRead, (*Server).lists, both},
		{post, listsPath, policy.ListEdit, (*Server).createList, both},
		{get, "/lists/new", policy.ListEdit, (*Server).newListForm, pageOnly},
		{get, choosePath, policy.ListEdit, (*Server).chooseForm, pageOnly},
		{post, choosePath, policy.ListEdit, (*Server).addToChosen, pageOnly},
		{get, "/lists/:id", policy.ListRead, (*Server).list, apiOnly},
		{get, "/lists/:id", policy.ListRead, (*Server).listItems, pageOnly},
		{patch, "/lists/:id", policy.ListEdit, (*Server).updateList, apiOnly},
		{post, "/lists/:id", policy.ListEdit, (*Server).updateList, pageOnly},
		{get, "/lists/:id/edit", policy.ListEdit, (*Server).editListForm, pageOnly},
		{post, "/lists/:id/audit", policy.ListRead, (*Server).auditListNow, pageOnly},
		{post, "/lists/:id/remove", policy.ListEdit, (*Server).removeItemsNow, pageOnly},
		{get, "/lists/:id/items", policy.ListRead, (*Server).listItems, apiOnly},
		{post, "/lists/:id/items", policy.ListEdit, (*Server).addItems, apiOnly},
		{del, "/lists/:id/items", policy.ListEdit, (*Server).removeItems, apiOnly},
		{get, "/lists/:id/audit", policy.ListRead, (*Server).listAudit, apiOnly},
		{get, "/lists/:id" + applyPath, policy.ListApply, (*Server).applyForm, pageOnly},
		{post, "/lists/:id" + applyPath, policy.ListApply, (*Server).applyList, both},
		{get, "/lists/:id/candidates", policy.ListRead, (*Server).candidates, apiOnly},
		{post, "/lists/:id/candidates", policy.ListEdit, (*Server).findCandidates, apiOnly},
		{post, "/lists/:id/candidates/:message", policy.ListEdit, (*Server).decideCandidate, apiOnly},
		{get, "/lists/:id/candidates", policy.ListRead, (*Server).candidatesShown, pageOnly},
		{post, "/lists/:id/candidates/:message", policy.ListEdit, (*Server).decideOne, pageOnly},
		{post, "/lists/:id/verdicts", policy.ListEdit, (*Server).decideShown, pageOnly},
		{get, "/lists/:id/rule", policy.ListEdit, (*Server).ruleForm, pageOnly},
		{post, "/lists/:id/rule", policy.ListEdit, (*Server).runRule, pageOnly},
		{get, "/lists/:id/compare", policy.ListRead, (*Server).listCompare, both},
		{get, "/lists/:id" + addPath, policy.ListEdit, (*Server).addItemsForm, pageOnly},
		{post, "/lists/:id" + addPath, policy.ListEdit, (*Server).addGivenItems, pageOnly},

		{get, samplesPath, policy.ListRead, (*Server).samples, both},
		{post, samplesPath, policy.ListEdit, (*Server).createSample, both},
		{get, "/samples/new", policy.ListEdit, (*Server).newSampleForm, pageOnly},
		{get, "/samples/:id", policy.ListRead, (*Server).sample, both},
		{get, "/samples/:id/next", policy.ListRead, (*Server).nextSample, both},
		{post, "/samples/:id/judgements", policy.ListRead, (*Server).judgeSample, both},
		{get, "/samples/:id/agreement", policy.ListRead, (*Server).sampleAgreement, apiOnly},
		{get, "/samples/:id/disputed", policy.ListRead, (*Server).disputed, both},
		{post, "/samples/:id/settlements", policy.ListEdit, (*Server).settleSample, both},

		{get, exportsPath, policy.Export, (*Server).exports, both},
		{post, exportsPath, policy.Export, (*Server).createExport, both},
		{get, exportsPath + "/new", policy.Export, (*Server).newExportForm, pageOnly},
		{get, exportsPath + "/:id", policy.Export, (*Server).export, both},
		{get, exportsPath + "/:id" + exportFilePath, policy.Export, (*Server).exportFile, both},
		{get, exportsPath + "/:id/manifest", policy.Export, (*Server).exportManifest, both},
		{get, exportsPath + "/:id/card", policy.Export, (*Server).exportCard, both},

		{get, jobsPath + "/:id", policy.Read, (*Server).job, both},
		{post, jobsPath + "/:id/cancel", policy.Read, (*Server).cancelJob, both},

		{get, "/users/:id/role", policy.UserRole, (*Server).roleForm, pageOnly},
		{post, "/users/:id/role", policy.UserRole, (*Server).changeRole, pageOnly},

		{get, insightsPath, policy.Read, (*Server).insights, pageOnly},
		{get, insightsPath + "/queue", policy.Read, (*Server).insights, apiOnly},
		{get, collectionPath, policy.Read, (*Server).collection, both},
		{get, toxicityPath, policy.Read, (*Server).toxicity, both},
		{get, correlationsPath, policy.Read, (*Server).correlations, both},
		{get, modelsPath, policy.Read, (*Server).models, both},
		{get, contributorsPath, policy.Read, (*Server).contributors, both},
		{get, ratersPath, policy.Read, (*Server).raters, both},
		{get, staffFiguresPath, policy.AuditOwn, (*Server).staffFigures, both},

		{get, "/audit", policy.AuditOwn, (*Server).audit, both},
		{get, "/actions/:id", policy.AuditOwn, (*Server).action, both},
		{get, "/actions/:id/undo", policy.Read, (*Server).undoForm, pageOnly},
		{post, "/actions/:id/undo", policy.Read, (*Server).undo, both},

		{get, "/scoring", policy.ScoringRead, (*Server).formula, apiOnly},
		{put, "/scoring", policy.ScoringSave, (*Server).putFormula, apiOnly},
		{post, "/scoring/try", policy.ScoringRead, (*Server).tryFormula, apiOnly},

		{get, "/classifiers", policy.ScoringRead, (*Server).listClassifiers, apiOnly},
		{get, "/classifiers/runs", policy.ScoringRead, (*Server).runs, apiOnly},
		{post, "/classifiers/runs", policy.ScoringSave, (*Server).orderRun, apiOnly},
		{post, "/classifiers/:id/try", policy.ScoringRead, (*Server).tryText, apiOnly},
		{post, "/classifiers/:id/retry", policy.ScoringSave, (*Server).retryRefused, apiOnly},

		{get, "/policy", policy.PolicyManage, (*Server).showPolicy, apiOnly},
		{put, "/policy", policy.PolicyManage, (*Server).putPolicy, apiOnly},
		{post, "/policy/restore", policy.PolicyManage, (*Server).restorePolicy, apiOnly},
		{get, "/policy/why", policy.Read, (*Server).why, apiOnly},

		{post, ingestPath, policy.Ingest, (*Server).ingest, apiOnly},
		{get, eventsPath, policy.EventsRead, (*Server).events, apiOnly},

		{get, scoringPath, policy.ScoringRead, (*Server).scoring, pageOnly},
		{post, scoringPath, policy.ScoringSave, (*Server).saveScoring, pageOnly},
		{get, classifiersPath, policy.ScoringRead, (*Server).classifiersShown, pageOnly},
		{get, classifiersPath + "/try", policy.ScoringRead, (*Server).classifiersShown, pageOnly},
		{post, classifiersPath + "/try", policy.ScoringRead, (*Server).tryOnPage, pageOnly},
		{get, classifiersPath + "/runs", policy.ScoringRead, (*Server).classifiersShown, pageOnly},
		{post, classifiersPath + "/runs", policy.ScoringSave, (*Server).runFromPage, pageOnly},
		{post, classifiersPath + "/retry", policy.ScoringSave, (*Server).retryFromPage, pageOnly},
		{get, priorityPath, policy.ScoringRead, (*Server).priorityShown, pageOnly},
		{post, priorityPath, policy.ScoringSave, (*Server).savePriority, pageOnly},

		{get, rolesPath, policy.PolicyManage, (*Server).roles, pageOnly},
		{post, rolesPath, policy.PolicyManage, (*Server).saveRoles, pageOnly},
		{get, restorePath, policy.PolicyManage, (*Server).restoreForm, pageOnly},
		{post, restorePath, policy.PolicyManage, (*Server).restoreRoles, pageOnly},
		{get, whyPath, policy.Read, (*Server).whyPage, pageOnly},
		{get, "/staff", policy.StaffManage, (*Server).staffList, apiOnly},
		{post, "/staff", policy.StaffManage, (*Server).createStaff, apiOnly},
		{patch, "/staff/:id", policy.StaffManage, (*Server).updateStaff, apiOnly},
		{del, "/staff/:id", policy.StaffManage, staffAct(store.TakeAccess), apiOnly},
		{get, staffPath, policy.StaffManage, (*Server).staffList, pageOnly},
		{post, staffPath, policy.StaffManage, (*Server).createStaff, pageOnly},
		{get, staffPath + "/new", policy.StaffManage, (*Server).newStaffForm, pageOnly},
		{get, staffPath + "/:id/edit", policy.StaffManage, (*Server).editStaffForm, pageOnly},
		{post, staffPath + "/:id", policy.StaffManage, (*Server).updateStaff, pageOnly},

		{get, "/keys", policy.KeyManage, (*Server).keys, apiOnly},
		{post, "/keys", policy.KeyManage, (*Server).createKey, apiOnly},
		{del, "/keys/:id", policy.KeyManage, (*Server).revokeKey, apiOnly},
		{get, keysPath, policy.KeyManage, (*Server).keys, pageOnly},
		{post, keysPath, policy.KeyManage, (*Server).createKey, pageOnly},
		{get, keysPath + "/new", policy.KeyManage, (*Server).newKeyForm, pageOnly},
		{get, keysPath + "/:id/revoke", policy.KeyManage, (*Server).revokeKeyForm, pageOnly},
		{post, keysPath + "/:id/revoke", policy.KeyManage, (*Server).revokeKey, pageOnly},

		{get, leavePath, policy.Account, (*Server).leave, pageOnly},
		{get, "/account", policy.Account, (*Server).account, pageOnly},
		{post, "/account/password", policy.Account, (*Server).changePassword, pageOnly},
		{post, "/account/display", policy.Account, (*Server).changeDisplay, pageOnly},
		{post, "/account/sessions/:id/end", policy.Account, (*Server).endSession, pageOnly},
	}
}

// actRoutes returns the routes of the actions: a form for every kind that has a
// path, and its POST: /users/:id/ban, /messages/:id/delete, /trees/:id/halt and
// so on. The list routes holds an undo, which has an action as its target, and
// a change of a user, which has its form on the user's page.
func actRoutes() []route {
	var all []route
	for _, kind := range store.Kinds {
		if kind.Path == "" {
			continue
		}
		path := "/" + kind.Target + "s/:id/" + kind.Path
		all = append(all,
			route{get, path, kind.Permission, actForm(kind), pageOnly},
			route{post, path, kind.Permission, act(kind), both})
	}
	return all
}

// staffRoutes returns the routes of the acts on an account: a form, its POST, and
// the method of the API.
func staffRoutes() []route {
	var all []route
	for _, act := range []struct {
		path string
		kind store.Kind
		api  bool
	}{
		{"/invite", store.InviteStaff, true},
		{"/reset", store.ResetStaff, true},
		{"/end-sessions", store.EndStaffSessions, true},
		{"/remove", store.TakeAccess, false}, // DELETE /staff/:id
	} {
		path := staffPath + "/:id" + act.path
		all = append(all,
			route{get, path, act.kind.Permission, staffActForm(act.kind), pageOnly},
			route{post, path, act.kind.Permission, staffAct(act.kind), pageOnly})
		if act.api {
			all = append(all, route{post, "/staff/:id" + act.path, act.kind.Permission, staffAct(act.kind), apiOnly})
		}
	}
	return all
}

func allRoutes() []route { return slices.Concat(actRoutes(), staffRoutes(), routes()) }
