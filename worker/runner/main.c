/*
 * reeve-runner FILE: loads a module (reeve_module.h) and gives it the jobs that its worker sends,
 * by the protocol of pipe handlers.  Started by a worker, for a task with handler = module; or by
 * who checks a configuration: reeve-runner --check FILE [WORD].  Has no store and nothing of the
 * daemon's: a module can do here what its user can do, and no more.
 */
#include "runner/channel.h"
#include "runner/job.h"
#include "runner/load.h"

#include "base/quote.h"
#include "base/utf8.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define ANSWERS   3  /* where a handler answers */
#define FAR_FD    20 /* ours are from here on, so that a module finds low ones free */
#define EX_USAGE  64
#define EX_CONFIG 78

struct runner {
	struct rv_channel channel;
	struct reeve_module module;
	void *state;
	struct rv_job jobs[REEVE_MODULE_AHEAD_MAX];
};

static struct runner runner;

/* A module that reads stdin finds its end, and what it starts inherits no channel of ours. */
static int take_channel(struct rv_channel *channel)
{
	int in = fcntl(0, F_DUPFD_CLOEXEC, FAR_FD);
	int out = fcntl(ANSWERS, F_DUPFD_CLOEXEC, FAR_FD);
	int null = open("/dev/null", O_RDONLY | O_CLOEXEC);

	if (in < 0 || out < 0 || null < 0 || dup2(null, 0) != 0)
		return -1;
	if (null != 0)
		(void)close(null);
	(void)close(ANSWERS);
	rv_channel_init(channel, in, out);
	return 0;
}

/* The worker ends us then, and the job with a reason that no retry will change. */
static void refuse(struct runner *r, const char *why)
{
	struct rv_buf *out = &r->channel.said;

	(void)fprintf(stderr, "%s\n", why);
	if (rv_buf_str(out, "{\"reeve\":1,\"refuse\":") != RV_OK ||
	    rv_quote_json(why, strlen(why), out) != RV_OK || rv_buf_str(out, "}\n") != RV_OK)
		rv_channel_die("no memory");
	rv_channel_flush(&r->channel);
	exit(EX_CONFIG);
}

static void open_module(struct runner *r, const char *path)
{
	char error[RV_JOB_ERROR_MAX + 1] = "";
	char line[RV_JOB_ERROR_MAX + 1] = "";
	int outcome = r->module.open ? r->module.open(&r->state, error, sizeof(error)) : 0;

	if (outcome == 0)
		return;
	error[sizeof(error) - 1] = '\0';
	(void)snprintf(line, sizeof(line), "%.200s: its open returned %d: ", path, outcome);
	rv_utf8_add_line(line, sizeof(line), error[0] != '\0' ? error : "it does not say why");
	if (outcome == REEVE_RUN_FATAL)
		refuse(r, line);
	(void)fprintf(stderr, "%s\n", line);
	exit(1);
}

static unsigned ahead_of(const struct reeve_module *module)
{
	if (module->ahead > REEVE_MODULE_AHEAD_MAX)
		return REEVE_MODULE_AHEAD_MAX;
	return module->ahead > 0 ? module->ahead : 1;
}

static void say_hello(struct runner *r)
{
	if (rv_buf_printf(&r->channel.said,
			  "{\"reeve\":1,\"ahead\":%u,\"cancel\":true,"
			  "\"soft_timeout\":true,\"health\":true}\n",
			  ahead_of(&r->module)) != RV_OK)
		rv_channel_die("no memory");
	rv_channel_flush(&r->channel);
}

static void answer(struct runner *r, struct rv_job *job)
{
	if (rv_job_answer(job, &r->channel.said) != RV_OK)
		rv_channel_die("no memory for an answer");
	rv_job_reset(job);
}

