package main

import (
	"fmt"

	"github.com/alecthomas/kong"
)

// VersionCmd prints the version.
type VersionCmd struct{}

// Run prints the version and nothing else.
func (c *VersionCmd) Run(app *App) error {
	_, err := fmt.Fprintln(app.Stdout, programVersion())
	return err
}

// HelpCmd explains the program or one command.
type HelpCmd struct {
	Command []string `arg:"" optional:"" help:"Command to explain."`
}

// Run prints the help of a command, as the command's flag --help does.
func (c *HelpCmd) Run(app *App, parser *kong.Kong) error {
	_, err := parser.Parse(append(c.Command, "--help"))
	return err // after it printed help, the parser ends the program
}
