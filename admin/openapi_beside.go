package admin

import (
	"github.com/gofiber/fiber/v2"

	"treewarden/admin/openapi"
)

// besidePaths describes the paths outside the API that need neither a key nor a
// session. TestOpenAPI compares it with the routes.
func besidePaths() object {
	text := object{"type": "string"}
	state := openapi.Content(object{
		"type": "object", "required": []string{"status"},
		"properties": object{"status": text, "version": text, "why": text},
	})
	about := func(id, summary string, answers object) object {
		return object{"get": object{
			"operationId": id, "summary": summary, "security": []object{}, "responses": answers,
		}}
	}
	return object{
		"/healthz": about("get_healthz", "Whether the program runs", object{
			"200": object{"description": "it does", "content": state},
		}),
		"/readyz": about("get_readyz", "Whether the program can serve: "+
			"the database answers and has the schema that this program knows", object{
			"200": object{"description": "it can", "content": state},
			"503": object{"description": "the database does not answer, or its schema is another one", "content": state},
		}),
		"/metrics": about("get_metrics", "Measurements, in the text format of Prometheus", object{
			"200": object{"description": "all measurements", "content": object{fiber.MIMETextPlain: object{"schema": text}}},
		}),
		"/api/openapi.json": about("get_openapi", "This description", object{
			"200": object{"description": "OpenAPI 3.1", "content": openapi.Content(object{"type": "object"})},
		}),
	}
}
