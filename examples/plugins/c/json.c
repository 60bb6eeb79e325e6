#include "json.h"

#include <stdlib.h>
#include <string.h>

static const char hex[] = "0123456789abcdef";

/* From chunks that leave room for the header of malloc; never freed. */
static void *allocate(size_t size) {
  enum { ALIGN = _Alignof(max_align_t), CHUNK = (1 << 18) - 64 };
  static char *next;
  static size_t left;

  if (size > SIZE_MAX - ALIGN) abort();
  size = (size + ALIGN - 1) / ALIGN * ALIGN;
  if (size > left) {
    size_t fresh = size > CHUNK / 16 ? size : CHUNK;
    char *chunk = malloc(fresh);
    if (!chunk) abort();
    if (fresh == size) return chunk;
    next = chunk;
    left = fresh;
  }
  void *start = next;
  next += size;
  left -= size;
  return start;
}

void *lathe_grow(void *items, size_t *cap, size_t count, size_t size) {
  if (count <= *cap) return items;
  size_t larger = *cap ? *cap : 16;
  while (larger < count) {
    if (larger > SIZE_MAX / 2) abort();
    larger *= 2;
  }
  if (larger > SIZE_MAX / size) abort();
  items = realloc(items, larger * size);
  if (!items) abort();
  *cap = larger;
  return items;
}

bool lathe_text_eq(lathe_text a, lathe_text b) {
  return a.len == b.len && (a.len == 0 || memcmp(a.ptr, b.ptr, a.len) == 0);
}

void lathe_write(lathe_buffer *buffer, lathe_text text) {
  if (text.len == 0) return;
  if (text.len > SIZE_MAX - buffer->len) abort();
  buffer->ptr = lathe_grow(buffer->ptr, &buffer->cap, buffer->len + text.len, 1);
  memcpy(buffer->ptr + buffer->len, text.ptr, text.len);
  buffer->len += text.len;
}

static void write_char(lathe_buffer *buffer, char c) {
  lathe_write(buffer, (lathe_text){&c, 1});
}

static lathe_value *new_value(lathe_kind kind, lathe_text text) {
  lathe_value *value = allocate(sizeof *value);
  *value = (lathe_value){.kind = kind, .text = text};
  return value;
}

lathe_value *lathe_string(lathe_text text) { return new_value(LATHE_STRING, text); }
lathe_value *lathe_list(void) { return new_value(LATHE_LIST, (lathe_text){0}); }
lathe_value *lathe_map(void) { return new_value(LATHE_MAP, (lathe_text){0}); }

static lathe_value **bucket(const lathe_value *map, lathe_text key) {
  uint32_t hash = 2166136261u;
  for (size_t i = 0; i < key.len; i++) hash = (hash ^ (unsigned char)key.ptr[i]) * 16777619u;
  return &map->buckets[hash & (map->bucket_count - 1)];
}

static void index_member(lathe_value *map, lathe_value *member) {
  lathe_value **head = bucket(map, member->key);
  member->chain = *head;
  *head = member;
}

static void index_map(lathe_value *map, uint32_t bucket_count) {
  size_t size = bucket_count * sizeof *map->buckets;
  map->buckets = memset(allocate(size), 0, size);
  map->bucket_count = bucket_count;
  for (lathe_value *member = map->first; member; member = member->next) index_member(map, member);
}

static void attach(lathe_value *parent, lathe_value *after, lathe_value *value) {
  value->parent = parent;
  value->prev = after;
  value->next = after ? after->next : parent->first;
  *(value->prev ? &value->prev->next : &parent->first) = value;
  *(value->next ? &value->next->prev : &parent->last) = value;
  parent->count++;
}

lathe_value *lathe_get(const lathe_value *map, lathe_text key) {
  if (!map || map->kind != LATHE_MAP) return NULL;
  lathe_value *member = map->buckets ? *bucket(map, key) : map->first;
  while (member && !lathe_text_eq(member->key, key)) member = map->buckets ? member->chain : member->next;
  return member;
}

bool lathe_is(const lathe_value *value, lathe_text text) {
  return value && value->kind == LATHE_STRING && lathe_text_eq(value->text, text);
}

lathe_value *lathe_put(lathe_value *map, lathe_text key, lathe_value *value) {
  enum { UNINDEXED = 16 };

  if (map->kind != LATHE_MAP) abort();
  lathe_remove(value);
  value->key = key;
  lathe_value *old = lathe_get(map, key), *after = map->last;
  if (old) {
    after = old->prev;
    lathe_remove(old);
  }
  attach(map, after, value);
  if (map->count > (map->buckets ? map->bucket_count : UNINDEXED)) {
    index_map(map, map->buckets ? map->bucket_count * 2 : UNINDEXED * 4);
  } else if (map->buckets) {
    index_member(map, value);
  }
  return value;
}

