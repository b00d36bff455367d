package exports

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/google/uuid"

	"treewarden/corpus"
	"treewarden/store/db"
)

// Flags are the filters as people write them: the flags of the command export, the fields
// of the API and those of the form. An empty field is left out.
type Flags struct {
	Format            string   `json:"format" form:"format" validate:"max=40"`
	State             string   `json:"state" form:"state" validate:"max=40"`
	IncludeDeleted    bool     `json:"include_deleted" form:"include_deleted"`
	DeletedOnly       bool     `json:"deleted_only" form:"deleted_only"`
	IncludeSpam       bool     `json:"include_spam" form:"include_spam"`
	SpamOnly          bool     `json:"spam_only" form:"spam_only"`
	IncludeSynthetic  bool     `json:"include_synthetic" form:"include_synthetic"`
	SyntheticOnly     bool     `json:"synthetic_only" form:"synthetic_only"`
	User              string   `json:"user" form:"user" validate:"max=60"`
	Lang              string   `json:"lang" form:"lang" validate:"max=40"`
	PromptsOnly       bool     `json:"prompts_only" form:"prompts_only"`
	ExportLabels      bool     `json:"export_labels" form:"export_labels"`
	ExportEvents      bool     `json:"export_events" form:"export_events"`
	Limit             int      `json:"limit" form:"limit"`
	AnonymizerSeed    string   `json:"anonymizer_seed" form:"anonymizer_seed" validate:"max=1000"`
	WithoutList       []string `json:"without_list" form:"without_list" validate:"max=200"`
	WithoutBanned     bool     `json:"without_banned" form:"without_banned"`
	WithoutClassifier []string `json:"without_classifier" form:"without_classifier" validate:"max=100"`
	Since             string   `json:"since" form:"since" validate:"max=60"`
	Until             string   `json:"until" form:"until" validate:"max=60"`
	DeletedNodes      string   `json:"deleted_nodes" form:"deleted_nodes" validate:"max=40"`
}

// Filters returns the filters of the flags with their defaults, or a db.BadParameter that
// names the first wrong flag.
func (f Flags) Filters() (Filters, error) {
	filters := Filters{
		Format: f.Format, State: f.State, IncludeDeleted: f.IncludeDeleted, DeletedOnly: f.DeletedOnly,
		IncludeSpam: f.IncludeSpam, SpamOnly: f.SpamOnly, IncludeSynthetic: f.IncludeSynthetic,
		SyntheticOnly: f.SyntheticOnly, Lang: f.Lang, PromptsOnly: f.PromptsOnly, ExportLabels: f.ExportLabels,
		ExportEvents: f.ExportEvents, Limit: f.Limit, Seed: f.AnonymizerSeed, WithoutList: f.WithoutList,
		WithoutBanned: f.WithoutBanned, WithoutClassifier: f.WithoutClassifier, DeletedNodes: f.DeletedNodes,
	}
	if f.User != "" {
		id, err := uuid.Parse(f.User)
		if err != nil {
			return filters, wrong("user", fmt.Sprintf("user is the id of a user; %q is no id.", f.User))
		}
		filters.User = &id
	}
	for _, flag := range []struct {
		name, value string
		into        **time.Time
	}{{"since", f.Since, &filters.Since}, {"until", f.Until, &filters.Until}} {
		if flag.value == "" {
			continue
		}
		at, _, ok := corpus.ParseTime(flag.value)
		if !ok {
			return filters, wrong(flag.name, fmt.Sprintf("%s is a time such as 2023-01-31 or 2023-01-31T12:00:00Z, not %q.",
				flag.name, flag.value))
		}
		*flag.into = &at
	}
	for _, list := range f.WithoutList {
		if strings.TrimSpace(list) == "" || !db.IsText(list) {
			return filters, wrong("without_list", "without_list is the name or the id of a list.")
		}
	}
	return filters.Checked()
}

// Check checks what filters name in the database: the user and the lists. Write does so
// too.
func (a Access) Check(ctx context.Context, f Filters) error {
	if err := f.findUser(ctx, a.Pool); err != nil {
		return err
	}
	_, _, err := findLists(ctx, a.Pool, f.WithoutList)
	return err
}

// findUser checks that the user of the filters is known.
func (f *Filters) findUser(ctx context.Context, c db.Conn) error {
	if f.User == nil {
		return nil
	}
	var known bool
	if err := c.QueryRow(ctx, "SELECT EXISTS (SELECT FROM users WHERE user_id = $1)", *f.User).Scan(&known); err != nil {
		return db.Translate(err)
	}
	if !known {
		return wrong("user", fmt.Sprintf("there is no user %s.", f.User))
	}
	return nil
}
