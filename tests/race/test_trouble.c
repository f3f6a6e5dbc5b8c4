/*
 * What may happen to a crew other than a leader's death: a COMMIT of which nobody knows the
 * outcome, a foreign process that holds SQLite's write lock, a leader that is stopped, a request
 * that kills who executes it, a follower whose patience ends.
 */
#include "crew.h"

#include "base/seam.h"
#include "helpers/wait.h"

#include <inttypes.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define FOLLOWERS 4u

/* Several posters waiting behind a mutex that the test holds; all posted when this returns. */
static void post_all(struct crew *crew, struct crew_hand *hands, unsigned count, const char *order)
{
	for (unsigned i = 0; i < count; i++) {
		crew_order(&hands[i], "%s", order);
		(void)crew_check(crew, crew_hear(&hands[i], "waiting", NULL, 0), "hand %u waits",
				 i);
	}
}

static void hold(struct crew *crew)
{
	(void)crew_check(crew, pthread_mutex_lock(&crew->area.head->mutex) == 0,
			 "the mutex is free");
}

static void release(struct crew *crew)
{
	(void)pthread_mutex_unlock(&crew->area.head->mutex);
}

/* (4) The leader's COMMIT fails: all hear UNKNOWN or FAILED, nobody takes over, nobody may enter.
 */
static void commit_fails(struct crew *crew)
{
	struct crew_hand leader;
	struct crew_hand hands[FOLLOWERS];
	struct crew_answer answer;
	struct rv_test_child late;
	char area[64];

	crew_area(crew, FOLLOWERS + 2);
	crew_jobs(crew, "q1", 20);
	crew_start(crew, &leader, "hand", 1, "store_commit:eio", NULL);
	for (unsigned i = 0; i < FOLLOWERS; i++)
		crew_start(crew, &hands[i], "hand", i + 2, NULL, NULL);
	hold(crew);
	post_all(crew, hands, FOLLOWERS, "claim q1");
	for (unsigned i = 0; i < FOLLOWERS; i++)
		crew_stop(&hands[i]);
	release(crew);
	crew_order(&leader, "claim q1");
	(void)crew_check(crew, crew_answered(&leader, &answer) && answer.result == RV_E_UNKNOWN,
			 "the leader does not know: %d", answer.result);
	(void)crew_check(crew, atomic_load(&crew->area.head->failed) == 1, "the area is failed");
	for (unsigned i = 0; i < FOLLOWERS; i++) {
		rv_test_signal(&hands[i].child, SIGCONT);
		(void)crew_check(
			crew,
			crew_answered(&hands[i], &answer) &&
				(answer.result == RV_E_UNKNOWN || answer.result == RV_E_FAILED),
			"follower %u does not know: %d", i, answer.result);
		crew_order(&hands[i], "claim q1");
		(void)crew_check(crew,
				 crew_answered(&hands[i], &answer) && answer.result == RV_E_FAILED,
				 "and is told to leave: %d", answer.result);
		crew_quit(crew, &hands[i]);
	}
	crew_quit(crew, &leader);
	(void)snprintf(area, sizeof area, "/proc/%d/fd/%d", (int)getpid(), crew->area_fd);
	rv_test_startl(&late, "/proc/self/exe", "hand", crew->path, area, "1", "77", NULL);
	(void)crew_check(crew, rv_test_finish(&late, CREW_TIMEOUT_MS) == 70,
			 "a newcomer is refused");
	rv_test_end(&late);
	(void)crew_check(crew, crew_count(crew, "q1", RV_JOB_RUNNING) == 0, "nothing was claimed");
	(void)crew_check(crew, atomic_load(&crew->area.head->open) != 0,
			 "the round was taken over by nobody");
}

/* (5) A foreign writer for three seconds: the leader waits with a moving tick, and all are served.
 */
static void foreign_writer(struct crew *crew)
{
	struct crew_hand hands[FOLLOWERS];
	struct pollfd nothing = {.fd = -1};
	struct rv_why why = {""};
	uint64_t last = 0;
	int still = 0;

	crew_area(crew, FOLLOWERS + 2);
	crew_jobs(crew, "q2", FOLLOWERS);
	for (unsigned i = 0; i < FOLLOWERS; i++)
		crew_start(crew, &hands[i], "hand", i + 1, NULL, NULL);
	(void)crew_check(crew,
			 rv_store_begin(crew->store, RV_DURABILITY_NORMAL, RV_S_US, &why) == RV_OK,
			 "the test has the write lock: %s", why.text);
	for (unsigned i = 0; i < FOLLOWERS; i++)
		crew_order(&hands[i], "claim q2");
	for (unsigned i = 0; i < FOLLOWERS; i++)
		(void)crew_check(crew, crew_hear(&hands[i], "waiting", NULL, 0), "hand %u waits",
				 i);
	for (int i = 0; i < 30; i++) {
		uint64_t tick = atomic_load(&crew->area.head->tick);

		still += tick == last;
		last = tick;
		(void)poll(&nothing, 1, 100); /* how long the lock is held is what is tried */
	}
	(void)crew_check(crew, still <= 2, "the tick moved all the time, but for %d looks", still);
	(void)crew_check(crew, atomic_load(&crew->area.head->phase) == RV_PHASE_ACQUIRE,
			 "the leader acquires");
	rv_store_rollback(crew->store);
	for (unsigned i = 0; i < FOLLOWERS; i++) {
		char line[64];

		(void)crew_check(crew,
				 crew_hear(&hands[i], "=", line, sizeof line) &&
					 strncmp(line, "= 0 0 1 ", 8) == 0,
				 "hand %u reported nobody and got a job: %s", i, line);
		crew_quit(crew, &hands[i]);
	}
	(void)crew_check(crew, crew_count(crew, "q2", RV_JOB_RUNNING) == FOLLOWERS, "each one job");
}