lathe_value *lathe_append(lathe_value *list, lathe_value *value) {
  if (list->kind != LATHE_LIST) abort();
  lathe_remove(value);
  value->key = (lathe_text){0};
  attach(list, list->last, value);
  return value;
}

void lathe_remove(lathe_value *value) {
  lathe_value *parent = value->parent;
  if (!parent) return;
  *(value->prev ? &value->prev->next : &parent->first) = value->next;
  *(value->next ? &value->next->prev : &parent->last) = value->prev;
  parent->count--;
  if (parent->buckets) {
    lathe_value **link = bucket(parent, value->key);
    while (*link != value) link = &(*link)->chain;
    *link = value->chain;
  }
  value->parent = value->prev = value->next = value->chain = NULL;
}

lathe_value *lathe_copy(const lathe_value *value) {
  lathe_value *copy = new_value(value->kind, value->text);
  for (const lathe_value *child = value->first; child; child = child->next) {
    if (copy->kind == LATHE_MAP) {
      lathe_put(copy, child->key, lathe_copy(child));
    } else {
      lathe_append(copy, lathe_copy(child));
    }
  }
  return copy;
}

/* JSON to values */

typedef struct {
  const char *at, *end;
} reader;

static bool accept(reader *r, char c) {
  if (r->at == r->end || *r->at != c) return false;
  r->at++;
  return true;
}

static void skip_space(reader *r) {
  while (accept(r, ' ') || accept(r, '\n') || accept(r, '\r') || accept(r, '\t')) {
  }
}

static bool accept_token(reader *r, char c) {
  skip_space(r);
  return accept(r, c);
}

static bool accept_digits(reader *r) {
  const char *start = r->at;
  while (r->at < r->end && *r->at >= '0' && *r->at <= '9') r->at++;
  return r->at > start;
}

static bool accept_number(reader *r) {
  accept(r, '-');
  if (!accept(r, '0') && !accept_digits(r)) return false;
  if (accept(r, '.') && !accept_digits(r)) return false;
  if (accept(r, 'e') || accept(r, 'E')) {
    if (!accept(r, '+')) accept(r, '-');
    return accept_digits(r);
  }
  return true;
}

static bool accept_word(reader *r, lathe_text word) {
  if ((size_t)(r->end - r->at) < word.len || memcmp(r->at, word.ptr, word.len) != 0) return false;
  r->at += word.len;
  return true;
}

/* The four hexadecimal digits of an escape; read_string has ruled out control characters. */
static bool read_unit(reader *r, uint32_t *unit) {
  *unit = 0;
  for (int i = 0; i < 4; i++) {
    const char *digit = r->at < r->end ? memchr(hex, *r->at++ | 0x20, 16) : NULL;
    if (!digit) return false;
    *unit = *unit << 4 | (uint32_t)(digit - hex);
  }
  return true;
}

static char *put_utf8(char *out, uint32_t c) {
  static const unsigned char lead[] = {0, 0xC0, 0xE0, 0xF0};
  int more = c < 0x80 ? 0 : c < 0x800 ? 1 : c < 0x10000 ? 2 : 3;
  *out++ = (char)(lead[more] | c >> 6 * more);
  while (more-- > 0) *out++ = (char)(0x80 | (c >> 6 * more & 0x3F));
  return out;
}

static char *read_escape(reader *r, char *out) {
  static const char names[] = "\"\\/bfnrt", meanings[] = "\"\\/\b\f\n\r\t";

  if (!accept(r, 'u')) {
    const char *name = memchr(names, *r->at++, sizeof names - 1);
    if (!name) return NULL;
    *out = meanings[name - names];
    return out + 1;
  }
  uint32_t c, low;
  if (!read_unit(r, &c) || (c >= 0xDC00 && c <= 0xDFFF)) return NULL;
  if (c >= 0xD800 && c <= 0xDBFF) {
    if (!accept_word(r, LATHE_TEXT("\\u")) || !read_unit(r, &low) || low < 0xDC00 || low > 0xDFFF) return NULL;
    c = 0x10000 + ((c - 0xD800) << 10) + (low - 0xDC00);
  }
  return put_utf8(out, c);
}

