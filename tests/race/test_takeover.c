/*
 * The take-over matrix: a leader ends at each point of its round, by each kind of death, with each
 * kind of request that is its own, another's, or a dead owner's whose place has a newcomer.  Each
 * effect must have happened exactly once (or, for what died with its asker, as the commit says),
 * and each living poster gets exactly one answer.
 */
#include "crew.h"

#include "base/fault.h"
#include "base/seam.h"
#include "os/spawn.h"
#include "wire/sup.h"

#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>

enum owner { OWN, OTHERS, REPLACED, OWNERS };

static const char *const owner_names[] = {"its own", "another's", "a replaced owner's"};

struct point {
	const char *name;
	bool committed;  /* what it has executed is in the store */
	bool needs_slot; /* it is passed only when a slot was taken */
};

static const struct point points[] = {
	{"round_begin", false, false},    {"round_begun", false, false},
	{"round_request", false, false},  {"round_executed", false, false},
	{"round_committed", true, false}, {"round_flip", true, true},
	{"round_flipped", true, false},
};

static const char *const deaths[] = {"kill", "stop", "abort"};

/* One case: who is who, and what there is to act on. */
struct scene {
	struct crew *crew;
	struct crew_hand leader, poster;
	struct crew_hand *actor; /* whose request is tried: one of the two */
	char queue[16];
	int64_t job, fence;
	uint64_t victim; /* EXPIRE: whose leases end */
	char order[96];
	char name[160];
};

/* A kind of request: what it needs, how often its effect is there, what a first execution answers.
 */
struct kind {
	const char *name;
	bool travels;
	void (*prepare)(struct scene *scene);
	int64_t (*effect)(struct scene *scene);
	bool (*first)(struct scene *scene, const struct crew_answer *answer);
};

static struct rv_job_view view_of(struct scene *scene)
{
	struct rv_job_view view = {.id = 0};
	int err = rv_store_job(scene->crew->store, scene->job, &view);

	(void)crew_check(scene->crew, err == RV_OK, "%s: the job is there", scene->name);
	return view;
}

static void prepare_claim(struct scene *scene)
{
	crew_jobs(scene->crew, scene->queue, 3);
	(void)snprintf(scene->order, sizeof scene->order, "claim %s", scene->queue);
}

static int64_t effect_claim(struct scene *scene)
{
	return crew_count(scene->crew, scene->queue, RV_JOB_RUNNING);
}

static bool first_claim(struct scene *scene, const struct crew_answer *answer)
{
	scene->job = answer->b;
	return answer->a == 1 && view_of(scene).fence == answer->c &&
	       view_of(scene).incarnation == scene->actor->incarnation;
}

static void prepare_ack(struct scene *scene)
{
	crew_jobs(scene->crew, scene->queue, 1);
	crew_claim(scene->crew, scene->actor->incarnation, scene->queue, &scene->job,
		   &scene->fence);
	(void)snprintf(scene->order, sizeof scene->order, "ack %" PRId64 " %" PRId64, scene->job,
		       scene->fence);
}

static int64_t effect_ack(struct scene *scene)
{
	return crew_count(scene->crew, scene->queue, RV_JOB_SUCCEEDED);
}

static bool first_ack(struct scene *scene, const struct crew_answer *answer)
{
	(void)scene;
	return answer->a == RV_OK; /* a second one finds no lease: STALE */
}

static void prepare_cancel(struct scene *scene)
{
	scene->job = crew_job(scene->crew, scene->queue, 0);
	(void)snprintf(scene->order, sizeof scene->order, "cancel %" PRId64, scene->job);
}

static int64_t effect_cancel(struct scene *scene)
{
	return view_of(scene).state == RV_JOB_CANCELLED;
}

static bool first_cancel(struct scene *scene, const struct crew_answer *answer)
{
	(void)scene;
	return answer->a == RV_JOB_READY; /* a second one finds it cancelled: CONFLICT */
}

static void prepare_expire(struct scene *scene)
{
	scene->victim = ++scene->crew->last_incarnation;
	crew_join(scene->crew, scene->victim, 9);
	crew_jobs(scene->crew, scene->queue, 1);
	crew_claim(scene->crew, scene->victim, scene->queue, &scene->job, &scene->fence);
	(void)snprintf(scene->order, sizeof scene->order, "expire %" PRIu64 " %d", scene->victim,
		       RV_DIED_CRASH);
}

static int64_t effect_expire(struct scene *scene)
{
	return view_of(scene).crashes;
}

static bool first_expire(struct scene *scene, const struct crew_answer *answer)
{
	(void)scene;
	return answer->a == 1;
}

static void prepare_promote(struct scene *scene)
{
	int64_t due = rv_wall_us() + 5 * RV_MS_US;

	scene->job = crew_job(scene->crew, scene->queue, due);
	while (rv_wall_us() <= due)
		continue;
	(void)snprintf(scene->order, sizeof scene->order, "promote");
}

