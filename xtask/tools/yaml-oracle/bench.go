package main

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"time"

	kyaml "k8s.io/apimachinery/pkg/util/yaml"
	"sigs.k8s.io/yaml"
)

// bench prints how many nanoseconds reading a file's documents takes, and writing them.
func bench(file string) error {
	stream, err := os.ReadFile(file)
	if err != nil {
		return err
	}
	started := time.Now()
	var values []any
	reader := kyaml.NewYAMLReader(bufio.NewReader(bytes.NewReader(stream)))
	for {
		document, err := reader.Read()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return err
		}
		var value any
		if err := yaml.Unmarshal(document, &value); err != nil {
			return err
		}
		values = append(values, value)
	}
	read := time.Since(started)
	started = time.Now()
	var out bytes.Buffer
	for _, value := range values {
		text, err := yaml.Marshal(value)
		if err != nil {
			return err
		}
		out.WriteString("---\n")
		out.Write(text)
	}
	fmt.Println(read.Nanoseconds(), time.Since(started).Nanoseconds())
	return nil
}
