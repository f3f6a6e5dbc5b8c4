/* A keeper that does not come up, as a person sees it; and what nobody may execute. */
#include "process/e2e.h"

#include "base/attr.h"
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

/* Who is asked whether it can take over runs what it would have to start: before the good are gone.
 */
Test(e2e_keeper, an_upgrade_to_children_that_are_none_changes_nothing)
{
	static const struct {
		const char *name, *text, *says;
	} bad[] = {
		{"reeve-keeper", "exit 1", "what lies there as reeve-keeper is none (exit code 1)"},
		{"reeve-keeper", "exit 0", "what lies there as reeve-keeper is none (exit code 0)"},
		{"reeve-worker", "echo hello", "as reeve-worker is none (exit code 0): hello"},
		{"reeve-worker", "echo reeve-worker 0.0.1", "not of one build: reeve-worker 0.0.1"},
		{"reeve-worker", "kill -9 $$", "reeve-worker that lies there is ended by signal 9"},
		{"reeve-runner", "exit 0", "what lies there as reeve-runner is none"},
		{"reeve-keeper", "exec sleep 100", "does not say of which build it is"},
	};
	pid_t keeper;
	pid_t worker;

	begin("[task:m]\nhandler = module\nmodule = /nonexistent/m.so\n");
	keeper = rv_e2e_await_child(e, 0);
	worker = rv_e2e_await_child(e, 1);
	cr_assert(eq(int, rv_e2e_reeve(e, "upgrade", "--check", NULL), 0));
	for (size_t i = 0; i < RV_ARRAY_LEN(bad); i++) {
		const char *script = rv_e2e_path(e, "bad");

		rv_test_write_file(script, "#!/bin/sh\n%s\n", bad[i].text);
		cr_assert(eq(int, chmod(script, 0755), 0));
		place(bad[i].name, script);
		cr_assert(
			ne(int, rv_e2e_reeve(e, "upgrade", i % 2 ? "--check" : "--wait", NULL), 0));
		rv_assert_has(rv_buf_text(&e->err), bad[i].says);
		place_good(bad[i].name);
	}
	cr_assert(eq(int, unlink(rv_e2e_path(e, "libexec/reeve-runner")), 0));
	cr_assert(ne(int, rv_e2e_reeve(e, "upgrade", NULL), 0));
	rv_assert_has(rv_buf_text(&e->err), "there is no ");
	/* Nobody was touched; and with good ones it goes. */
	cr_assert(eq(int, rv_e2e_child(e, 0), keeper));
	cr_assert(eq(int, rv_e2e_child(e, 1), worker));
	place_good("reeve-runner");
	cr_assert(eq(int, rv_e2e_reeve(e, "upgrade", "--wait", NULL), 0));
	cr_assert(ne(int, rv_e2e_child(e, 0), keeper));
	rv_e2e_end(e);
}
