package admin

import (
	"bytes"
	"context"
	"errors"
	"strings"

	"github.com/gofiber/fiber/v2"
	"github.com/google/uuid"

	"treewarden/admin/openapi"
	"treewarden/store"
	"treewarden/store/exportjobs"
	"treewarden/store/exports"
)

func init() {
	describe("GET /exports", openapi.Method{
		Summary: "Exports that people ordered, the newest first: who, when, how far, what is in the file and what was " +
			"left out",
		Query: pageQuery{}, Answer: store.List[exportjobs.Export]{},
	})
	describe("POST /exports", openapi.Method{
		Summary: "Export trees or messages to a file, with the flags of the command export as fields. out is the name of " +
			"the file; one that ends with .gz is compressed. The id of the job is that of the export",
		Body: []any{exportBody{}}, Job: jobAnswer{},
	})
	describe("GET /exports/:id", openapi.Method{
		Summary: "An export: its job, and its manifest when it is done",
		Answer:  exportjobs.Export{},
	})
	describe("GET /exports/:id/file", openapi.Method{
		Summary: "The file of an export that is done. The newest 20 files are kept, each for 7 days",
		File:    fiber.MIMEOctetStream,
	})
	describe("GET /exports/:id/manifest", openapi.Method{
		Summary: "The manifest as it stands beside the file. It stays when the file is removed",
		Answer:  exports.Manifest{},
	})
	describe("GET /exports/:id/card", openapi.Method{
		Summary: "A dataset card for the Hugging Face hub, from the manifest. The licence is left to fill in",
		File:    markdownType,
	})
}

const (
	exportsPath    = "/exports"
	exportFilePath = "/file"
)

// isExportFile reports whether an address is that of the file of an export.
func isExportFile(path string) bool {
	return strings.HasPrefix(strings.TrimPrefix(path, apiPrefix), exportsPath+"/") &&
		strings.HasSuffix(path, exportFilePath)
}

// exportBody orders an export.
type exportBody struct {
	exports.Flags
	Out string `json:"out" form:"out" validate:"max=200"`
	Key string `json:"-" form:"key" validate:"max=100"` // only the form sends it
}

// exportError turns the errors of exports into those that pages and the API know.
func exportError(err error) error {
	var conflict exportjobs.Conflict
	if errors.As(err, &conflict) {
		return &store.Conflict{Why: err.Error()}
	}
	return err
}

// exportAccess returns the person's access to exports.
func (s *Server) exportAccess(c *fiber.Ctx) (exportjobs.Access, error) {
	actor := s.actor(c)
	access, err := s.store.Exports(actor)
	return exportjobs.Access{Access: access, Person: actor.UserID, Via: actor.Via}, err
}

// createExport orders an export. The fields of the page make flags of their own.
func (s *Server) createExport(c *fiber.Ctx) error {
	var body exportBody
	var form exportForm
	into := []any{&body}
	if !isAPI(c) {
		into = append(into, &form)
	}
	err := decodeBody(c, into...)
	var export exportjobs.Export
	if err == nil {
		form.set(&body.Flags)
		export, err = s.orderExport(c, body)
	}
	switch {
	case err != nil && !isAPI(c):
		return s.exportRefused(c, body, form, err)
	case err != nil:
		return err
	case isAPI(c):
		return answerJob(c, export.Job)
	}
	return c.Redirect(exportsPath+"/"+export.ExportID.String(), fiber.StatusSeeOther)
}

func (s *Server) orderExport(c *fiber.Ctx, body exportBody) (exportjobs.Export, error) {
	key, err := idempotencyKey(c, body.Key)
	if err != nil {
		return exportjobs.Export{}, err
	}
	access, err := s.exportAccess(c)
	if err != nil {
		return exportjobs.Export{}, err
	}
	export, err := access.Create(c.UserContext(), exportjobs.Order{Flags: body.Flags, Out: body.Out, IdempotencyKey: key})
	return export, exportError(err)
}

// exportFile sends the file of an export, a part at a time.
func (s *Server) exportFile(c *fiber.Ctx) error {
	id, err := pathID(c)
	if err != nil {
		return err
	}
	access, err := s.exportAccess(c)
	if err != nil {
		return err
	}
	file, err := access.File(c.UserContext(), id)
	if err != nil {
		return exportError(err)
	}
	n := 0
	return s.sendFileOf(c, file.Name, fiber.MIMEOctetStream, int(file.Bytes),
		func(ctx context.Context, out *bytes.Buffer) (more bool, err error) {
			if n < file.Parts {
				part, err := file.Part(ctx, n)
				if err != nil {
					return false, err
				}
				out.Write(part)
				n++
			}
			return n < file.Parts, nil
		})
}

// exportManifest sends the manifest of an export.
func (s *Server) exportManifest(c *fiber.Ctx) error {
	return s.sendAboutExport(c, fiber.MIMEApplicationJSON, exportjobs.Access.Manifest)
}

// exportCard sends the dataset card of an export.
func (s *Server) exportCard(c *fiber.Ctx) error {
	return s.sendAboutExport(c, markdownType, exportjobs.Access.Card)
}

const markdownType = "text/markdown; charset=utf-8"

// sendAboutExport sends a text about an export, as a file.
func (s *Server) sendAboutExport(c *fiber.Ctx, contentType string,
	read func(exportjobs.Access, context.Context, uuid.UUID) (name, text string, err error)) error {
	id, err := pathID(c)
	if err != nil {
		return err
	}
	access, err := s.exportAccess(c)
	if err != nil {
		return err
	}
	name, text, err := read(access, c.UserContext(), id)
	if err != nil {
		return exportError(err)
	}
	return s.sendFileOf(c, name, contentType, len(text), func(_ context.Context, out *bytes.Buffer) (bool, error) {
		out.WriteString(text)
		return false, nil
	})
}
