package users

import (
	"context"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"treewarden/store/db"
	"treewarden/store/tables"
)

// Ban is a ban in force.
type Ban struct {
	Since  time.Time  `json:"since"`
	Until  *time.Time `json:"until"`
	Reason string     `json:"reason"`
	By     *uuid.UUID `json:"by"`
	ByName string     `json:"by_name"`
	Action *int64     `json:"action"`
}

// User is a contributor, a member of staff or a key.
type User struct {
	UserID            uuid.UUID  `json:"user_id"`
	DisplayName       string     `json:"display_name"`
	AuthMethod        string     `json:"auth_method"`
	Username          string     `json:"username"`
	Role              string     `json:"role"`
	Status            string     `json:"status"`
	Ban               *Ban       `json:"ban"`
	Notes             string     `json:"notes"`
	ShowOnLeaderboard bool       `json:"show_on_leaderboard"`
	CreatedDate       time.Time  `json:"created_date"`
	LastActivityDate  *time.Time `json:"last_activity_date"`
	Version           int        `json:"version"`
	// ActsOn is the limit of languages of a member of staff, besides the limit of
	// their role; nil is none.
	ActsOn []string `json:"-"`
	// Private is set only for an actor with the permission user.private.
	Private *Private `json:"private,omitempty"`
}

// Private holds the data of a user that only admins may read.
type Private struct {
	Email      string     `json:"email"`
	IP         string     `json:"ip"`
	LastSignIn *time.Time `json:"last_sign_in"`
	Sessions   int        `json:"sessions"`
}

// Row is a user as a query for Columns returns it.
type Row struct {
	db.Keyed
	UserID            uuid.UUID
	DisplayName       string
	AuthMethod        string
	Username          string
	Role              string
	Status            string
	Notes             string
	ShowOnLeaderboard bool
	CreatedDate       time.Time
	LastActivityDate  *time.Time
	Version           int
	Languages         []string
	BannedAt          *time.Time
	BannedUntil       *time.Time
	BanReason         *string
	BannedBy          *uuid.UUID
	BannedByName      *string
	BanAction         *int64
}

// Columns are the columns of a Row, for users u.
var Columns = `u.user_id, u.display_name, u.auth_method, u.username, u.role,
	` + tables.UserStatusSQL + ` AS status, u.notes, u.show_on_leaderboard, u.created_date,
	nullif(u.last_activity_date, '-infinity') AS last_activity_date, u.version, u.languages,
	u.banned_at, u.banned_until, u.ban_reason, u.banned_by,
	(SELECT b.display_name FROM users b WHERE b.user_id = u.banned_by) AS banned_by_name, ` +
	tables.NumberSQL("u.ban_action") + ` AS ban_action`

// User returns the user of the row.
func (r Row) User() User {
	u := User{
		UserID: r.UserID, DisplayName: r.DisplayName, AuthMethod: r.AuthMethod, Username: r.Username,
		Role: r.Role, Status: r.Status, Notes: r.Notes,
		ShowOnLeaderboard: r.ShowOnLeaderboard, CreatedDate: r.CreatedDate,
		LastActivityDate: r.LastActivityDate, Version: r.Version, ActsOn: r.Languages,
	}
	if r.Status == tables.Banned {
		u.Ban = &Ban{Since: *r.BannedAt, Until: r.BannedUntil, By: r.BannedBy, Action: r.BanAction}
		if r.BanReason != nil {
			u.Ban.Reason = *r.BanReason
		}
		if r.BannedByName != nil {
			u.Ban.ByName = *r.BannedByName
		}
	}
	return u
}

// Of returns the users of rows.
func Of(rows []Row) []User {
	all := make([]User, len(rows))
	for i, r := range rows {
		all[i] = r.User()
	}
	return all
}

// Orders are the orders of lists of users.
var Orders = func() []db.Order {
	name := []db.Key{{Expr: "left(lower(u.display_name), 100)", Typ: "text"}, {Expr: "u.user_id", Typ: "uuid"}}
	created := []db.Key{{Expr: "u.created_date", Typ: "timestamptz"}, {Expr: "u.user_id", Typ: "uuid"}}
	// The index has the day only, so that a change of the time does not update it.
	activity := []db.Key{
		{Expr: "u.active_day", Typ: "date"},
		{Expr: "u.last_activity_date", Typ: "timestamptz"},
		{Expr: "u.user_id", Typ: "uuid"},
	}
	return []db.Order{
		{Name: "name", Desc: false, Keys: name}, {Name: "-name", Desc: true, Keys: name},
		{Name: "created", Desc: false, Keys: created}, {Name: "-created", Desc: true, Keys: created},
		{Name: "activity", Desc: false, Keys: activity}, {Name: "-activity", Desc: true, Keys: activity},
	}
}()

// ByIDSQL is the query for one user.
var ByIDSQL = "SELECT " + Columns + db.NoCursorKey + " FROM users u WHERE u.user_id = $1"

// ByIDsSQL is the query for several users, $1.
var ByIDsSQL = "SELECT " + Columns + db.NoCursorKey + " FROM users u WHERE u.user_id = ANY ($1)"

// All reads the rows of ByIDsSQL.
func All(rows pgx.Rows) ([]User, error) {
	all, err := pgx.CollectRows(rows, pgx.RowToStructByName[Row])
	return Of(all), err
}

// One reads the one row of ByIDSQL.
func One(rows pgx.Rows) (User, error) {
	r, err := pgx.CollectExactlyOneRow(rows, pgx.RowToStructByName[Row])
	if err != nil {
		return User{}, err
	}
	return r.User(), nil
}

// ByID returns a user, or ErrNotFound.
func ByID(ctx context.Context, c db.Conn, id uuid.UUID) (User, error) {
	rows, err := c.Query(ctx, ByIDSQL, id)
	if err != nil {
		return User{}, db.Translate(err)
	}
	user, err := One(rows)
	return user, db.Translate(err)
}