/* The rest of a string after its opening quote. Text without escapes stays where it is. */
static bool read_string(reader *r, lathe_text *text) {
  const char *start = r->at, *end = start;
  bool escaped = false;
  for (; end < r->end && *end != '"'; end++) {
    if ((unsigned char)*end < 0x20) return false;
    if (*end == '\\') {
      escaped = true;
      if (++end == r->end) return false;
    }
  }
  if (end == r->end) return false;
  r->at = end + 1;
  *text = (lathe_text){start, (size_t)(end - start)};
  if (!escaped) return true;

  char *decoded = allocate(text->len), *out = decoded;
  reader inside = {start, end};
  while (inside.at < inside.end) {
    if (accept(&inside, '\\')) {
      out = read_escape(&inside, out);
      if (!out) return false;
    } else {
      *out++ = *inside.at++;
    }
  }
  *text = (lathe_text){decoded, (size_t)(out - decoded)};
  return true;
}

/* A scalar, or an empty list or map whose items follow. */
static lathe_value *read_start(reader *r) {
  skip_space(r);
  const char *start = r->at;
  if (accept(r, '{')) return lathe_map();
  if (accept(r, '[')) return lathe_list();
  if (accept(r, '"')) {
    lathe_text text;
    return read_string(r, &text) ? lathe_string(text) : NULL;
  }
  lathe_kind kind;
  if (accept_word(r, LATHE_TEXT("null"))) {
    kind = LATHE_NULL;
  } else if (accept_word(r, LATHE_TEXT("true")) || accept_word(r, LATHE_TEXT("false"))) {
    kind = LATHE_BOOL;
  } else if (accept_number(r)) {
    kind = LATHE_NUMBER;
  } else {
    return NULL;
  }
  return new_value(kind, (lathe_text){start, (size_t)(r->at - start)});
}

static char closing(const lathe_value *value) { return value->kind == LATHE_MAP ? '}' : ']'; }

lathe_value *lathe_parse(lathe_text json) {
  reader r = {json.ptr, json.ptr + json.len};
  lathe_value *open = NULL;
  for (int depth = 0;;) {
    lathe_text key = {0};
    if (open && open->kind == LATHE_MAP) {
      if (!accept_token(&r, '"') || !read_string(&r, &key) || !accept_token(&r, ':')) return NULL;
    }
    lathe_value *value = read_start(&r);
    if (!value) return NULL;
    if (open) {
      if (open->kind == LATHE_MAP) {
        lathe_put(open, key, value);
      } else {
        lathe_append(open, value);
      }
    }
    if (value->kind >= LATHE_LIST) {
      if (++depth > LATHE_MAX_DEPTH) return NULL;
      if (!accept_token(&r, closing(value))) {
        open = value;
        continue;
      }
      depth--;
    }
    while (!open || !accept_token(&r, ',')) {
      if (!open) {
        skip_space(&r);
        return r.at == r.end ? value : NULL;
      }
      if (!accept(&r, closing(open))) return NULL;
      value = open;
      open = open->parent;
      depth--;
    }
  }
}

/* Values to JSON */

static void write_string(lathe_buffer *out, lathe_text text) {
  const char *plain = text.ptr;

  write_char(out, '"');
  for (size_t i = 0; i < text.len; i++) {
    const char *at = text.ptr + i;
    unsigned char c = (unsigned char)*at;
    if (c >= 0x20 && c != '"' && c != '\\') continue;
    lathe_write(out, (lathe_text){plain, (size_t)(at - plain)});
    plain = at + 1;
    if (c >= 0x20) {
      lathe_write(out, (lathe_text){(char[]){'\\', (char)c}, 2});
    } else {
      lathe_write(out, (lathe_text){(char[]){'\\', 'u', '0', '0', hex[c >> 4], hex[c & 15]}, 6});
    }
  }
  if (text.len) lathe_write(out, (lathe_text){plain, (size_t)(text.ptr + text.len - plain)});
  write_char(out, '"');
}

void lathe_write_json(lathe_buffer *out, const lathe_value *root) {
  for (const lathe_value *value = root;;) {
    if (value != root && value->parent->kind == LATHE_MAP) {
      write_string(out, value->key);
      write_char(out, ':');
    }
    if (value->kind >= LATHE_LIST) {
      write_char(out, value->kind == LATHE_MAP ? '{' : '[');
      if (value->first) {
        value = value->first;
        continue;
      }
      write_char(out, closing(value));
    } else if (value->kind == LATHE_STRING) {
      write_string(out, value->text);
    } else {
      lathe_write(out, value->text);
    }
    while (value != root && !value->next) {
      value = value->parent;
      write_char(out, closing(value));
    }
    if (value == root) return;
    write_char(out, ',');
    value = value->next;
  }
}
