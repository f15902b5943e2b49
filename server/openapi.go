package server

import (
	"encoding/json"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"cairn/server/api"
)

// getOpenAPI answers with the description of the routes in the words of OpenAPI 3.1.
func getOpenAPI(r *request) error {
	r.SetContentType("application/json")
	r.SetBody(r.s.openAPI())
	return nil
}

// openAPI makes the document of a table of routes.
func openAPI(all []*route) []byte {
	text, err := json.MarshalIndent(describe(all), "", " ")
	if err != nil {
		panic(err) // it is made of maps and strings
	}
	return append(text, '\n')
}

// object is a JSON object. Its names are sorted when it is written.
type object = map[string]any

// describe makes the document of a table of routes.
func describe(all []*route) object {
	schemas := newSchemaSet()
	paths := object{}
	var tags []string
	for _, r := range all {
		item, _ := paths[r.path].(object)
		if item == nil {
			item = object{}
			paths[r.path] = item
		}
		item[strings.ToLower(r.method)] = operation(r, schemas)
		if !slices.Contains(tags, r.doc.group) {
			tags = append(tags, r.doc.group)
		}
	}
	failure := object{
		"description": "An error. Its code says what is wrong, for programs, and its message for people.",
		"content":     object{"application/json": object{"schema": schemas.of(api.ErrorAnswer{})}},
	}
	var groups []object
	for _, tag := range tags {
		groups = append(groups, object{"name": tag})
	}
	return object{
		"openapi": "3.1.0",
		"info": object{
			"title":   "Cairn",
			"version": "1",
			"summary": "Events in, answers out.",
			"description": "The server's own interface. The paths of other vendors' clients are described by those vendors.\n\n" +
				"A body may have a Content-Encoding: gzip, zstd, snappy, x-snappy-framed, deflate or br.",
		},
		"tags":  groups,
		"paths": paths,
		"components": object{
			"schemas":   schemas.named,
			"responses": object{"Error": failure},
			"securitySchemes": object{
				"token": object{
					"type": "http", "scheme": "bearer",
					"description": "A token of a tenant with the scope that the route names, or the operator's token with the parameter tenant.",
				},
				"operator": object{"type": "http", "scheme": "bearer", "description": "The operator's token, on the admin listener."},
			},
		},
	}
}

var braces = regexp.MustCompile(`\{(\w+)\}`)

func operation(r *route, schemas *schemaSet) object {
	d := &r.doc
	out := object{
		"operationId": operationID(r),
		"summary":     d.summary,
		"tags":        []string{d.group},
		"security":    []object{},
	}
	var notes []string
	text := object{"type": "string"}
	params := []object{}
	for _, m := range braces.FindAllStringSubmatch(r.path, -1) {
		params = append(params, object{"name": m[1], "in": "path", "required": true, "schema": text})
	}
	for _, p := range d.params {
		one := object{"name": p.name, "in": "query", "description": p.about, "schema": text}
		if p.required {
			one["required"] = true
		}
		params = append(params, one)
	}
	switch {
	case r.operator:
		out["security"] = []object{{"operator": []string{}}}
		notes = append(notes, "It needs the operator's token.")
	case r.scope != 0:
		out["security"] = []object{{"token": []string{}}}
		notes = append(notes, "It needs a token with the scope "+r.scope.String()+".")
		out["x-scope"] = r.scope.String()
		params = append(params, object{
			"name": "tenant", "in": "query", "schema": text,
			"description": "whose data, for the operator's token; a tenant's own token need not say",
		})
	}
	if r.adminOn {
		notes = append(notes, "It is served on the admin listener, unless the server is told otherwise.")
	}
	for _, h := range d.headers {
		params = append(params, object{"name": h.name, "in": "header", "description": h.about, "schema": text})
	}
	out["parameters"] = params
	if len(notes) > 0 {
		out["description"] = strings.Join(notes, " ")
	}
	if d.body != nil || len(d.bodyTypes) > 0 {
		out["requestBody"] = object{"required": true, "content": content(d.body, d.bodyTypes, schemas)}
	}
	out["responses"] = responses(r, schemas)
	return out
}

// responses are the answers of a route: a success, what its status may be beside that, and errors.
func responses(r *route, schemas *schemaSet) object {
	d := &r.doc
	status := d.status
	if status == 0 {
		status = 200
	}
	success := object{"description": d.summary}
	if d.answer != nil || len(d.answerTypes) > 0 {
		success["content"] = content(d.answer, d.answerTypes, schemas)
	}
	out := object{strconv.Itoa(status): success, "default": object{"$ref": "#/components/responses/Error"}}
	for _, also := range d.also {
		out[strconv.Itoa(also.status)] = object{"description": also.about}
		if also.answer != nil {
			out[strconv.Itoa(also.status)] = object{"description": also.about, "content": content(also.answer, nil, schemas)}
		}
	}
	return out
}

// content lists the types of a body: JSON of a Go type, if there is one, and others, which are text.
func content(value any, types []string, schemas *schemaSet) object {
	out := object{}
	for _, name := range types {
		out[name] = object{"schema": object{"type": "string"}}
		if name == "application/octet-stream" || name == "application/x-tar" || name == "application/vnd.apache.parquet" {
			out[name] = object{"schema": object{"type": "string", "format": "binary"}}
		}
		if name == "application/json" && value == nil {
			out[name] = object{"schema": object{}}
		}
	}
	if value != nil {
		out["application/json"] = object{"schema": schemas.of(value)}
	}
	return out
}

// operationID makes a name of a route's method and path: getUsersIdEvents.
func operationID(r *route) string {
	id := strings.ToLower(r.method)
	for _, step := range strings.FieldsFunc(strings.TrimPrefix(r.path, "/v1"), func(c rune) bool { return strings.ContainsRune("/{}._", c) }) {
		id += strings.ToUpper(step[:1]) + step[1:]
	}
	if strings.HasPrefix(r.path, "/_") {
		id += "2" // /_readiness beside /readyz
	}
	return id
}
