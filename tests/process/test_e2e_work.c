/* Work goes in at one end and comes out at the other: CLI, store, daemon, worker, job. */
#include "process/e2e.h"

#include "base/seam.h"
#include "helpers/assert.h"
#include "helpers/tier.h"
#include "helpers/tmpdir.h"
#include "helpers/wait.h"

#include <fcntl.h>
#include <signal.h>
#include <unistd.h>

static struct rv_e2e e2e;
static struct rv_e2e *const e = &e2e;

static void up(const char *more)
{
	rv_e2e_new(e, "[pool:default]\nworkers = 2\nheartbeat = 200ms\n%s", more);
	rv_e2e_start(e);
}

#define SUCCEEDS(job) rv_e2e_until(e, job, RV_JOB_SUCCEEDED)

static const char *id_text(int64_t job)
{
	static char texts[8][24];
	static unsigned next;
	char *text = texts[next++ % 8];

	(void)snprintf(text, sizeof texts[0], "%lld", (long long)job);
	return text;
}

/* Exactly what the job printed. */
static const char *output(int64_t job)
{
	cr_assert(eq(int, rv_e2e_reeve(e, "logs", "--raw", id_text(job), NULL), 0), "%s",
		  rv_buf_text(&e->err));
	return rv_buf_text(&e->out);
}

Test(e2e_work, a_command_runs)
{
	int64_t job;
	json_t *json;

	up("");
	job = rv_e2e_job(e, "ms=10 say=hello");
	cr_assert(eq(int, rv_e2e_reeve(e, "wait", id_text(job), NULL), 0));
	rv_assert_text(output(job), "hello\n");
	json = rv_e2e_json(e, "show", id_text(job), NULL);
	json_decref(json);
	cr_assert(eq(int, rv_e2e_reeve(e, "run", "--", "sh", "-c", "echo out; exit 7", NULL), 7));
	rv_assert_has(rv_buf_text(&e->out), "out\n");
	rv_e2e_end(e);
}

/* A job that the daemon's own start finds: stored while nothing ran. */
Test(e2e_work, what_was_stored_before_the_start_runs_after_it)
{
	int64_t job;

	rv_e2e_new(e, "[pool:default]\nworkers = 1\n");
	job = rv_e2e_job(e, "say=early");
	rv_assert_has(rv_buf_text(&e->err), "reeved is not running");
	rv_e2e_start(e);
	SUCCEEDS(job);
	rv_e2e_end(e);
}

/* ---- F27 */

#define PAYLOAD (16 << 20)

static char *payload(size_t size)
{
	char *data = malloc(size);
	uint64_t dice = 27;

	cr_assert(ne(ptr, data, NULL));
	for (size_t i = 0; i < size; i += 8) {
		uint64_t word = rv_e2e_dice(&dice, UINT64_MAX);

		if (i % 4096 == 0)
			word = 0; /* NULs in a row */
		for (size_t b = 0; b < 8 && i + b < size; b++)
			data[i + b] = (char)(word >> 8 * b);
	}
	return data;
}

static const char *write_bytes(const char *name, const char *data, size_t size)
{
	const char *path = rv_e2e_path(e, name);
	int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

	for (size_t done = 0; done < size;) {
		ssize_t n = write(fd, data + done, size - done);

		cr_assert(lt(i64, 0, n));
		done += (size_t)n;
	}
	cr_assert(eq(int, close(fd), 0));
	return path;
}

