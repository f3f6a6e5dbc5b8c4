#ifndef RV_RUN_PIPE_LINE_H
#define RV_RUN_PIPE_LINE_H

/*
 * The lines between a worker and a pipe handler (docs/PROTOCOL.md, Pipe handlers), one JSON object
 * each.  Pure.  Worker processes; a runner of another kind that speaks the same protocol may use it
 * as well.
 */

#include "base/err.h"
#include "run/says.h"
#include "store/request.h"
#include "wire/json.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct rv_buf;

#define RV_PIPE_VERSION  1
#define RV_PIPE_LINE_MAX (1U << 20) /* of what a handler says; a result may be 64 KiB, escaped */

/* A job as the handler gets it.  All borrowed; NULL: it has none. */
struct rv_pipe_job {
	const struct rv_claimed *claim;
	const char *task, *queue, *idem_key;
	const char *spec; /* {"args":{…}}, or "" */
	const char *key, *labels, *meta;
	int64_t batch, deadline_us; /* 0 none */
	const void *payload;
	size_t payload_size;
};

/* Appends the line.  RV_E_NOMEM; RV_E_PARSE: the job's own JSON is none, it can never be sent. */
int rv_pipe_job_line(const struct rv_pipe_job *job, struct rv_buf *out,
		     struct rv_why *why) RV_MUST_CHECK;
/* The same for a request to stop, for the word that its time runs out, and for a health check. */
int rv_pipe_cancel_line(const struct rv_claimed *claim, struct rv_buf *out) RV_MUST_CHECK;
int rv_pipe_soft_line(const struct rv_claimed *claim, struct rv_buf *out) RV_MUST_CHECK;
int rv_pipe_health_line(uint64_t question, struct rv_buf *out) RV_MUST_CHECK;

enum rv_pipe_kind {
	RV_PIPE_HELLO,
	RV_PIPE_ANSWER,
	RV_PIPE_WORD,    /* of a job that goes on: ${said}, ${log} */
	RV_PIPE_REFUSAL, /* in place of hello: ${error} */
	RV_PIPE_HEALTH,  /* ${job}: the question; ${outcome} SUCCEEDED or FAILED, ${error} */
};

/* What a handler said.  Texts live until rv_pipe_said_fini. */
struct rv_pipe_said {
	enum rv_pipe_kind kind;
	/* HELLO */
	unsigned ahead; /* 1 … RV_TURN_MAX */
	bool cancels, softs, checks;
	/* the others: about which job */
	int64_t job, run;
	enum rv_outcome outcome; /* ANSWER: SUCCEEDED, FAILED, FATAL or LATER */
	const char *error;       /* ANSWER, REFUSAL, HEALTH; "" none */
	struct rv_said said;     /* progress, result, when to try again */
	const char *log;         /* WORD; NULL none */
	bool log_stderr;
	/* private */
	json_t *json;
	char *result;
};

/* RV_E_PARSE with what is wrong in ${why}; RV_E_NOMEM. */
int rv_pipe_said_parse(const char *line, size_t size, struct rv_pipe_said *ret_said,
		       struct rv_why *why) RV_MUST_CHECK;
void rv_pipe_said_fini(struct rv_pipe_said *said);

#endif
