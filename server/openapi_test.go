package server

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strconv"
	"strings"
	"testing"

	"github.com/santhosh-tekuri/jsonschema/v6"
)

func decodeInto(t *testing.T, text string, to any) {
	t.Helper()
	if err := json.Unmarshal([]byte(text), to); err != nil {
		t.Fatalf("%v\n%s", err, text)
	}
}

// document is the description of the routes, with its schemas compiled.
type document struct {
	root     map[string]any
	compiler *jsonschema.Compiler
}

func readDocument(t *testing.T, text string) *document {
	t.Helper()
	d := &document{compiler: jsonschema.NewCompiler()}
	decodeInto(t, text, &d.root)
	value, err := jsonschema.UnmarshalJSON(strings.NewReader(text))
	if err != nil {
		t.Fatal(err)
	}
	d.compiler.DefaultDraft(jsonschema.Draft2020)
	d.compiler.AssertFormat()
	if err := d.compiler.AddResource("https://cairn.test/openapi.json", value); err != nil {
		t.Fatal(err)
	}
	return d
}

// check holds a JSON text to the schema at a pointer into the document.
func (d *document) check(pointer, text string) error {
	schema, err := d.compiler.Compile("https://cairn.test/openapi.json#" + pointer)
	if err != nil {
		return err
	}
	value, err := jsonschema.UnmarshalJSON(bytes.NewReader([]byte(text)))
	if err != nil {
		return err
	}
	return schema.Validate(value)
}

func pointer(steps ...string) string {
	escape := strings.NewReplacer("~", "~0", "/", "~1")
	out := ""
	for _, step := range steps {
		out += "/" + strings.ReplaceAll(strings.ReplaceAll(escape.Replace(step), "{", "%7B"), "}", "%7D")
	}
	return out
}

func (d *document) at(steps ...string) (any, bool) {
	var v any = d.root
	for _, step := range steps {
		m, ok := v.(map[string]any)
		if !ok {
			return nil, false
		}
		if v, ok = m[step]; !ok {
			return nil, false
		}
	}
	return v, true
}

func TestOpenAPIHasEveryRoute(t *testing.T) {
	f := newFixture(t, Options{})
	d := readDocument(t, f.want(t, call{method: get, path: "/openapi.json"}, 200, "").text)
	if d.root["openapi"] != "3.1.0" {
		t.Errorf("openapi: %v", d.root["openapi"])
	}
	described := map[string]bool{}
	ids := map[string]string{}
	paths, _ := d.root["paths"].(map[string]any)
	for path, item := range paths {
		for method, op := range item.(map[string]any) {
			name := strings.ToUpper(method) + " " + path
			described[name] = true
			d.checkOperation(t, name, path, op.(map[string]any), ids)
		}
	}
	for _, r := range routes() {
		name := r.method + " " + r.path
		if !described[name] {
			t.Errorf("%s is not described", name)
		}
		if r.doc.summary == "" || r.doc.group == "" {
			t.Errorf("%s has no summary or group", name)
		}
		delete(described, name)
	}
	for name := range described {
		t.Errorf("%s is described, and there is no such route", name)
	}
	d.checkReferences(t, d.root)
}

