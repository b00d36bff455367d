package exports

import (
	"context"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"treewarden/corpus"
	"treewarden/store/chain"
)

// MaxNamed is the maximum number of ids and lines that a check names of each kind.
const MaxNamed = 20

// ReadManifest reads a manifest.
func ReadManifest(text []byte) (m Manifest, err error) {
	if err := json.Unmarshal(text, &m); err != nil || len(m.SHA256) != 2*sha256.Size {
		return m, errors.New("this is no manifest of an export")
	}
	_, err = m.Filters.Checked()
	return m, err
}

// Differences returns what differs between a file and its manifest, as sentences.
func (m Manifest) Differences(c Content) (found []string) {
	if c.SHA256 != m.SHA256 {
		found = append(found, fmt.Sprintf("the SHA-256 of the file is %s, the manifest says %s", c.SHA256, m.SHA256))
	}
	for _, n := range []struct {
		what        string
		file, wrote int64
	}{
		{"bytes", c.Bytes, m.Bytes},
		{"lines", c.Lines, m.Out.Lines},
		{"trees", c.Trees, m.Out.Trees},
		{"messages", c.Messages, m.Out.Messages},
	} {
		if n.file != n.wrote {
			found = append(found, fmt.Sprintf("the file has %d %s, the manifest says %d", n.file, n.what, n.wrote))
		}
	}
	found = append(found, m.Languages.differences("language", c.Languages)...)
	found = append(found, m.Roles.differences("role", c.Roles)...)
	found = append(found, c.Faults...)
	if more := c.faults - int64(len(c.Faults)); more > 0 {
		found = append(found, fmt.Sprintf("and %d more lines cannot be read", more))
	}
	return append(found, m.uncounted()...)
}

// differences returns what differs between the numbers of a manifest and those of its
// file. A manifest of an earlier version of the program has none.
func (n Numbers) differences(what string, file Numbers) (found []string) {
	if n == nil {
		return nil
	}
	names := slices.AppendSeq(slices.Collect(maps.Keys(n)), maps.Keys(file))
	slices.Sort(names)
	for _, name := range slices.Compact(names) {
		if file[name] == n[name] {
			continue
		}
		if len(found) == MaxNamed {
			return append(found, "and other numbers by "+what)
		}
		found = append(found, fmt.Sprintf("the file has %d messages of %s %.80q, the manifest says %d", file[name], what,
			name, n[name]))
	}
	return found
}

// uncounted checks that the manifest itself adds up.
func (m Manifest) uncounted() (found []string) {
	for _, n := range []struct {
		what    string
		in, out int64
		leftOut map[string]int64
	}{
		{"trees", m.In.Trees, m.Out.Trees, m.LeftOut.Trees},
		{"messages", m.In.Messages, m.Out.Messages, m.LeftOut.Messages},
	} {
		sum := n.out
		for _, left := range n.leftOut {
			sum += left
		}
		if sum != n.in {
			found = append(found, fmt.Sprintf("in the manifest, %d %s are in the file or left out, of %d", sum, n.what, n.in))
		}
	}
	return found
}

// Comparison tells how a file differs from what the same filters give now.
type Comparison struct {
	// Now counts what the filters give now.
	Now Counts
	// Changed lines are in both and differ, Added ones only in the database, Gone ones
	// only in the file. Each is named by its first message.
	Changed, Added, Gone Named
	// Broken is why the log does not hold its end of then, or nil.
	Broken *chain.Broken
}

// Named counts ids and names the first of them.
type Named struct {
	Count int64
	IDs   []uuid.UUID
}

func (n *Named) add(id uuid.UUID) {
	if n.Count++; n.Count <= MaxNamed {
		n.IDs = append(n.IDs, id)
	}
}

// Same reports whether nothing differs.
func (c Comparison) Same() bool {
	return c.Changed.Count+c.Added.Count+c.Gone.Count == 0 && c.Broken == nil
}

// Compare compares a file that was read for it with what the filters of its manifest
// give now. seed is the anonymizer's seed, which the manifest does not hold. Compare
// uses up the content.
func (a Access) Compare(
	ctx context.Context, m Manifest, c Content, seed string, progress func(done, total int64),
) (found Comparison, err error) {
	f := m.Filters
	f.Seed = seed
	switch {
	case f.Anonymized && seed == "":
		return found, wrong("anonymizer_seed", "the ids of this file were replaced: give the anonymizer_seed of its export.")
	case !f.Anonymized && seed != "":
		return found, wrong("anonymizer_seed", "the ids of this file were not replaced: leave out anonymizer_seed.")
	}
	f.WithoutList = nil
	for _, list := range m.Lists {
		f.WithoutList = append(f.WithoutList, list.ListID.String())
	}
	if f, err = f.Checked(); err != nil {
		return found, err
	}
	var now Manifest
	err = a.inSnapshot(ctx, func(tx pgx.Tx) error {
		if err := chain.Holds(ctx, tx, m.Log); err != nil && !errors.As(err, &found.Broken) {
			return fmt.Errorf("look into the log: %w", err)
		}
		lines := newLiner(f.Format)
		r := run{tx: tx, f: f, m: &now, progress: progress, each: func(record *corpus.Record) error {
			line, err := lines.line(record)
			if err != nil {
				return err
			}
			id := record.Messages[0].MessageID
			before, there := c.digests[id]
			switch {
			case !there:
				found.Added.add(id)
			case before != digestOf(line):
				found.Changed.add(id)
			}
			delete(c.digests, id)
			return nil
		}}
		return r.all(ctx)
	})
	if err != nil {
		return found, fmt.Errorf("compare: %w", err)
	}
	for id := range c.digests {
		found.Gone.add(id)
	}
	found.Now = now.Out
	return found, nil
}
