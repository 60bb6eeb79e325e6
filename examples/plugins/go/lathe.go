package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"os"
)

// Object is a Kubernetes object: maps, lists, strings, booleans, nil, and numbers as json.Number, which keeps their digits.
type Object = map[string]any

// Request is what a plugin works on. It may change, add and drop Items.
type Request struct {
	Config Object
	Items  []Object

	results []any
}

// Severity says how much a result matters.
type Severity string

// The severities. An Error refuses the run.
const (
	Error   Severity = "error"
	Warning Severity = "warning"
	Info    Severity = "info"
)

// Report tells the user something about an object, or about none if at is nil. The code is stable, lower-case, kebab; the
// field is a path like spec.replicas, or empty for the whole object.
func (r *Request) Report(severity Severity, code, message string, at Object, field string) {
	result := Object{"severity": severity, "message": message, "tags": Object{"code": code}}
	if at != nil {
		metadata := Map(at, "metadata")
		ref := Object{"apiVersion": at["apiVersion"], "kind": at["kind"], "name": String(metadata, "name")}
		if namespace := String(metadata, "namespace"); namespace != "" {
			ref["namespace"] = namespace
		}
		result["resourceRef"] = ref
	}
	if field != "" {
		result["field"] = Object{"path": field}
	}
	r.results = append(r.results, result)
}

// Decode puts the plugin's settings into a struct; what the struct has no field for is an error, and so is a value of another type.
func (r *Request) Decode(config any) error {
	text, err := json.Marshal(r.Config)
	if err != nil {
		return err
	}
	decoder := json.NewDecoder(bytes.NewReader(text))
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(config); err != nil {
		return fmt.Errorf("config: %w", err)
	}
	return nil
}

// Map returns the map at key, or nil.
func Map(m Object, key string) Object {
	value, _ := m[key].(Object)
	return value
}

// List returns the list at key, or nil.
func List(m Object, key string) []any {
	value, _ := m[key].([]any)
	return value
}

// String returns the string at key, or "".
func String(m Object, key string) string {
	value, _ := m[key].(string)
	return value
}

// Run reads a KRM ResourceList from in, lets transform work on it and writes it to out, with all that is unknown here as
// it was.
func Run(in io.Reader, out io.Writer, transform func(*Request) error) error {
	decoder := json.NewDecoder(in)
	decoder.UseNumber()
	var list Object
	if err := decoder.Decode(&list); err != nil {
		return fmt.Errorf("read the ResourceList: %w", err)
	}
	if apiVersion, kind := list["apiVersion"], list["kind"]; apiVersion != "config.kubernetes.io/v1" || kind != "ResourceList" {
		return fmt.Errorf("the input is a %v %v, not a config.kubernetes.io/v1 ResourceList", apiVersion, kind)
	}
	request := &Request{Config: Map(Map(list, "functionConfig"), "spec"), results: List(list, "results")}
	for i, item := range List(list, "items") {
		object, ok := item.(Object)
		if !ok {
			return fmt.Errorf("item %d is not an object", i)
		}
		request.Items = append(request.Items, object)
	}
	if err := transform(request); err != nil {
		return err
	}

	if request.Items == nil {
		request.Items = []Object{}
	}
	list["items"] = request.Items
	if len(request.results) > 0 {
		list["results"] = request.results
	}
	encoder := json.NewEncoder(out)
	encoder.SetEscapeHTML(false)
	return encoder.Encode(list)
}

// Main runs transform over standard input and output. An error ends the process with status 1.
func Main(transform func(*Request) error) {
	if err := Run(os.Stdin, os.Stdout, transform); err != nil {
		fmt.Fprintln(os.Stderr, "error:", err)
		os.Exit(1)
	}
}
