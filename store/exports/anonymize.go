package exports

import (
	"bytes"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"hash"
	"io"

	"github.com/go-json-experiment/json/jsontext"
	"github.com/google/uuid"

	"treewarden/corpus"
)

// anonymizer replaces ids by others, which the seed and the id decide. Nobody without
// the seed can find the former ones. Open-Assistant leaves the ids of trees as they
// are, which gives their prompts away.
type anonymizer struct{ mac hash.Hash }

// The collections of ids. The id of a tree is that of its prompt.
const (
	ofMessages = "message"
	ofUsers    = "user"
)

func newAnonymizer(seed string) *anonymizer {
	if seed == "" {
		return nil
	}
	return &anonymizer{hmac.New(sha256.New, []byte(seed))}
}

func (a *anonymizer) id(collection string, id uuid.UUID) uuid.UUID {
	a.mac.Reset()
	a.mac.Write([]byte(collection + ":" + id.String())) // a hash never returns an error
	var sum [sha256.Size]byte
	replaced := uuid.UUID(a.mac.Sum(sum[:0])[:16])
	replaced[6] = replaced[6]&0x0f | 0x80 // version 8, for ids of other makes
	replaced[8] = replaced[8]&0x3f | 0x80
	return replaced
}

func (a *anonymizer) optional(collection string, id *uuid.UUID) *uuid.UUID {
	if id == nil {
		return nil
	}
	replaced := a.id(collection, *id)
	return &replaced
}

// record replaces all ids of a record.
func (a *anonymizer) record(r *corpus.Record) error {
	if a == nil {
		return nil
	}
	r.Tree.ID = a.optional(ofMessages, r.Tree.ID)
	for i := range r.Messages {
		m := &r.Messages[i]
		m.MessageID = a.id(ofMessages, m.MessageID)
		m.ParentID = a.optional(ofMessages, m.ParentID)
		m.UserID = a.optional(ofUsers, m.UserID)
		var err error
		if m.Events, err = a.events(m.Events); err != nil {
			return fmt.Errorf("replace the ids in events: %w", err)
		}
	}
	return nil
}

// events replaces the ids in events, in which each UUID is one.
func (a *anonymizer) events(raw json.RawMessage) (json.RawMessage, error) {
	if raw == nil {
		return nil, nil
	}
	lenient := jsontext.AllowDuplicateNames(true)
	var out bytes.Buffer
	dec, enc := jsontext.NewDecoder(bytes.NewReader(raw), lenient), jsontext.NewEncoder(&out, lenient)
	key := ""
	for {
		kind, length := dec.StackIndex(dec.StackDepth())
		token, err := dec.ReadToken()
		if errors.Is(err, io.EOF) {
			return bytes.TrimSpace(out.Bytes()), nil
		}
		if err != nil {
			return nil, err
		}
		if token.Kind() == '"' {
			text := token.String()
			if kind == '{' && length%2 == 0 {
				key = text
			}
			if id, err := uuid.Parse(text); err == nil {
				collection := ofMessages
				if key == "user_id" {
					collection = ofUsers
				}
				token = jsontext.String(a.id(collection, id).String())
			}
		}
		if err := enc.WriteToken(token); err != nil {
			return nil, err
		}
	}
}
