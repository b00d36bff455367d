package corpus

import (
	"slices"

	"github.com/google/uuid"
)

// Row is a message as a row of the OASST data sets on Hugging Face, where it is kept as
// Parquet; as JSON, a Reader reads it. A nil pointer is a null. Emojis and labels are
// parallel lists. It has no place for all of a message: see LostInRow.
type Row struct {
	MessageID    *string   `json:"message_id" parquet:"message_id,optional"`
	ParentID     *string   `json:"parent_id" parquet:"parent_id,optional"`
	UserID       *string   `json:"user_id" parquet:"user_id,optional,dict"`
	CreatedDate  *string   `json:"created_date" parquet:"created_date,optional"`
	Text         *string   `json:"text" parquet:"text,optional"`
	Role         *string   `json:"role" parquet:"role,optional,dict"`
	Lang         *string   `json:"lang" parquet:"lang,optional,dict"`
	ReviewCount  *int32    `json:"review_count" parquet:"review_count,optional"`
	ReviewResult *bool     `json:"review_result" parquet:"review_result,optional"`
	Deleted      *bool     `json:"deleted" parquet:"deleted,optional"`
	Rank         *int32    `json:"rank" parquet:"rank,optional"`
	Synthetic    *bool     `json:"synthetic" parquet:"synthetic,optional"`
	ModelName    *string   `json:"model_name" parquet:"model_name,optional,dict"`
	Detoxify     *RowModel `json:"detoxify" parquet:"detoxify,optional"`
	TreeID       *string   `json:"message_tree_id" parquet:"message_tree_id,optional,dict"`
	TreeState    *string   `json:"tree_state" parquet:"tree_state,optional,dict"`
	Emojis       *RowCount `json:"emojis" parquet:"emojis,optional"`
	Labels       *RowMean  `json:"labels" parquet:"labels,optional"`
}

// RowModel holds the outputs of Detoxify.
type RowModel struct {
	Toxicity       *float64 `json:"toxicity" parquet:"toxicity,optional"`
	SevereToxicity *float64 `json:"severe_toxicity" parquet:"severe_toxicity,optional"`
	Obscene        *float64 `json:"obscene" parquet:"obscene,optional"`
	IdentityAttack *float64 `json:"identity_attack" parquet:"identity_attack,optional"`
	Insult         *float64 `json:"insult" parquet:"insult,optional"`
	Threat         *float64 `json:"threat" parquet:"threat,optional"`
	SexualExplicit *float64 `json:"sexual_explicit" parquet:"sexual_explicit,optional"`
}

// RowCount holds the names of reactions and, at the same places, their numbers.
type RowCount struct {
	Name  []*string `json:"name" parquet:"name,optional,list"`
	Count []*int32  `json:"count" parquet:"count,optional,list"`
}

// RowMean holds the names of labels and, at the same places, their means and numbers of
// votes.
type RowMean struct {
	Name  []*string  `json:"name" parquet:"name,optional,list"`
	Value []*float64 `json:"value" parquet:"value,optional,list"`
	Count []*int32   `json:"count" parquet:"count,optional,list"`
}

// Row returns the first message of the record as a row.
func (r *Record) Row() Row {
	m := &r.Messages[0]
	row := Row{
		MessageID: new(m.MessageID.String()), ParentID: idText(m.ParentID), UserID: idText(m.UserID), Text: &m.Text,
		Role: &m.Role, Lang: m.Lang, ReviewCount: narrow(m.ReviewCount), ReviewResult: m.ReviewResult, Deleted: &m.Deleted,
		Rank: narrow(m.Rank), Synthetic: &m.Synthetic, ModelName: m.ModelName, TreeID: idText(r.Tree.ID),
		TreeState: r.Tree.State,
	}
	if m.CreatedDate != nil {
		row.CreatedDate = new(m.CreatedDate.UTC().Format(dateLayout))
	}
	if of := m.Classifiers[Detoxify]; of != nil {
		outputs := RowModel{of["toxicity"], of["severe_toxicity"], of["obscene"], of["identity_attack"], of["insult"],
			of["threat"], of["sexual_explicit"]}
		if outputs != (RowModel{}) { // a reader takes outputs without a number for none
			row.Detoxify = &outputs
		}
	}
	if m.Emojis != nil {
		row.Emojis = &RowCount{[]*string{}, []*int32{}}
		for _, name := range emojiNames(m.Emojis) {
			row.Emojis.Name = append(row.Emojis.Name, &name)
			row.Emojis.Count = append(row.Emojis.Count, new(int32(m.Emojis[name])))
		}
	}
	if m.Labels != nil {
		row.Labels = &RowMean{[]*string{}, []*float64{}, []*int32{}}
		for _, name := range ordered(m.Labels, labelOrder) {
			label := m.Labels[name]
			row.Labels.Name = append(row.Labels.Name, &name)
			row.Labels.Value = append(row.Labels.Value, label.Value)
			row.Labels.Count = append(row.Labels.Count, new(int32(label.Count)))
		}
	}
	return row
}

// Loss is something of a message, or of its tree, that a format has no place for.
type Loss struct {
	What string
	// Of reports whether the first message of a record has it.
	Of func(r *Record) bool
}

// LostInRow lists what a Row has no place for.
var LostInRow = []Loss{
	{"events", func(r *Record) bool { return r.Messages[0].Events != nil }},
	{"outputs of other classifiers than Detoxify, or other ones of it", func(r *Record) bool {
		for model, outputs := range r.Messages[0].Classifiers {
			if model != Detoxify {
				return true
			}
			for name := range outputs {
				if !slices.Contains(detoxifyOrder, name) {
					return true
				}
			}
		}
		return false
	}},
	{"the mark of edited messages", func(r *Record) bool { return r.Messages[0].Edited }},
	{"the origin of trees", func(r *Record) bool { return r.Tree.Origin != nil }},
	{"the goals of trees", func(r *Record) bool {
		return r.Tree.GoalTreeSize != nil || r.Tree.MaxDepth != nil || r.Tree.MaxChildrenCount != nil
	}},
}

func idText(id *uuid.UUID) *string {
	if id == nil {
		return nil
	}
	return new(id.String())
}

func narrow(n *int) *int32 {
	if n == nil {
		return nil
	}
	return new(int32(*n))
}
