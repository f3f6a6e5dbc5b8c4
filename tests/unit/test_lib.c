/* libreeve without a daemon: what a program gets for what it gives; threads, forks, bad stores. */
#include "lib_scene.h"

#include <pthread.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

TestSuite(lib, .init = setup, .fini = teardown);

static int64_t add_noop(struct reeve *where)
{
	struct reeve_new job;
	int64_t id = 0;

	reeve_new_init(&job, sizeof(job));
	job.task = "noop";
	OK(reeve_enqueue(where, &job, &id));
	return id;
}

Test(lib, what_is_said_is_stored)
{
	static const char *const args[] = {"who=world", NULL};
	static const char *const labels[] = {"a", "ü", NULL};
	const struct reeve_job *seen = NULL;
	int64_t parent = add_noop(reeve);
	struct reeve_new job;
	int64_t id = 0;

	reeve_new_init(&job, sizeof(job));
	job.task = "hello";
	job.args = args;
	job.labels = labels;
	job.payload = "a\0b";
	job.payload_size = 3;
	job.delay_us = 3600000000;
	job.priority = 7;
	job.max_attempts = 9;
	job.key = "tenant";
	job.unique_key = "only";
	job.idempotency_key = "once";
	job.timeout_us = 5000000;
	job.after = &parent;
	job.nafter = 1;
	OK(reeve_enqueue(reeve, &job, &id));
	cr_assert(eq(i64, id, parent + 1));
	OK(reeve_get(reeve, id, &seen));
	rv_assert_text(seen->task, "hello");
	rv_assert_text(seen->queue, "bulk");
	rv_assert_text(seen->spec, "{\"args\":{\"who\":\"world\"}}");
	rv_assert_text(seen->labels, "[\"a\",\"ü\"]");
	rv_assert_text(seen->key, "tenant");
	rv_assert_text(seen->unique_key, "only");
	rv_assert_text(seen->idempotency_key, "once");
	cr_assert(eq(int, seen->state, REEVE_BLOCKED));
	cr_assert(eq(int, seen->priority, 7));
	cr_assert(eq(int, seen->max_attempts, 9));
	cr_assert(eq(sz, seen->payload_size, 3));
	cr_assert(eq(i64, seen->timeout_us, 5000000));
	cr_assert(eq(int, seen->percent, -1));
	cr_assert(lt(i64, seen->created_at_us + 3500000000, seen->run_at_us));
	reeve_free(seen);
	/* The same again is the same job; the unique key is held. */
	int64_t again = 0;
	OK(reeve_enqueue(reeve, &job, &again));
	cr_assert(eq(i64, again, id));
	job.idempotency_key = NULL;
	SAYS(reeve_enqueue(reeve, &job, &again), REEVE_E_CONFLICT, "unique key");
	cr_assert(eq(i64, again, id));
}

Test(lib, a_line_of_json_is_a_job)
{
	const struct reeve_job *seen = NULL;
	struct reeve_new job;
	int64_t id = 0;

	OK(reeve_enqueue_json(reeve, "{\"task\":\"hello\",\"args\":{\"who\":3},\"priority\":5}",
			      &id));
	OK(reeve_get(reeve, id, &seen));
	rv_assert_text(seen->spec, "{\"args\":{\"who\":\"3\"}}");
	cr_assert(eq(int, seen->priority, 5));
	reeve_free(seen);
	reeve_new_init(&job, sizeof(job));
	job.json = "{\"task\":\"noop\",\"priority\":5,\"queue\":\"bulk\"}";
	job.priority = 6; /* what is said in a field wins */
	OK(reeve_enqueue(reeve, &job, &id));
	OK(reeve_get(reeve, id, &seen));
	cr_assert(eq(int, seen->priority, 6));
	rv_assert_text(seen->queue, "bulk");
	reeve_free(seen);
	SAYS(reeve_enqueue_json(reeve, "{\"task\":\"noop\",\"colour\":1}", &id), REEVE_E_PARSE,
	     "colour");
	SAYS(reeve_enqueue_json(reeve, "{\"task\":", &id), REEVE_E_PARSE, "line 1");
	SAYS(reeve_enqueue_json(reeve, "[]", &id), REEVE_E_USAGE, "object");
}

