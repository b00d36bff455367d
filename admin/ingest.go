package admin

import (
	"bytes"
	"context"
	"math"
	"mime"
	"time"

	"github.com/gofiber/fiber/v2"

	"treewarden/admin/openapi"
	"treewarden/corpus"
	"treewarden/store"
)

func init() {
	describe("POST /ingest", openapi.Method{
		Summary: "Send users, trees, messages and signals, one JSON object a line",
		Lines: object{
			ingestType:                object{"schema": ingestSchema},
			fiber.MIMEApplicationJSON: object{"schema": ingestSchema},
		},
		Answer: store.Ingested{},
	})
}

const (
	ingestPath = "/ingest"
	// ingestType is the media type of JSON lines.
	ingestType = "application/x-ndjson"
	// ingestLimit is the limit of an ingest with a key, in bytes.
	ingestLimit = 16 << 20
	// ingestLines is the limit of an ingest in lines. Without it, an ingest of
	// two-byte lines would have millions of them, and the answer names every
	// bad line.
	ingestLines = 100_000
	// ingestTime is the time limit of an ingest.
	ingestTime = time.Minute
)

// ingest stores what a front end sends. It reads the body without decompressing
// it: a compressed body could have any length.
func (s *Server) ingest(c *fiber.Ctx) error {
	lines := c.Request().Body()
	switch kind, _, _ := mime.ParseMediaType(c.Get(fiber.HeaderContentType)); kind {
	case ingestType, "":
	case fiber.MIMEApplicationJSON:
		// One object may span several lines: JSON allows a line break only
		// between its parts.
		lines = bytes.ReplaceAll(lines, []byte("\n"), []byte(" "))
	default:
		return store.Malformed("send one JSON object a line as " + ingestType + ", or a single one as application/json")
	}
	if bytes.Count(bytes.TrimRight(lines, "\n"), []byte("\n")) >= ingestLines {
		return errTooManyLines
	}
	ctx, cancel := context.WithTimeout(context.Background(), ingestTime)
	defer cancel()
	done, err := s.store.Ingest(ctx, s.actor(c), lines)
	if err != nil {
		return err
	}
	return c.JSON(done)
}

// ingestSchema describes a line. Its fields depend on its type.
var ingestSchema = func() object {
	text := func(limit int) object { return object{"type": "string", "maxLength": limit} }
	id, date, number := object{"type": "string", "format": "uuid"}, object{"type": "string", "format": "date-time"},
		object{"type": "integer", "minimum": 0, "maximum": math.MaxInt32}
	word := text(corpus.MaxName)
	line := func(kind string, required []string, fields object) object {
		properties := object{"type": object{"const": kind},
			"id": object{"type": "string", "minLength": 1, "maxLength": corpus.MaxEventID, "description": "the " +
				"event's own id, of one sender and one content: sent again, it counts once"},
			"at": date}
		for name, schema := range fields {
			properties[name] = schema
		}
		return object{"type": "object", "required": append([]string{"type", "id"}, required...), "properties": properties}
	}
	optional := func(schema object) object { return object{"anyOf": []object{schema, {"type": "null"}}} }
	return object{"oneOf": []object{
		line("user", []string{"user_id"}, object{"user_id": id, "display_name": optional(object{"type": "string"}),
			"auth_method": optional(text(corpus.MaxAuthMethod)), "username": optional(text(corpus.MaxUsername))}),
		line("tree", []string{"message_tree_id"}, object{"message_tree_id": id, "state": object{"type": "string",
			"enum": store.TreeStates}, "lang": optional(word),
			"origin": optional(text(corpus.MaxOrigin)), "goal_tree_size": optional(number), "max_depth": optional(number),
			"max_children_count": optional(number)}),
		line("message", []string{"message_id", "user_id", "role", "text"},
			object{"message_id": id, "parent_id": optional(id), "message_tree_id": optional(id), "user_id": id,
				"role": object{"type": "string", "enum": []string{"prompter", "assistant"}},
				"text": text(corpus.MaxText), "lang": optional(word), "created_date": optional(date),
				"synthetic": object{"type": "boolean"}, "model_name": optional(text(corpus.MaxModelName))}),
		line("label", []string{"message_id", "user_id", "labels"}, object{"message_id": id, "user_id": id,
			"labels": object{"type": "object", "minProperties": 1, "maxProperties": corpus.MaxNames,
				"additionalProperties": object{"type": "number", "minimum": 0, "maximum": 1}}}),
		line("reaction", []string{"message_id", "user_id", "emoji"},
			object{"message_id": id, "user_id": id, "emoji": word,
				"op": object{"type": "string", "enum": []string{"add", "remove"}}}),
		line("report", []string{"message_id", "user_id", "reason"},
			object{"message_id": id, "user_id": id, "reason": text(corpus.MaxReportReason)}),
		line("classifier_output", []string{"message_id", "model", "scores"}, object{"message_id": id, "model": word,
			"scores": object{"type": "object", "minProperties": 1, "maxProperties": corpus.MaxNames,
				"additionalProperties": object{"type": "number"}}}),
	}}
}()
