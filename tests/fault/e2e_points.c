/*
 * Every named fault point (base/fault.def) under a small load with the real daemon: the process
 * that gets there first is killed, stops and is killed, aborts, or (where the point returns errors)
 * has EIO, a full disk, a busy store.  Then everything finishes, and what rv_e2e_clean looks at
 * holds (R10: restart alone).  The driver runs this program again for each case, some at once:
 * most of their time is waiting.
 */
#include "base/fault.h"
#include "base/seam.h"
#include "helpers/tmpdir.h"
#include "helpers/wait.h"
#include "os/self.h"
#include "process/e2e.h"

#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define AT_ONCE  6
#define JOBS     18
#define BIG      (5U << 20) /* of log: above what makes a leader checkpoint */
#define CASE_MS  60000
#define KINDS    6
#define RESTARTS 3
#define CROWD    8 /* workers that lead for each other */

enum { KILL = 1, STOP = 2, ABORT = 4, EIO_ = 8, FULL = 16, BUSY = 32 };
#define ENDS   (KILL | STOP | ABORT)
#define ERRORS (EIO_ | FULL | BUSY)

static const char *const kinds[KINDS] = {"kill", "stop", "abort", "eio", "enospc", "busy"};

/* How each point is reached and what it can return; n: at which passage of a process. */
static const struct point {
	const char *name;
	int n;
	unsigned kinds;
	const char *who;
	enum {
		DAEMON,
		CLI,
		OFFER,
		UPGRADE
	} by; /* in `reeve add`; in the daemon, when that hands jobs over, or is upgraded */
	bool needs_death, needs_log, needs_crowd;
} points[] = {
	{"round_begin", 3, ENDS | ERRORS, "worker", DAEMON, false, false, false},
	{"round_begun", 3, ENDS | ERRORS, "worker", DAEMON, false, false, false},
	{"round_executed", 3, ENDS | ERRORS, "worker", DAEMON, false, false, false},
	{"round_committed", 3, ENDS, "worker", DAEMON, false, false, false},
	{"round_flip", 1, ENDS, "", DAEMON, false, false, true},
	{"round_flipped", 3, ENDS, "worker", DAEMON, false, false, false},
	{"round_request", 3, ENDS | ERRORS, "worker", DAEMON, false, false, false},
	{"store_commit", 3, ENDS | ERRORS, "worker", DAEMON, false, false, false},
	{"store_begin", 3, ENDS | ERRORS, "worker", DAEMON, false, false, false},
	{"checkpoint", 1, ENDS | ERRORS, "", DAEMON, false, true, false},
	{"worker_ready", 1, ENDS | ERRORS, "worker", DAEMON, false, false, false},
	{"worker_claimed", 2, ENDS | EIO_, "worker", DAEMON, false, false, false},
	{"worker_started", 2, ENDS, "worker", DAEMON, false, false, false},
	{"worker_ended", 2, ENDS, "worker", DAEMON, false, false, false},
	{"worker_acked", 2, ENDS, "worker", DAEMON, false, false, false},
	{"keeper_ready", 1, ENDS | ERRORS, "keeper", DAEMON, false, false, false},
	{"keeper_died", 1, ENDS | EIO_, "keeper", DAEMON, true, false, false},
	{"keeper_expired", 1, ENDS | EIO_, "keeper", DAEMON, true, false, false},
	{"keeper_tick", 1, ENDS | EIO_, "keeper", DAEMON, false, false, false},
	{"keeper_offer", 1, ENDS | ERRORS, "keeper", OFFER, false, false, false},
	{"keeper_stored", 1, ENDS, "keeper", OFFER, false, false, false},
	{"keeper_fire", 1, ENDS | EIO_, "keeper", DAEMON, false, false, false},
	{"keeper_fired", 1, ENDS | EIO_, "keeper", DAEMON, false, false, false},
	{"sup_sweep", 1, ENDS, "reeved", DAEMON, true, false, false},
	{"sup_swept", 1, ENDS, "reeved", DAEMON, true, false, false},
	{"sup_fork", 3, ENDS | BUSY, "reeved", DAEMON, false, false, false},
	{"sup_exec", 1, ENDS | EIO_, "reeved", UPGRADE, false, false, false},
	{"sup_resumed", 1, ENDS | EIO_, "reeved", UPGRADE, false, false, false},
	/* tests/cli/cases/leaf.sh */
	{"cgroup_enable", 1, 0, "reeved", DAEMON, false, false, false},
	/* tests/cli/cases/backup.sh */
	{"backup_step", 1, 0, "reeve", CLI, false, false, false},
	{"backup_sync", 1, 0, "reeve", CLI, false, false, false},
	{"restore_rename", 1, 0, "reeve", CLI, false, false, false},
	{"enqueue_commit", 1, ENDS | ERRORS, "reeve", CLI, false, false, false},
	{"enqueue_ring", 1, ENDS | EIO_, "reeve", CLI, false, false, false},
	{"output_write", 1, ENDS | EIO_ | FULL, "worker", DAEMON, false, false, false},
	{"spawn", 2, ENDS | BUSY, "worker", DAEMON, false, false, false},
};

