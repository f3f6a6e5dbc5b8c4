/* A keeper that does not come up, as a person sees it; and what nobody may execute. */
#include "process/e2e.h"

#include "helpers/assert.h"
#include "helpers/tmpdir.h"
#include "helpers/wait.h"

#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static struct rv_e2e e2e;
static struct rv_e2e *const e = &e2e;

/* Another program in the place of a child's, by a rename as packages do it. */
static void place(const char *name, const char *program)
{
	char next[400];
	char path[400];

	(void)snprintf(next, sizeof next, "%s/libexec/next", e->dir);
	(void)snprintf(path, sizeof path, "%s/libexec/%s", e->dir, name);
	cr_assert(eq(int, symlink(program, next), 0));
	cr_assert(eq(int, rename(next, path), 0));
}

static void place_good(const char *name)
{
	place(name, rv_e2e_program(name));
}

static void begin(const char *conf)
{
	rv_e2e_new(e, "[pool:default]\nworkers = 2\n%s", conf);
	cr_assert(eq(int, mkdir(rv_e2e_path(e, "libexec"), 0700), 0));
	place_good("reeve-keeper");
	place_good("reeve-worker");
	place_good("reeve-runner");
	rv_e2e_env(e, "REEVE_LIBEXEC=%s/libexec", e->dir);
	rv_e2e_start(e);
}

struct says {
	const char *verb, *word;
	const char *text;
	int code;
};

static bool does_say(void *ctx)
{
	const struct says *says = ctx;
	const char *words[] = {says->verb, says->word, NULL};

	return rv_e2e_reeve_words(e, words) == says->code &&
	       strstr(rv_buf_text(&e->out), says->text) != NULL;
}

static void await_says(const char *verb, const char *word, const char *text, int code)
{
	struct says says = {verb, word, text, code};

	RV_NEED(e, rv_test_wait_until(does_say, &says, RV_E2E_WAIT_MS), "%s: %s, not %s", verb,
		text, rv_buf_text(&e->out));
}

Test(e2e_keeper, one_that_does_not_come_up_is_told_by_every_verb)
{
	char id[24];
	int64_t job;
	int code;

	begin("");
	job = rv_e2e_add(e, "--delay", "1s", "job", "do=ms=1", NULL);
	place("reeve-keeper", "/bin/false");
	cr_assert(rv_e2e_signal(e, 0, SIGKILL));
	await_says("status", NULL, "degraded: no keeper runs", 10);
	rv_assert_has(rv_buf_text(&e->out), ": degraded");
	await_says("doctor", NULL, "no keeper runs", 10);
	(void)snprintf(id, sizeof id, "%lld", (long long)job);
	await_says("why", id, "ago)\n- no keeper runs: it is overdue", 0);
	/* What has a pool replaced waits for the keeper: not for ever. */
	do { /* 75: we have asked too often for a moment */
		code = rv_e2e_reeve(e, "pool", "restart", "--wait", NULL);
	} while (code == 75);
	cr_assert(eq(int, code, 1));
	rv_assert_has(rv_buf_text(&e->err), "no keeper runs");
	cr_assert(eq(int, rv_e2e_view(e, job)->state, RV_JOB_SCHEDULED));
	place_good("reeve-keeper");
	rv_e2e_until(e, job, RV_JOB_SUCCEEDED);
	await_says("status", NULL, ": ready", 0);
	rv_e2e_end(e);
}
