package store

import (
	"context"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"treewarden/policy"
	"treewarden/scoring"
	"treewarden/store/db"
	"treewarden/store/raters"
	"treewarden/store/tables"
	"treewarden/store/users"
)

type userRow struct {
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

const userColumns = `u.user_id, u.display_name, u.auth_method, u.username, u.role,
	` + tables.UserStatusSQL + ` AS status, u.notes, u.show_on_leaderboard, u.created_date,
	nullif(u.last_activity_date, '-infinity') AS last_activity_date, u.version, u.languages,
	u.banned_at, u.banned_until, u.ban_reason, u.banned_by,
	(SELECT b.display_name FROM users b WHERE b.user_id = u.banned_by) AS banned_by_name, u.ban_action`

func (r userRow) user() User {
	u := User{
		UserID: r.UserID, DisplayName: r.DisplayName, AuthMethod: r.AuthMethod, Username: r.Username,
		Role: r.Role, Status: r.Status, Notes: r.Notes,
		ShowOnLeaderboard: r.ShowOnLeaderboard, CreatedDate: r.CreatedDate,
		LastActivityDate: r.LastActivityDate, Version: r.Version, ActsOn: r.Languages,
	}
	if r.Status == Banned {
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

var userOrders = func() []db.Order {
	name := []db.Key{{Expr: "lower(u.display_name)", Typ: "text"}, {Expr: "u.user_id", Typ: "uuid"}}
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

// Users lists users; keys are left out.
func (s *Store) Users(ctx context.Context, actor Actor, f UserFilter) (List[User], error) {
	if err := need(actor, policy.Read); err != nil {
		return List[User]{}, err
	}
	o, err := db.ChooseOrder("sort", f.Sort, userOrders...)
	if err != nil {
		return List[User]{}, err
	}
	q := db.Query{Columns: userColumns, From: "users u"}
	q.Where("u.auth_method <> 'key'")
	if f.Q != "" {
		like := "%" + db.EscapeLike(f.Q) + "%"
		q.Where("(u.display_name ILIKE ? OR u.username ILIKE ? OR u.user_id::text = lower(?))", like, like, f.Q)
	}
	if f.Role != "" {
		if err := db.OneOf("role", f.Role, s.policyFor(actor).Names()...); err != nil {
			return List[User]{}, err
		}
		q.Where("u.role = ?", f.Role)
	}
	switch f.Status {
	case "", "all":
	case Active, Banned, Erased:
		q.Where("("+tables.UserStatusSQL+") = ?", f.Status)
	default:
		return List[User]{}, db.OneOf("status", f.Status, Active, Banned, Erased, "all")
	}
	if f.Lang != "" {
		q.Where("EXISTS (SELECT FROM messages m WHERE m.user_id = u.user_id AND m.lang = ?)", f.Lang)
	}
	q.WithinLanguages(db.MainLanguageSQL, f.Within)
	rows, next, prev, err := db.Fetch[userRow](ctx, s.pool, q, o, f.Page)
	if err != nil {
		return List[User]{}, err
	}
	users := make([]User, len(rows))
	for i, r := range rows {
		users[i] = r.user()
	}
	return List[User]{Items: users, Next: next, Prev: prev}, nil
}

// userByIDSQL is the query for one user.
const userByIDSQL = "SELECT " + userColumns + db.NoCursorKey + " FROM users u WHERE u.user_id = $1"

// oneUser reads the one row of userByIDSQL.
func oneUser(rows pgx.Rows) (User, error) {
	r, err := pgx.CollectExactlyOneRow(rows, pgx.RowToStructByName[userRow])
	if err != nil {
		return User{}, err
	}
	return r.user(), nil
}

// userByID reads one user; c may be a transaction.
func userByID(ctx context.Context, c db.Conn, id uuid.UUID) (User, error) {
	rows, err := c.Query(ctx, userByIDSQL, id)
	if err != nil {
		return User{}, db.Translate(err)
	}
	user, err := oneUser(rows)
	return user, db.Translate(err)
}

// What the package users reads, by the names that users of a Store know.
type (
	Stats    = users.Stats
	Feedback = users.Feedback
)

// User returns one user with their stats and scores in every window.
func (s *Store) User(ctx context.Context, actor Actor, id uuid.UUID, formula scoring.Formula) (UserDetail, error) {
	d := UserDetail{
		Stats:  map[scoring.Window]Stats{},
		Scores: map[scoring.Window]float64{},
		Parts:  map[scoring.Window][]scoring.Part{},
	}
	if err := need(actor, policy.Read); err != nil {
		return d, err
	}
	var err error
	if d.User, err = userByID(ctx, s.pool, id); err != nil {
		return d, err
	}
	if actor.May(policy.UserPrivate) {
		if d.Private, err = s.userPrivate(ctx, id); err != nil {
			return d, err
		}
	}
	if d.Languages, err = users.Languages(ctx, s.pool, id); err != nil {
		return d, err
	}
	for _, window := range scoring.Windows {
		stats, err := users.StatsOf(ctx, s.pool, id, s.since(window))
		if err != nil {
			return d, err
		}
		counts, err := s.counted(ctx, id, window, formula)
		if err != nil {
			return d, err
		}
		stats.Score = formula.Score(counts)
		stats.Rate = scoring.Rate(stats.Score, stats.Messages)
		d.Stats[window], d.Scores[window], d.Parts[window] = stats, stats.Score, formula.Parts(counts)
	}
	if d.Days, err = s.days(ctx, id, formula); err != nil {
		return d, err
	}
	d.History, err = db.Collect[NoteVersion](ctx, s.pool, `SELECT
			a.at, a.actor_name AS by, coalesce(o.after #>> '{}', '') AS notes, a.id AS action
		FROM action_objects o JOIN actions a ON a.id = o.action_id
		WHERE o.object_type = 'user' AND o.object_id = $1 AND o.aspect = 'notes' ORDER BY a.id DESC LIMIT 100`, id)
	return d, err
}

func (s *Store) userPrivate(ctx context.Context, id uuid.UUID) (*UserPrivate, error) {
	var p UserPrivate
	err := s.pool.QueryRow(ctx, `SELECT coalesce(u.email, ''), coalesce(l.ip, ''), l.created_at,
			(SELECT count(*) FROM sessions WHERE user_id = u.user_id AND expires_at > now())
		FROM users u LEFT JOIN LATERAL (SELECT ip, created_at FROM sessions WHERE user_id = u.user_id
			ORDER BY created_at DESC LIMIT 1) l ON true
		WHERE u.user_id = $1`, id).Scan(&p.Email, &p.IP, &p.LastSignIn, &p.Sessions)
	return &p, db.Translate(err)
}

// UserFeedback lists a user's feedback, the newest first.
func (s *Store) UserFeedback(ctx context.Context, actor Actor, id uuid.UUID, p Page) (List[Feedback], error) {
	if err := need(actor, policy.Read); err != nil {
		return List[Feedback]{}, err
	}
	if _, err := userByID(ctx, s.pool, id); err != nil {
		return List[Feedback]{}, err
	}
	return users.FeedbackOf(ctx, s.pool, id, p)
}

// Rater compares a user's feedback with that of others on the same messages.
func (s *Store) Rater(ctx context.Context, actor Actor, id uuid.UUID) (Rater, error) {
	if err := need(actor, policy.Read); err != nil {
		return Rater{}, err
	}
	if _, err := userByID(ctx, s.pool, id); err != nil {
		return Rater{}, err
	}
	r, err := raters.Compare(ctx, s.pool, id)
	return r, db.Translate(err)
}