Test(lib, what_is_wrong_is_told_and_nothing_is_stored)
{
	static const char *const unknown[] = {"whom=x", NULL};
	static const char *const none[] = {NULL};
	const struct reeve_stats *stats = NULL;
	struct reeve_new job;
	int64_t id = -1;

	(void)add_noop(reeve);
	reeve_new_init(&job, sizeof(job));
	SAYS(reeve_enqueue(reeve, &job, &id), REEVE_E_USAGE, "task or command");
	job.task = "nop";
	SAYS(reeve_enqueue(reeve, &job, &id), REEVE_E_NOTFOUND, "noop");
	job.task = "hello";
	job.args = unknown;
	SAYS(reeve_enqueue(reeve, &job, &id), REEVE_E_USAGE, "did you mean who");
	job.task = "noop";
	job.args = NULL;
	job.priority = -2;
	SAYS(reeve_enqueue(reeve, &job, &id), REEVE_E_USAGE, "priority");
	job.priority = -1;
	job.queue = "bluk";
	SAYS(reeve_enqueue(reeve, &job, &id), REEVE_E_NOTFOUND, "bulk");
	job.queue = "b\xff";
	SAYS(reeve_enqueue(reeve, &job, &id), REEVE_E_PARSE, "UTF-8");
	job.queue = NULL;
	job.ttl_us = -1;
	SAYS(reeve_enqueue(reeve, &job, &id), REEVE_E_USAGE, "negative");
	job.ttl_us = 0;
	job.payload_size = 5;
	SAYS(reeve_enqueue(reeve, &job, &id), REEVE_E_USAGE, "payload");
	job.payload_size = 0;
	job.task = NULL;
	job.command = none;
	SAYS(reeve_enqueue(reeve, &job, &id), REEVE_E_USAGE, "empty");
	job.size = 0;
	SAYS(reeve_enqueue(reeve, &job, &id), REEVE_E_USAGE, "size");
	SAYS(reeve_enqueue(reeve, NULL, &id), REEVE_E_USAGE, "NULL");
	SAYS(reeve_get(reeve, 77, NULL), REEVE_E_USAGE, "NULL");
	cr_assert(eq(i64, id, -1));
	OK(reeve_stats(reeve, &stats));
	cr_assert(eq(i64, reeve_stats_total(stats)->count[REEVE_READY], 1));
	reeve_free(stats);
	rv_assert_text(reeve_error(reeve), "");
}

/* A program made for a newer library may say nothing that this one does not know. */
Test(lib, a_longer_struct_is_taken_when_its_end_says_nothing)
{
	struct {
		struct reeve_new known;
		int64_t newer;
	} job;
	int64_t id = 0;

	reeve_new_init(&job.known, sizeof(job));
	job.known.task = "noop";
	OK(reeve_enqueue(reeve, &job.known, &id));
	job.newer = 1;
	SAYS(reeve_enqueue(reeve, &job.known, &id), REEVE_E_USAGE, "does not know");
}

Test(lib, commands_run_where_they_are_allowed)
{
	static const char *const words[] = {"/bin/true", "x", NULL};
	struct reeve_open how = REEVE_OPEN_INIT;
	static const char *const set[] = {"reeve.adhoc=no", NULL};
	struct reeve_new job;
	int64_t id = 0;

	reeve_new_init(&job, sizeof(job));
	job.command = words;
	OK(reeve_enqueue(reeve, &job, &id));
	reeve_close(reeve);
	how.config = conf;
	how.set = set;
	cr_assert(eq(int, reeve_open(&how, &reeve), REEVE_OK));
	SAYS(reeve_enqueue(reeve, &job, &id), REEVE_E_REFUSED, "not allowed");
}

static struct reeve_new *noops(size_t count)
{
	struct reeve_new *jobs = calloc(count, sizeof(*jobs));

	for (size_t i = 0; i < count; i++) {
		reeve_new_init(&jobs[i], sizeof(jobs[i]));
		jobs[i].task = "noop";
	}
	return jobs;
}

