package tables

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/jackc/pgx/v5"

	"treewarden/scoring"
	"treewarden/store/db"
)

// MaxOutputs is the maximum number of outputs of a model. A message with the last
// output stores room for all before it.
const MaxOutputs = 1000

// MaxModels is the maximum number of models. Their ids are small numbers, and all
// of them are read and shown by name.
const MaxModels = 1000

// Models maps the names of classifiers to the models that are known so far.
type Models map[string]*Model

// Model is a row of classifier_models, without unneeded columns.
type Model struct {
	// ID is 0 in a dry run if the model does not exist.
	ID int16
	// At maps an output to its index in the arrays, or to -1 in a dry run if it has none.
	At map[string]int
}

func (m Models) Forget() { clear(m) }

func (m Models) Knows(classifiers map[string]map[string]*float64) bool {
	for name, outputs := range classifiers {
		model := m[name]
		if model == nil {
			return false
		}
		for output := range outputs {
			if _, there := model.At[output]; !there {
				return false
			}
		}
	}
	return true
}

// Register reads the models of a message and adds missing models and outputs to
// the database. Names are added in alphabetical order, so that every import of a
// file creates the same rows.
func (m Models) Register(ctx context.Context, tx db.Conn, classifiers map[string]map[string]*float64, dry bool) error {
	names := make([]string, 0, len(classifiers))
	for name := range classifiers {
		names = append(names, name)
	}
	slices.Sort(names)
	for _, name := range names {
		outputs := make([]string, 0, len(classifiers[name]))
		for output := range classifiers[name] {
			outputs = append(outputs, output)
		}
		slices.Sort(outputs)
		model, err := RegisterModel(ctx, tx, name, outputs, dry)
		if err != nil {
			return fmt.Errorf("register the outputs of model %q: %w", name, err)
		}
		m[name] = model
	}
	return nil
}

// ErrModelFull is the name of a model that has too many outputs.
type ErrModelFull string

func (m ErrModelFull) Error() string { return "too many outputs" }

// ErrManyModels means that a new model would exceed MaxModels.
var ErrManyModels = errors.New("too many models")

// RegisterModel reads a model and adds missing outputs.
func RegisterModel(ctx context.Context, tx db.Conn, name string, outputs []string, dry bool) (*Model, error) {
	model, err := readModel(ctx, tx, name)
	if err != nil {
		return nil, err
	}
	missing := model.missing(outputs)
	if dry {
		for _, output := range missing {
			model.At[output] = -1
		}
		return model, nil
	}
	if model.ID != 0 && len(missing) == 0 {
		return model, nil
	}
	// No other transaction may add models or outputs until this one has ended.
	if _, err := tx.Exec(ctx, `LOCK TABLE classifier_models IN SHARE ROW EXCLUSIVE MODE`); err != nil {
		return nil, fmt.Errorf("lock the models: %w", err)
	}
	if model, err = readModel(ctx, tx, name); err != nil {
		return nil, err
	}
	missing = model.missing(outputs)
	if len(model.At)+len(missing) > MaxOutputs {
		return nil, ErrModelFull(name)
	}
	if model.ID == 0 {
		// The sequence alone would count on after an import that was killed
		// before it inserted a row; the repeated import would differ.
		err = tx.QueryRow(ctx, `INSERT INTO classifier_models (model_id, name, outputs) OVERRIDING SYSTEM VALUE
			SELECT coalesce(max(model_id), 0) + 1, $1, $2 FROM classifier_models HAVING count(*) < $3
			RETURNING model_id, setval(pg_get_serial_sequence('classifier_models', 'model_id'),
				model_id)`, name, missing, MaxModels).Scan(&model.ID, nil)
		if errors.Is(err, pgx.ErrNoRows) {
			return nil, ErrManyModels
		}
	} else if len(missing) > 0 {
		_, err = tx.Exec(ctx, `UPDATE classifier_models SET outputs = outputs || $2 WHERE model_id = $1`, model.ID, missing)
	}
	if err != nil {
		return nil, fmt.Errorf("add to the models: %w", err)
	}
	for _, output := range missing {
		model.At[output] = len(model.At)
	}
	return model, nil
}

// ModelNames returns the names of all models whose toxicity a formula may choose: the
// embedded one, and those with outputs but a name with a comma, in alphabetical order.
func ModelNames(ctx context.Context, c db.Conn) ([]string, error) {
	rows, err := c.Query(ctx, `SELECT name FROM (SELECT name FROM classifier_models UNION SELECT $1) n
		WHERE strpos(name, ',') = 0 ORDER BY name`, scoring.EmbeddedClassifier)
	if err != nil {
		return nil, err
	}
	return pgx.CollectRows(rows, pgx.RowTo[string])
}

func readModel(ctx context.Context, tx db.Conn, name string) (*Model, error) {
	var id int16
	var outputs []string
	err := tx.QueryRow(ctx, `SELECT model_id, outputs FROM classifier_models WHERE name = $1`, name).Scan(&id, &outputs)
	if err != nil && !errors.Is(err, pgx.ErrNoRows) {
		return nil, fmt.Errorf("read the models: %w", err)
	}
	return NewModel(id, outputs), nil
}

func NewModel(id int16, outputs []string) *Model {
	model := &Model{ID: id, At: make(map[string]int, len(outputs))}
	for i, output := range outputs {
		model.At[output] = i
	}
	return model
}

func (m *Model) missing(outputs []string) []string {
	missing := []string{}
	for _, output := range outputs {
		if _, there := m.At[output]; !there {
			missing = append(missing, output)
		}
	}
	return missing
}
