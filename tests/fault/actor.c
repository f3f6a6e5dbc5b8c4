/*
 * Another process on the same store; see actor.h.  Works through the store like everybody does,
 * except for the snapshot it keeps, which no function of the store would.
 */
#include "actor.h"

#include "store/sqlite.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#define QUIT 'q'

static int nothing(void *ctx, const struct rv_job_view *view)
{
	(void)ctx;
	(void)view;
	return RV_OK;
}

static char yes(int err)
{
	return err == RV_OK ? 'y' : 'n';
}

static char add_one(struct rv_store *store)
{
	struct rv_job_new job = {.task = "t", .priority = -1};
	int64_t id;
	struct rv_req req = {.kind = RV_REQ_ENQUEUE,
			     .u.enqueue = {.jobs = &job, .count = 1, .ret_ids = &id}};
	struct rv_req *reqs[] = {&req};

	return yes(rv_store_do(store, reqs, 1, RV_DURABILITY_FULL, 20 * RV_MS_US, NULL));
}

static char snapshot(struct rv_store *store, const char *sql)
{
	return sqlite3_exec(RV_SQLITE_OF(store)->db, sql, NULL, NULL, NULL) == SQLITE_OK ? 'y'
											 : 'n';
}

static void answer(int fd, char letter)
{
	if (write(fd, &letter, 1) != 1)
		_exit(1);
}

/* Reads until there is another order. */
static void loop(struct rv_store *store, int in)
{
	struct rv_job_filter filter = {.state = -1, .limit = 200};
	struct pollfd ready = {.fd = in, .events = POLLIN};

	while (poll(&ready, 1, 0) == 0) {
		if (rv_store_jobs(store, &filter, nothing, NULL) != RV_OK)
			_exit(1);
	}
}

static char obey(struct rv_store *store, char order)
{
	int64_t size;

	switch (order) {
	case ACTOR_HOLD:
	case ACTOR_HOLD_MS:
		return yes(rv_store_begin(store, RV_DURABILITY_FULL, RV_S_US, NULL));
	case ACTOR_FREE:
		rv_store_rollback(store);
		return 'y';
	case ACTOR_WRITE:
		return add_one(store);
	case ACTOR_READ:
		return snapshot(store, "BEGIN; SELECT count(*) FROM job");
	case ACTOR_DONE:
		return snapshot(store, "COMMIT");
	case ACTOR_CHECK:
		return yes(rv_store_checkpoint(store, 0, &size));
	default:
		return 'y';
	}
}

static void live(const char *path, int in, int out, int ms)
{
	struct rv_store_open how = {.backend = "sqlite", .path = path, .group = (gid_t)-1};
	struct rv_store *store = NULL;
	char order;

	if (rv_store_open(&how, &store, NULL) != RV_OK)
		_exit(1);
	answer(out, 'y');
	while (read(in, &order, 1) == 1 && order != QUIT) {
		answer(out, obey(store, order));
		if (order == ACTOR_LOOP)
			loop(store, in);
		if (order == ACTOR_HOLD_MS) {
			(void)poll(NULL, 0, ms);
			rv_store_rollback(store);
		}
	}
	rv_store_close(store);
	_exit(0);
}

void actor_start(struct actor *a, const char *path, int ms)
{
	int to[2];
	int from[2];
	char letter = 0;

	CHECK(pipe2(to, O_CLOEXEC) == 0 && pipe2(from, O_CLOEXEC) == 0, "no pipe");
	a->pid = fork();
	CHECK(a->pid >= 0, "no process");
	if (a->pid == 0) {
		(void)prctl(PR_SET_PDEATHSIG, SIGKILL);
		(void)close(to[1]);
		(void)close(from[0]);
		live(path, to[0], from[1], ms);
	}
	(void)close(to[0]);
	(void)close(from[1]);
	a->to = to[1];
	a->from = from[0];
	CHECK(read(a->from, &letter, 1) == 1 && letter == 'y', "the other process cannot start");
}

char actor_ask(const struct actor *a, char order)
{
	char letter = 0;

	CHECK(write(a->to, &order, 1) == 1, "the other process is gone");
	CHECK(read(a->from, &letter, 1) == 1, "the other process is gone");
	return letter;
}

bool actor_stop(struct actor *a)
{
	int status = -1;

	char order = QUIT; /* closing is not enough: actors started later have the pipe, too */

	CHECK(write(a->to, &order, 1) == 1, "the other process is gone");
	(void)close(a->to);
	(void)close(a->from);
	CHECK(waitpid(a->pid, &status, 0) == a->pid, "the other process is not ours");
	return WIFEXITED(status) && WEXITSTATUS(status) == 0;
}