_Static_assert(RV_ARRAY_LEN(points) == RV_FAULT_POINTS, "every point of fault.def has a row");

/* ---- one case */

static struct scene {
	struct rv_e2e e;
	const struct point *point;
	const char *kind;
	int64_t ids[JOBS];
	struct rv_test_child cli;
	int launches;
	bool has_killed; /* a worker, for the points on the way of a death; or told to upgrade */
	bool has_ended;  /* the process that stopped */
} scene;

static bool struck(void)
{
	return access(rv_e2e_path(&scene.e, "once"), F_OK) == 0;
}

/* Whoever stopped is named in the file; it gets KILL when it stands still. */
static void end_the_stopped(void)
{
	char *text = rv_test_read_file(rv_e2e_path(&scene.e, "once"));
	struct rv_procstat stat;
	pid_t pid = text && strchr(text, '\n') ? (pid_t)strtol(text, NULL, 10) : 0;

	free(text);
	if (pid <= 0)
		return;
	if (rv_procstat(pid, &stat) != RV_OK || stat.state == 'Z') {
		scene.has_ended = true; /* somebody of ours was faster: its leader was in the way */
	} else if (stat.state == 'T') {
		(void)rv_e2e_signal_pid(pid, SIGKILL);
		scene.has_ended = true;
	}
}

/* Only the fault may end a daemon; then it is started again, which must do. */
static void tend_daemon(void)
{
	struct rv_e2e *e = &scene.e;

	if (rv_test_running(&e->daemon))
		return;
	RV_NEED(e, struck() && scene.launches < RESTARTS, "the daemon ended %d times",
		scene.launches);
	(void)rv_e2e_exit(e);
	rv_e2e_launch(e);
	scene.launches++;
}

/*
 * `reeve add`, with the fault in its own environment; what it answers is not told to anybody.
 * Without one it hands its job over, again and again the same.
 */
static void add_by_cli(const char *plan)
{
	static char reeve[4096];
	static char pairs[2][400];
	const char *const words[] = {reeve,
				     "-c",
				     rv_e2e_path(&scene.e, "reeve.ini"),
				     "-o",
				     plan ? "client.submit=direct" : "client.submit=daemon",
				     "add",
				     "--idempotency-key",
				     "once",
				     "job",
				     "do=ms=1",
				     NULL};
	const char *const env[] = {pairs[0], pairs[1], NULL};
	struct rv_test_start how = {.argv = words, .env = plan ? env : NULL};
	struct rv_why why = {{0}};

	RV_NEED(&scene.e, rv_self_sibling("reeve", reeve, sizeof reeve, &why) == RV_OK, "%s",
		why.text);
	(void)snprintf(pairs[0], sizeof pairs[0], "RV_FAULT=%s", plan ? plan : "");
	(void)snprintf(pairs[1], sizeof pairs[1], "RV_FAULT_ONCE=%s/once", scene.e.dir);
	rv_test_start(&how, &scene.cli);
}

