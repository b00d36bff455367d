package main

import (
	"encoding/binary"

	"github.com/cespare/xxhash/v2"

	"treewarden/scoring/likeness"
)

// part is what a row is used for.
type part uint8

const (
	fitted  part = iota // training
	choice              // training; kept apart while settings and the calibration are chosen
	heldOut             // a fifth; training never sees it
)

// partOf returns the part of the rows with a hash.
func partOf(hash uint64) part {
	switch hash % 10 {
	case 0, 1:
		return heldOut
	case 2:
		return choice
	}
	return fitted
}

// nearCopy is the likeness from which on a text is a near-copy of the one before
// it in the file. Near-copies stand together there.
const nearCopy = 0.4

// split sets the part of each row. A near-copy of the text before it is in the
// same block; all rows of a block, and all rows with the same letters in any set,
// have the same part, so that no copy of a held-out text is in training.
func split(sets []*set) {
	blocks := 0
	for _, s := range sets {
		var before likeness.Shingles
		for i := range s.rows {
			r := &s.rows[i]
			shingles := likeness.ShinglesOf(r.text)
			if i == 0 || shingles.Likeness(before) < nearCopy {
				blocks++
			}
			r.block, r.hash, before = blocks, hashOf(shingles), shingles
		}
	}
	byHash, byBlock := map[uint64]part{}, make([]part, blocks+1)
	for _, s := range sets {
		for i := range s.rows {
			r := &s.rows[i]
			if i == 0 || r.block != s.rows[i-1].block { // the first of a block decides
				byBlock[r.block] = partOf(r.hash)
			}
		}
	}
	for changed := true; changed; {
		changed = false
		for _, s := range sets {
			for i := range s.rows {
				r := &s.rows[i]
				p := max(byHash[r.hash], byBlock[r.block])
				changed = changed || byHash[r.hash] != p || byBlock[r.block] != p
				byHash[r.hash], byBlock[r.block] = p, p
			}
		}
	}
	for _, s := range sets {
		for i := range s.rows {
			s.rows[i].part = byBlock[s.rows[i].block]
		}
	}
}

// hashOf returns a hash of the shingles of a text: texts with the same letters
// have the same.
func hashOf(s likeness.Shingles) uint64 {
	h := xxhash.New()
	for _, shingle := range s {
		_, _ = h.Write(binary.LittleEndian.AppendUint64(nil, shingle)) // never an error
	}
	return h.Sum64()
}
