/*
 * A module of reeve (reeve_module(3)): counts the words of a text.
 *
 *     make && make install PREFIX=$HOME/.local
 *
 *     [task:words]
 *     handler = module
 *     module  = /home/me/.local/lib/reeve/words.so
 *
 *     reeve add words text="one two three"
 */
#include <reeve_module.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* What is made once and kept from job to job: here, what stands between two words. */
struct state {
	char between[64];
};

static int words_open(void **ret_state, char *error, size_t space)
{
	const char *between = getenv("WORDS_BETWEEN"); /* env = WORDS_BETWEEN=… of the task */
	struct state *state = calloc(1, sizeof(*state));

	if (!state) {
		snprintf(error, space, "no memory");
		return REEVE_RUN_LATER; /* it may get better */
	}
	snprintf(state->between, sizeof(state->between), "%s", between ? between : " \t\n");
	if (state->between[0] == '\0') {
		snprintf(error, space, "WORDS_BETWEEN is empty");
		free(state);
		return REEVE_RUN_FATAL; /* not without another configuration */
	}
	*ret_state = state;
	return 0;
}

static int words_run(void *opened, struct reeve_run *run)
{
	const struct state *state = opened;
	const char *text = run->arg(run, "text");
	char result[32];
	int count = 0;

	if (!text)
		text = run->payload; /* reeve add --stdin FILE words */
	if (!text || text[0] == '\0') {
		run->error(run, "there is no text to count");
		return REEVE_RUN_FATAL;
	}
	for (text += strspn(text, state->between); *text; text += strspn(text, state->between)) {
		text += strcspn(text, state->between);
		/* Often enough for people, seldom enough to cost nothing. */
		if (++count % 100000 == 0) {
			run->progress(run, -1, NULL);
			if (run->cancelled(run))
				return REEVE_RUN_FAILED;
		}
	}
	run->log(run, 0, "counted");
	run->result(run, result, (size_t)snprintf(result, sizeof(result), "{\"words\":%d}", count));
	return REEVE_RUN_DONE;
}

static void words_close(void *state)
{
	free(state);
}

const struct reeve_module reeve_module = {
	.abi = REEVE_MODULE_ABI,
	.size = sizeof(struct reeve_module),
	.name = "words",
	.ahead = 32, /* a job takes microseconds, and prints by log() only */
	.open = words_open,
	.run = words_run,
	.close = words_close,
};