/* Looks after all that the case needs; true when there is nothing left to do. */
static bool tend(void *ctx)
{
	struct rv_e2e *e = ctx;

	if (scene.point->by == OFFER && scene.cli.pidfd < 0 && !struck())
		add_by_cli(NULL);
	if (strcmp(scene.kind, "stop") == 0 && !scene.has_ended)
		end_the_stopped();
	tend_daemon();
	if (scene.point->needs_death && !scene.has_killed && rv_e2e_job_count(e, "start ") > 1)
		scene.has_killed = rv_e2e_signal(e, 1, SIGKILL);
	if (scene.point->by == UPGRADE && !scene.has_killed && rv_e2e_job_count(e, "start ") > 1) {
		rv_test_signal(&e->daemon, SIGUSR2);
		scene.has_killed = true;
	}
	if (scene.cli.pidfd >= 0 && !rv_test_running(&scene.cli))
		rv_test_end(&scene.cli);
	return struck() && scene.cli.pidfd < 0 && rv_e2e_count(e, RV_JOB_READY) == 0 &&
	       rv_e2e_count(e, RV_JOB_RUNNING) == 0 && rv_e2e_count(e, RV_JOB_SCHEDULED) == 0;
}

static void grow_log(void)
{
	char *big = malloc(BIG + 1);

	RV_NEED(&scene.e, big, "memory");
	memset(big, 'x', BIG);
	big[BIG] = '\0';
	rv_test_write_file(rv_e2e_path(&scene.e, "big"), "%s", big);
	free(big);
	(void)rv_e2e_add(&scene.e, "--stdin", rv_e2e_path(&scene.e, "big"), "job", "do=ms=1", NULL);
}

static void add_load(void)
{
	static const char *const works[] = {"ms=30 say=word", "ms=5 escape=setsid", "ms=60"};

	for (size_t i = 0; i < JOBS; i += 3)
		rv_e2e_submit(&scene.e, works[i / 3 % RV_ARRAY_LEN(works)], 3, scene.ids + i);
}

static int r10_all_is_done_after_the_fault(const struct point *point, const char *kind)
{
	struct rv_e2e *e = &scene.e;
	char plan[128];

	scene.point = point;
	scene.kind = kind;
	scene.cli.pidfd = -1;
	(void)snprintf(plan, sizeof plan, "%s:%s:%d:%s", point->name, kind, point->n, point->who);
	rv_e2e_new(e,
		   "[pool:default]\nworkers = %d\nrestart_delay = 10ms\n"
		   "restart_delay_max = 50ms\nrestart_burst = 1000/1s\nheartbeat = 100ms\n"
		   "hang_timeout = 2s\nlease = 4s\nboot_timeout = 5s\nmax_batch = %d\n"
		   "[schedule:tick]\ncron = every 1s\ntask = noop\nenabled = %s\n",
		   point->needs_crowd ? CROWD : 3, point->needs_crowd ? 1 : 64,
		   strncmp(point->name, "keeper_fire", 11) == 0 ? "yes" : "no");
	if (point->by != CLI) {
		rv_e2e_env(e, "RV_FAULT=%s", plan);
		rv_e2e_env(e, "RV_FAULT_ONCE=%s/once", e->dir);
	}
	add_load();
	if (point->needs_log)
		grow_log();
	rv_e2e_submit_noops(e, point->needs_crowd ? 400 : 200);
	rv_e2e_launch(e);
	if (point->by == CLI)
		add_by_cli(plan);
	RV_NEED(e, rv_test_wait_until(tend, e, CASE_MS),
		"%s: all is done after it: struck %d, %lld ready, %lld running", plan, struck(),
		(long long)rv_e2e_count(e, RV_JOB_READY),
		(long long)rv_e2e_count(e, RV_JOB_RUNNING));
	rv_e2e_all_ran(e, scene.ids, JOBS);
	/* It may have been started again just now. */
	rv_e2e_logged(e, "\"daemon.ready\"");
	rv_e2e_end(e);
	return 0;
}