// checkOperation looks at what OpenAPI 3.1 wants of an operation.
func (d *document) checkOperation(t *testing.T, name, path string, op map[string]any, ids map[string]string) {
	t.Helper()
	id, _ := op["operationId"].(string)
	if id == "" || ids[id] != "" {
		t.Errorf("%s: operationId %q is that of %q too", name, id, ids[id])
	}
	ids[id] = name
	inPath, seen := map[string]bool{}, map[string]bool{}
	for _, p := range op["parameters"].([]any) {
		p := p.(map[string]any)
		key := fmt.Sprint(p["in"], " ", p["name"])
		if seen[key] {
			t.Errorf("%s: two parameters %s", name, key)
		}
		seen[key] = true
		if p["schema"] == nil {
			t.Errorf("%s: parameter %s has no schema", name, key)
		}
		if p["in"] == "path" {
			inPath[fmt.Sprint(p["name"])] = p["required"] == true
		}
	}
	for _, m := range braces.FindAllStringSubmatch(path, -1) {
		if !inPath[m[1]] {
			t.Errorf("%s: the parameter %s of the path is not described", name, m[1])
		}
		delete(inPath, m[1])
	}
	if len(inPath) > 0 {
		t.Errorf("%s: parameters that the path does not have: %v", name, inPath)
	}
	responses := op["responses"].(map[string]any)
	for status, answer := range responses {
		if n, err := strconv.Atoi(status); status != "default" && (err != nil || n < 100 || n > 599) {
			t.Errorf("%s: status %q", name, status)
		}
		a := answer.(map[string]any)
		if a["$ref"] == nil && a["description"] == nil {
			t.Errorf("%s: status %s has no description", name, status)
		}
	}
	for _, one := range op["security"].([]any) {
		for scheme := range one.(map[string]any) {
			if _, ok := d.at("components", "securitySchemes", scheme); !ok {
				t.Errorf("%s: security scheme %s is not described", name, scheme)
			}
		}
	}
}

// checkReferences finds references that lead nowhere.
func (d *document) checkReferences(t *testing.T, v any) {
	t.Helper()
	switch v := v.(type) {
	case map[string]any:
		if ref, ok := v["$ref"].(string); ok {
			if _, found := d.at(strings.Split(strings.TrimPrefix(ref, "#/"), "/")...); !found {
				t.Errorf("%s leads nowhere", ref)
			}
		}
		for _, child := range v {
			d.checkReferences(t, child)
		}
	case []any:
		for _, child := range v {
			d.checkReferences(t, child)
		}
	}
}

// Requests that succeed and their answers, and errors of every route, are as the document says.
func TestOpenAPIDescribesWhatIsAnswered(t *testing.T) {
	var d *document
	var w *town
	var before *route
	for _, r := range routes() {
		w, before = townFor(t, r, w, before), r
		if d == nil {
			d = readDocument(t, w.want(t, call{method: get, path: "/openapi.json"}, 200, "").text)
		}
		name := r.method + " " + r.path
		op := []string{"paths", r.path, strings.ToLower(r.method)}
		c, status := w.exampleOf(t, r, "a")
		content, described := d.at(append(op, "requestBody", "content")...)
		if described != (c.body != "") {
			t.Errorf("%s: a body is described: %v, and sent: %v", name, described, c.body != "")
		}
		if described && strings.HasPrefix(c.body, "{") && r.path != "/v1/events" {
			if err := d.check(pointer(append(op, "requestBody", "content", "application/json", "schema")...), c.body); err != nil {
				t.Errorf("%s: the body: %v (content %v)", name, err, content)
			}
		}
		got := w.do(t, c)
		answer := append(op, "responses", strconv.Itoa(got.status))
		if got.status != status {
			t.Errorf("%s: status %d", name, got.status)
		}
		content, described = d.at(append(answer, "content")...)
		kind, _, _ := strings.Cut(got.header.Get("Content-Type"), ";")
		switch {
		case described != (got.text != ""):
			t.Errorf("%s: an answer is described: %v, and sent: %.100q", name, described, got.text)
		case !described:
		case content.(map[string]any)[kind] == nil && !strings.HasPrefix(r.path, "/debug/"):
			t.Errorf("%s: the answer is %s, and described as %v", name, kind, content)
		case kind == "application/json":
			if err := d.check(pointer(append(answer, "content", kind, "schema")...), got.text); err != nil {
				t.Errorf("%s: the answer: %v\n%s", name, err, got.text)
			}
		}
		if r.scope != 0 || r.operator {
			c.token = ""
			got := w.do(t, c)
			if err := d.check(pointer("components", "responses", "Error", "content", "application/json", "schema"), got.text); err != nil || got.status != 401 {
				t.Errorf("%s without a token: status %d, %v\n%s", name, got.status, err, got.text)
			}
		}
	}
}