Test(e2e_work, f27_payloads_come_back_byte_for_byte)
{
	static const size_t sizes[] = {1, 4096, 1 << 20, PAYLOAD};
	char *data = payload(PAYLOAD + 1);

	up("[task:cat]\ncommand = /bin/cat\noutput_max = 64M\n");
	for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
		const char *path = write_bytes("payload", data, sizes[i]);
		int64_t job = rv_e2e_add(e, "--stdin", path, "cat", NULL);

		SUCCEEDS(job);
		(void)output(job);
		cr_assert(eq(sz, e->out.size, sizes[i]));
		cr_assert(eq(int, memcmp(e->out.data, data, sizes[i]), 0), "%zu bytes", sizes[i]);
	}
	/* One byte too many is refused in words and stores nothing. */
	cr_assert(eq(int,
		     rv_e2e_reeve(e, "add", "--stdin", write_bytes("big", data, PAYLOAD + 1), "cat",
				  NULL),
		     2),
		  "%s", rv_buf_text(&e->err));
	rv_assert_has(rv_buf_text(&e->err), "16");
	cr_assert(eq(i64, rv_e2e_count(e, RV_JOB_SUCCEEDED), 4));
	free(data);
	rv_e2e_end(e);
}

Test(e2e_work, f27_no_payload_is_an_empty_stdin)
{
	int64_t job;

	up("");
	job = rv_e2e_add(e, "--", "sh", "-c", "wc -c; readlink /proc/$$/fd/0", NULL);
	SUCCEEDS(job);
	rv_assert_text(output(job), "0\n/dev/null\n");
	rv_e2e_end(e);
}

static const char *const odd[] = {
	"two words", "it's",      "\"quoted\"", "line\nbreak", "$(id)", "`id`",
	"${HOME}",   "a;b|c&d>e", "",           "-n",          "--",    "*",
	"\\",        "tab\there", "ünïcödé",
};

Test(e2e_work, f27_arguments_are_whole_words_whatever_is_in_them)
{
	up("[task:print]\ncommand = /usr/bin/printf '[%s]' ${arg.a} end\n");
	for (size_t i = 0; i < sizeof(odd) / sizeof(odd[0]); i++) {
		char expected[128];
		char set[128];
		int64_t by_task;
		int64_t adhoc;

		(void)snprintf(set, sizeof set, "a=%s", odd[i]);
		(void)snprintf(expected, sizeof expected, "[%s][end]", odd[i]);
		by_task = rv_e2e_add(e, "print", set, NULL);
		adhoc = rv_e2e_add(e, "--", "printf", "[%s]", odd[i], "end", NULL);
		SUCCEEDS(by_task);
		SUCCEEDS(adhoc);
		rv_assert_text(output(by_task), expected);
		rv_assert_text(output(adhoc), expected);
	}
	rv_e2e_end(e);
}

/* ---- F36 */

Test(e2e_work, f36_a_job_of_the_daemon_has_its_four_descriptors)
{
	int64_t job;

	up("");
	job = rv_e2e_add(
		e, "--", "sh", "-c",
		"for i in $(seq 0 255); do test -e /proc/$$/fd/$i && printf '%s ' $i; done; "
		"echo $REEVE_PROGRESS_FD",
		NULL);
	SUCCEEDS(job);
	rv_assert_text(output(job), "0 1 2 3 3\n");
	rv_e2e_end(e);
}

/* ---- F25, F26 */

Test(e2e_work, f25_endless_output_is_cut_and_neighbours_go_on)
{
	bool all = rv_test_all();
	char command[160];
	int64_t big;
	int64_t line;
	int64_t small;

	up("[task:loud]\ncommand = /bin/sh -c ${arg.do}\noutput_max = 1M\n");
	(void)snprintf(command, sizeof command, "do=head -c %s /dev/zero | tr '\\0' x",
		       all ? "1G" : "64M");
	big = rv_e2e_add(e, "loud", command, NULL);
	line = rv_e2e_add(e, "loud", "do=yes | head -c 64M", NULL);
	small = rv_e2e_job(e, "say=neighbour");
	SUCCEEDS(small);
	SUCCEEDS(big);
	SUCCEEDS(line);
	cr_assert(le(i64, (int64_t)strlen(output(big)), 1 << 20), "what is kept has its cap");
	cr_assert(eq(int, rv_e2e_reeve(e, "logs", id_text(big), NULL), 0));
	rv_assert_has(rv_buf_text(&e->out), "bytes dropped");
	rv_e2e_end(e);
}

