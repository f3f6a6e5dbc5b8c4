/*
 * The module of the tests of module tasks (reeve_module.h).  It writes into $MODULE_FOLDER/jobs
 * what it does, "start JOB RUN PID" and "end …", a line a write.  Other definitions make modules of
 * it that are not to be run: see e2e.cmake.
 *
 * $MODULE_OPEN: fatal, later, crash, slow: what its open does
 * words of a job, args.do, in order; after the last it is done:
 *   exit=N  kill  segv  deaf  ms=N  until=NAME  hang (heeds cancel)  soft (until it is late)
 *   beat=N (N heartbeats)  rss=N (MiB more of memory)  burn=MS (of CPU)  count (how many jobs this
 * call has) say=TEXT (stdio, not flushed)  err=TEXT  big=N (bytes of stderr)  log=TEXT  elog=TEXT
 *   progress=N  result=TEXT  huge (a result too large)  pid  fds  stdin  show  bytes  arg=NAME
 *   fail=TEXT  fatal=TEXT  later=MS  again=MS (with fail)  return=N: its outcome
 *   and those of burden.h
 */
#include "process/burden.h"
#include "process/jobdo.h"
#include "runner/reeve_module.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#ifdef UNDEFINED
int reeve_no_such_function(void);
#endif
#ifdef OWN_SQLITE
int sqlite3_open(const char *path, void **ret);
int sqlite3_open(const char *path, void **ret)
{
	return path == (const char *)ret;
}
#endif
#ifdef REAL_SQLITE
const char *sqlite3_libversion(void);
#endif
#ifdef NEEDS_SQLITE
int rv_needs_sqlite(void);
#endif
#ifdef ENDS
__attribute__((constructor)) static void end_well(void)
{
	_exit(0);
}
#endif
#ifdef CRASHES
__attribute__((constructor)) static void crash(void)
{
	abort();
}
#endif

struct state {
	const char *folder;
	int log_fd;
	size_t count; /* of jobs in this call */
};

static void say(const struct state *state, const char *what, const struct reeve_run *run)
{
	char line[128];
	int n = snprintf(line, sizeof line, "%s %lld %d %d\n", what,
			 (long long)(run ? run->job : 0), run ? (int)run->number : 0,
			 (int)getpid());

	if (n < 0 || write(state->log_fd, line, (size_t)n) != n)
		_exit(71);
}

static int test_open(void **ret_state, char *error, size_t space)
{
	static struct state state;
	const char *how = getenv("MODULE_OPEN");

	state.folder = getenv("MODULE_FOLDER");
	if (!state.folder)
		return REEVE_RUN_FATAL;
	state.log_fd = rv_jobdo_open(state.folder);
	if (how && strcmp(how, "crash") == 0)
		abort();
	if (how && strcmp(how, "slow") == 0)
		(void)poll(NULL, 0, 700);
	if (how && (strcmp(how, "fatal") == 0 || strcmp(how, "later") == 0)) {
		(void)snprintf(error, space, "no licence");
		return strcmp(how, "fatal") == 0 ? REEVE_RUN_FATAL : REEVE_RUN_LATER;
	}
	say(&state, "hello", NULL);
	*ret_state = &state;
	return 0;
}

static void hang(const struct state *state, struct reeve_run *run, int heeds)
{
	say(state, "hangs", run);
	while (!heeds || !run->cancelled(run))
		(void)poll(NULL, 0, heeds ? 5 : -1);
}

static void await_soft(struct reeve_run *run)
{
	while (!run->late(run))
		(void)poll(NULL, 0, 5);
	run->log(run, 0, run->cancelled(run) ? "told too much" : "time to save");
}

static void put(struct reeve_run *run, const char *text)
{
	if (run->result(run, text, strlen(text)) != 0)
		run->log(run, 0, "no result");
}

static void put_number(struct reeve_run *run, long long number)
{
	char text[32];

	(void)snprintf(text, sizeof text, "%lld", number);
	put(run, text);
}

