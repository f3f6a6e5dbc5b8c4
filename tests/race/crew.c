/* The test's side of a crew: see crew.h. */
#include "crew.h"

#include "base/check.h"
#include "base/seam.h"
#include "helpers/tmpdir.h"
#include "helpers/wait.h"
#include "wire/sup.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

static void give_up(const char *what, const char *detail)
{
	(void)fprintf(stderr, "crew: %s: %s\n", what, detail);
	abort();
}

struct rv_req *crew_request(int kind)
{
	static struct rv_req req;

	memset(&req, 0, sizeof req);
	req.kind = kind;
	return &req;
}

void crew_do(struct crew *crew, struct rv_req *req)
{
	struct rv_req *reqs[] = {req};
	struct rv_why why = {""};
	int err = rv_store_do(crew->store, reqs, 1, RV_DURABILITY_NORMAL, 30 * RV_S_US, &why);

	if (err != RV_OK || req->err != RV_OK)
		give_up(rv_req_name(req->kind),
			err ? rv_why_text(&why, err) : rv_why_text(&req->why, req->err));
}

static void raise_epoch(struct crew *crew)
{
	struct rv_req *req = crew_request(RV_REQ_RAISE);

	req->u.raise.pid = getpid();
	if (rv_boot_id(req->u.raise.boot_id) != RV_OK)
		give_up("boot id", "not readable");
	(void)snprintf(req->u.raise.runtime_dir, sizeof req->u.raise.runtime_dir, "%s",
		       rv_test_tmpdir());
	req->u.raise.incarnation_base = crew->last_incarnation + 1;
	crew_do(crew, req);
}

static void mirror(struct crew *crew)
{
	static struct rv_queue_def queues[CREW_QUEUES];
	static struct rv_task_def task = {
		.name = "t", .queue = "q0", .max_attempts = 1000000, .max_crashes = 1000000};
	struct rv_req *req = crew_request(RV_REQ_MIRROR);

	for (int i = 0; i < CREW_QUEUES; i++)
		(void)snprintf(queues[i].name, sizeof queues[i].name, "q%d", i);
	req->u.mirror = (struct rv_req_mirror){
		.tasks = &task, .ntasks = 1, .queues = queues, .nqueues = CREW_QUEUES};
	crew_do(crew, req);
}

void crew_open(struct crew *crew)
{
	struct rlimit no_core = {0, 0};
	struct rv_why why = {""};

	*crew = (struct crew){.area_fd = -1, .last_incarnation = 1ULL << 32};
	(void)setrlimit(RLIMIT_CORE, &no_core);
	crew->path = strdup(rv_test_path("%s/reeve.db", rv_test_tmpdir()));
	struct rv_store_open how = {.backend = "sqlite",
				    .path = crew->path,
				    .create = true,
				    .migrate = true,
				    .group = (gid_t)-1};

	if (rv_store_open(&how, &crew->store, &why) != RV_OK)
		give_up("open", why.text);
	raise_epoch(crew);
	mirror(crew);
}

void crew_area(struct crew *crew, unsigned nslots)
{
	struct rv_why why = {""};
	uint64_t id = 0;

	if (crew->area_fd >= 0) {
		rv_area_unmap(&crew->area);
		(void)close(crew->area_fd);
	}
	if (rv_area_create(nslots, &crew->area_fd, &id, &why) != RV_OK ||
	    rv_area_map(crew->area_fd, &crew->area, &why) != RV_OK)
		give_up("area", why.text);
}

static void broken(void *ctx, const char *rule, const char *what)
{
	struct crew *crew = ctx;

	(void)fprintf(stderr, "BROKEN %s: %s\n", rule, what);
	crew->failed++;
}

void crew_check_store(struct crew *crew, bool full)
{
	int err = rv_store_check(crew->store, full, broken, crew);

	(void)crew_check(crew, err == RV_OK, "the store can be checked: %s", rv_err_text(err));
}

