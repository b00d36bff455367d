package linear

import (
	_ "embed"
	"sync"
)

// defaultFile is written by the command scoring/classifier/train.
//
//go:embed default.model
var defaultFile []byte

// Default returns the embedded model. It is read once.
var Default = sync.OnceValue(func() *Model {
	m, err := Decode(defaultFile)
	if err != nil {
		panic(err) // TestDefault reads the same bytes
	}
	return m
})
