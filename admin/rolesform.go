package admin

import (
	"fmt"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"treewarden/policy"
	"treewarden/store"
	"treewarden/store/policies"
)

// roleColumn is a role in the form of the matrix, as typed.
type roleColumn struct {
	Index     int
	Name      string
	Title     string
	Rank      string
	Languages string // codes with commas between them; empty for all
	May       map[policy.Permission]bool
	New       bool         // the role is not in force
	InForce   *policy.Role // the role in force of this name; nil if there is none
	Held      policies.Held
	Wrong     map[string]string // by the fields of a role
}

// columnOf returns the column of a role in force.
func columnOf(i int, role policy.Role) roleColumn {
	column := roleColumn{
		Index: i, Name: role.Name, Title: role.Title, Rank: strconv.Itoa(role.Rank),
		Languages: strings.Join(role.Languages, ", "), May: map[policy.Permission]bool{},
	}
	for _, permission := range role.Permissions {
		column.May[permission] = true
	}
	return column
}

// readColumns reads the columns that a form sent. The values of "role" are their
// numbers, in order.
func readColumns(values url.Values) []roleColumn {
	var columns []roleColumn
	for i, number := range values["role"] {
		field := func(name string) string { return strings.TrimSpace(last(values[name+"."+number])) }
		column := roleColumn{
			Index: i, Name: field("name"), Title: strings.Join(strings.Fields(field("title")), " "),
			Rank: field("rank"), Languages: field("languages"), May: map[policy.Permission]bool{},
		}
		for _, permission := range values["may."+number] {
			column.May[policy.Permission(permission)] = true
		}
		columns = append(columns, column)
	}
	return columns
}

// role returns the role of a column, and puts what cannot be read into wrong.
func (c roleColumn) role(wrong store.Invalid) policy.Role {
	rank, err := strconv.Atoi(c.Rank)
	if err != nil {
		wrong[fmt.Sprintf("roles[%d].rank", c.Index)] = fmt.Sprintf("A rank is a number from 0 to %d.", policy.MaxRank)
	}
	role := policy.Role{Name: c.Name, Title: c.Title, Rank: rank, Permissions: []policy.Permission{}}
	for _, info := range policy.All {
		if c.May[info.Permission] {
			role.Permissions = append(role.Permissions, info.Permission)
		}
	}
	separates := func(r rune) bool { return strings.ContainsRune(",; \t", r) }
	if codes := strings.FieldsFunc(c.Languages, separates); len(codes) > 0 {
		role.Languages = codes
	}
	return role
}

// Heading returns the title at the head of the column.
func (c roleColumn) Heading() string {
	switch {
	case c.Title != "":
		return capital(c.Title)
	case c.Name != "":
		return c.Name
	}
	return "New role"
}

// Removable reports whether the role can go: it is not built in, and nobody has it.
func (c roleColumn) Removable() bool {
	builtIn := []string{policy.General, policy.Collector, policy.Admin}
	return !slices.Contains(builtIn, c.Name) && c.Held == policies.Held{}
}

// Holders says how many people and keys have the role.
func (c roleColumn) Holders() string {
	if c.Name == policy.General && !c.New {
		return "contributors"
	}
	if c.Held == (policies.Held{}) {
		return "nobody"
	}
	text := counted(c.Held.People, "account")
	if c.Held.Keys > 0 {
		text += ", " + counted(c.Held.Keys, "key")
	}
	return text
}

// Link returns the address of the users who have the role, "" if nobody has.
func (c roleColumn) Link() string {
	if c.Held.People == 0 {
		return ""
	}
	return "/users?role=" + escapeQuery(c.Name)
}

// Changed reports whether a field differs from the role in force.
func (c roleColumn) Changed(field string) bool {
	if c.InForce == nil {
		return true
	}
	now := columnOf(0, *c.InForce)
	switch field {
	case "title":
		return c.Title != now.Title
	case "rank":
		return c.Rank != now.Rank
	}
	return !slices.Equal(c.role(store.Invalid{}).Languages, c.InForce.Languages)
}

// hidden returns the column as fields of a form that sends it again.
func (c roleColumn) hidden() []Choice {
	name := func(field string) string { return fmt.Sprintf("%s.%d", field, c.Index) }
	fields := []Choice{
		{Text: "role", Value: strconv.Itoa(c.Index)}, {Text: name("name"), Value: c.Name},
		{Text: name("title"), Value: c.Title}, {Text: name("rank"), Value: c.Rank},
		{Text: name("languages"), Value: c.Languages},
	}
	for _, info := range policy.All {
		if c.May[info.Permission] {
			fields = append(fields, Choice{Text: name("may"), Value: string(info.Permission)})
		}
	}
	return fields
}

