// Command stamp puts labels on objects, takes annotations off, replaces text in ConfigMaps and adds a toleration to
// workloads.
package main

import (
	"fmt"
	"maps"
	"slices"
	"strings"
)

func main() { Main(stamp) }

// Config is what the pipeline sets.
type Config struct {
	Labels            map[string]string `json:"labels"`
	RemoveAnnotations []string          `json:"removeAnnotations"`
	Replace           map[string]string `json:"replace"`
	Toleration        *string           `json:"toleration"`
}

func stamp(r *Request) error {
	var config Config
	if err := r.Decode(&config); err != nil {
		return err
	}
	for _, object := range r.Items {
		metadata := Map(object, "metadata")
		if metadata == nil {
			continue
		}
		putLabels(metadata, config.Labels)
		removeAnnotations(metadata, config.RemoveAnnotations)
		if config.Toleration != nil && isWorkload(object) {
			tolerate(object, *config.Toleration)
		}
		if object["apiVersion"] != "v1" {
			continue
		}
		switch object["kind"] {
		case "ConfigMap":
			replace(Map(object, "data"), config.Replace)
		case "Namespace":
			message := fmt.Sprintf("Namespace %s is stamped", String(metadata, "name"))
			r.Report(Info, "namespace-stamped", message, object, "")
		}
	}
	return nil
}

func putLabels(metadata Object, labels map[string]string) {
	if len(labels) == 0 {
		return
	}
	if metadata["labels"] == nil {
		metadata["labels"] = Object{}
	}
	if present := Map(metadata, "labels"); present != nil {
		for key, label := range labels {
			present[key] = label
		}
	}
}

func removeAnnotations(metadata Object, keys []string) {
	annotations := Map(metadata, "annotations")
	before := len(annotations)
	for _, key := range keys {
		delete(annotations, key)
	}
	if before > 0 && len(annotations) == 0 {
		delete(metadata, "annotations")
	}
}

func replace(data Object, replacements map[string]string) {
	froms := slices.Sorted(maps.Keys(replacements))
	for key, value := range data {
		text, ok := value.(string)
		if !ok {
			continue
		}
		for _, from := range froms {
			if from != "" {
				text = strings.ReplaceAll(text, from, replacements[from])
			}
		}
		data[key] = text
	}
}

func isWorkload(object Object) bool {
	if !strings.HasPrefix(String(object, "apiVersion"), "apps/") {
		return false
	}
	switch object["kind"] {
	case "Deployment", "StatefulSet", "DaemonSet":
		return true
	}
	return false
}

func tolerate(workload Object, key string) {
	spec := Map(Map(Map(workload, "spec"), "template"), "spec")
	if spec == nil {
		return
	}
	tolerations, ok := spec["tolerations"].([]any)
	if !ok && spec["tolerations"] != nil {
		return
	}
	for _, item := range tolerations {
		if toleration, ok := item.(Object); ok && toleration["key"] == key {
			return
		}
	}
	spec["tolerations"] = append(tolerations, Object{"key": key, "operator": "Exists"})
}