/* ---- the driver */

static struct running {
	struct rv_test_child child;
	char name[64];
	char out[300];
	int64_t since_us;
} running[AT_ONCE];

static const char *dir;
static char self[4096];
static int failures, cases;

static void start_case(struct running *run, size_t p, size_t k)
{
	char place[2][16];
	const char *const words[] = {self, "case", place[0], place[1], NULL};
	struct rv_test_start how = {.argv = words};

	(void)snprintf(place[0], sizeof place[0], "%zu", p);
	(void)snprintf(place[1], sizeof place[1], "%zu", k);
	(void)snprintf(run->name, sizeof run->name, "%s:%s", points[p].name, kinds[k]);
	(void)snprintf(run->out, sizeof run->out, "%s/%s", dir, run->name);
	how.out_file = run->out;
	run->since_us = rv_mono_us();
	rv_test_start(&how, &run->child);
	cases++;
}

static void end_case(struct running *run)
{
	int code = rv_test_finish(&run->child, 1000);
	char *text;

	rv_test_end(&run->child);
	if (code == 0)
		return;
	failures++;
	text = rv_test_read_file(run->out);
	(void)printf("FAIL %s: %d after %lld ms\n%s\n", run->name, code,
		     (long long)((rv_mono_us() - run->since_us) / RV_MS_US), text ? text : "");
	(void)fflush(stdout);
	free(text);
}

/* A free place; waits until some case has ended.  ${all}: until all have. */
static struct running *next_place(bool all)
{
	for (;;) {
		struct pollfd fds[AT_ONCE];
		size_t busy = 0;

		for (size_t i = 0; i < AT_ONCE; i++) {
			if (running[i].child.pidfd < 0 && !all)
				return &running[i];
			if (running[i].child.pidfd >= 0)
				busy++;
			fds[i] = (struct pollfd){.fd = running[i].child.pidfd, .events = POLLIN};
		}
		if (busy == 0)
			return NULL;
		(void)poll(fds, AT_ONCE, -1);
		for (size_t i = 0; i < AT_ONCE; i++) {
			if (fds[i].fd >= 0 && fds[i].revents != 0)
				end_case(&running[i]);
		}
	}
}

static void every_point_in_every_way(const char *only)
{
	for (size_t i = 0; i < AT_ONCE; i++)
		running[i].child.pidfd = -1;
	for (size_t p = 0; p < RV_ARRAY_LEN(points); p++) {
		for (size_t k = 0; k < KINDS; k++) {
			char name[64];

			(void)snprintf(name, sizeof name, "%s:%s", points[p].name, kinds[k]);
			if ((points[p].kinds & 1U << k) == 0 || (only && !strstr(name, only)))
				continue;
			start_case(next_place(false), p, k);
		}
	}
	(void)next_place(true);
}

/* Without words: all; with one: those cases whose name has it. */
int main(int argc, char **argv)
{
	ssize_t n = readlink("/proc/self/exe", self, sizeof self - 1);

	if (argc == 4 && strcmp(argv[1], "case") == 0)
		return r10_all_is_done_after_the_fault(
			&points[strtoul(argv[2], NULL, 10) % RV_ARRAY_LEN(points)],
			kinds[strtoul(argv[3], NULL, 10) % KINDS]);
	if (n <= 0)
		return 1;
	self[n] = '\0';
	dir = rv_test_tmpdir();
	every_point_in_every_way(argc > 1 ? argv[1] : NULL);
	(void)printf("%d passed, %d failed, 0 skipped\n", cases - failures, failures);
	return failures == 0 && cases > 0 ? 0 : 1;
}
