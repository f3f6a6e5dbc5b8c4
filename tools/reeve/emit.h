#ifndef RV_REEVE_EMIT_H
#define RV_REEVE_EMIT_H

/* Printing the records of a job's output (obs/output.h), or making JSON of them. */

#include "base/attr.h"

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>

struct rv_out;
struct rv_output_record;
struct rv_pick;

struct rv_emit {
	const struct rv_out *out; /* borrowed */
	bool raw;                 /* no escaping on a terminal */
	bool split;  /* the job's stderr onto ours, remarks too (run); else all on stdout */
	bool silent; /* print nothing */
	struct rv_pick *pick;     /* some lines only; NULL: all.  Borrowed */
	unsigned char part[2][4]; /* the begin of a character whose rest is to come, by stream */
	size_t npart[2];
	char last[2]; /* the last byte printed, by stream */
};

void rv_emit_init(struct rv_emit *emit, const struct rv_out *out);
/* RV_E_NOMEM; that stdout takes no more is not seen here (rv_out_alive). */
int rv_emit_record(struct rv_emit *emit, const struct rv_output_record *record) RV_MUST_CHECK;
/* Whether what was printed ended with a line, or nothing was. */
bool rv_emit_at_begin(const struct rv_emit *emit);
/* At the end of a run: what was held back because its end might have come. */
int rv_emit_flush(struct rv_emit *emit) RV_MUST_CHECK;

/* {"stream":…,"at":…,"text":…} or {"stream":"dropped","bytes":…} onto ${list}.  RV_E_NOMEM. */
int rv_emit_json(json_t *list, const struct rv_output_record *record) RV_MUST_CHECK;

#endif