static void list_fds(const struct state *state, struct reeve_run *run)
{
	char text[512] = "";
	size_t used = 0;

	for (int fd = 0; fd < 1024 && used < sizeof text - 8; fd++) {
		if (fd != state->log_fd && fcntl(fd, F_GETFD) >= 0)
			used += (size_t)snprintf(text + used, sizeof text - used, "%s%d",
						 used ? "," : "", fd);
	}
	put(run, text);
}

static void show(struct reeve_run *run)
{
	char text[1024];

	(void)snprintf(text, sizeof text, "%d %lld %d %d %d %d %d|%s|%s|%s|%s|%s|%s|%s|%.*s|%zu|%d",
		       run->size > 0, (long long)run->job, (int)run->number, (int)run->attempt,
		       (int)run->max_attempts, run->fence > 0, (int)run->batch, run->task,
		       run->queue, run->idempotency_key, run->args, run->key ? run->key : "-",
		       run->labels ? run->labels : "-", run->meta ? run->meta : "-",
		       (int)run->payload_size, run->payload ? (const char *)run->payload : "-",
		       run->payload_size, run->deadline_us > 1700000000000000);
	put(run, text);
}

static void show_bytes(struct reeve_run *run)
{
	const unsigned char *data = run->payload;
	char text[256] = "";
	size_t used = 0;

	for (size_t i = 0; i < run->payload_size && used < sizeof text - 8; i++)
		used += (size_t)snprintf(text + used, sizeof text - used, "%d ", data[i]);
	put(run, text);
}

static void print_much(long size)
{
	char block[4096];

	memset(block, 'x', sizeof block);
	for (size_t i = 63; i < sizeof block; i += 64)
		block[i] = '\n';
	for (long left = size; left > 0; left -= (long)sizeof block)
		(void)!write(2, block, left < (long)sizeof block ? (size_t)left : sizeof block);
}

static void grow(struct reeve_run *run, long mib)
{
	char *memory = malloc((size_t)mib << 20);

	if (memory)
		memset(memory, 1, (size_t)mib << 20);
	put_number(run, memory ? memory[mib] : 0);
}

static void huge(struct reeve_run *run)
{
	static char text[REEVE_MODULE_RESULT_MAX + 1];

	memset(text, 'x', sizeof text);
	put_number(run, run->result(run, text, sizeof text) == -1 &&
				run->result(run, "\xff", 1) == -1 &&
				run->result(run, text, sizeof text - 1) == 0);
}

/* What it says; 0: none of these. */
static int speak(struct reeve_run *run, const char *word, const char *value)
{
	if (strcmp(word, "say") == 0)
		(void)printf("%s\n", value);
	else if (strcmp(word, "err") == 0)
		(void)fprintf(stderr, "%s\n", value);
	else if (strcmp(word, "big") == 0)
		print_much(atol(value));
	else if (strcmp(word, "log") == 0 || strcmp(word, "elog") == 0)
		run->log(run, word[0] == 'e', value);
	else if (strcmp(word, "progress") == 0)
		run->progress(run, atoi(value), "on the way");
	else if (strcmp(word, "result") == 0)
		put(run, value);
	else if (strcmp(word, "huge") == 0)
		huge(run);
	else if (strcmp(word, "pid") == 0)
		put_number(run, getpid());
	else if (strcmp(word, "show") == 0)
		show(run);
	else if (strcmp(word, "bytes") == 0)
		show_bytes(run);
	else if (strcmp(word, "arg") == 0)
		put(run, run->arg(run, value) ? run->arg(run, value) : "(none)");
	else
		return 0;
	return 1;
}

static void crash_in_run(void)
{
	(void)signal(SIGSEGV, SIG_DFL); /* a sanitizer would make an exit of it */
	(void)raise(SIGSEGV);
}