int crew_close(struct crew *crew)
{
	crew_check_store(crew, true);
	rv_store_close(crew->store);
	if (crew->area_fd >= 0) {
		rv_area_unmap(&crew->area);
		(void)close(crew->area_fd);
	}
	free(crew->path);
	rv_test_tmpdir_end();
	(void)printf("%d passed, %d failed, 0 skipped\n", crew->passed, crew->failed);
	return crew->failed == 0 && crew->passed > 0 ? 0 : 1;
}

bool crew_check(struct crew *crew, bool holds, const char *format, ...)
{
	va_list args;

	if (holds) {
		crew->passed++;
		return true;
	}
	crew->failed++;
	va_start(args, format);
	(void)fprintf(stderr, "FAIL: ");
	(void)vfprintf(stderr, format, args);
	(void)fprintf(stderr, "\n");
	va_end(args);
	return false;
}

void crew_join(struct crew *crew, uint64_t incarnation, unsigned slot)
{
	struct rv_req *req = crew_request(RV_REQ_JOIN);

	req->u.join.incarnation = incarnation;
	req->u.join.pid = getpid();
	req->u.join.slot = (int32_t)slot;
	memcpy(req->u.join.pool, "race", 5);
	if (rv_boot_id(req->u.join.boot_id) != RV_OK)
		give_up("boot id", "not readable");
	req->u.join.beat_deadline_us = rv_mono_us() + 3600 * RV_S_US;
	crew_do(crew, req);
}

void crew_launch(struct crew *crew, struct crew_hand *hand, const char *role, unsigned slot,
		 const char *fault, const char *word)
{
	char area[64];
	char place[16];
	char life[32];
	char plan[128];
	const char *argv[] = {"/proc/self/exe", role, crew->path, area, place, life, word, NULL};
	const char *env[] = {plan, NULL};
	struct rv_test_start how = {.argv = argv, .env = env, .pipe_in = true, .pipe_out = true};
	char exe[256];
	ssize_t n = readlink("/proc/self/exe", exe, sizeof exe - 1);

	if (n <= 0)
		give_up("/proc/self/exe", "not readable");
	exe[n] = '\0';
	argv[0] = exe;
	*hand = (struct crew_hand){.slot = slot, .incarnation = ++crew->last_incarnation};
	crew_join(crew, hand->incarnation, slot);
	(void)snprintf(area, sizeof area, "/proc/%d/fd/%d", (int)getpid(), crew->area_fd);
	(void)snprintf(place, sizeof place, "%u", slot);
	(void)snprintf(life, sizeof life, "%" PRIu64, hand->incarnation);
	(void)snprintf(plan, sizeof plan, "RV_FAULT=%s", fault ? fault : "");
	rv_test_start(&how, &hand->child);
}

void crew_start(struct crew *crew, struct crew_hand *hand, const char *role, unsigned slot,
		const char *fault, const char *word)
{
	crew_launch(crew, hand, role, slot, fault, word);
	if (!crew_hear(hand, "open", NULL, 0))
		give_up(role, "did not open its writer");
}

void crew_quit(struct crew *crew, struct crew_hand *hand)
{
	crew_order(hand, "quit");
	int code = rv_test_finish(&hand->child, CREW_TIMEOUT_MS);

	(void)crew_check(crew, code == 0, "a hand ends with 0, not %d", code);
	rv_test_end(&hand->child);
}

void crew_kill(struct crew_hand *hand)
{
	rv_test_end(&hand->child);
}

void crew_wait_stopped(struct crew_hand *hand)
{
	siginfo_t info;

	if (waitid(P_PID, (id_t)hand->child.pid, &info, WSTOPPED) != 0 ||
	    info.si_code != CLD_STOPPED)
		give_up("stop", "the hand did not stop");
}

void crew_stop(struct crew_hand *hand)
{
	rv_test_signal(&hand->child, SIGSTOP);
	crew_wait_stopped(hand);
}

