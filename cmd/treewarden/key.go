package main

import (
	"fmt"
	"text/tabwriter"
	"time"

	"treewarden/store"
)

// KeyCmd makes and revokes API keys.
type KeyCmd struct {
	Create KeyCreateCmd `cmd:"" help:"Create a key and print it, once."`
	List   KeyListCmd   `cmd:"" help:"List the keys, without the keys themselves."`
	Revoke KeyRevokeCmd `cmd:"" help:"Revoke a key permanently."`
}

// KeyCreateCmd makes a key.
type KeyCreateCmd struct {
	Name      string        `help:"Name of the key; it acts under this name." required:"" placeholder:"N"`
	Role      string        `help:"Role; policy show lists the roles." default:"general" placeholder:"R"`
	ExpiresIn time.Duration `help:"How long the key works, such as 720h (default: no end)." placeholder:"DURATION"`
}

// Run prints the key and nothing else.
func (c *KeyCreateCmd) Run(app *App) error {
	if c.ExpiresIn < 0 {
		return usageError("--expires-in must be a time longer than 0, such as 720h")
	}
	s, err := app.Store(app.Context())
	if err != nil {
		return err
	}
	if err := checkRole(s, c.Role, false); err != nil {
		return err
	}
	var expires *time.Time
	if c.ExpiresIn > 0 {
		at := time.Now().Add(c.ExpiresIn)
		expires = &at
	}
	key, err := s.CreateKey(app.Context(), store.CommandLine, c.Name, c.Role, expires)
	if err != nil {
		return err
	}
	_, err = fmt.Fprintln(app.Stdout, key)
	return err
}

// KeyListCmd lists the keys.
type KeyListCmd struct {
	JSON bool `help:"Print a JSON array."`
}

// Run prints a line for each key.
func (c *KeyListCmd) Run(app *App) error {
	s, err := app.Store(app.Context())
	if err != nil {
		return err
	}
	keys, err := s.Keys(app.Context(), store.CommandLine)
	if err != nil {
		return err
	}
	if c.JSON {
		return printJSON(app, keys)
	}
	w := tabwriter.NewWriter(app.Stdout, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "NAME\tROLE\tSTATUS\tCREATED\tEXPIRES\tLAST USED")
	for _, k := range keys {
		fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%s\t%s\n",
			k.Name, k.Role, k.State(time.Now()), day(&k.CreatedAt), day(k.ExpiresAt), day(k.LastUsedAt))
	}
	return w.Flush()
}

// day writes a date, or a dash for a nil time.
func day(at *time.Time) string {
	if at == nil {
		return "-"
	}
	return at.UTC().Format(time.DateOnly)
}

// KeyRevokeCmd revokes a key.
type KeyRevokeCmd struct {
	Name string `arg:"" help:"The key's name."`
}

// Run revokes the key.
func (c *KeyRevokeCmd) Run(app *App) error {
	s, err := app.Store(app.Context())
	if err != nil {
		return err
	}
	if err := s.RevokeKey(app.Context(), store.CommandLine, c.Name); err != nil {
		return named(err, "key", c.Name, "treewarden key list")
	}
	_, err = fmt.Fprintf(app.Stdout, "revoked %s\n", c.Name)
	return err
}
