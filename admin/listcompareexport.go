package admin

import (
	"bytes"
	"context"
	"encoding/json"
	"slices"
	"time"

	"github.com/gofiber/fiber/v2"
	"github.com/google/uuid"

	"treewarden/corpus/spreadsheet"
	"treewarden/store/lists"
)

// compareExport asks for a comparison as a file: one part of it, or all.
type compareExport struct {
	Format string `form:"format" validate:"omitempty,oneof=csv txt jsonl"`
	Part   string `form:"part" validate:"omitempty,oneof=both only_this only_other"`
}

// idFormat is a format of the ids of a comparison. header may be nil.
type idFormat struct {
	name, title string
	contentType string
	header      func(*bytes.Buffer) error
	write       func(out *bytes.Buffer, part string, ids []uuid.UUID) error
}

var idFormats = []idFormat{
	{"csv", "CSV", csvType, writeIDsHeader, writeIDsCSV},
	{"txt", "Ids", fiber.MIMETextPlainCharsetUTF8, nil, writeIDs},
	{"jsonl", "JSON Lines", ingestType, nil, writeIDsJSON},
}

// exportComparison sends all ids of a comparison as a file, part by part. It reads
// them in several steps: an item that is added or removed meanwhile may be there or not.
func (s *Server) exportComparison(c *fiber.Ctx, id uuid.UUID, with lists.Other, export compareExport) error {
	list, err := s.store.ListByID(c.UserContext(), s.actor(c), id)
	if err != nil {
		return err
	}
	format := idFormats[slices.IndexFunc(idFormats, func(f idFormat) bool { return f.name == export.Format })]
	parts, name := lists.Parts, "compared"
	if export.Part != "" {
		parts, name = []string{export.Part}, export.Part
	}
	actor, first, after := s.actor(c), true, uuid.Nil
	file := exportName(list, time.Now()) + "-" + name + "." + format.name
	return s.sendFile(c, file, format.contentType, func(ctx context.Context, out *bytes.Buffer) (bool, error) {
		if first && format.header != nil {
			if err := format.header(out); err != nil {
				return false, err
			}
		}
		first = false
		ids, err := s.store.ComparedIDs(ctx, actor, lists.Part{List: id, With: with, Name: parts[0]}, after)
		if err != nil {
			return false, err
		}
		part := parts[0]
		if len(ids) == 0 {
			parts, after = parts[1:], uuid.Nil
		} else {
			after = ids[len(ids)-1]
		}
		return len(parts) > 0, format.write(out, part, ids)
	})
}

func writeIDsHeader(out *bytes.Buffer) error {
	out.WriteString(spreadsheet.ByteOrderMark)
	return spreadsheet.Write(out, [][]string{{"part", "message_id"}})
}

func writeIDsCSV(out *bytes.Buffer, part string, ids []uuid.UUID) error {
	rows := make([][]string, len(ids))
	for i, id := range ids {
		rows[i] = []string{part, id.String()}
	}
	return spreadsheet.Write(out, rows)
}

// writeIDs writes a line for each id, as people paste them into a list.
func writeIDs(out *bytes.Buffer, _ string, ids []uuid.UUID) error {
	for _, id := range ids {
		out.WriteString(id.String() + "\n")
	}
	return nil
}

func writeIDsJSON(out *bytes.Buffer, part string, ids []uuid.UUID) error {
	encoder := json.NewEncoder(out)
	for _, id := range ids {
		if err := encoder.Encode(struct {
			Part      string    `json:"part"`
			MessageID uuid.UUID `json:"message_id"`
		}{part, id}); err != nil {
			return err
		}
	}
	return nil
}
