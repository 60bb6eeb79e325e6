"""The plugin ``stamp``: puts labels on objects, replaces text in ConfigMaps, adds a toleration."""

from typing import Any

import lathe

CONFIG_SCHEMA: dict[str, Any] = {
    "type": "object",
    "additionalProperties": False,
    "properties": {
        "labels": {
            "type": "object",
            "additionalProperties": {"type": "string"},
            "description": "Labels that every object gets.",
        },
        "removeAnnotations": {
            "type": "array",
            "items": {"type": "string"},
            "description": "Annotations that every object loses.",
        },
        "replace": {
            "type": "object",
            "propertyNames": {"minLength": 1},
            "additionalProperties": {"type": "string"},
            "description": "Text to replace in the data of ConfigMaps, and what to put there.",
        },
        "toleration": {
            "type": "string",
            "description": "Key of a taint that the pods of Deployments, StatefulSets and DaemonSets tolerate.",
        },
    },
}


def stamp(request: lathe.Request) -> None:
    """Stamps every object."""
    labels: dict[str, str] = request.config.get("labels", {})
    annotations: list[str] = request.config.get("removeAnnotations", [])
    # Code points sort as their UTF-8 bytes do.
    replacements: list[tuple[str, str]] = sorted(request.config.get("replace", {}).items())
    toleration: str | None = request.config.get("toleration")

    for obj in request.objects:
        value = obj.value
        metadata = value.get("metadata")
        if not isinstance(metadata, dict):
            continue
        add_labels(metadata, labels)
        remove_annotations(metadata, annotations)
        if (obj.api_version, obj.kind) == ("v1", "ConfigMap"):
            replace_text(value.get("data"), replacements)
        if toleration is not None and obj.api_version.startswith("apps/"):
            if obj.kind in ("Deployment", "StatefulSet", "DaemonSet"):
                tolerate(value, toleration)
        if (obj.api_version, obj.kind) == ("v1", "Namespace"):
            message = f"Namespace {obj.name} is stamped"
            request.report(lathe.Severity.INFO, "namespace-stamped", message, obj)


def add_labels(metadata: dict[str, Any], labels: dict[str, str]) -> None:
    """Sets the labels; leaves alone what stands in their place if it is no map."""
    if labels:
        if metadata.get("labels") is None:
            metadata["labels"] = {}
        if isinstance(metadata["labels"], dict):
            metadata["labels"].update(labels)


def remove_annotations(metadata: dict[str, Any], names: list[str]) -> None:
    """Removes the annotations, and their map if that empties it."""
    annotations = metadata.get("annotations")
    if not isinstance(annotations, dict) or annotations.keys().isdisjoint(names):
        return
    for name in names:
        annotations.pop(name, None)
    if not annotations:
        del metadata["annotations"]


def replace_text(data: Any, replacements: list[tuple[str, str]]) -> None:
    """Makes the replacements, one after the other, in each text of a ConfigMap's data."""
    if not isinstance(data, dict):
        return
    for key, text in data.items():
        if isinstance(text, str):
            for old, new in replacements:
                text = text.replace(old, new)
            data[key] = text


def tolerate(workload: dict[str, Any], key: str) -> None:
    """Appends a toleration to the pod template unless there is one with this key."""
    spec = workload
    for name in ("spec", "template", "spec"):
        spec = spec.get(name)
        if not isinstance(spec, dict):
            return
    if spec.get("tolerations") is None:
        spec["tolerations"] = []
    tolerations = spec["tolerations"]
    if not isinstance(tolerations, list):
        return
    if not any(isinstance(item, dict) and item.get("key") == key for item in tolerations):
        tolerations.append({"key": key, "operator": "Exists"})


Descriptor, Transformer = lathe.plugin(
    stamp,
    name="stamp",
    version="0.1.0",
    summary="Puts labels on objects, replaces text in ConfigMaps, adds a toleration",
    config_schema=CONFIG_SCHEMA,
)
