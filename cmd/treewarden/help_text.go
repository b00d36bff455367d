package main

import (
	"strings"

	"github.com/alecthomas/kong"

	"treewarden/store/tables"
)

// The defaults and values of flags that their help names too.
const (
	defaultDataDir = ".treewarden"
	defaultListen  = "127.0.0.1:8080"
	logFormats     = "text,json"
	logLevels      = "auto,debug,info,warn,error"
)

// helpTexts are the help texts that are too long for a line beside their flag, and the
// values that they name. A tag has a text as ${help_…}.
var helpTexts = kong.Vars{
	"data_dir": defaultDataDir, "listen": defaultListen, "log_formats": logFormats, "log_levels": logLevels,

	"help_database_url": "PostgreSQL to use, such as postgres://user@host/name; without it the program runs its own in " +
		"the data folder.",
	"help_data_dir": "Data folder of the program's own PostgreSQL (default " + defaultDataDir + ").",
	"help_postgres_bin": "Folder with PostgreSQL's programs (postgres, initdb), if they are not found " +
		"automatically.",
	"help_connections": "Maximum number of connections to the database, at least 5 (0: 20, or 4 for each core).",
	"help_max_connections": "Maximum number of connections of clients, at least 16 (0: 4000, or what the limit of open " +
		"files allows).",
	"help_classifiers": "File that says which classifiers run (docs/classifiers.md); without it the embedded one " +
		"alone.",
	"help_listen":          "Address that serve and demo answer on (default " + defaultListen + ").",
	"help_trusted_proxies": "Addresses of proxies whose X-Real-IP header is trusted.",
	"help_log_format":      "Format of the log on standard error: " + logFormats + ".",
	"help_log_level": "Lowest level of messages to log: " + logLevels + " (auto: info for serve and demo, " +
		"else warn).",

	"help_lines": "Read one text a line from standard input, a JSON string or plain, and print its scores as one line " +
		"of JSON.",

	"help_write": "Write trees or messages to a file, and its manifest beside it. The word write can be left out.",
	"help_out": "File to write; a name that ends with .gz is compressed, but not with parquet. FILE.manifest.json is " +
		"written beside it.",
	"help_card": "Write FILE.README.md too: a dataset card for the Hugging Face hub, in which the licence is left to " +
		"fill in.",
	"help_format": "trees or messages: JSON Lines, a tree or a message a line; csv or parquet: a message a row (default " +
		"trees; messages with --user, --spam-only, --deleted-only and --synthetic-only).",
	"help_state": "Only trees in this state: all, or one of " + strings.Join(tables.TreeStates, ",") +
		" (default ready_for_export; all with --user).",
	"help_anonymizer_seed": "Replace the ids of users, messages and trees; the same seed gives the same ids. Keep it " +
		"secret.",
	"help_without_list": "Leave out the messages on this list, and the replies below them. Can be repeated.",
	"help_without_classifier": "Leave out messages for which this holds, such as detoxify.toxicity>0.8. Can be " +
		"repeated.",
	"help_since": "Only messages from this time on, such as 2023-01-31 or 2023-01-31T12:00:00Z; those without a date " +
		"are left out.",
	"help_deleted_nodes": "What becomes of replies below a message that is left out: drop leaves them out too; blank " +
		"keeps them, and the message without its text.",

	"help_why": "Explain why somebody may do something, or not. Exit status: 0 if they may, 1 if not, 2 if the " +
		"question is wrong.",
}
