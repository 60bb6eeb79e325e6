/* JSON as values that can be changed in place: text keeps its bytes, a number its digits.
 *
 * Text is not copied, so it has to outlive the values made of it. Nothing is freed: a plugin's instance lives for one
 * call. Running out of memory traps. */
#ifndef JSON_H
#define JSON_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* UTF-8 text; it may hold NUL and no NUL ends it. */
typedef struct {
  const char *ptr;
  size_t len;
} lathe_text;

#define LATHE_TEXT(literal) ((lathe_text){"" literal, sizeof(literal) - 1})

bool lathe_text_eq(lathe_text a, lathe_text b);

/* Text that grows. Start from {0}; what stands in it so far is `text`. */
typedef struct {
  union {
    lathe_text text;
    struct {
      char *ptr;
      size_t len;
    };
  };
  size_t cap;
} lathe_buffer;

void lathe_write(lathe_buffer *buffer, lathe_text text);

typedef enum {
  LATHE_NULL,
  LATHE_BOOL,
  LATHE_NUMBER,
  LATHE_STRING,
  LATHE_LIST,
  LATHE_MAP,
} lathe_kind;

/* A JSON value, at most in one list or map at a time. Read any member, change children through the functions below. */
typedef struct lathe_value lathe_value;
struct lathe_value {
  lathe_kind kind;
  lathe_text text; /* a string's text; a number, boolean or null as the JSON spells it */
  lathe_text key;  /* in a map */
  lathe_value *parent, *prev, *next;
  lathe_value *first, *last; /* of a list or map, otherwise NULL */
  uint32_t count;

  /* Hash index of a large map; `chain` links the members of one bucket. */
  lathe_value *chain, **buckets;
  uint32_t bucket_count;
};

/* NULL if `json` is not one JSON value of at most LATHE_MAX_DEPTH levels. */
lathe_value *lathe_parse(lathe_text json);
#define LATHE_MAX_DEPTH 2000

lathe_value *lathe_string(lathe_text text);
lathe_value *lathe_list(void);
lathe_value *lathe_map(void);
lathe_value *lathe_copy(const lathe_value *value);

/* NULL if `map` is NULL or no map, or has no such member. */
lathe_value *lathe_get(const lathe_value *map, lathe_text key);

/* Whether `value` is this string; false for NULL. */
bool lathe_is(const lathe_value *value, lathe_text text);

/* Both take `value` out of where it was and give it back. `lathe_put` replaces a member of that name. */
lathe_value *lathe_put(lathe_value *map, lathe_text key, lathe_value *value);
lathe_value *lathe_append(lathe_value *list, lathe_value *value);

/* Takes `value` out of its list or map. */
void lathe_remove(lathe_value *value);

/* Appends `value` as JSON. */
void lathe_write_json(lathe_buffer *buffer, const lathe_value *value);

/* Room for `count` items of `size` bytes: `items`, moved if `*cap` is too small. */
void *lathe_grow(void *items, size_t *cap, size_t count, size_t size);

#endif
