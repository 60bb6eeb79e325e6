/* Puts labels on objects, takes annotations off, replaces text in ConfigMaps and adds a toleration to workloads. */
#define _GNU_SOURCE /* memmem */
#include <stdlib.h>
#include <string.h>

#include "lathe.h"

const char lathe_descriptor[] =
    "{\"name\":\"stamp\",\"version\":\"0.1.0\","
    "\"summary\":\"Puts labels on objects, replaces text in ConfigMaps, adds a toleration\","
    "\"configSchema\":{\"type\":\"object\",\"additionalProperties\":false,\"properties\":{"
    "\"labels\":{\"type\":\"object\",\"additionalProperties\":{\"type\":\"string\"}},"
    "\"removeAnnotations\":{\"type\":\"array\",\"items\":{\"type\":\"string\"}},"
    "\"replace\":{\"type\":\"object\",\"propertyNames\":{\"minLength\":1},"
    "\"additionalProperties\":{\"type\":\"string\"}},"
    "\"toleration\":{\"type\":\"string\"}}},"
    "\"scope\":\"object\"}";

typedef struct {
  lathe_text from, to;
} replacement;

static lathe_value *first_of(const lathe_value *value) { return value ? value->first : NULL; }

static bool is_map(const lathe_value *value) { return value && value->kind == LATHE_MAP; }

/* `fresh` takes the place of a member that is missing or null. */
static lathe_value *get_or_put(lathe_value *map, lathe_text key, lathe_value *(*fresh)(void)) {
  lathe_value *member = lathe_get(map, key);
  return member && member->kind != LATHE_NULL ? member : lathe_put(map, key, fresh());
}

static void put_labels(lathe_value *metadata, const lathe_value *labels) {
  if (!first_of(labels)) return;
  lathe_value *present = get_or_put(metadata, LATHE_TEXT("labels"), lathe_map);
  if (!is_map(present)) return;
  for (const lathe_value *label = labels->first; label; label = label->next) {
    lathe_put(present, label->key, lathe_string(label->text));
  }
}

static void remove_annotations(lathe_value *metadata, const lathe_value *keys) {
  lathe_value *annotations = lathe_get(metadata, LATHE_TEXT("annotations"));
  for (const lathe_value *key = first_of(keys); key; key = key->next) {
    lathe_value *annotation = lathe_get(annotations, key->text);
    if (!annotation) continue;
    lathe_remove(annotation);
    if (annotations->count == 0) lathe_remove(annotations);
  }
}

static int by_bytes(const void *left, const void *right) {
  lathe_text a = ((const replacement *)left)->from, b = ((const replacement *)right)->from;
  int order = memcmp(a.ptr, b.ptr, a.len < b.len ? a.len : b.len);
  return order ? order : (a.len > b.len) - (a.len < b.len);
}

static replacement *sorted_replacements(const lathe_value *map, size_t *count) {
  replacement *all = NULL;
  size_t cap = 0;
  *count = 0;
  for (const lathe_value *to = first_of(map); to; to = to->next) {
    if (to->key.len == 0) continue;
    all = lathe_grow(all, &cap, *count + 1, sizeof *all);
    all[(*count)++] = (replacement){to->key, to->text};
  }
  if (all) qsort(all, *count, sizeof *all, by_bytes);
  return all;
}

static lathe_text replace_all(lathe_text text, replacement r) {
  lathe_buffer out = {0};
  const char *at = text.ptr, *end = at + text.len, *hit;
  while ((hit = memmem(at, (size_t)(end - at), r.from.ptr, r.from.len))) {
    lathe_write(&out, (lathe_text){at, (size_t)(hit - at)});
    lathe_write(&out, r.to);
    at = hit + r.from.len;
  }
  if (at == text.ptr) return text;
  lathe_write(&out, (lathe_text){at, (size_t)(end - at)});
  return out.text;
}

static void replace_data(lathe_value *config_map, const replacement *replacements, size_t count) {
  const lathe_value *data = lathe_get(config_map, LATHE_TEXT("data"));
  if (!is_map(data)) return;
  for (lathe_value *item = data->first; item; item = item->next) {
    if (item->kind != LATHE_STRING) continue;
    for (size_t i = 0; i < count; i++) item->text = replace_all(item->text, replacements[i]);
  }
}

static bool is_workload(const lathe_value *object) {
  const lathe_value *api_version = lathe_get(object, LATHE_TEXT("apiVersion"));
  const lathe_value *kind = lathe_get(object, LATHE_TEXT("kind"));
  lathe_text group = LATHE_TEXT("apps/");
  return api_version && api_version->kind == LATHE_STRING && api_version->text.len >= group.len &&
         memcmp(api_version->text.ptr, group.ptr, group.len) == 0 &&
         (lathe_is(kind, LATHE_TEXT("Deployment")) || lathe_is(kind, LATHE_TEXT("StatefulSet")) ||
          lathe_is(kind, LATHE_TEXT("DaemonSet")));
}

static void tolerate(lathe_value *workload, lathe_text key) {
  lathe_value *template = lathe_get(lathe_get(workload, LATHE_TEXT("spec")), LATHE_TEXT("template"));
  lathe_value *spec = lathe_get(template, LATHE_TEXT("spec"));
  if (!is_map(spec)) return;
  lathe_value *tolerations = get_or_put(spec, LATHE_TEXT("tolerations"), lathe_list);
  if (tolerations->kind != LATHE_LIST) return;
  for (const lathe_value *item = tolerations->first; item; item = item->next) {
    if (lathe_is(lathe_get(item, LATHE_TEXT("key")), key)) return;
  }
  lathe_value *added = lathe_append(tolerations, lathe_map());
  lathe_put(added, LATHE_TEXT("key"), lathe_string(key));
  lathe_put(added, LATHE_TEXT("operator"), lathe_string(LATHE_TEXT("Exists")));
}

const char *lathe_transform(lathe_request *request) {
  const lathe_value *labels = lathe_get(request->config, LATHE_TEXT("labels"));
  const lathe_value *annotations = lathe_get(request->config, LATHE_TEXT("removeAnnotations"));
  const lathe_value *toleration = lathe_get(request->config, LATHE_TEXT("toleration"));
  size_t count;
  replacement *replacements = sorted_replacements(lathe_get(request->config, LATHE_TEXT("replace")), &count);

  for (size_t i = 0; i < request->count; i++) {
    lathe_value *object = request->objects[i].value;
    lathe_value *metadata = lathe_get(object, LATHE_TEXT("metadata"));
    if (!is_map(metadata)) continue;
    put_labels(metadata, labels);
    remove_annotations(metadata, annotations);
    if (toleration && is_workload(object)) tolerate(object, toleration->text);
    if (!lathe_is(lathe_get(object, LATHE_TEXT("apiVersion")), LATHE_TEXT("v1"))) continue;
    const lathe_value *kind = lathe_get(object, LATHE_TEXT("kind"));
    if (lathe_is(kind, LATHE_TEXT("ConfigMap"))) replace_data(object, replacements, count);
    if (lathe_is(kind, LATHE_TEXT("Namespace"))) {
      lathe_buffer message = {0};
      lathe_write(&message, LATHE_TEXT("Namespace "));
      lathe_write(&message, request->objects[i].name);
      lathe_write(&message, LATHE_TEXT(" is stamped"));
      lathe_report(request, LATHE_INFO, LATHE_TEXT("namespace-stamped"), message.text, &request->objects[i],
                   LATHE_TEXT(""));
    }
  }
  return NULL;
}
