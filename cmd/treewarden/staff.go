package main

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"text/tabwriter"
	"time"

	"golang.org/x/term"

	"treewarden/policy"
	"treewarden/store"
	"treewarden/store/accounts"
)

// StaffCmd makes and changes the accounts that can sign in.
type StaffCmd struct {
	Create   StaffCreateCmd   `cmd:"" help:"Create an account that can sign in."`
	List     StaffListCmd     `cmd:"" help:"List the accounts."`
	Role     StaffRoleCmd     `cmd:"" help:"Give an account another role; general removes its access to the console."`
	Password StaffPasswordCmd `cmd:"" help:"Set an account's password and end its sessions."`
}

// StaffCreateCmd makes an account.
type StaffCreateCmd struct {
	Name          string `help:"Name to sign in with." required:"" placeholder:"N"`
	Role          string `help:"Role of staff; policy show lists the roles." required:"" placeholder:"R"`
	PasswordStdin bool   `help:"Read the password from standard input (its first line), for scripts."`
}

// Run makes the account and prints its id.
func (c *StaffCreateCmd) Run(app *App) error {
	s, err := app.Store(app.Context())
	if err != nil {
		return err
	}
	if err := checkRole(s, c.Role, true); err != nil {
		return err
	}
	password, err := readPassword(app, c.Name, c.PasswordStdin)
	if err != nil {
		return err
	}
	user, err := s.CreateStaff(app.Context(), store.CommandLine, c.Name, c.Role, password)
	if err != nil {
		return err
	}
	_, err = fmt.Fprintf(app.Stdout, "created %s (%s), %s\n", user.Username, user.Role, user.UserID)
	return err
}

// StaffListCmd lists the accounts.
type StaffListCmd struct {
	JSON bool `help:"Print a JSON array."`
}

// Run prints a line for each account.
func (c *StaffListCmd) Run(app *App) error {
	s, err := app.Store(app.Context())
	if err != nil {
		return err
	}
	staff, err := s.Staff(app.Context(), store.CommandLine)
	if err != nil {
		return err
	}
	if c.JSON {
		return printJSON(app, staff)
	}
	w := tabwriter.NewWriter(app.Stdout, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "NAME\tROLE\tSTATUS\tCREATED\tID")
	for _, u := range staff {
		fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%s\n",
			u.Username, u.Role, u.Status, u.CreatedDate.UTC().Format(time.DateOnly), u.UserID)
	}
	return w.Flush()
}

// StaffRoleCmd gives an account another role.
type StaffRoleCmd struct {
	Name string `arg:"" help:"The account's name, or the name or id of a contributor."`
	Role string `arg:"" help:"Role; policy show lists the roles."`
	Yes  bool   `help:"Do not ask before a contributor becomes a member of staff, for scripts."`
}

// Run changes the role. It asks before a contributor becomes a member of staff.
func (c *StaffRoleCmd) Run(app *App) error {
	s, err := app.Store(app.Context())
	if err != nil {
		return err
	}
	if err := checkRole(s, c.Role, false); err != nil {
		return err
	}
	found, err := s.PeopleNamed(app.Context(), store.CommandLine, c.Name)
	if err != nil {
		return named(err, "account", c.Name, "treewarden staff list")
	}
	who := found[0]
	switch {
	case len(found) > 1:
		return severalNamed(c.Name, found)
	case !who.Account && c.Role == policy.General:
		return fmt.Errorf("%s is a contributor and has no role to lose", described(who))
	case !who.Account && !c.Yes:
		if err := confirm(app, who, c.Role); err != nil {
			return err
		}
	}
	if _, err := s.SetStaffRole(app.Context(), store.CommandLine, who.UserID, c.Role); err != nil {
		return err
	}
	_, err = fmt.Fprintf(app.Stdout, "%s is %s now (%s, %s before)\n", who.Username, c.Role, who.UserID, who.Role)
	return err
}

// described names a person so that nobody is taken for another one.
func described(p accounts.Found) string {
	return fmt.Sprintf("%s (signs in as %q, %s, known since %s)", printable(p.DisplayName), p.Username, p.UserID,
		p.CreatedDate.UTC().Format(time.DateOnly))
}

// severalNamed is the error for a name that several contributors have.
func severalNamed(name string, found []accounts.Found) error {
	var all []string
	for _, p := range found {
		all = append(all, described(p))
	}
	return fmt.Errorf("no account has the name %q, and several contributors do: %s; give the id of the one you mean",
		name, strings.Join(all, ", "))
}