// newRole is the part of the form that adds a role.
type newRole struct {
	Name  string `form:"new_name"`
	Title string `form:"new_title"`
	Rank  string `form:"new_rank"`
	From  string `form:"new_from"`
}

// column returns the column of the new role, with what another role may do.
func (n newRole) column(index int, columns []roleColumn) roleColumn {
	column := roleColumn{Index: index, May: map[policy.Permission]bool{}}
	for _, other := range columns {
		if other.Name == n.From {
			for permission := range other.May {
				column.May[permission] = true
			}
			column.Rank, column.Languages = other.Rank, other.Languages
		}
	}
	column.Name, column.Title = strings.TrimSpace(n.Name), strings.Join(strings.Fields(n.Title), " ")
	if rank := strings.TrimSpace(n.Rank); rank != "" {
		column.Rank = rank
	}
	return column
}

// permissionGroups holds the permissions in the groups of the matrix.
var permissionGroups = []struct {
	title       string
	permissions []policy.Permission
}{
	{"See", []policy.Permission{policy.Read, policy.UserPrivate}},
	{"Users", []policy.Permission{policy.UserEdit, policy.UserBan, policy.UserRole, policy.UserErase}},
	{"Messages and trees", []policy.Permission{
		policy.MessageDelete, policy.MessageEdit, policy.MessageReview,
		policy.MessageLabel, policy.MessageReact, policy.MessageReport, policy.TreeHalt,
	}},
	{"Many at once", []policy.Permission{policy.BulkAct, policy.BulkLarge}},
	{"Queue", []policy.Permission{policy.QueueWork}},
	{"Lists", []policy.Permission{policy.ListRead, policy.ListEdit, policy.ListApply}},
	{"Export", []policy.Permission{policy.Export}},
	{"Scoring", []policy.Permission{policy.ScoringRead, policy.ScoringSave}},
	{"Audit log and undo", []policy.Permission{policy.AuditOwn, policy.AuditAll, policy.UndoOwn, policy.UndoAll}},
	{"Roles, accounts and keys", []policy.Permission{
		policy.PolicyManage, policy.StaffManage, policy.KeyManage, policy.Account,
	}},
	{"Front ends", []policy.Permission{policy.Ingest, policy.EventsRead}},
}

// matrixGroup is a group of rows of the matrix.
type matrixGroup struct {
	Title string
	Rows  []matrixRow
}

// matrixRow is a permission in the matrix.
type matrixRow struct {
	Permission policy.Permission
	Does       string
	Cells      []matrixCell
}

// matrixCell is a checkbox of the matrix.
type matrixCell struct {
	Index       int
	Label       string // its accessible name
	On, Changed bool
	Wrong       bool // the permissions of the role are wrong
}

// matrix returns the checkboxes of columns. A permission without a group stands at
// the end.
func matrix(columns []roleColumn) []matrixGroup {
	var groups []matrixGroup
	grouped := map[policy.Permission]bool{}
	for _, g := range permissionGroups {
		group := matrixGroup{Title: g.title}
		for _, permission := range g.permissions {
			grouped[permission] = true
			group.Rows = append(group.Rows, rowOf(permission, columns))
		}
		groups = append(groups, group)
	}
	other := matrixGroup{Title: "Other"}
	for _, info := range policy.All {
		if !grouped[info.Permission] {
			other.Rows = append(other.Rows, rowOf(info.Permission, columns))
		}
	}
	if len(other.Rows) > 0 {
		groups = append(groups, other)
	}
	return groups
}

func rowOf(permission policy.Permission, columns []roleColumn) matrixRow {
	row := matrixRow{Permission: permission, Does: capital(permission.Does())}
	for _, c := range columns {
		row.Cells = append(row.Cells, matrixCell{
			Index: c.Index, Label: c.Heading() + ": " + permission.Does(), On: c.May[permission],
			Changed: c.InForce == nil && c.May[permission] ||
				c.InForce != nil && slices.Contains(c.InForce.Permissions, permission) != c.May[permission],
			Wrong: c.Wrong["permissions"] != "",
		})
	}
	return row
}