void crew_order(struct crew_hand *hand, const char *format, ...)
{
	char line[256];
	va_list args;

	va_start(args, format);
	int n = vsnprintf(line, sizeof line - 1, format, args);

	va_end(args);
	line[n++] = '\n';
	if (write(hand->child.in, line, (size_t)n) != n)
		give_up("order", line);
}

bool crew_hear(struct crew_hand *hand, const char *word, char *ret_line, size_t space)
{
	char line[512];

	if (!rv_test_wait_line(hand->child.out, line, sizeof line, CREW_TIMEOUT_MS))
		return false;
	if (strncmp(line, word, strlen(word)) != 0) {
		(void)fprintf(stderr, "crew: heard \"%s\", not \"%s\"\n", line, word);
		return false;
	}
	if (ret_line)
		(void)snprintf(ret_line, space, "%s", line);
	return true;
}

bool crew_answered(struct crew_hand *hand, struct crew_answer *answer)
{
	char line[512];

	*answer = (struct crew_answer){.result = 1};
	do {
		if (!rv_test_wait_line(hand->child.out, line, sizeof line, CREW_TIMEOUT_MS))
			return false;
	} while (strcmp(line, "waiting") == 0 || strncmp(line, "stuck", 5) == 0);
	return sscanf(line, "= %d %d %" SCNd64 " %" SCNd64 " %" SCNd64, &answer->result,
		      &answer->err, &answer->a, &answer->b, &answer->c) == 5;
}

int64_t crew_job(struct crew *crew, const char *queue, int64_t run_at_us)
{
	struct rv_job_new job = {.task = "t",
				 .queue = queue,
				 .spec = "{\"args\":{}}",
				 .priority = -1,
				 .run_at_us = run_at_us};
	struct rv_req *req = crew_request(RV_REQ_ENQUEUE);
	int64_t id = 0;

	req->u.enqueue = (struct rv_req_enqueue){.jobs = &job, .count = 1, .ret_ids = &id};
	crew_do(crew, req);
	return id;
}

void crew_jobs(struct crew *crew, const char *queue, size_t count)
{
	static struct rv_job_new jobs[1000];
	static int64_t ids[1000];

	for (size_t i = 0; i < RV_ARRAY_LEN(jobs); i++)
		jobs[i] = (struct rv_job_new){
			.task = "t", .queue = queue, .spec = "{\"args\":{}}", .priority = -1};
	while (count > 0) {
		size_t now = count < RV_ARRAY_LEN(jobs) ? count : RV_ARRAY_LEN(jobs);
		struct rv_req *req = crew_request(RV_REQ_ENQUEUE);

		req->u.enqueue =
			(struct rv_req_enqueue){.jobs = jobs, .count = now, .ret_ids = ids};
		crew_do(crew, req);
		count -= now;
	}
}

void crew_claim(struct crew *crew, uint64_t incarnation, const char *queue, int64_t *ret_job,
		int64_t *ret_fence)
{
	struct rv_req *req = crew_request(RV_REQ_TURN);

	req->u.turn.incarnation = incarnation;
	req->u.turn.want = 1;
	req->u.turn.nqueues = 1;
	(void)snprintf(req->u.turn.queues[0], sizeof req->u.turn.queues[0], "%s", queue);
	crew_do(crew, req);
	if (req->u.turn.nclaimed != 1)
		give_up("claim", "nothing there");
	*ret_job = req->u.turn.claimed[0].job;
	*ret_fence = req->u.turn.claimed[0].fence;
}

struct counting {
	const char *queue;
	enum rv_job_state state;
	int64_t count;
};

static int count_queue(void *ctx, const struct rv_queue_view *view)
{
	struct counting *counting = ctx;

	if (strcmp(view->name, counting->queue) == 0)
		counting->count = view->counts[counting->state];
	return RV_OK;
}

int64_t crew_count(struct crew *crew, const char *queue, enum rv_job_state state)
{
	struct counting counting = {.queue = queue, .state = state, .count = -1};

	if (rv_store_queues(crew->store, count_queue, &counting) != RV_OK || counting.count < 0)
		give_up("count", queue);
	return counting.count;
}