// confirm asks whether a contributor becomes a member of staff.
func confirm(app *App, who accounts.Found, role string) error {
	terminal, ok := app.Stdin.(*os.File)
	if !ok || !term.IsTerminal(int(terminal.Fd())) {
		return fmt.Errorf("no account has this name; it is that of a contributor, %s; give --yes to make them a member of "+
			"staff (%s), or use \"treewarden staff create\" to make an account of this name", described(who), role)
	}
	fmt.Fprintf(app.Stderr, "This is a contributor: %s.\nMake them a member of staff (%s)? [y/N] ", described(who), role)
	answer, err := readLine(app, terminal)
	if err != nil {
		return err
	}
	if answer = strings.ToLower(strings.TrimSpace(answer)); answer != "y" && answer != "yes" {
		return errors.New("nothing was changed")
	}
	return nil
}

// readLine reads a line from a terminal, until the program receives a signal to stop.
func readLine(app *App, terminal io.Reader) (string, error) {
	type answer struct {
		line string
		err  error
	}
	answers := make(chan answer, 1)
	go func() {
		line, err := bufio.NewReader(terminal).ReadString('\n')
		answers <- answer{line, err}
	}()
	select {
	case a := <-answers:
		if a.err != nil && !errors.Is(a.err, io.EOF) {
			return "", fmt.Errorf("read the answer: %w", a.err)
		}
		return a.line, nil
	case <-app.Context().Done():
		return "", app.Context().Err()
	}
}

// StaffPasswordCmd sets an account's password.
type StaffPasswordCmd struct {
	Name          string `arg:"" help:"The account's name."`
	PasswordStdin bool   `help:"Read the password from standard input (its first line), for scripts."`
}

// Run sets the password.
func (c *StaffPasswordCmd) Run(app *App) error {
	password, err := readPassword(app, c.Name, c.PasswordStdin)
	if err != nil {
		return err
	}
	s, err := app.Store(app.Context())
	if err != nil {
		return err
	}
	if err := s.SetStaffPassword(app.Context(), store.CommandLine, c.Name, password); err != nil {
		return named(err, "account", c.Name, "treewarden staff list")
	}
	_, err = fmt.Fprintf(app.Stdout, "set the password of %s; their sessions have ended\n", c.Name)
	return err
}

// readPassword reads a password from the first line of standard input. On a
// terminal it asks for the password twice, without an echo.
func readPassword(app *App, name string, fromStdin bool) (string, error) {
	if fromStdin {
		line, err := bufio.NewReader(app.Stdin).ReadString('\n')
		if err != nil && !errors.Is(err, io.EOF) {
			return "", fmt.Errorf("read the password from standard input: %w", err)
		}
		if line = strings.TrimRight(line, "\r\n"); line == "" {
			return "", errors.New("standard input holds no password; write it on the first line")
		}
		return line, nil
	}
	terminal, ok := app.Stdin.(*os.File)
	if !ok || !term.IsTerminal(int(terminal.Fd())) {
		return "", usageError("there is no terminal to ask for the password on; use --password-stdin and write it to " +
			"standard input")
	}
	first, err := ask(app, terminal, "Password for "+name+": ")
	if err != nil {
		return "", err
	}
	second, err := ask(app, terminal, "Repeat the password: ")
	if err != nil {
		return "", err
	}
	if first != second {
		return "", errors.New("the two passwords differ; try again")
	}
	return first, nil
}

// ask reads a line from a terminal without an echo. A signal in the meantime
// must not leave the terminal without one.
func ask(app *App, terminal *os.File, prompt string) (string, error) {
	before, err := term.GetState(int(terminal.Fd()))
	if err != nil {
		return "", fmt.Errorf("read from the terminal: %w", err)
	}
	fmt.Fprint(app.Stderr, prompt)
	type answer struct {
		password []byte
		err      error
	}
	answers := make(chan answer, 1)
	go func() {
		password, err := term.ReadPassword(int(terminal.Fd()))
		answers <- answer{password, err}
	}()
	select {
	case a := <-answers:
		fmt.Fprintln(app.Stderr)
		if a.err != nil {
			return "", fmt.Errorf("read the password: %w", a.err)
		}
		return string(a.password), nil
	case <-app.Context().Done():
		fmt.Fprintln(app.Stderr)
		return "", errors.Join(app.Context().Err(), term.Restore(int(terminal.Fd()), before))
	}
}