/* (6) The leader stops: each follower reports it within a second and a bit; killed, all go on. */
static void leader_stops(struct crew *crew, const char *point, const char *queue)
{
	struct crew_hand leader;
	struct crew_hand hands[FOLLOWERS];
	struct crew_answer answer;
	char fault[64];
	char order[32];
	int64_t since;

	(void)snprintf(fault, sizeof fault, "%s:stop", point);
	(void)snprintf(order, sizeof order, "claim %s", queue);
	crew_area(crew, FOLLOWERS + 2);
	crew_jobs(crew, queue, FOLLOWERS);
	crew_start(crew, &leader, "hand", 1, fault, NULL);
	for (unsigned i = 0; i < FOLLOWERS; i++)
		crew_start(crew, &hands[i], "hand", i + 2, NULL, NULL);
	crew_order(&leader, "beats");
	crew_wait_stopped(&leader);
	post_all(crew, hands, FOLLOWERS, order);
	since = rv_mono_us();
	for (unsigned i = 0; i < FOLLOWERS; i++) {
		char line[64] = "";

		(void)crew_check(crew,
				 crew_hear(&hands[i], "stuck", line, sizeof line) &&
					 strcmp(line, "stuck 1") == 0,
				 "%s: follower %u reports the leader: %s", point, i, line);
	}
	(void)crew_check(crew, rv_mono_us() - since < 2 * RV_S_US, "%s: within %" PRId64 " ms",
			 point, (rv_mono_us() - since) / 1000);
	crew_kill(&leader);
	for (unsigned i = 0; i < FOLLOWERS; i++) {
		(void)crew_check(crew,
				 crew_answered(&hands[i], &answer) && answer.result == RV_OK &&
					 answer.a == 1,
				 "%s: follower %u got a job then: %d", point, i, answer.result);
		crew_quit(crew, &hands[i]);
	}
	(void)crew_check(crew, crew_count(crew, queue, RV_JOB_RUNNING) == FOLLOWERS,
			 "each one job");
}

/* (7) A request that kills who executes it: two leaders, then it is given up, and all go on. */
static void killer_request(struct crew *crew)
{
	struct crew_hand poster;
	struct crew_hand leader;
	struct crew_answer answer;
	struct rv_exit how;

	crew_area(crew, 4);
	crew_start(crew, &poster, "hand", 1, NULL, NULL);
	hold(crew);
	post_all(crew, &poster, 1, "promote");
	crew_stop(&poster);
	release(crew);
	for (int i = 0; i < 2; i++) {
		crew_start(crew, &leader, "hand", 2, "round_request:abort:2", NULL);
		crew_order(&leader, "beats");
		(void)crew_check(crew,
				 rv_test_wait(&leader.child, CREW_TIMEOUT_MS, &how) &&
					 how.signo == SIGABRT,
				 "leader %d dies of it", i);
		rv_test_end(&leader.child);
	}
	crew_start(crew, &leader, "hand", 2, "round_request:abort:2", NULL);
	crew_order(&leader, "beats");
	(void)crew_check(crew, crew_answered(&leader, &answer) && answer.result == RV_OK,
			 "the third does not execute it");
	rv_test_signal(&poster.child, SIGCONT);
	(void)crew_check(crew, crew_answered(&poster, &answer) && answer.result == RV_E_INTERNAL,
			 "its poster is told: %d", answer.result);
	crew_order(&poster, "promote");
	(void)crew_check(crew, crew_answered(&poster, &answer) && answer.result == RV_OK,
			 "and its next request is a new one: %d", answer.result);
	crew_quit(crew, &poster);
	crew_quit(crew, &leader);
}

int main(int argc, char **argv)
{
	struct crew crew;

	if (argc > 1 && strcmp(argv[1], "hand") == 0)
		return crew_hand_main(argc, argv);
	crew_open(&crew);
	foreign_writer(&crew);
	leader_stops(&crew, "round_begin", "q3");
	leader_stops(&crew, "round_executed", "q4");
	leader_stops(&crew, "round_flipped", "q5");
	killer_request(&crew);
	commit_fails(&crew);
	return crew_close(&crew);
}
