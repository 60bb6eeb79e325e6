/* Lets a plugin change objects in place. lathe.c compares them with what came in and derives the edits. */
#ifndef LATHE_H
#define LATHE_H

#include "json.h"

typedef struct {
  lathe_text api_version, kind, namespace, name;
  lathe_value *value; /* NULL drops the object */
  uint32_t key;       /* how edits name it, wherever it is moved to */
} lathe_object;

typedef struct {
  lathe_value *config, *environment;
  lathe_object *objects; /* may be sorted */
  size_t count;
  lathe_value *added; /* a list of new objects */
  struct lathe_outcome *outcome; /* what has been reported */
} lathe_request;

typedef enum { LATHE_ERROR, LATHE_WARNING, LATHE_INFO } lathe_severity;

/* Tells the user something. `at` may be NULL; otherwise `pointer` names the place in it (RFC 6901). */
void lathe_report(lathe_request *request, lathe_severity severity, lathe_text code, lathe_text message,
                  const lathe_object *at, lathe_text pointer);

/* The plugin's part: its descriptor (JSON) and its work. `lathe_transform` returns NULL, or why the run is refused. */
extern const char lathe_descriptor[];
const char *lathe_transform(lathe_request *request);

#endif
