package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"text/tabwriter"
	"unicode"

	"github.com/google/uuid"
	"golang.org/x/text/unicode/norm"

	"treewarden/corpus/search"
	"treewarden/scoring"
	"treewarden/store"
)

// ScoreCmd explains and checks troll scores.
type ScoreCmd struct {
	Explain ScoreExplainCmd `cmd:"" help:"Show the parts of one user's score."`
	Verify  ScoreVerifyCmd  `cmd:"" help:"Count all signals again and compare the result with what is stored."`
	Rebuild ScoreRebuildCmd `cmd:"" help:"Count all signals again and store the result."`
}

// ScoreExplainCmd shows the parts of one score.
type ScoreExplainCmd struct {
	User    string `arg:"" help:"The user's id, or their display name or sign-in name in full."`
	Frame   string `help:"Time frame: ${enum}." enum:"${frames}" default:"total"`
	Formula string `help:"Formula: ${enum}." enum:"${formulas}" default:"${formula}"`
	JSON    bool   `help:"Print the score as JSON, with the messages behind it."`
}

// Run prints a line for each signal, and the sum.
func (c *ScoreExplainCmd) Run(app *App) error {
	ctx := app.Context()
	s, err := app.Store(ctx)
	if err != nil {
		return err
	}
	formula, err := s.FormulaNamed(ctx, c.Formula)
	if err != nil {
		return err
	}
	user, err := c.find(app, s)
	if err != nil {
		return err
	}
	score, err := s.Score(ctx, store.CommandLine, user.UserID, scoring.Window(c.Frame), formula)
	if err != nil {
		return err
	}
	if c.JSON {
		return printJSON(app, score)
	}
	fmt.Fprintf(app.Stdout, "%s (%s), %s, formula %s\n\n",
		printable(user.DisplayName), user.UserID, c.Frame, score.Formula)
	w := tabwriter.NewWriter(app.Stdout, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintln(w, "signal\tcount\tweight\tpoints\t")
	for _, p := range score.Parts {
		fmt.Fprintf(w, "%s\t%d\t%g\t%s\t\n", p.Signal, p.Count, p.Weight, figureOf(p.Points))
	}
	fmt.Fprintf(w, "score\t\t\t%s\t\n", figureOf(score.Score))
	fmt.Fprintf(w, "rate\t\t\t%.3f\t\n", score.Rate)
	if err := w.Flush(); err != nil {
		return err
	}
	return c.evidence(app, score)
}

// figureOf writes points for people, without the last digits, which are
// rounding errors.
func figureOf(points float64) string { return strconv.FormatFloat(points, 'g', 12, 64) }

// shownEvidence is the number of messages of a signal that are printed for
// people.
const shownEvidence = 10

// evidence prints the messages behind each signal, the newest first.
func (c *ScoreExplainCmd) evidence(app *App, score store.Score) error {
	for _, p := range score.Parts {
		ids := score.Evidence[p.Signal]
		if len(ids) == 0 {
			continue
		}
		fmt.Fprintf(app.Stdout, "\n%s by %s", p.Signal, plural(len(ids), "message"))
		if len(ids) == store.EvidenceLimit {
			fmt.Fprint(app.Stdout, " or more")
		}
		fmt.Fprintln(app.Stdout)
		for i, id := range ids {
			if i == shownEvidence && len(ids) > shownEvidence+1 {
				fmt.Fprintf(app.Stdout, "  and %d more; --json names them\n", len(ids)-i)
				break
			}
			if _, err := fmt.Fprintln(app.Stdout, " ", id); err != nil {
				return err
			}
		}
	}
	return nil
}

// find finds the user by id, or by a name that only one user has.
func (c *ScoreExplainCmd) find(app *App, s *store.Store) (store.User, error) {
	var found []store.User
	filter := store.UserFilter{Q: c.User, Page: store.Page{Limit: 200}}
	id, err := uuid.Parse(c.User)
	if err != nil {
		filter.Q = search.Part{Kind: search.Phrase, Text: c.User}.String() // a name is no line
	}
	for more := true; more; {
		list, err := s.Users(app.Context(), store.CommandLine, filter)
		if err != nil {
			return store.User{}, err
		}
		for _, u := range list.Items {
			if u.UserID == id {
				return u, nil
			}
			if strings.EqualFold(norm.NFC.String(u.DisplayName), norm.NFC.String(c.User)) || u.Username == c.User {
				found = append(found, u)
			}
		}
		if more = list.Next != nil; more {
			filter.Cursor = *list.Next
		}
	}
	switch len(found) {
	case 0:
		return store.User{}, fmt.Errorf("there is no user %q; give their id, or their whole name", c.User)
	case 1:
		return found[0], nil
	}
	ids := make([]string, len(found))
	for i, u := range found {
		ids[i] = u.UserID.String()
	}
	return store.User{}, fmt.Errorf("%d users are called %q; give one's id: %s",
		len(found), c.User, strings.Join(ids, ", "))
}

// printJSON prints a value as JSON on one line.
func printJSON(app *App, value any) error {
	encoder := json.NewEncoder(app.Stdout)
	encoder.SetEscapeHTML(false)
	return encoder.Encode(value)
}

// named explains an error about an argument of the command line.
func named(err error, kind, name, list string) error {
	if errors.Is(err, store.ErrNotFound) {
		return fmt.Errorf("there is no %s named %q; %q lists them", kind, name, list)
	}
	return err
}

// printable returns a contributor's name without the control characters, which
// a terminal would obey.
func printable(name string) string {
	return strings.Map(func(r rune) rune {
		if unicode.IsPrint(r) {
			return r
		}
		return unicode.ReplacementChar
	}, name)
}