Test(e2e_work, f25_a_job_may_close_its_output)
{
	int64_t job;

	up("");
	job = rv_e2e_add(e, "--", "sh", "-c", "echo before; exec >&- 2>&-; sleep 0.2", NULL);
	SUCCEEDS(job);
	rv_assert_text(output(job), "before\n");
	rv_e2e_end(e);
}

Test(e2e_work, f26_a_daemon_with_the_pipe_does_not_hold_the_job)
{
	int64_t before;
	int64_t job;

	up("");
	before = rv_mono_us();
	job = rv_e2e_job(e, "escape=all say=left");
	SUCCEEDS(job);
	cr_assert(lt(i64, rv_mono_us() - before, 20 * RV_S_US));
	rv_assert_text(output(job), "left\n");
	rv_e2e_end(e);
}

/* ---- the queue */

Test(e2e_work, children_run_after_their_parents)
{
	int64_t parent;
	int64_t child;
	int64_t grandchild;

	up("");
	parent = rv_e2e_job(e, "until=go say=first");
	child = rv_e2e_add(e, "--after", id_text(parent), "job", "do=say=second", NULL);
	grandchild = rv_e2e_add(e, "--after", id_text(child), "--after", id_text(parent), "job",
				"do=say=third", NULL);
	rv_e2e_job_says(e, "start %lld ", (long long)parent);
	cr_assert(eq(int, rv_e2e_view(e, child)->state, RV_JOB_BLOCKED));
	cr_assert(eq(int, rv_e2e_reeve(e, "why", id_text(grandchild), NULL), 0));
	rv_assert_has(rv_buf_text(&e->out), id_text(child));
	rv_test_write_file(rv_e2e_path(e, "go"), "%s", "");
	SUCCEEDS(grandchild);
	cr_assert(le(i64, rv_e2e_view(e, parent)->finished_us,
		     rv_e2e_view(e, grandchild)->started_us));
	rv_e2e_end(e);
}

Test(e2e_work, a_cancelled_parent_takes_its_children_along)
{
	int64_t parent;
	int64_t child;

	up("");
	parent = rv_e2e_job(e, "until=never");
	child = rv_e2e_add(e, "--after", id_text(parent), "job", "do=say=x", NULL);
	rv_e2e_job_says(e, "start %lld ", (long long)parent);
	cr_assert(eq(int, rv_e2e_reeve(e, "cancel", id_text(parent), NULL), 0));
	rv_e2e_until(e, parent, RV_JOB_CANCELLED);
	rv_e2e_until(e, child, RV_JOB_CANCELLED);
	cr_assert(eq(int, rv_e2e_job_count(e, "start %lld ", (long long)child), 0));
	rv_e2e_end(e);
}

Test(e2e_work, one_of_a_unique_key_at_a_time)
{
	int64_t first;
	int64_t second;

	up("");
	first = rv_e2e_add(e, "--unique", "only", "job", "do=until=go", NULL);
	cr_assert(eq(int, rv_e2e_reeve(e, "add", "--unique", "only", "job", "do=say=x", NULL), 5));
	rv_assert_has(rv_buf_text(&e->err), id_text(first));
	rv_test_write_file(rv_e2e_path(e, "go"), "%s", "");
	SUCCEEDS(first);
	second = rv_e2e_add(e, "--unique", "only", "job", "do=say=x", NULL);
	SUCCEEDS(second);
	rv_e2e_end(e);
}