static int64_t effect_promote(struct scene *scene)
{
	return view_of(scene).state == RV_JOB_READY;
}

static bool first_promote(struct scene *scene, const struct crew_answer *answer)
{
	(void)scene;
	return answer->a == 1;
}

static void prepare_leave(struct scene *scene)
{
	prepare_ack(scene);
	(void)snprintf(scene->order, sizeof scene->order, "leave");
}

static int64_t effect_leave(struct scene *scene)
{
	return view_of(scene).state == RV_JOB_READY;
}

static bool first_leave(struct scene *scene, const struct crew_answer *answer)
{
	(void)scene;
	(void)answer;
	return true; /* its err is looked at for all */
}

static void prepare_enqueue(struct scene *scene)
{
	(void)snprintf(scene->order, sizeof scene->order, "enqueue %s", scene->queue);
}

static int64_t effect_enqueue(struct scene *scene)
{
	return crew_count(scene->crew, scene->queue, RV_JOB_READY);
}

static bool first_enqueue(struct scene *scene, const struct crew_answer *answer)
{
	scene->job = answer->a;
	return answer->a > 0 && view_of(scene).state == RV_JOB_READY;
}

static const struct kind kinds[] = {
	{"TURN claim", true, prepare_claim, effect_claim, first_claim},
	{"TURN ack", true, prepare_ack, effect_ack, first_ack},
	{"CANCEL", true, prepare_cancel, effect_cancel, first_cancel},
	{"EXPIRE", true, prepare_expire, effect_expire, first_expire},
	{"PROMOTE", true, prepare_promote, effect_promote, first_promote},
	{"LEAVE", true, prepare_leave, effect_leave, first_leave},
	{"ENQUEUE", false, prepare_enqueue, effect_enqueue, first_enqueue},
};

/* The poster posts while the test holds the mutex, and is then made to stand still. */
static void post_and_stand(struct scene *scene, const char *order)
{
	bool held = pthread_mutex_lock(&scene->crew->area.head->mutex) == 0;

	(void)crew_check(scene->crew, held, "%s: the mutex is free", scene->name);
	crew_order(&scene->poster, "%s", order);
	(void)crew_check(scene->crew, crew_hear(&scene->poster, "waiting", NULL, 0),
			 "%s: the poster waits", scene->name);
	crew_stop(&scene->poster);
	(void)pthread_mutex_unlock(&scene->crew->area.head->mutex);
}

/* The leader gets its order and ends at the point; a stopped one is killed once the other runs. */
static void lead_to_the_end(struct scene *scene, const char *order, const char *death,
			    bool poster_lives)
{
	bool stops = strcmp(death, "stop") == 0;
	int signo = strcmp(death, "abort") == 0 ? SIGABRT : SIGKILL;
	struct rv_exit how = {0};

	crew_order(&scene->leader, "%s", order);
	if (stops) {
		crew_wait_stopped(&scene->leader);
		if (poster_lives)
			rv_test_signal(&scene->poster.child, SIGCONT);
		rv_test_signal(&scene->leader.child, SIGKILL);
	}
	if (!crew_check(scene->crew,
			rv_test_wait(&scene->leader.child, CREW_TIMEOUT_MS, &how) &&
				how.signo == signo,
			"%s: the leader ends there (exit %d, signal %d)", scene->name, how.code,
			how.signo))
		crew_kill(&scene->leader);
	if (poster_lives && !stops)
		rv_test_signal(&scene->poster.child, SIGCONT);
	rv_test_end(&scene->leader.child);
}

static void expect_answer(struct scene *scene, const struct kind *kind)
{
	struct crew_answer answer;
	bool heard = crew_answered(&scene->poster, &answer);

	if (!crew_check(scene->crew, heard, "%s: the poster is answered", scene->name))
		return;
	(void)crew_check(scene->crew, answer.result == RV_OK && answer.err == RV_OK,
			 "%s: it was done: %d %d", scene->name, answer.result, answer.err);
	if (kind)
		(void)crew_check(scene->crew, kind->first(scene, &answer),
				 "%s: the answer is that of the first execution: %" PRId64
				 " %" PRId64,
				 scene->name, answer.a, answer.b);
}

static void expect_effect(struct scene *scene, const struct kind *kind, int64_t times)
{
	int64_t found = kind->effect(scene);

	(void)crew_check(scene->crew, found == times, "%s: %" PRId64 " times, not %" PRId64,
			 scene->name, found, times);
}

