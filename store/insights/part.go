package insights

import (
	"bytes"
	"context"
	"encoding/gob"
	"fmt"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"treewarden/scoring"
	"treewarden/scoring/welch"
)

// part holds the figures that add up by tree: what some trees add to them, or a
// difference. Its types have exported fields because they are stored.
type part struct {
	Trees      int // that were counted
	Outputs    map[outputKey]*welch.Sample
	Lists      map[listKey]*welch.Sample
	Pairs      map[pairKey]*[scoring.NumLabels]pair
	Raters     map[ratersKey]*agreed
	Ranges     map[rangeKey]*valueRange
	Agreement  map[agreementKey]histogram
	Collection map[collectionKey]collectionCount // without users
	Writers    map[writerKey]perWindow           // messages
}

func newPart() *part {
	return &part{
		Outputs: map[outputKey]*welch.Sample{}, Lists: map[listKey]*welch.Sample{},
		Pairs: map[pairKey]*[scoring.NumLabels]pair{}, Raters: map[ratersKey]*agreed{},
		Ranges: map[rangeKey]*valueRange{}, Agreement: map[agreementKey]histogram{},
		Collection: map[collectionKey]collectionCount{}, Writers: map[writerKey]perWindow{},
	}
}

// at returns the figures of a key, made if they are missing.
func at[K comparable, V any](of map[K]*V, key K) *V {
	v := of[key]
	if v == nil {
		v = new(V)
		of[key] = v
	}
	return v
}

// add adds what other trees add, or takes it away if the sign is -1. The lowest and highest
// values become those of both; they cannot be taken away.
func (p *part) add(o *part, sign int64) {
	f := float64(sign)
	p.Trees += int(sign) * o.Trees
	for k, s := range o.Outputs {
		at(p.Outputs, k).Add(welch.Sample{N: sign * s.N, Sum: f * s.Sum, Squares: f * s.Squares})
	}
	for k, s := range o.Lists {
		at(p.Lists, k).Add(welch.Sample{N: sign * s.N, Sum: f * s.Sum, Squares: f * s.Squares})
	}
	for k, of := range o.Pairs {
		to := at(p.Pairs, k)
		for label, s := range of {
			to[label].add(pair{sign * s.N, f * s.X, f * s.Y, f * s.XX, f * s.YY, f * s.XY})
		}
	}
	for k, s := range o.Raters {
		at(p.Raters, k).add(agreed{sign * s.Messages, sign * s.Votes, f * s.Sum, f * s.Squares, f * s.Within})
	}
	for k, h := range o.Agreement {
		to := p.histogram(k)
		for bin, n := range h {
			to.add(bin, verdictCounts{int32(sign) * n.Positives, int32(sign) * n.Negatives})
		}
	}
	for k, n := range o.Collection {
		p.group(k, collectionCount{sign * n.N, sign * n.Deleted})
	}
	for k, n := range o.Writers {
		p.wrote(k, n, sign)
	}
	for k, r := range o.Ranges {
		p.reach(k, r.Low, r.High)
	}
}

// count counts the trees after one up to another, with the time frames of starts.
func (p *part) count(ctx context.Context, tx pgx.Tx, names names, after, last uuid.UUID, starts []any) error {
	if err := p.countOutputs(ctx, tx, names, after, last); err != nil {
		return err
	}
	if err := p.countRaters(ctx, tx, after, last); err != nil {
		return err
	}
	return p.countCollection(ctx, tx, after, last, starts)
}

// encode encodes the figures for a row of insight_parts.
func (p *part) encode() ([]byte, error) {
	var text bytes.Buffer
	if err := gob.NewEncoder(&text).Encode(p); err != nil {
		return nil, fmt.Errorf("encode figures: %w", err)
	}
	return text.Bytes(), nil
}

// decode decodes what encode encoded. What another version of the program encoded may be
// an error.
func decode(text []byte) (*part, error) {
	p := newPart()
	if err := gob.NewDecoder(bytes.NewReader(text)).Decode(p); err != nil {
		return nil, fmt.Errorf("decode figures: %w", err)
	}
	return p, nil
}

// keptPart is a part as it is stored.
type keptPart struct {
	last    uuid.UUID
	trees   int
	figures []byte
	ranges  map[rangeKey]*valueRange
}

// writeParts stores parts and makes the ranges of outputs of those of all parts.
func writeParts(ctx context.Context, tx pgx.Tx, parts []keptPart) error {
	_, err := tx.CopyFrom(ctx, pgx.Identifier{"insight_parts"},
		[]string{"last", "trees", "figures", "models", "outputs", "lows", "highs"},
		pgx.CopyFromSlice(len(parts), func(i int) ([]any, error) {
			k := parts[i]
			models, outputs, lows, highs := []int16{}, []string{}, []float64{}, []float64{}
			for key, r := range k.ranges {
				models, outputs = append(models, key.Model), append(outputs, key.Output)
				lows, highs = append(lows, r.Low), append(highs, r.High)
			}
			return []any{k.last, k.trees, k.figures, models, outputs, lows, highs}, nil
		}))
	if err != nil {
		return err
	}
	for _, sql := range rangesSQL {
		if _, err := tx.Exec(ctx, sql); err != nil {
			return err
		}
	}
	return nil
}

// rangesSQL replaces the lowest and highest values by those of all parts.
var rangesSQL = []string{
	"DELETE FROM insight_ranges",
	`INSERT INTO insight_ranges (model_id, output, low, high)
		SELECT r.model, r.output, min(r.low), max(r.high)
		FROM insight_parts p CROSS JOIN LATERAL unnest(p.models, p.outputs, p.lows, p.highs) r(model, output, low, high)
		GROUP BY 1, 2`,
}
