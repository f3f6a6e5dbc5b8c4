#ifndef RV_RUNNER_MEMBER_H
#define RV_RUNNER_MEMBER_H

/*
 * The members of a JSON object, one after the other, without a tree of it.  Pure.  The runner has
 * no JSON library: whatever it linked, a module would get as well.
 */

#include "base/attr.h"

#include <stdbool.h>
#include <stddef.h>

struct rv_arena;

/* Spans of the object's text: a name as it stands between its quotes, a value as it stands. */
struct rv_member {
	const char *name, *value;
	size_t name_size, value_size;
};

/* A walk over one object; ${at} is where it is.  Borrows the text. */
struct rv_members {
	const char *at, *end;
	bool begun;
};

void rv_members_init(struct rv_members *members, const char *text, size_t size);
/* RV_E_NOTFOUND: there are no more; RV_E_PARSE: it is no object, or broken from here on. */
int rv_members_next(struct rv_members *members, struct rv_member *ret_member) RV_MUST_CHECK;

/*
 * A string of JSON without its quotes and escapes, anything else as it stands; with a NUL, in
 * ${arena}.  RV_E_PARSE, RV_E_NOMEM.
 */
int rv_member_text(const char *value, size_t size, struct rv_arena *arena, char **ret_text,
		   size_t *ret_size) RV_MUST_CHECK;

#endif
