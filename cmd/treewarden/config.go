package main

import (
	"fmt"
	"io"
	"log/slog"
	"strings"

	"github.com/alecthomas/kong"

	"treewarden/policy"
	"treewarden/scoring"
	"treewarden/store/tables"
)

// Settings holds the flags of every command. The environment can set each of
// them; a flag takes precedence.
type Settings struct {
	DatabaseURL string `help:"${help_database_url}" env:"TREEWARDEN_DATABASE_URL" placeholder:"URL"`
	DataDir     string `help:"${help_data_dir}" env:"TREEWARDEN_DATA_DIR" default:"${data_dir}" placeholder:"DIR"`
	PostgresBin string `help:"${help_postgres_bin}" env:"TREEWARDEN_POSTGRES_BIN" placeholder:"DIR"`

	DatabaseConnections int `help:"${help_connections}" env:"TREEWARDEN_DATABASE_CONNECTIONS" default:"0" placeholder:"N"`
	MaxConnections      int `help:"${help_max_connections}" env:"TREEWARDEN_MAX_CONNECTIONS" default:"0" placeholder:"N"`

	Classifiers string `help:"${help_classifiers}" env:"TREEWARDEN_CLASSIFIERS" placeholder:"FILE"`
	Listen      string `help:"${help_listen}" env:"TREEWARDEN_LISTEN" default:"${listen}" placeholder:"HOST:PORT"`

	Secure bool `help:"The console is reached over https; browsers send the cookies only there." env:"TREEWARDEN_SECURE"`

	TrustedProxies []string `help:"${help_trusted_proxies}" env:"TREEWARDEN_TRUSTED_PROXIES" placeholder:"ADDRESS"`

	LogFormat string `help:"${help_log_format}" env:"TREEWARDEN_LOG_FORMAT" enum:"${log_formats}" default:"text"`
	LogLevel  string `help:"${help_log_level}" env:"TREEWARDEN_LOG_LEVEL" enum:"${log_levels}" default:"auto"`
}

// commandLine is the whole command line: the settings and every command.
type commandLine struct {
	Settings

	Serve      ServeCmd      `cmd:"" help:"Serve the console and the API."`
	Demo       DemoCmd       `cmd:"" help:"Serve the console on a generated collection, with one account for each role."`
	Migrate    MigrateCmd    `cmd:"" help:"Apply or list the migrations of the database's schema."`
	Import     ImportCmd     `cmd:"" help:"Import OASST trees or messages."`
	Export     ExportCmd     `cmd:"" help:"Write trees and messages to files, and check such files."`
	Classify   ClassifyCmd   `cmd:"" help:"Run classifiers over messages and texts."`
	Score      ScoreCmd      `cmd:"" help:"Explain, check and rebuild troll scores."`
	Insights   InsightsCmd   `cmd:"" help:"Count and check the figures of the insights."`
	Staff      StaffCmd      `cmd:"" help:"Accounts that can sign in."`
	Key        KeyCmd        `cmd:"" help:"API keys."`
	Policy     PolicyCmd     `cmd:"" help:"What each role may do."`
	Audit      AuditCmd      `cmd:"" help:"The audit log."`
	Version    VersionCmd    `cmd:"" help:"Print the version."`
	Help       HelpCmd       `cmd:"" help:"List commands and flags, or explain one command."`
	Completion CompletionCmd `cmd:"" help:"Print the script that completes commands in a shell."`
}

// newParser makes the parser of the command line. It prints help to standard
// output, because help is the result that was asked for.
func newParser(commands *commandLine, app *App) (*kong.Kong, error) {
	var frames, formulas []string
	for _, f := range scoring.Windows {
		frames = append(frames, string(f))
	}
	for _, f := range scoring.Formulas {
		formulas = append(formulas, f.Name)
	}
	permissions := make([]string, len(policy.All))
	for i, info := range policy.All {
		permissions[i] = string(info.Permission)
	}
	parser, err := kong.New(commands,
		kong.Name("treewarden"),
		kong.Description("A moderation console for conversation trees."),
		kong.Writers(app.Stdout, app.Stderr),
		kong.Exit(func(status int) { panic(exit(status)) }),
		kong.ConfigureHelp(kong.HelpOptions{Compact: true, WrapUpperBound: 100}),
		helpTexts,
		kong.Vars{
			"frames": strings.Join(frames, ","), "formulas": strings.Join(formulas, ","), "formula": scoring.Formulas[0].Name,
			"permissions": strings.Join(permissions, ","), "states": strings.Join(tables.TreeStates, ","),
		},
	)
	if err != nil {
		return nil, err
	}
	// The help of a command lists its own flags, which have no group, first.
	for _, flag := range parser.Model.Flags {
		flag.Group = &kong.Group{Key: "all", Title: "Flags of all commands:"}
	}
	return parser, nil
}

// newLog makes the log of a command. Long-running commands log from info on;
// all others log errors only, because their standard error is for errors.
func newLog(s Settings, command string, w io.Writer) *slog.Logger {
	level := slog.LevelWarn
	switch {
	case s.LogLevel == "auto":
		if command == "serve" || command == "demo" {
			level = slog.LevelInfo
		}
	default:
		if err := level.UnmarshalText([]byte(s.LogLevel)); err != nil {
			panic(fmt.Sprintf("the log level %q was let through: %v", s.LogLevel, err)) // the parser accepts valid levels only
		}
	}
	options := &slog.HandlerOptions{Level: level}
	if s.LogFormat == "json" {
		return slog.New(slog.NewJSONHandler(w, options))
	}
	return slog.New(slog.NewTextHandler(w, options))
}
