#include "lathe.h"

#include <stdlib.h>

#include "pure.h"

typedef lathe_transform_types_edit_t edit;
typedef lathe_transform_types_finding_t finding;
typedef lathe_transform_types_location_t location;

struct lathe_outcome {
  edit *edits;
  size_t edit_count, edit_cap;
  finding *findings;
  size_t finding_count, finding_cap;
};

typedef struct {
  struct lathe_outcome *outcome;
  uint32_t object;
  lathe_buffer pointer;
} comparison;

static lathe_text borrow(pure_string_t s) { return (lathe_text){(const char *)s.ptr, s.len}; }

/* What is returned to the host is freed by the bindings, so it must be from malloc. */
static pure_string_t own(lathe_text text) {
  lathe_buffer copy = {0};
  lathe_write(&copy, text);
  return (pure_string_t){(uint8_t *)copy.ptr, copy.len};
}

static pure_string_t to_json(const lathe_value *value) {
  lathe_buffer json = {0};
  lathe_write_json(&json, value);
  return (pure_string_t){(uint8_t *)json.ptr, json.len};
}

static edit *new_edit(struct lathe_outcome *o, uint8_t tag) {
  o->edits = lathe_grow(o->edits, &o->edit_cap, o->edit_count + 1, sizeof *o->edits);
  edit *e = &o->edits[o->edit_count++];
  e->tag = tag;
  return e;
}

/* A set or an insert. */
static void emit_write(comparison *c, uint8_t tag, const lathe_value *value) {
  new_edit(c->outcome, tag)->val.set =
      (lathe_transform_types_write_t){{c->object, own(c->pointer.text)}, to_json(value)};
}

static void emit_remove(comparison *c) {
  new_edit(c->outcome, LATHE_TRANSFORM_TYPES_EDIT_REMOVE)->val.remove = (location){c->object, own(c->pointer.text)};
}

static void push_key(comparison *c, lathe_text key) {
  lathe_write(&c->pointer, LATHE_TEXT("/"));
  for (size_t i = 0; i < key.len; i++) {
    switch (key.ptr[i]) {
      case '~': lathe_write(&c->pointer, LATHE_TEXT("~0")); break;
      case '/': lathe_write(&c->pointer, LATHE_TEXT("~1")); break;
      default: lathe_write(&c->pointer, (lathe_text){key.ptr + i, 1});
    }
  }
}

static void push_index(comparison *c, uint32_t index) {
  char digits[10], *end = digits + sizeof digits, *at = end;
  do {
    *--at = (char)('0' + index % 10);
  } while (index /= 10);
  lathe_write(&c->pointer, LATHE_TEXT("/"));
  lathe_write(&c->pointer, (lathe_text){at, (size_t)(end - at)});
}

static void compare(comparison *c, const lathe_value *before, const lathe_value *after) {
  size_t mark = c->pointer.len;
  if (before->kind == LATHE_MAP && after->kind == LATHE_MAP) {
    for (const lathe_value *old = before->first; old; old = old->next, c->pointer.len = mark) {
      const lathe_value *now = lathe_get(after, old->key);
      push_key(c, old->key);
      if (now) {
        compare(c, old, now);
      } else {
        emit_remove(c);
      }
    }
    for (const lathe_value *now = after->first; now; now = now->next, c->pointer.len = mark) {
      if (lathe_get(before, now->key)) continue;
      push_key(c, now->key);
      emit_write(c, LATHE_TRANSFORM_TYPES_EDIT_SET, now);
    }
  } else if (before->kind == LATHE_LIST && after->kind == LATHE_LIST) {
    const lathe_value *old = before->first, *now = after->first;
    uint32_t common = 0;
    for (; old && now; old = old->next, now = now->next, c->pointer.len = mark) {
      push_index(c, common++);
      compare(c, old, now);
    }
    for (uint32_t i = before->count; i > common; c->pointer.len = mark) {
      push_index(c, --i);
      emit_remove(c);
    }
    for (; now; now = now->next, c->pointer.len = mark) {
      push_key(c, LATHE_TEXT("-"));
      emit_write(c, LATHE_TRANSFORM_TYPES_EDIT_INSERT, now);
    }
  } else if (before->kind != after->kind || !lathe_text_eq(before->text, after->text)) {
    emit_write(c, LATHE_TRANSFORM_TYPES_EDIT_SET, after);
  }
}

void lathe_report(lathe_request *request, lathe_severity severity, lathe_text code, lathe_text message,
                  const lathe_object *at, lathe_text pointer) {
  struct lathe_outcome *o = request->outcome;
  o->findings = lathe_grow(o->findings, &o->finding_cap, o->finding_count + 1, sizeof *o->findings);
  finding *f = &o->findings[o->finding_count++];
  *f = (finding){.severity = (uint8_t)severity, .code = own(code), .message = own(message)};
  if (at) {
    f->at.is_some = true;
    f->at.val = (location){at->key, own(pointer)};
  }
}

void exports_lathe_transform_descriptor_describe(pure_string_t *ret) { pure_string_dup(ret, lathe_descriptor); }

static bool refuse(pure_string_t *err, const char *reason) {
  pure_string_dup(err, reason);
  return false;
}

bool exports_lathe_transform_transformer_transform(exports_lathe_transform_transformer_request_t *in,
                                                   exports_lathe_transform_transformer_outcome_t *ret,
                                                   pure_string_t *err) {
  struct lathe_outcome outcome = {0};
  size_t count = in->objects.len;
  lathe_object *objects = calloc(count ? count : 1, sizeof *objects);
  if (!objects) abort();
  for (size_t i = 0; i < count; i++) {
    const lathe_transform_types_object_t *raw = &in->objects.ptr[i];
    objects[i] = (lathe_object){
        .api_version = borrow(raw->api_version),
        .kind = borrow(raw->kind),
        .namespace = borrow(raw->namespace_),
        .name = borrow(raw->name),
        .value = lathe_parse(borrow(raw->json)),
        .key = (uint32_t)i,
    };
    if (!objects[i].value) return refuse(err, "an object is not JSON or nested too deeply");
  }
  lathe_request request = {
      .config = lathe_parse(borrow(in->config)),
      .environment = lathe_parse(borrow(in->environment)),
      .objects = objects,
      .count = count,
      .added = lathe_list(),
      .outcome = &outcome,
  };
  if (!request.config || !request.environment) {
    return refuse(err, "the config or environment is not JSON or nested too deeply");
  }
  const char *reason = lathe_transform(&request);
  if (reason) return refuse(err, reason);

  for (size_t i = 0; i < count; i++) {
    if (objects[i].value) {
      comparison c = {.outcome = &outcome, .object = objects[i].key};
      compare(&c, lathe_parse(borrow(in->objects.ptr[objects[i].key].json)), objects[i].value);
    } else {
      new_edit(&outcome, LATHE_TRANSFORM_TYPES_EDIT_DROP_OBJECT)->val.drop_object = objects[i].key;
    }
  }
  for (const lathe_value *object = request.added->first; object; object = object->next) {
    new_edit(&outcome, LATHE_TRANSFORM_TYPES_EDIT_ADD_OBJECT)->val.add_object = to_json(object);
  }
  ret->edits.ptr = outcome.edits;
  ret->edits.len = outcome.edit_count;
  ret->findings.ptr = outcome.findings;
  ret->findings.len = outcome.finding_count;
  return true;
}

/* Where the bindings expect the component's type to be linked in; `kubectl lathe plugin build` embeds it instead. */
void __component_type_object_force_link_pure(void) {}
