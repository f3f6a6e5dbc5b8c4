#ifndef RV_RUNNER_CHANNEL_H
#define RV_RUNNER_CHANNEL_H

/*
 * The two descriptors between a runner and its worker: lines of jobs in, lines of answers out
 * (docs/PROTOCOL.md, Pipe handlers).  One in a runner.  What cannot be written or kept ends the
 * process: there is nobody left to tell.
 */

#include "base/attr.h"
#include "base/buf.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define RV_CHANNEL_WORDS 64

/* What is said of a run that goes on. */
enum rv_channel_word { RV_CHANNEL_CANCEL, RV_CHANNEL_SOFT };

struct rv_channel {
	int in, out;
	bool ended;          /* EOF: no more jobs */
	struct rv_buf heard; /* lines; those before ${taken} were given out */
	size_t taken, seen;  /* seen: looked at for words to runs */
	struct rv_buf said;  /* answers, to be written */
	struct {
		enum rv_channel_word word;
		int64_t job, run;
	} words[RV_CHANNEL_WORDS]; /* the last ones */
	unsigned nwords;
};

/* Takes both descriptors over. */
void rv_channel_init(struct rv_channel *channel, int in, int out);
void rv_channel_fini(struct rv_channel *channel);
/*
 * The next line of a job that is there, without its end; valid until the next call.  Health checks
 * before it are answered.
 */
bool rv_channel_next(struct rv_channel *channel, const char **ret_line, size_t *ret_size);
/* Waits for more; false: there will be none. */
bool rv_channel_wait(struct rv_channel *channel) RV_MUST_CHECK;
/* This was said of the run.  Takes in what is there, without waiting. */
bool rv_channel_told(struct rv_channel *channel, enum rv_channel_word word, int64_t job,
		     int64_t run);
/* Writes all of ${said}. */
void rv_channel_flush(struct rv_channel *channel);

/* Ends the process at once, with a word on stderr. */
void rv_channel_die(const char *why) RV_NORETURN;

#endif