/* The next jobs that are there, at most ${max}, into ${r->jobs}. */
static unsigned take_jobs(struct runner *r, unsigned max)
{
	unsigned count = 0;
	const char *line;
	size_t size;

	while (count < max && rv_channel_next(&r->channel, &line, &size)) {
		/* Nothing can be answered when the line does not say to whom. */
		if (rv_job_read(&r->jobs[count], line, size) != RV_OK)
			rv_channel_die("a job that cannot be read");
		count++;
	}
	return count;
}

static unsigned run_some(struct runner *r)
{
	struct reeve_run *runs[REEVE_MODULE_AHEAD_MAX];
	unsigned count = take_jobs(r, r->module.run_batch ? ahead_of(&r->module) : 1);

	for (unsigned i = 0; i < count; i++) {
		r->jobs[i].behind = i > 0;
		runs[i] = &r->jobs[i].run;
	}
	if (count == 0)
		return 0;
	if (r->module.run_batch)
		r->module.run_batch(r->state, runs, count);
	else
		runs[0]->outcome = r->module.run(r->state, runs[0]);
	/* What it printed is to be there before its answer, which goes out at once: it shall not be
	 * lost with the process when the next job crashes, nor wait for the end of that one. */
	(void)fflush(stdout);
	for (unsigned i = 0; i < count; i++)
		answer(r, &r->jobs[i]);
#ifdef RV_MUTANT_MODULE_ANSWERS_KEPT
	if (r->channel.taken < r->channel.seen)
		return count;
#endif
	rv_channel_flush(&r->channel);
	return count;
}

static int serve(struct runner *r, const char *path)
{
	struct rv_why why = {.text = ""};
	int err;

	if (take_channel(&r->channel) != 0) {
		(void)fprintf(stderr, "reeve-runner: is started by reeve-worker\n");
		return EX_USAGE;
	}
	(void)unsetenv("REEVE_ANSWER_FD");
	(void)unsetenv("REEVE_PIPE");
	err = rv_load_module(path, &r->module, &why);
	if (err != RV_OK)
		refuse(r, rv_why_text(&why, err));
	for (unsigned i = 0; i < REEVE_MODULE_AHEAD_MAX; i++)
		rv_job_init(&r->jobs[i], &r->channel);
	open_module(r, path);
	say_hello(r);
	do {
		while (run_some(r) > 0)
			continue;
	} while (rv_channel_wait(&r->channel));
	if (r->module.close)
		r->module.close(r->state);
	rv_channel_fini(&r->channel);
	return 0;
}

/* ${word}: repeated on ANSWERS at the end, so that one who ends us on the way does not pass; NULL
 */
static int check(const char *path, const char *word)
{
	struct reeve_module module;
	struct rv_why why = {.text = ""};
	int answers = word ? fcntl(ANSWERS, F_DUPFD_CLOEXEC, FAR_FD) : -1;
	int err;

	if (word)
		(void)close(ANSWERS);
	err = rv_load_module(path, &module, &why);
	if (err == RV_OK && word && write(answers, word, strlen(word)) != (ssize_t)strlen(word))
		return EX_USAGE;
	if (err == RV_OK) {
		(void)printf("%s: a module of reeve, ABI %u: %s\n", path, (unsigned)module.abi,
			     module.name);
		return 0;
	}
	(void)fprintf(stderr, "%s\n", rv_why_text(&why, err));
	return EX_CONFIG;
}

int main(int argc, char **argv)
{
	if ((argc == 3 || argc == 4) && strcmp(argv[1], "--check") == 0)
		return check(argv[2], argv[3]);
	if (argc == 2 && strcmp(argv[1], "--version") == 0) {
		(void)printf("reeve-runner %s\n", RV_VERSION); /* as supervisor/fit.c has it */
		return 0;
	}
	if (argc == 2 && argv[1][0] == '/')
		return serve(&runner, argv[1]);
	(void)fprintf(stderr,
		      "usage: reeve-runner --check FILE\n"
		      "Looks at a module (reeve_module(3)); workers start it to run jobs.\n");
	return EX_USAGE;
}