Test(lib, a_batch_is_stored_by_the_thousand)
{
	enum { COUNT = 10500 };
	struct reeve_new *jobs = noops(COUNT);
	int64_t *ids = calloc(COUNT, sizeof(*ids));
	size_t stored = 0;
	size_t failed = 0;

	OK(reeve_enqueue_batch(reeve, jobs, COUNT, ids, &stored, &failed));
	cr_assert(eq(sz, stored, COUNT));
	cr_assert(eq(sz, failed, COUNT));
	for (size_t i = 1; i < COUNT; i++)
		cr_assert(eq(i64, ids[i], ids[i - 1] + 1));
	/* A bad one in the third block: two blocks are stored, and it is named. */
	jobs[2345].task = "nop";
	SAYS(reeve_enqueue_batch(reeve, jobs, COUNT, ids, &stored, &failed), REEVE_E_NOTFOUND,
	     "noop");
	cr_assert(eq(sz, stored, 2000));
	cr_assert(eq(sz, failed, 2345));
	jobs[2345].task = "noop";
	jobs[345].priority = 70000;
	SAYS(reeve_enqueue_batch(reeve, jobs, COUNT, ids, &stored, &failed), REEVE_E_USAGE,
	     "priority");
	cr_assert(eq(sz, stored, 0));
	cr_assert(eq(sz, failed, 345));
	const struct reeve_stats *stats = NULL;
	OK(reeve_stats(reeve, &stats));
	cr_assert(eq(i64, reeve_stats_total(stats)->count[REEVE_READY], COUNT + 2000));
	reeve_free(stats);
	free(jobs);
	free(ids);
}

Test(lib, a_list_is_asked_for_page_by_page)
{
	const struct reeve_page *page = NULL;
	const struct reeve_page *rest = NULL;
	int64_t first = add_noop(reeve);

	for (int i = 0; i < 6; i++)
		(void)add_noop(reeve);
	OK(reeve_list(reeve, "state:ready task:no*", 5, NULL, &page));
	cr_assert(eq(sz, reeve_page_count(page), 5));
	cr_assert(eq(i64, reeve_page_job(page, 0)->id, first + 6));
	cr_assert(eq(ptr, (void *)(uintptr_t)reeve_page_job(page, 5), NULL));
	cr_assert(ne(ptr, (void *)(uintptr_t)reeve_page_next(page), NULL));
	OK(reeve_list(reeve, "state:ready task:no*", 5, reeve_page_next(page), &rest));
	cr_assert(eq(sz, reeve_page_count(rest), 2));
	cr_assert(eq(i64, reeve_page_job(rest, 1)->id, first));
	cr_assert(eq(ptr, (void *)(uintptr_t)reeve_page_next(rest), NULL));
	reeve_free(page);
	reeve_free(rest);
	SAYS(reeve_list(reeve, "state:ready colour:x", 0, NULL, &page), REEVE_E_USAGE, "column 13");
	SAYS(reeve_list(reeve, NULL, 0, "junk", &page), REEVE_E_USAGE, "no place");
	SAYS(reeve_list(reeve, NULL, 10001, NULL, &page), REEVE_E_USAGE, "10000");
	OK(reeve_list(reeve, NULL, 0, NULL, &page));
	cr_assert(eq(sz, reeve_page_count(page), 7));
	reeve_free(page);
}

Test(lib, cancel_and_retry_change_a_job)
{
	const struct reeve_job *job = NULL;
	int64_t id = add_noop(reeve);

	SAYS(reeve_retry(reeve, id), REEVE_E_CONFLICT, "ready");
	OK(reeve_cancel(reeve, id));
	OK(reeve_get(reeve, id, &job));
	cr_assert(eq(int, job->state, REEVE_CANCELLED));
	rv_assert_text(reeve_state_name(job->state), "cancelled");
	reeve_free(job);
	SAYS(reeve_cancel(reeve, id), REEVE_E_CONFLICT, "cancelled");
	OK(reeve_retry(reeve, id));
	SAYS(reeve_cancel(reeve, 99999), REEVE_E_NOTFOUND, "99999");
	SAYS(reeve_get(reeve, 99999, &job), REEVE_E_NOTFOUND, "99999");
}

Test(lib, waiting_ends_with_the_last_job)
{
	int64_t ids[40];

	for (size_t i = 0; i < 40; i++)
		ids[i] = add_noop(reeve);
	SAYS(reeve_wait(reeve, ids, 40, 0), REEVE_E_TIMEOUT, "40 jobs");
	SAYS(reeve_wait(reeve, ids, 40, 50000), REEVE_E_TIMEOUT, "not finished");
	for (size_t i = 0; i < 39; i++)
		OK(reeve_cancel(reeve, ids[i]));
	SAYS(reeve_wait(reeve, ids, 40, 0), REEVE_E_TIMEOUT, "1 jobs");
	OK(reeve_wait(reeve, ids, 39, -1));
	OK(reeve_cancel(reeve, ids[39]));
	OK(reeve_wait(reeve, ids, 40, -1));
	OK(reeve_wait(reeve, NULL, 0, -1));
	ids[3] = 99999;
	SAYS(reeve_wait(reeve, ids, 40, -1), REEVE_E_NOTFOUND, "99999");
}