Test(e2e_work, the_same_idempotency_key_is_the_same_job)
{
	int64_t first;

	up("");
	first = rv_e2e_add(e, "--idempotency-key", "k", "job", "do=say=x", NULL);
	SUCCEEDS(first);
	cr_assert(eq(i64, rv_e2e_add(e, "--idempotency-key", "k", "job", "do=say=x", NULL), first));
	cr_assert(eq(int, rv_e2e_reeve(e, "add", "--idempotency-key", "k", "job", "do=say=y", NULL),
		     5));
	cr_assert(eq(int, rv_e2e_job_count(e, "start "), 1));
	rv_e2e_end(e);
}

static bool is_past(void *ctx)
{
	return rv_e2e_view(e, *(const int64_t *)ctx)->expires_us < rv_wall_us();
}

Test(e2e_work, a_time_to_live_ends_what_was_not_started)
{
	int64_t busy[2];
	int64_t late;

	up("");
	for (int i = 0; i < 2; i++)
		busy[i] = rv_e2e_job(e, "until=go");
	rv_e2e_job_says_times(e, "start ", 2);
	late = rv_e2e_add(e, "--ttl", "50ms", "job", "do=say=late", NULL);
	cr_assert(rv_test_wait_until(is_past, &late, 10000));
	rv_test_write_file(rv_e2e_path(e, "go"), "%s", "");
	rv_e2e_until(e, late, RV_JOB_CANCELLED);
	rv_assert_has(rv_e2e_view(e, late)->error, "expired");
	SUCCEEDS(busy[0]);
	SUCCEEDS(busy[1]);
	cr_assert(eq(int, rv_e2e_job_count(e, "start %lld ", (long long)late), 0));
	rv_e2e_end(e);
}

Test(e2e_work, a_delay_is_kept_and_not_much_longer)
{
	const struct rv_job_view *view;
	int64_t job;

	up("");
	job = rv_e2e_add(e, "--delay", "300ms", "job", "do=say=x", NULL);
	cr_assert(eq(int, rv_e2e_view(e, job)->state, RV_JOB_SCHEDULED));
	SUCCEEDS(job);
	view = rv_e2e_view(e, job);
	cr_assert(le(i64, view->run_at_us, view->started_us));
	cr_assert(lt(i64, view->created_us + 200 * RV_MS_US, view->run_at_us));
	cr_assert(lt(i64, view->started_us, view->created_us + 10 * RV_S_US));
	rv_e2e_end(e);
}

Test(e2e_work, dead_letters_are_listed_and_retried_by_a_person)
{
	int64_t job;
	json_t *list;

	up("[task:fails]\ncommand = /bin/sh -c 'test -e ${arg.file}'\nmax_attempts = 2\n"
	   "backoff = none\n");
	job = rv_e2e_add(e, "--", "sh", "-c", "exit 64", NULL);
	rv_e2e_until(e, job, RV_JOB_DEAD);
	list = rv_e2e_json(e, "dlq", "ls", NULL);
	cr_assert(eq(sz, json_array_size(json_object_get(list, "jobs")), 1));
	json_decref(list);
	cr_assert(eq(int, rv_e2e_reeve(e, "retry", id_text(job), NULL), 0));
	rv_e2e_until(e, job, RV_JOB_DEAD);
	cr_assert(eq(int, rv_e2e_view(e, job)->runs, 2), "it was granted one more");
	cr_assert(eq(int, rv_e2e_reeve(e, "delete", id_text(job), NULL), 0));
	cr_assert(eq(int, rv_e2e_reeve(e, "show", id_text(job), NULL), 3));
	rv_e2e_end(e);
}

Test(e2e_work, attempts_are_made_until_they_are_used_up)
{
	int64_t job;

	up("[task:fails]\ncommand = /bin/sh -c 'echo try; exit 1'\nmax_attempts = 3\n"
	   "backoff = fixed 20ms\n");
	job = rv_e2e_add(e, "fails", NULL);
	rv_e2e_until(e, job, RV_JOB_DEAD);
	cr_assert(eq(int, rv_e2e_view(e, job)->runs, 3));
	cr_assert(eq(int, rv_e2e_reeve(e, "wait", id_text(job), NULL), 1));
	rv_e2e_end(e);
}

