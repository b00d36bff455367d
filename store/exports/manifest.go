package exports

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"treewarden/corpus"
	"treewarden/store/chain"
	"treewarden/store/db"
)

// Manifest tells what a file holds and how it came about.
type Manifest struct {
	File    string    `json:"file"`
	Format  string    `json:"format"`
	Gzip    bool      `json:"gzip"`
	SHA256  string    `json:"sha256"` // of the file as it is, compressed if it is
	Bytes   int64     `json:"bytes"`
	At      time.Time `json:"at"`
	By      string    `json:"by"`
	Program string    `json:"program"`
	// Formula is the current formula of the troll score, Log the end of the audit log.
	Formula Formula      `json:"formula"`
	Log     chain.Status `json:"log"`

	Filters Filters `json:"filters"`
	Lists   []List  `json:"lists"` // those that were left out
	// In counts what was in the database, Out what is in the file. Every message of In
	// counts in Out or under one reason of LeftOut.
	In      Counts  `json:"in"`
	Out     Counts  `json:"out"`
	LeftOut LeftOut `json:"left_out"`
	// Languages and Roles count the messages of Out.
	Languages Numbers `json:"languages"`
	Roles     Numbers `json:"roles"`
	// Blanked are the messages of Out without their texts.
	Blanked int64 `json:"blanked"`
	// NotHeld says what the database has of these trees and the file does not hold.
	NotHeld []string `json:"not_held"`
}

// Formula names a version of the formula.
type Formula struct {
	Name    string `json:"name"`
	Version int    `json:"version"`
}

// Counts are numbers of trees, messages and lines. A row of CSV or Parquet is a line too;
// the header of CSV is none.
type Counts struct {
	Trees    int64 `json:"trees"`
	Messages int64 `json:"messages"`
	Lines    int64 `json:"lines,omitempty"`
}

// Numbers are numbers of messages by a language or a role. A message without a language
// counts under Unknown. After corpus.MaxNames languages, others count under Others.
type Numbers map[string]int64

// The names in Numbers for what has none.
const (
	Unknown = ""
	Others  = "*"
)

func (n Numbers) add(name *string) {
	under := Unknown
	if name != nil {
		under = *name
	}
	if _, known := n[under]; !known && len(n) >= corpus.MaxNames {
		under = Others
	}
	n[under]++
}

// LeftOut counts what was left out by reason. Messages of trees that were left out
// count too, under the reason of their tree.
type LeftOut struct {
	Trees    map[string]int64 `json:"trees"`
	Messages map[string]int64 `json:"messages"`
}

// List is a list of messages that are left out.
type List struct {
	ListID uuid.UUID `json:"list_id"`
	Name   string    `json:"name"`
	Items  int64     `json:"items"`
}

// Text returns the manifest as it is kept beside the file.
func (m Manifest) Text() ([]byte, error) {
	text, err := json.MarshalIndent(m, "", "  ")
	if err != nil {
		return nil, fmt.Errorf("write the manifest: %w", err)
	}
	return append(text, '\n'), nil
}

// findLists finds lists by their names or ids.
func findLists(ctx context.Context, c db.Conn, names []string) (found []List, ids []uuid.UUID, err error) {
	found = []List{}
	for _, name := range names {
		lists, err := db.Collect[List](ctx, c, `SELECT list_id, name, items FROM lists
			WHERE NOT removed AND (list_id::text = lower($1) OR name = $1) ORDER BY list_id`, name)
		switch {
		case err != nil:
			return nil, nil, fmt.Errorf("find list %s: %w", name, err)
		case len(lists) == 0:
			return nil, nil, wrong("without_list", fmt.Sprintf("there is no list %q.", name))
		case len(lists) > 1:
			return nil, nil, wrong("without_list", fmt.Sprintf("%d lists are called %q; give the id of one, such as %s.",
				len(lists), name, lists[0].ListID))
		}
		found, ids = append(found, lists[0]), append(ids, lists[0].ListID)
	}
	return found, ids, nil
}

// notHeldSQL is true if the database has what no format holds.
var notHeldSQL = []struct{ what, sql string }{
	{"who gave each label and when: a file holds means and numbers", "SELECT FROM label_votes"},
	{"who reacted and when: a file holds numbers", "SELECT FROM reactions"},
	{"reports", "SELECT FROM reports"},
	{"earlier texts of edited messages", "SELECT FROM revisions"},
	{"the former states of stopped trees", "SELECT FROM trees WHERE halted_state IS NOT NULL"},
	{"messages that wait for their parent", "SELECT FROM import_orphans"},
	{"the audit log: who deleted or changed what, when and why", "SELECT FROM actions"},
}

// notHeld returns what the database has and a file does not hold, whatever the messages.
func (f *Filters) notHeld(ctx context.Context, tx pgx.Tx) ([]string, error) {
	found := []string{"names, e-mail addresses, sign-in data, bans and notes of users"}
	if !f.ExportLabels {
		found = append(found, "labels (export_labels adds them)")
	}
	switch {
	case f.ExportEvents: // what a format has no place for is counted
	case f.Format == Parquet:
		found = append(found, "events, for which Parquet has no column")
	default:
		found = append(found, "events (export_events adds them)")
	}
	for _, n := range notHeldSQL {
		var there bool
		if err := tx.QueryRow(ctx, "SELECT EXISTS ("+n.sql+")").Scan(&there); err != nil {
			return nil, fmt.Errorf("look for %s: %w", n.what, err)
		}
		if there {
			found = append(found, n.what)
		}
	}
	return found, nil
}
