#ifndef RV_WIRE_JSON_H
#define RV_WIRE_JSON_H

/*
 * JSON by jansson, with the house's bounds and errors.  What comes from outside is parsed strictly:
 * UTF-8, no duplicate keys, nothing after the value, at most RV_JSON_DEPTH deep.
 * json_t* are counted references: json_decref() / RV_AUTO(rv_json_free).
 */

#include "base/err.h"

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct rv_buf;

#define RV_JSON_DEPTH 64

/* Drops a reference; for RV_AUTO. */
void rv_json_free(json_t **json);

/*
 * We are guests in somebody else's process (libreeve, the SQL extension): jansson's allocator is
 * left as it is, and a lack of memory while parsing may be told as a syntax error.  Once, before
 * anything is parsed.
 */
void rv_json_be_guest(void);

/*
 * ${text}, ${size} bytes (NUL not needed; a \u0000 is refused where the getters below would hide
 * it), at most ${max}: RV_E_TOOBIG.  RV_E_PARSE: ${why} has position and reason.
 */
int rv_json_parse(const char *text, size_t size, size_t max, json_t **ret_json,
		  struct rv_why *why) RV_MUST_CHECK;

/* Appends; compact on one line with keys in order of insertion, or indented by two. */
int rv_json_dump(const json_t *json, bool indented, struct rv_buf *buf) RV_MUST_CHECK;
/* Appends ${size} bytes as a JSON string with its quotes; bytes that are no UTF-8 become \ufffd. */
int rv_json_quote(const char *text, size_t size, struct rv_buf *buf) RV_MUST_CHECK;

/*
 * Fields of an object.  Absent or null: RV_E_NOTFOUND, nothing written.  Another type, a number
 * that does not fit, a string with a NUL in it: RV_E_PARSE, and ${why} names the field.  Texts and
 * objects are borrowed from ${object}.
 */
int rv_json_get_text(const json_t *object, const char *name, const char **ret,
		     struct rv_why *why) RV_MUST_CHECK;
/* Bytes, NULs included. */
int rv_json_get_bytes(const json_t *object, const char *name, const char **ret, size_t *ret_size,
		      struct rv_why *why) RV_MUST_CHECK;
int rv_json_get_int(const json_t *object, const char *name, int64_t *ret,
		    struct rv_why *why) RV_MUST_CHECK;
int rv_json_get_bool(const json_t *object, const char *name, bool *ret,
		     struct rv_why *why) RV_MUST_CHECK;
int rv_json_get_object(const json_t *object, const char *name, json_t **ret,
		       struct rv_why *why) RV_MUST_CHECK;
int rv_json_get_array(const json_t *object, const char *name, json_t **ret,
		      struct rv_why *why) RV_MUST_CHECK;

/* RV_E_PARSE, naming the nearest of ${names}, when ${object} has a key that is none of them. */
int rv_json_only(const json_t *object, const char *const *names, size_t count,
		 struct rv_why *why) RV_MUST_CHECK;

/*
 * Setting fields; a NULL text is null, a text that is no UTF-8 gets \ufffd in the place of what is
 * not.  RV_E_NOMEM.  rv_json_set_new takes ${value} in every case (NULL: RV_E_NOMEM).
 */
int rv_json_set_text(json_t *object, const char *name, const char *text) RV_MUST_CHECK;
int rv_json_set_int(json_t *object, const char *name, int64_t value) RV_MUST_CHECK;
int rv_json_set_bool(json_t *object, const char *name, bool value) RV_MUST_CHECK;
int rv_json_set_new(json_t *object, const char *name, json_t *value) RV_MUST_CHECK;
/* RFC 3339, UTC, microseconds; 0 becomes null. */
int rv_json_set_time(json_t *object, const char *name, int64_t wall_us) RV_MUST_CHECK;

#endif