Test(lib, events_tell_what_happened)
{
	const struct reeve_events *events = NULL;
	int64_t id = add_noop(reeve);

	OK(reeve_cancel(reeve, id));
	OK(reeve_events(reeve, 0, 0, 0, &events));
	cr_assert(eq(sz, reeve_events_count(events), 2));
	cr_assert(eq(i64, reeve_events_at(events, 0)->job, id));
	cr_assert(eq(int, reeve_events_at(events, 0)->from, -1));
	cr_assert(eq(int, reeve_events_at(events, 0)->to, REEVE_READY));
	cr_assert(eq(int, reeve_events_at(events, 1)->to, REEVE_CANCELLED));
	cr_assert(eq(ptr, (void *)(uintptr_t)reeve_events_at(events, 2), NULL));
	int64_t last = reeve_events_last(events);
	reeve_free(events);
	OK(reeve_events(reeve, REEVE_EVENTS_NOW, 0, 20000, &events));
	cr_assert(eq(sz, reeve_events_count(events), 0));
	cr_assert(eq(i64, reeve_events_last(events), last));
	reeve_free(events);
	OK(reeve_retry(reeve, id));
	OK(reeve_events(reeve, last, 1, -1, &events));
	cr_assert(eq(sz, reeve_events_count(events), 1));
	cr_assert(eq(int, reeve_events_at(events, 0)->to, REEVE_READY));
	reeve_free(events);
}

enum { THREADS = 4, EACH = 50 };

struct worker {
	struct reeve *reeve;
	int64_t ids[EACH];
	bool wrong_error; /* its own error was not the one it was told */
};

static void *enqueue_many(void *ctx)
{
	struct worker *worker = ctx;

	for (size_t i = 0; i < EACH; i++) {
		char text[24];
		int64_t id = 99000 + (int64_t)(uintptr_t)worker % 1000;

		worker->ids[i] = add_noop(worker->reeve);
		(void)snprintf(text, sizeof(text), "%lld", (long long)id);
		if (reeve_cancel(worker->reeve, id) != REEVE_E_NOTFOUND ||
		    !strstr(reeve_error(worker->reeve), text))
			worker->wrong_error = true;
	}
	return NULL;
}

/* Two of the threads on one handle, two with one of their own. */
Test(lib, threads_take_turns)
{
	struct worker workers[THREADS] = {{.reeve = reeve}, {.reeve = reeve}};
	pthread_t threads[THREADS];
	const struct reeve_stats *stats = NULL;

	workers[2].reeve = open_again(0);
	workers[3].reeve = open_again(REEVE_OPEN_EXISTING);
	(void)add_noop(reeve);
	for (size_t i = 0; i < THREADS; i++)
		cr_assert(eq(int, pthread_create(&threads[i], NULL, enqueue_many, &workers[i]), 0));
	for (size_t i = 0; i < THREADS; i++)
		cr_assert(eq(int, pthread_join(threads[i], NULL), 0));
	for (size_t i = 0; i < THREADS; i++) {
		cr_assert(eq(int, workers[i].wrong_error, 0));
		for (size_t k = 1; k < EACH; k++)
			cr_assert(lt(i64, workers[i].ids[k - 1], workers[i].ids[k]));
	}
	OK(reeve_stats(reeve, &stats));
	cr_assert(eq(i64, reeve_stats_total(stats)->count[REEVE_READY], THREADS * EACH + 1));
	reeve_free(stats);
	reeve_close(workers[2].reeve);
	reeve_close(workers[3].reeve);
}

static void *cancel_it(void *ctx)
{
	return reeve_cancel(reeve, *(int64_t *)ctx) == REEVE_OK ? ctx : NULL;
}

/* Were the lock kept while it sleeps, nobody could end the job. */
Test(lib, a_thread_that_waits_holds_nobody_up)
{
	int64_t id = add_noop(reeve);
	pthread_t thread;
	void *done = NULL;

	cr_assert(eq(int, pthread_create(&thread, NULL, cancel_it, &id), 0));
	OK(reeve_wait(reeve, &id, 1, 20000000));
	cr_assert(eq(int, pthread_join(thread, &done), 0));
	cr_assert(ne(ptr, done, NULL));
}