/* A queue that is paused starts nothing; the other one is served meanwhile. */
Test(e2e_work, a_paused_queue_waits)
{
	int64_t held;
	int64_t other;

	rv_e2e_new(e, "[pool:default]\nworkers = 1\nqueues = side, default\n"
		      "[queue:side]\nstrategy = fifo\n");
	rv_e2e_start(e);
	cr_assert(eq(int, rv_e2e_reeve(e, "queue", "pause", "side", NULL), 0));
	held = rv_e2e_add(e, "-q", "side", "job", "do=say=held", NULL);
	other = rv_e2e_job(e, "say=other");
	SUCCEEDS(other);
	cr_assert(eq(int, rv_e2e_view(e, held)->state, RV_JOB_READY));
	cr_assert(eq(int, rv_e2e_reeve(e, "queue", "resume", "side", NULL), 0));
	SUCCEEDS(held);
	rv_e2e_end(e);
}

/* A daemon that may not run it (root without -o reeve.adhoc=yes) keeps it, and says how to go on.
 */
Test(e2e_work, a_command_that_may_not_run_is_kept_with_its_reason)
{
	int64_t job;

	rv_e2e_new(e, "[pool:default]\nworkers = 1\n");
	job = rv_e2e_add(e, "--", "echo", "kept", NULL);
	rv_e2e_env(e, "REEVE_REEVE__ADHOC=no");
	rv_e2e_start(e);
	rv_e2e_until(e, job, RV_JOB_DEAD);
	cr_assert(eq(int, rv_e2e_reeve(e, "why", id_text(job), NULL), 0));
	rv_assert_has(rv_buf_text(&e->out), "[reeve] adhoc = no");
	rv_assert_has(rv_buf_text(&e->out), "-o reeve.adhoc=yes, then reeve retry");
	rv_e2e_stop(e);
	rv_e2e_no_env(e);
	rv_e2e_start(e);
	cr_assert(eq(int, rv_e2e_reeve(e, "retry", id_text(job), NULL), 0));
	SUCCEEDS(job);
	rv_assert_text(output(job), "kept\n");
	rv_e2e_end(e);
}

/* ---- cancelling what runs */

Test(e2e_work, a_running_job_is_cancelled)
{
	int64_t job;

	up("");
	job = rv_e2e_job(e, "escape=double until=never");
	rv_e2e_job_says(e, "start %lld ", (long long)job);
	cr_assert(eq(int, rv_e2e_reeve(e, "cancel", id_text(job), NULL), 0));
	rv_e2e_until(e, job, RV_JOB_CANCELLED);
	cr_assert(eq(int, rv_e2e_reeve(e, "cancel", id_text(job), NULL), 5), "it is over");
	cr_assert(eq(int, rv_e2e_reeve(e, "retry", id_text(job), NULL), 0));
	rv_e2e_job_says_times(e, "start ", 2);
	cr_assert(eq(int, rv_e2e_reeve(e, "cancel", id_text(job), NULL), 0));
	rv_e2e_until(e, job, RV_JOB_CANCELLED);
	rv_e2e_end(e);
}

/* Nobody carries the KICK: the worker sees the wish at its next beat. */
Test(e2e_work, a_running_job_is_cancelled_without_a_keeper)
{
	int64_t job;

	up("");
	job = rv_e2e_job(e, "deaf until=never");
	rv_e2e_job_says(e, "start %lld ", (long long)job);
	cr_assert(rv_e2e_signal(e, 0, SIGSTOP));
	cr_assert(eq(int, rv_e2e_reeve(e, "cancel", id_text(job), NULL), 0));
	rv_e2e_until(e, job, RV_JOB_CANCELLED);
	(void)rv_e2e_signal(e, 0, SIGCONT);
	rv_e2e_end(e);
}
