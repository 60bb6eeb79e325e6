// Command yaml-oracle prints kubectl's reading of YAML streams as JSON.
//
// Its standard input holds streams, each as a line with the number of its bytes and then the bytes. For each it prints a
// line of JSON: an array with the value of each document that kubectl's reader finds, or {"error": TEXT} where kubectl
// refuses any of them. Object members are sorted and numbers keep their digits. With the argument v3 the reading is that of
// go-yaml v3 into untyped values; with bench and a file it measures instead.
package main

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"

	yamlv3 "go.yaml.in/yaml/v3"
	kyaml "k8s.io/apimachinery/pkg/util/yaml"
	"sigs.k8s.io/yaml"
)

func main() {
	if len(os.Args) > 2 && os.Args[1] == "bench" {
		if err := bench(os.Args[2]); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		return
	}
	in := bufio.NewReader(os.Stdin)
	out := bufio.NewWriter(os.Stdout)
	defer out.Flush()
	encoder := json.NewEncoder(out)
	encoder.SetEscapeHTML(false)
	reader := read
	if len(os.Args) > 1 && os.Args[1] == "v3" {
		reader = readV3
	}
	for {
		var length int
		if _, err := fmt.Fscanf(in, "%d\n", &length); err != nil {
			return
		}
		stream := make([]byte, length)
		if _, err := io.ReadFull(in, stream); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		documents, err := reader(stream)
		if err != nil {
			encoder.Encode(map[string]string{"error": err.Error()})
			continue
		}
		encoder.Encode(documents)
	}
}

func read(stream []byte) ([]any, error) {
	documents := []any{}
	reader := kyaml.NewYAMLReader(bufio.NewReader(bytes.NewReader(stream)))
	for {
		document, err := reader.Read()
		if errors.Is(err, io.EOF) {
			return documents, nil
		}
		if err != nil {
			return nil, err
		}
		text, err := yaml.YAMLToJSON(document)
		if err != nil {
			return nil, err
		}
		decoder := json.NewDecoder(bytes.NewReader(text))
		decoder.UseNumber()
		var value any
		if err := decoder.Decode(&value); err != nil {
			return nil, err
		}
		if value != nil {
			documents = append(documents, value)
		}
	}
}

func readV3(stream []byte) ([]any, error) {
	documents := []any{}
	decoder := yamlv3.NewDecoder(bytes.NewReader(stream))
	for {
		var value any
		err := decoder.Decode(&value)
		if errors.Is(err, io.EOF) {
			return documents, nil
		}
		if err != nil {
			return nil, err
		}
		// What is no JSON, such as keys that are no text, must not pass for it.
		if _, err := json.Marshal(value); err != nil {
			return nil, err
		}
		documents = append(documents, value)
	}
}
