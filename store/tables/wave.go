package tables

import (
	"time"

	"github.com/google/uuid"
)

// InWave tells what wave a message is in.
type InWave struct {
	WaveID   uuid.UUID  `json:"wave_id"`
	Messages int        `json:"messages" description:"of the whole wave, deleted ones too"`
	Users    int        `json:"users" description:"the number of different authors"`
	First    *time.Time `json:"first" description:"null if no date is known"`
	Last     *time.Time `json:"last"`
}