Test(lib, a_forked_child_is_refused_and_harms_nobody)
{
	int64_t before = add_noop(reeve);
	int64_t id = 0;
	int status = 0;
	pid_t child = fork();

	if (child == 0) {
		int err = reeve_cancel(reeve, before);
		bool told = strstr(reeve_error(reeve), "fork");
		struct reeve *own = NULL;
		struct reeve_open how = REEVE_OPEN_INIT;

		reeve_close(reeve);
		how.config = conf;
		if (reeve_open(&how, &own) != REEVE_OK ||
		    reeve_enqueue_json(own, "{\"task\":\"noop\"}", &id) != REEVE_OK)
			_exit(3);
		reeve_close(own);
		_exit(err == REEVE_E_USAGE && told ? 0 : 1);
	}
	cr_assert(lt(int, 0, child));
	cr_assert(eq(int, waitpid(child, &status, 0), child));
	cr_assert(eq(int, status, 0));
	cr_assert(eq(i64, add_noop(reeve), before + 2));
}

Test(lib, a_store_that_is_not_there_is_told)
{
	struct reeve *existing = open_again(REEVE_OPEN_EXISTING);
	const struct reeve_job *job = NULL;
	int64_t id;

	cr_assert(eq(int, reeve_get(existing, 1, &job), REEVE_E_NOTFOUND));
	cr_assert(eq(int, reeve_enqueue_json(existing, "{\"task\":\"noop\"}", &id),
		     REEVE_E_NOTFOUND));
	rv_assert_has(reeve_error(existing), "there is no store");
	(void)add_noop(reeve);
	cr_assert(eq(int, reeve_get(existing, 1, &job), REEVE_OK));
	reeve_free(job);
	reeve_close(existing);
}

static void in_store(const char *sql)
{
	sqlite3 *db = NULL;
	const char *path = rv_test_path("%s/state/reeve.db", tmp);

	cr_assert(eq(int, sqlite3_open(path, &db), SQLITE_OK));
	cr_assert(eq(int, sqlite3_exec(db, sql, NULL, NULL, NULL), SQLITE_OK), "%s",
		  sqlite3_errmsg(db));
	(void)sqlite3_close(db);
}

Test(lib, a_store_of_a_newer_reeve_is_left_alone)
{
	int64_t id;

	(void)add_noop(reeve);
	reeve_close(reeve);
	reeve = NULL;
	in_store("PRAGMA user_version = 999");
	reeve = open_again(0);
	SAYS(reeve_enqueue_json(reeve, "{\"task\":\"noop\"}", &id), REEVE_E_SCHEMA, "newer reeve");
}

/* A restored store: the handle goes on with what is there now. */
Test(lib, a_replaced_store_is_opened_anew)
{
	const struct reeve_job *job = NULL;
	int64_t id;

	for (int i = 0; i < 3; i++)
		(void)add_noop(reeve);
	rv_test_remove_tree(rv_test_path("%s/state", tmp));
	SAYS(reeve_get(reeve, 3, &job), REEVE_E_NOTFOUND, "no store");
	OK(reeve_enqueue_json(reeve, "{\"task\":\"noop\"}", &id));
	cr_assert(eq(i64, id, 1));
}

Test(lib, a_bad_configuration_is_told)
{
	struct reeve_open how = REEVE_OPEN_INIT;
	const char *bad = rv_test_path("%s/bad.ini", tmp);
	struct reeve *none = NULL;

	rv_test_write_file(bad, "[reeve]\ncolour = red\n");
	how.config = bad;
	cr_assert(eq(int, reeve_open(&how, &none), REEVE_E_CONF));
	rv_assert_has(reeve_error(NULL), "bad.ini:2");
	how.size = 3;
	cr_assert(eq(int, reeve_open(&how, &none), REEVE_E_USAGE));
	how.size = sizeof(how);
	how.flags = 256;
	cr_assert(eq(int, reeve_open(&how, &none), REEVE_E_USAGE));
	cr_assert(eq(ptr, none, NULL));
	cr_assert(eq(int, reeve_get(NULL, 1, NULL), REEVE_E_USAGE));
	reeve_close(NULL);
	reeve_free(NULL);
	rv_assert_text(reeve_error_name(REEVE_E_BUSY), "REEVE_E_BUSY");
	rv_assert_text(reeve_error_name(77), "?");
	rv_assert_text(reeve_state_name(77), "?");
}
