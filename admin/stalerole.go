package admin

import (
	"slices"

	"treewarden/policy"
)

// mergeColumns merges the form of roles, which was made from the roles was, with
// the roles now in force: what the form left alone is as it is now, and roles
// that somebody else added or removed are there or gone.
func mergeColumns(columns []roleColumn, was, now []policy.Role) []roleColumn {
	named := func(roles []policy.Role, name string) *policy.Role {
		i := slices.IndexFunc(roles, func(r policy.Role) bool { return r.Name == name })
		if i < 0 {
			return nil
		}
		return &roles[i]
	}
	var merged []roleColumn
	sent := map[string]bool{}
	for _, column := range columns {
		sent[column.Name] = true
		before, after := named(was, column.Name), named(now, column.Name)
		switch {
		case before == nil: // the form adds it
		case after != nil:
			column.merge(columnOf(0, *before), columnOf(0, *after))
		case column.same(columnOf(0, *before)):
			continue
		}
		merged = append(merged, column)
	}
	for _, role := range now {
		before := named(was, role.Name)
		// A role that the form removed comes back if somebody else changed it.
		if !sent[role.Name] && (before == nil || !columnOf(0, role).same(columnOf(0, *before))) {
			merged = append(merged, columnOf(0, role))
		}
	}
	return merged
}

// merge gives the fields of a column that are as before their present values.
func (c *roleColumn) merge(before, after roleColumn) {
	for _, field := range []struct {
		typed       *string
		before, now string
	}{
		{&c.Title, before.Title, after.Title}, {&c.Rank, before.Rank, after.Rank},
		{&c.Languages, before.Languages, after.Languages},
	} {
		if *field.typed == field.before {
			*field.typed = field.now
		}
	}
	for _, info := range policy.All {
		if p := info.Permission; c.May[p] == before.May[p] {
			c.May[p] = after.May[p]
		}
	}
}

// same reports whether two columns have the same fields.
func (c roleColumn) same(other roleColumn) bool {
	if c.Title != other.Title || c.Rank != other.Rank || c.Languages != other.Languages {
		return false
	}
	for _, info := range policy.All {
		if c.May[info.Permission] != other.May[info.Permission] {
			return false
		}
	}
	return true
}
