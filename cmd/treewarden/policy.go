package main

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"text/tabwriter"
	"time"

	"treewarden/policy"
	"treewarden/store"
	"treewarden/store/policies"
)

// PolicyCmd shows what roles may do, restores it, and explains it.
type PolicyCmd struct {
	Show    PolicyShowCmd    `cmd:"" help:"Show what each role may do."`
	Restore PolicyRestoreCmd `cmd:"" help:"Restore the roles that ship with the program; an action that can be undone."`
	Why     PolicyWhyCmd     `cmd:"" help:"${help_why}"`
}

// checkRole returns a usageError if no role of a name is in force, or if staff has
// to have it and it does not enter the console.
func checkRole(s *store.Store, name string, staff bool) error {
	var roles []string
	for _, role := range s.Policy().Names() {
		if !staff || s.Policy().EntersConsole(role) {
			roles = append(roles, role)
		}
	}
	if slices.Contains(roles, name) {
		return nil
	}
	return usageError(fmt.Sprintf("%q is no role for this; choose one of %s", name, strings.Join(roles, ", ")))
}

// PolicyShowCmd shows the roles in force.
type PolicyShowCmd struct {
	JSON bool `help:"Print the current version as JSON."`
}

// Run prints a line for each permission, with a column for each role.
func (c *PolicyShowCmd) Run(app *App) error {
	s, err := app.Store(app.Context())
	if err != nil {
		return err
	}
	versions, err := s.Policies(app.Context(), store.CommandLine)
	if err != nil {
		return err
	}
	now := versions[0]
	if c.JSON {
		return printJSON(app, now)
	}
	w := tabwriter.NewWriter(app.Stdout, 0, 0, 2, ' ', 0)
	line := func(first string, cell func(policy.Role) string) {
		fmt.Fprint(w, first)
		for _, role := range now.Roles {
			fmt.Fprint(w, "\t", cell(role))
		}
		fmt.Fprintln(w)
	}
	line("PERMISSION", func(r policy.Role) string { return r.Name })
	line("rank", func(r policy.Role) string { return strconv.Itoa(r.Rank) })
	line("languages", func(r policy.Role) string {
		if r.Languages == nil {
			return "all"
		}
		return strings.Join(r.Languages, ",")
	})
	for _, info := range policy.All {
		line(string(info.Permission), func(r policy.Role) string {
			if now.Policy.Allows(r.Name, info.Permission) {
				return "yes"
			}
			return "-"
		})
	}
	if err := w.Flush(); err != nil {
		return err
	}
	shipped := ""
	if now.Shipped {
		shipped = ", as shipped"
	}
	_, err = fmt.Fprintf(app.Stdout, "\nversion %d%s, by %s on %s: %s\n", now.Version, shipped,
		printable(now.Author), now.At.UTC().Format(time.DateOnly), printable(now.Note))
	return err
}

// PolicyRestoreCmd restores the shipped roles.
type PolicyRestoreCmd struct {
	Reason string `help:"Reason, recorded in the audit log." required:"" placeholder:"TEXT"`
}

// Run restores the shipped roles and counts the people whom that changed.
func (c *PolicyRestoreCmd) Run(app *App) error {
	s, err := app.Store(app.Context())
	if err != nil {
		return err
	}
	outcome, err := s.ChangePolicy(app.Context(), store.CommandLine, store.PolicyChange{Reason: c.Reason})
	switch {
	case err != nil:
		return err
	case outcome.Action.ID == 0:
		_, err = fmt.Fprintln(app.Stdout, "the roles are as shipped already")
	default:
		_, err = fmt.Fprintf(app.Stdout, "restored the shipped roles by action %d: %s gained or lost something\n",
			outcome.Action.ID, plural(int(outcome.Affected.Users), "account"))
	}
	return err
}

// PolicyWhyCmd explains why somebody may do something, or not.
type PolicyWhyCmd struct {
	User       string `arg:"" help:"The person's or key's name in full, or their id."`
	Permission string `arg:"" help:"What it is about: ${enum}." enum:"${permissions}"`
	Target     string `arg:"" optional:"" help:"What they would act on: user:ID, message:ID or tree:ID."`
	JSON       bool   `help:"Print the answer as JSON."`
}

// Run prints a sentence for each rule. It fails if the person may not.
func (c *PolicyWhyCmd) Run(app *App) error {
	object, err := policies.ReadObject(c.Target)
	if err != nil {
		return usageError(err.Error())
	}
	s, err := app.Store(app.Context())
	if err != nil {
		return err
	}
	answer, err := s.Why(app.Context(), store.CommandLine,
		policies.Question{Who: c.User, Permission: policy.Permission(c.Permission), Target: object})
	if err != nil {
		return err
	}
	if c.JSON {
		err = printJSON(app, answer)
	}
	for _, reason := range answer.Reasons {
		mark := "yes"
		if !reason.Allows {
			mark = "no "
		}
		if !c.JSON && err == nil {
			_, err = fmt.Fprintf(app.Stdout, "%s  %s\n", mark, printable(reason.Sentence))
		}
	}
	if err != nil || answer.Allowed {
		return err
	}
	return errors.New(printable(answer.User.Name) + " may not " + answer.Permission.Does())
}
