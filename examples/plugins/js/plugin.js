import { compareUtf8, isMap, plugin } from "./lathe.js";

const description = {
  name: "stamp",
  version: "0.1.0",
  summary: "Puts labels on objects, replaces text in ConfigMaps, adds a toleration",
  configSchema: {
    type: "object",
    additionalProperties: false,
    properties: {
      labels: { type: "object", additionalProperties: { type: "string" } },
      removeAnnotations: { type: "array", items: { type: "string" } },
      replace: { type: "object", propertyNames: { minLength: 1 }, additionalProperties: { type: "string" } },
      toleration: { type: "string" },
    },
  },
  scope: "object",
};

const WORKLOADS = ["Deployment", "StatefulSet", "DaemonSet"];

function addLabels(metadata, labels) {
  if (labels.length === 0) return;
  metadata.labels ??= {};
  if (isMap(metadata.labels)) {
    for (const [key, value] of labels) metadata.labels[key] = value;
  }
}

function removeAnnotations(metadata, keys) {
  const { annotations } = metadata;
  if (!isMap(annotations)) return;
  const found = keys.filter((key) => Object.hasOwn(annotations, key));
  for (const key of found) delete annotations[key];
  if (found.length > 0 && Object.keys(annotations).length === 0) delete metadata.annotations;
}

function replaceText(data, replacements) {
  if (!isMap(data)) return;
  for (const key of Object.keys(data)) {
    if (typeof data[key] !== "string") continue;
    for (const { from, to } of replacements) data[key] = data[key].replaceAll(from, to);
  }
}

function tolerate(pod, key) {
  if (!isMap(pod)) return;
  pod.tolerations ??= [];
  const { tolerations } = pod;
  if (Array.isArray(tolerations) && !tolerations.some((item) => isMap(item) && item.key === key)) {
    tolerations.push({ key, operator: "Exists" });
  }
}

export const { descriptor, transformer } = plugin(description, (request) => {
  const { config } = request;
  const labels = Object.entries(config.labels ?? {});
  const replacements = Object.entries(config.replace ?? {})
    .map(([from, to]) => ({ from, to: () => to }))
    .sort((a, b) => compareUtf8(a.from, b.from));

  for (const object of request.objects) {
    const { apiVersion, kind, name, value } = object;
    if (!isMap(value.metadata)) continue;
    addLabels(value.metadata, labels);
    removeAnnotations(value.metadata, config.removeAnnotations ?? []);
    if (apiVersion === "v1" && kind === "ConfigMap") replaceText(value.data, replacements);
    if (config.toleration !== undefined && apiVersion.startsWith("apps/") && WORKLOADS.includes(kind)) {
      tolerate(value.spec?.template?.spec, config.toleration);
    }
    if (apiVersion === "v1" && kind === "Namespace") {
      request.report("info", "namespace-stamped", `Namespace ${name} is stamped`, object);
    }
  }
});