/* A newcomer in the poster's place: it is answered for what it asks itself, and nothing else. */
static void replace_poster(struct scene *scene)
{
	struct crew_answer answer;
	char queue[16];
	int64_t job;

	(void)snprintf(queue, sizeof queue, "q%d", CREW_QUEUES - 1);
	job = crew_job(scene->crew, queue, 0);
	crew_start(scene->crew, &scene->poster, "hand", 2, NULL, NULL);
	crew_order(&scene->poster, "claim %s", queue);
	(void)crew_check(scene->crew,
			 crew_answered(&scene->poster, &answer) && answer.result == RV_OK &&
				 answer.err == RV_OK && answer.a == 1 && answer.b == job,
			 "%s: the newcomer gets its own answer: %d %d %" PRId64 " %" PRId64,
			 scene->name, answer.result, answer.err, answer.a, answer.b);
	crew_order(&scene->poster, "ack %" PRId64 " %" PRId64, answer.b, answer.c);
	(void)crew_check(scene->crew,
			 crew_answered(&scene->poster, &answer) && answer.result == RV_OK &&
				 answer.a == RV_OK,
			 "%s: and the next", scene->name);
}

static void at_rest(struct scene *scene)
{
	struct rv_area_head *head = scene->crew->area.head;

	(void)crew_check(scene->crew,
			 atomic_load(&head->open) == 0 && atomic_load(&head->failed) == 0,
			 "%s: no round is left open", scene->name);
}

static void play(struct scene *scene, const struct kind *kind, const struct point *point,
		 const char *death, enum owner owner)
{
	/* The leader's own request is the first that it executes. */
	int passage = owner != OWN && strcmp(point->name, "round_request") == 0 ? 2 : 1;
	char fault[64];
	const char *idle = "beats";

	(void)snprintf(fault, sizeof fault, "%s:%s:%d", point->name, death, passage);
	crew_area(scene->crew, 4);
	crew_start(scene->crew, &scene->leader, "hand", 1, fault, NULL);
	crew_start(scene->crew, &scene->poster, "hand", 2, NULL, NULL);
	scene->actor = owner == OWN ? &scene->leader : &scene->poster;
	kind->prepare(scene);
	post_and_stand(scene, owner == OWN ? idle : scene->order);
	if (owner == REPLACED)
		crew_kill(&scene->poster);
	lead_to_the_end(scene, owner == OWN ? scene->order : idle, death, owner != REPLACED);
	if (owner == REPLACED)
		replace_poster(scene);
	else
		expect_answer(scene, owner == OWN ? NULL : kind);
	/* A request that does not travel dies with its owner, executed by nobody. */
	int64_t died = point->committed && (owner == OWN || kind->travels);

	expect_effect(scene, kind, owner == OTHERS ? 1 : died);
	crew_order(&scene->poster, "%s", idle);
	expect_answer(scene, NULL);
	at_rest(scene);
	crew_quit(scene->crew, &scene->poster);
	crew_do(scene->crew, crew_request(RV_REQ_BEATS));
	struct rv_req *promote = crew_request(RV_REQ_PROMOTE);

	promote->u.promote.limit = 100; /* what is due must not be found by the next case */
	crew_do(scene->crew, promote);
}

/* Is there a slot in the leader's round, where this case needs one? */
static bool possible(const struct kind *kind, const struct point *point, enum owner owner)
{
	bool slot = owner == OWN || kind->travels;

	return slot || !(point->needs_slot || strcmp(point->name, "round_request") == 0);
}

int main(int argc, char **argv)
{
	struct crew crew;
	int cases = 0;

	if (argc > 1 && strcmp(argv[1], "hand") == 0)
		return crew_hand_main(argc, argv);
	crew_open(&crew);
	for (size_t i = 0;
	     i < RV_ARRAY_LEN(points) * RV_ARRAY_LEN(deaths) * RV_ARRAY_LEN(kinds) * OWNERS; i++) {
		const struct point *point = &points[i % RV_ARRAY_LEN(points)];
		size_t rest = i / RV_ARRAY_LEN(points);
		const char *death = deaths[rest % RV_ARRAY_LEN(deaths)];
		const struct kind *kind = &kinds[rest / RV_ARRAY_LEN(deaths) % RV_ARRAY_LEN(kinds)];
		enum owner owner = (enum owner)(rest / RV_ARRAY_LEN(deaths) / RV_ARRAY_LEN(kinds));
		struct scene scene = {.crew = &crew};

		if (!possible(kind, point, owner))
			continue;
		(void)snprintf(scene.queue, sizeof scene.queue, "q%d", cases++);
		(void)snprintf(scene.name, sizeof scene.name, "%s at %s, %s of %s", death,
			       point->name, kind->name, owner_names[owner]);
		play(&scene, kind, point, death, owner);
		if (cases % 64 == 0)
			crew_check_store(&crew, false);
	}
	(void)printf("%d cases\n", cases);
	return crew_close(&crew);
}