static void act(const struct state *state, struct reeve_run *run, const char *word,
		const char *value)
{
	char byte;

	if (speak(run, word, value) ||
	    rv_burden(state->log_fd, (long)run->job, run->number, word, value))
		return;
	if (strcmp(word, "exit") == 0)
		exit(atoi(value));
	else if (strcmp(word, "kill") == 0)
		(void)raise(SIGKILL);
	else if (strcmp(word, "segv") == 0)
		crash_in_run();
	else if (strcmp(word, "hang") == 0 || strcmp(word, "deaf") == 0)
		hang(state, run, word[0] == 'h');
	else if (strcmp(word, "soft") == 0)
		await_soft(run);
	else if (strcmp(word, "ms") == 0)
		(void)poll(NULL, 0, atoi(value));
	else if (strcmp(word, "until") == 0)
		rv_jobdo_wait(state->folder, value);
	else if (strcmp(word, "fds") == 0)
		list_fds(state, run);
	else if (strcmp(word, "stdin") == 0)
		put_number(run, read(0, &byte, 1));
	else if (strcmp(word, "rss") == 0)
		grow(run, atol(value));
	else if (strcmp(word, "burn") == 0)
		rv_jobdo_burn(atol(value));
	else if (strcmp(word, "count") == 0)
		put_number(run, (long long)state->count);
	for (int i = strcmp(word, "beat") == 0 ? atoi(value) : 0; i > 0; i--) {
		run->progress(run, -1, NULL);
		(void)poll(NULL, 0, 50);
	}
}

/* -1: the word is none that ends it. */
static int outcome_of(struct reeve_run *run, const char *word, const char *value)
{
	if (strcmp(word, "fail") == 0 || strcmp(word, "fatal") == 0) {
		run->error(run, value);
		return strcmp(word, "fail") == 0 ? REEVE_RUN_FAILED : REEVE_RUN_FATAL;
	}
	if (strcmp(word, "later") == 0) {
		run->again(run, atol(value));
		return REEVE_RUN_LATER;
	}
	if (strcmp(word, "again") == 0) {
		run->again(run, atol(value));
		return REEVE_RUN_FAILED;
	}
	return strcmp(word, "return") == 0 ? atoi(value) : -1;
}

static int test_run(void *opened, struct reeve_run *run)
{
	struct state *state = opened;
	const char *what = run->arg(run, "do");
	char *words = strdup(what ? what : "");
	char *rest = NULL;
	int outcome = REEVE_RUN_DONE;

	if (!words)
		return REEVE_RUN_FAILED;
	say(state, "start", run);
	for (char *word = strtok_r(words, " ", &rest); word; word = strtok_r(NULL, " ", &rest)) {
		char *value = strchr(word, '=');
		int said;

		if (value)
			*value++ = '\0';
		said = outcome_of(run, word, value ? value : "");
		if (said >= 0)
			outcome = said;
		else
			act(state, run, word, value ? value : "");
	}
	say(state, "end", run);
	free(words);
	return outcome;
}

static void test_close(void *opened)
{
	const struct state *state = opened;

	say(state, "bye", NULL);
	(void)close(state->log_fd);
}

#ifdef BATCH
static void test_batch(void *opened, struct reeve_run *const *runs, size_t count)
{
	struct state *state = opened;

	state->count = count;
	for (size_t i = 0; i < count; i++)
		runs[i]->outcome = test_run(opened, runs[i]);
}
#endif

#ifndef NO_RUN
#define NO_RUN 0
#endif

const struct reeve_module reeve_module = {
#ifdef BAD_ABI
	.abi = 99,
#else
	.abi = REEVE_MODULE_ABI,
#endif
#ifdef BAD_SIZE
	.size = 16,
#else
	.size = sizeof(struct reeve_module),
#endif
	.name = "test",
#ifdef AHEAD
	.ahead = REEVE_MODULE_AHEAD_MAX,
#endif
	.open = test_open,
	.run = NO_RUN ? NULL : test_run,
	.close = test_close,
#ifdef BATCH
	.run_batch = test_batch,
#endif
};

#if defined(UNDEFINED) || defined(REAL_SQLITE) || defined(NEEDS_SQLITE)
int rv_testmodule_needs(void);
int rv_testmodule_needs(void)
{
#if defined(UNDEFINED)
	return reeve_no_such_function();
#elif defined(REAL_SQLITE)
	return sqlite3_libversion()[0];
#else
	return rv_needs_sqlite();
#endif
}
#endif
