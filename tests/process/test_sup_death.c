/* Children that die, hang, crash in a row or send garbage; obituaries, and the sweep before them.
 */
#include "fakedaemon.h"

#include "base/seam.h"
#include "helpers/assert.h"
#include "helpers/tmpdir.h"
#include "helpers/wait.h"
#include "os/self.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>

Test(sup_death, a_killed_worker_comes_back_and_its_obituary_says_how)
{
	struct rv_fake fake;
	unsigned long long first = 0;
	unsigned long long second = 0;

	rv_fake_new(&fake, 2);
	rv_fake_up(&fake, 2);
	cr_assert(eq(int, kill(rv_fake_pid(&fake, 1, &first), SIGKILL), 0));
	rv_fake_await(&fake, "DIED 1 %016llx died=1 code=0 signal=9 slot=1", first);
	rv_fake_await(&fake, "USED 1 core=0 rss=some");
	rv_fake_await_count(&fake, " ready\n", 4);
	(void)rv_fake_pid(&fake, 1, &second);
	cr_assert(lt(ulong, first, second), "incarnations grow");
	rv_fake_await_status(&fake, "pool.alive", "2");
	rv_fake_await_status(&fake, "pool.restarts", "1");
	rv_fake_down(&fake);
}

Test(sup_death, the_last_words_are_in_the_obituary)
{
	struct rv_fake fake;

	rv_fake_new(&fake, 1);
	rv_fake_up(&fake, 1);
	rv_fake_orders(&fake, "worker", "ready\n");
	rv_fake_order(&fake, 1,
		      "say first line\nsay out of luck\n"
		      "say {\"level\":\"info\",\"message\":\"job 8 failed\"}\nexit 3\n");
	rv_fake_await(&fake, "died=1 code=3 signal=0 slot=1 left=0 words=out of luck");
	rv_fake_await_err(&fake, "its last words: out of luck");
	rv_fake_down(&fake);
}

Test(sup_death, numbered_and_sent_again_until_a_keeper_acks)
{
	struct rv_fake fake;
	pid_t keeper;

	rv_fake_new(&fake, 2);
	rv_fake_orders(&fake, "keeper", "noack\n");
	rv_fake_up(&fake, 2);
	cr_assert(eq(int, kill(rv_fake_pid(&fake, 1, NULL), SIGKILL), 0));
	rv_fake_await(&fake, "DIED 1 ");
	cr_assert(eq(int, kill(rv_fake_pid(&fake, 2, NULL), SIGKILL), 0));
	rv_fake_await(&fake, "DIED 2 ");
	/* The next keeper gets both again, its predecessor's as well, then the list. */
	rv_fake_orders(&fake, "keeper", "ready\n");
	keeper = rv_fake_pid(&fake, 0, NULL);
	cr_assert(eq(int, kill(keeper, SIGKILL), 0));
	rv_fake_await_count(&fake, "DIED 1 ", 2);
	rv_fake_await_count(&fake, "DIED 2 ", 2);
	rv_fake_await(&fake, "DIED 3 ");
	rv_fake_await_count(&fake, "LIVING ", 2);
	/* A third one hears of the second's death only. */
	cr_assert(eq(int, kill(rv_fake_pid(&fake, 0, NULL), SIGKILL), 0));
	rv_fake_await(&fake, "DIED 4 ");
	rv_fake_await_count(&fake, "LIVING ", 3);
	cr_assert(eq(int, rv_fake_count(&fake, "DIED 1 "), 2));
	cr_assert(eq(int, rv_fake_count(&fake, "DIED 3 "), 1));
	rv_fake_down(&fake);
}

Test(sup_death, the_list_of_the_living_names_all_and_only_them)
{
	struct rv_fake fake;
	char *log;

	rv_fake_new(&fake, 3);
	rv_fake_up(&fake, 3);
	cr_assert(eq(int, kill(rv_fake_pid(&fake, 0, NULL), SIGKILL), 0));
	rv_fake_await_count(&fake, "LIVING ", 2);
	log = rv_test_read_file(rv_test_path("%s/fake/log", fake.dir));
	/* Keeper 1 is dead; workers 2, 3, 4 and keeper 5 live; highest is 5. */
	rv_assert_has(log, "4 of 4 c=0: 5 2 3 4\n");
	free(log);
	rv_fake_down(&fake);
}

Test(sup_death, a_crash_on_the_way_out_is_a_crash)
{
	struct rv_fake fake;

	rv_fake_new(&fake, 2);
	rv_fake_orders(&fake, "worker", "nostop\n");
	rv_fake_up(&fake, 2);
	rv_test_signal(&fake.child, SIGTERM);
	rv_fake_await_count(&fake, "STOP 0 0", 2);
	cr_assert(eq(int, kill(rv_fake_pid(&fake, 1, NULL), SIGKILL), 0));
	rv_fake_await(&fake, "died=1 code=0 signal=9 slot=1");
	cr_assert(eq(int, rv_test_finish(&fake.child, RV_FAKE_WAIT_MS), 0));
	rv_fake_clean(&fake);
}

Test(sup_death, f05_died_only_after_the_sweep)
{
	struct rv_fake fake;

	rv_fake_new(&fake, 2);
	rv_fake_up(&fake, 2);
	rv_fake_order(&fake, 1, "escape 150\n");
	rv_fake_await(&fake, "escaped 150");
	cr_assert(eq(int, kill(rv_fake_pid(&fake, 1, NULL), SIGKILL), 0));
	/* The keeper itself looks at DIED how many of them live. */
	rv_fake_await(&fake, "signal=9 slot=1 left=0");
	rv_fake_down(&fake);
}

Test(sup_death, f05_also_when_they_cleared_their_environment)
{
	struct rv_fake fake;

	rv_fake_new(&fake, 4);
	rv_fake_up(&fake, 4);
	for (int slot = 1; slot <= 4; slot++)
		rv_fake_order(&fake, slot, "clean 20\nescape 5\n");
	rv_fake_await_count(&fake, "escaped 5", 4);
	for (int slot = 1; slot <= 4; slot++)
		cr_assert(eq(int, kill(rv_fake_pid(&fake, slot, NULL), SIGKILL), 0));
	for (int slot = 1; slot <= 4; slot++)
		rv_fake_await(&fake, "signal=9 slot=%d left=0", slot);
	rv_fake_await_count(&fake, " ready\n", 9);
	rv_fake_down(&fake);
}

Test(sup_death, a_clean_exit_is_swept_too)
{
	struct rv_fake fake;

	rv_fake_new(&fake, 1);
	rv_fake_up(&fake, 1);
	rv_fake_order(&fake, 1, "escape 10\nexit 0\n");
	rv_fake_await(&fake, "died=0 code=0 signal=0 slot=1 left=0");
	rv_fake_down(&fake);
}

Test(sup_death, f05_a_killed_supervisors_leftovers_are_swept_before_anything_starts)
{
	struct rv_fake fake;
	char *log;

	rv_fake_new(&fake, 2);
	/* Children that do not notice, and escapees that nobody's death signal reaches. */
	rv_fake_orders(&fake, "worker", "linger\nescape 20\n");
	rv_fake_orders(&fake, "keeper", "linger\n");
	rv_fake_up(&fake, 2);
	rv_fake_await_count(&fake, "escaped 20", 2);
	rv_test_signal(&fake.child, SIGKILL);
	cr_assert(eq(int, rv_test_finish(&fake.child, RV_FAKE_WAIT_MS), 128 + SIGKILL));
	rv_test_end(&fake.child);
	rv_fake_orders(&fake, "worker", "ready\n");
	/* The new keeper looks whether any of them lives: it would say so at the first DIED. */
	rv_fake_up(&fake, 2);
	cr_assert(eq(int, kill(rv_fake_pid(&fake, 1, NULL), SIGKILL), 0));
	rv_fake_await(&fake, "DIED 1 ");
	rv_fake_await(&fake, "signal=9 slot=1 left=0");
	log = rv_test_read_file(rv_test_path("%s/err", fake.dir));
	rv_assert_has(log, "sweep.leftover");
	free(log);
	rv_fake_down(&fake);
}

Test(sup_death, f05_killed_in_the_middle_of_a_sweep)
{
	static const char *const points[] = {"RV_FAULT=sup_sweep:kill:1:reeved",
					     "RV_FAULT=sup_swept:kill:1:reeved"};

	for (size_t i = 0; i < RV_ARRAY_LEN(points); i++) {
		struct rv_fake fake;

		rv_fake_new(&fake, 2);
		rv_fake_env(&fake, points[i]);
		rv_fake_orders(&fake, "worker", "escape 10\n");
		rv_fake_start(&fake);
		rv_fake_await_count(&fake, "escaped 10", 2);
		rv_fake_await_count(&fake, " ready\n", 3);
		cr_assert(eq(int, kill(rv_fake_pid(&fake, 1, NULL), SIGKILL), 0));
		cr_assert(eq(int, rv_test_finish(&fake.child, RV_FAKE_WAIT_MS), 128 + SIGKILL));
		rv_test_end(&fake.child);
		fake.env[0] = NULL;
		fake.nenv = 0;
		rv_fake_orders(&fake, "worker", "ready\n");
		rv_fake_up(&fake, 2);
		/* All that were ever recorded for slot 1 are gone before the first DIED of the new
		 * one. */
		cr_assert(eq(int, kill(rv_fake_pid(&fake, 1, NULL), SIGKILL), 0));
		rv_fake_await(&fake, "DIED 1 ");
		rv_fake_await(&fake, "signal=9 slot=1 left=0");
		rv_fake_down(&fake);
	}
}

Test(sup_death, f16_no_process_can_be_made_for_a_while)
{
	struct rv_fake fake;

	rv_fake_new(&fake, 3);
	rv_fake_env(&fake, "RV_FAULT=sup_fork:busy:3:reeved");
	rv_fake_start(&fake);
	rv_fake_await_err(&fake, "child.unstartable");
	rv_fake_await_count(&fake, " ready\n", 4);
	rv_fake_await_status(&fake, "pool.alive", "3");
	rv_fake_await_status(&fake, "pool.restarts", "1");
	rv_fake_await_status(&fake, "daemon.state", "ready");
	rv_fake_down(&fake);
}

Test(sup_death, f06_boot_timeout)
{
	struct rv_fake fake;
	int64_t began_us = rv_mono_us();

	rv_fake_new(&fake, 1);
	rv_fake_ini(&fake, "[pool:default]\nworkers = 1\nboot_timeout = 300ms\n");
	rv_fake_orders(&fake, "worker", "noready\n");
	rv_fake_orders(&fake, "keeper", "ready\n");
	rv_fake_start(&fake);
	/* Again and again at once: our own KILLs do not count. */
	rv_fake_await_count(&fake, " start default/0", 6);
	cr_assert(lt(long, rv_mono_us() - began_us, 10 * RV_S_US));
	rv_fake_await(&fake, "died=3 code=0 signal=9 slot=1");
	rv_fake_await_err(&fake, "boot-timeout");
	rv_fake_orders(&fake, "worker", "ready\n");
	rv_fake_await_status(&fake, "pool.state", "ok");
	rv_fake_down(&fake);
}

Test(sup_death, f07_a_crash_loop_is_slowed_and_control_answers)
{
	struct rv_fake fake;
	int64_t until_us;

	rv_fake_new(&fake, 1);
	rv_fake_orders(&fake, "worker", "exit 1\n");
	rv_fake_start(&fake);
	/* 0, 0.2, 0.6, 1.4, 3 s: five restarts in the first four seconds. */
	rv_fake_await_count(&fake, " start default/0", 4);
	until_us = rv_mono_us() + 3 * RV_S_US;
	while (rv_mono_us() < until_us) {
		int64_t asked_us = rv_mono_us();

		rv_fake_await_status(&fake, "pool.alive", "0");
		cr_assert(lt(long, rv_mono_us() - asked_us, RV_S_US));
	}
	cr_assert(lt(int, rv_fake_count(&fake, " start default/0"), 9));
	rv_fake_await_err(&fake, "is started again in");
	rv_fake_down(&fake);
}

Test(sup_death, f07_too_many_are_degraded_with_a_reason_and_probed)
{
	struct rv_fake fake;

	rv_fake_new(&fake, 1);
	rv_fake_ini(&fake,
		    "[pool:default]\nworkers = 1\nrestart_delay = 10ms\n"
		    "restart_delay_max = 300ms\nrestart_burst = 3/1m\nstable_after = 500ms\n");
	rv_fake_orders(&fake, "worker", "exit 1\n");
	rv_fake_start(&fake);
	rv_fake_await_status(&fake, "pool.state", "degraded");
	rv_fake_await_status(&fake, "pool.reason", "crashed");
	rv_fake_await_status(&fake, "daemon.state", "degraded");
	rv_fake_await_err(&fake, "pool.degraded");
	/* Never a dead end: it goes on trying, and is well again when it lives. */
	rv_fake_orders(&fake, "worker", "ready\n");
	rv_fake_await_status(&fake, "pool.state", "ok");
	rv_fake_await_err(&fake, "pool.recovered");
	rv_fake_await_status(&fake, "daemon.state", "ready");
	rv_fake_down(&fake);
}

Test(sup_death, a_program_that_is_gone_is_another_reason)
{
	struct rv_fake fake;

	rv_fake_new(&fake, 1);
	rv_fake_ini(&fake, "[pool:default]\nworkers = 1\nrestart_delay = 10ms\n"
			   "restart_delay_max = 100ms\nrestart_burst = 2/1m\n");
	rv_fake_up(&fake, 1);
	cr_assert(eq(int,
		     rename(rv_test_path("%s/libexec/reeve-worker", fake.dir),
			    rv_test_path("%s/libexec/gone", fake.dir)),
		     0));
	cr_assert(eq(int, kill(rv_fake_pid(&fake, 1, NULL), SIGKILL), 0));
	rv_fake_await_status(&fake, "pool.reason", "exec-failed");
	cr_assert(eq(int,
		     rename(rv_test_path("%s/libexec/gone", fake.dir),
			    rv_test_path("%s/libexec/reeve-worker", fake.dir)),
		     0));
	rv_fake_await_status(&fake, "pool.alive", "1");
	rv_fake_down(&fake);
}

Test(sup_death, exit_78_is_held_until_a_reload)
{
	struct rv_fake fake;

	rv_fake_new(&fake, 2);
	rv_fake_orders(&fake, "worker.2", "say no such user\nexit 78\n");
	rv_fake_start(&fake);
	rv_fake_await_status(&fake, "pool.state", "failed");
	rv_fake_await_status(&fake, "pool.reason", "config");
	rv_fake_await_status(&fake, "pool.alive", "1");
	rv_fake_orders(&fake, "worker.2", "ready\n");
	cr_assert(eq(int, rv_fake_count(&fake, " start default/1"), 1));
	/* Even one that finds nothing changed lets it try again. */
	rv_test_signal(&fake.child, SIGHUP);
	rv_fake_await_status(&fake, "pool.state", "ok");
	rv_fake_down(&fake);
}

Test(sup_death, exit_74_means_a_new_area_for_all_and_counts_nothing)
{
	struct rv_fake fake;

	rv_fake_new(&fake, 3);
	rv_fake_up(&fake, 3);
	rv_fake_order(&fake, 2, "exit 74\n");
	rv_fake_await_err(&fake, "area.failed");
	rv_fake_await_count(&fake, " ready\n", 8);
	rv_fake_await_status(&fake, "daemon.state", "ready");
	/* All four of them, LOST: nobody is charged.  The new keeper hears of all. */
	rv_fake_await(&fake, "died=3 code=74 signal=0 slot=2");
	rv_fake_await_count(&fake, "died=3", 4);
	rv_fake_down(&fake);
}

Test(sup_death, a_store_that_keeps_failing_is_tried_again_slowly)
{
	struct rv_fake fake;
	int starts;

	rv_fake_new(&fake, 1);
	rv_fake_up(&fake, 1);
	rv_fake_orders(&fake, "keeper", "exit 74\n");
	rv_fake_order(&fake, 1, "exit 74\n");
	/* At once, then 0.2, 0.4, 0.8 s… */
	rv_fake_await_count(&fake, "keeper 0", 8);
	rv_fake_await_status(&fake, "daemon.state", "degraded");
	starts = rv_fake_count(&fake, " start");
	cr_assert(lt(int, starts, 12));
	rv_fake_orders(&fake, "keeper", "ready\n");
	rv_fake_await_status(&fake, "pool.alive", "1");
	rv_fake_down(&fake);
}

Test(sup_death, a_silent_keeper_is_replaced_and_workers_stay)
{
	struct rv_fake fake;
	pid_t worker;

	rv_fake_new(&fake, 2);
	rv_fake_orders(&fake, "keeper", "notick\n");
	rv_fake_up(&fake, 2);
	worker = rv_fake_pid(&fake, 1, NULL);
	rv_fake_orders(&fake, "keeper", "ready\n");
	rv_fake_await_err(&fake, "has not ticked");
	rv_fake_await_count(&fake, "LIVING", 2);
	/* It took ABRT well; a stopped one would not have. */
	rv_fake_await(&fake, "died=2 code=0 signal=6 slot=0");
	cr_assert(eq(int, rv_fake_pid(&fake, 1, NULL), worker));
	rv_fake_down(&fake);
}

Test(sup_death, a_stopped_keeper_is_killed_at_once)
{
	struct rv_fake fake;

	rv_fake_new(&fake, 1);
	rv_fake_up(&fake, 1);
	rv_fake_order(&fake, 0, "stop\n");
	rv_fake_await(&fake, "died=2 code=0 signal=9 slot=0");
	rv_fake_down(&fake);
}

Test(sup_death, hung_is_aborted_but_not_its_successor)
{
	struct rv_fake fake;
	unsigned long long first;
	unsigned long long second;

	rv_fake_new(&fake, 2);
	rv_fake_up(&fake, 2);
	(void)rv_fake_pid(&fake, 1, &first);
	rv_fake_order(&fake, 0, "hung 1 %llx\n", first);
	rv_fake_await(&fake, "DIED 1 %016llx died=2 code=0 signal=6 slot=1", first);
	rv_fake_await_count(&fake, " ready\n", 4);
	(void)rv_fake_pid(&fake, 1, &second);
	/* Late news of the first one, and of nobody. */
	rv_fake_order(&fake, 0, "hung 1 %llx\nhung 0 1\nhung 4711 1\nhung 2 1\nsay done\n", first);
	rv_fake_await_err(&fake, "keeper: done");
	rv_fake_await_status(&fake, "pool.alive", "2");
	cr_assert(eq(int, rv_fake_count(&fake, "DIED"), 1));
	rv_fake_down(&fake);
}

static bool is_stopped(void *ctx)
{
	const pid_t *pid = ctx;
	struct rv_procstat stat;

	return rv_procstat(*pid, &stat) == RV_OK && stat.state == 'T';
}

Test(sup_death, a_stopped_leader_is_killed_at_the_first_report)
{
	struct rv_fake fake;
	pid_t leader;

	rv_fake_new(&fake, 2);
	rv_fake_up(&fake, 2);
	leader = rv_fake_pid(&fake, 2, NULL);
	rv_fake_order(&fake, 2, "stop\n");
	cr_assert(rv_test_wait_until(is_stopped, &leader, RV_FAKE_WAIT_MS));
	rv_fake_order(&fake, 1, "stuck 2\n");
	rv_fake_await(&fake, "died=2 code=0 signal=9 slot=2");
	cr_assert(rv_fake_err_has(&fake, "holds up all writers and is stopped"));
	rv_fake_await_status(&fake, "pool.alive", "2");
	rv_fake_down(&fake);
}

Test(sup_death, a_leader_that_runs_has_until_hang_timeout)
{
	struct rv_fake fake;
	pid_t leader;

	rv_fake_new(&fake, 2);
	rv_fake_ini(&fake,
		    "[pool:default]\nworkers = 2\nheartbeat = 50ms\nhang_timeout = 1500ms\n");
	rv_fake_up(&fake, 2);
	leader = rv_fake_pid(&fake, 2, NULL);
	rv_fake_order(&fake, 1, "stuck 2\n");
	rv_fake_await_err(&fake, "stands still");
	cr_assert(eq(int, rv_fake_pid(&fake, 2, NULL), leader));
	cr_assert(not(rv_fake_err_has(&fake, "holds up all writers")));
	for (int i = 0; i < 40 && !rv_fake_err_has(&fake, "holds up all writers"); i++) {
		rv_fake_order(&fake, 1, "stuck 2\n");
		rv_fake_await_count(&fake, "order obeyed", i + 2);
		(void)rv_test_wait_text(rv_test_path("%s/err", fake.dir), "holds up", 100);
	}
	rv_fake_await(&fake, "died=2 code=0 signal=6 slot=2");
	rv_fake_down(&fake);
}

Test(sup_death, an_idle_worker_that_does_not_answer_is_replaced)
{
	struct rv_fake fake;

	rv_fake_new(&fake, 1);
	rv_fake_ini(&fake, "[pool:default]\nworkers = 1\nboot_timeout = 500ms\n");
	rv_fake_orders(&fake, "worker", "nowake\n");
	rv_fake_orders(&fake, "keeper", "ready\n");
	rv_fake_up(&fake, 1);
	rv_fake_orders(&fake, "worker", "ready\n");
	rv_fake_ring(&fake, 0);
	rv_fake_await(&fake, "WAKE ping");
	rv_fake_await(&fake, "died=2 code=0 signal=6 slot=1");
	rv_fake_await_status(&fake, "pool.alive", "1");
	rv_fake_down(&fake);
}

Test(sup_death, f30_garbage_ends_its_sender_and_nobody_else)
{
	static const char *const kinds[] = {"version", "kind",  "direction", "size",
					    "short",   "empty", "role",      "noise"};
	struct rv_fake fake;
	pid_t other;

	rv_fake_new(&fake, 2);
	rv_fake_ini(&fake,
		    "[pool:default]\nworkers = 2\nrestart_delay = 1ms\nrestart_delay_max = 2ms\n");
	rv_fake_up(&fake, 2);
	other = rv_fake_pid(&fake, 2, NULL);
	for (size_t i = 0; i < RV_ARRAY_LEN(kinds); i++) {
		rv_fake_order(&fake, 1, "garbage %s\n", kinds[i]);
		rv_fake_await_count(&fake, "died=1 code=0 signal=9 slot=1", (int)i + 1);
		rv_fake_await_count(&fake, " ready\n", (int)i + 4);
	}
	cr_assert(eq(int, rv_fake_pid(&fake, 2, NULL), other));
	cr_assert(eq(int, rv_fake_count(&fake, "LIVING"), 1), "the keeper lives as well");
	rv_fake_down(&fake);
}

Test(sup_death, f30_a_flood_is_slowed_and_starves_nobody)
{
	struct rv_fake fake;

	rv_fake_new(&fake, 2);
	rv_fake_up(&fake, 2);
	rv_fake_order(&fake, 1, "flood 2000\nsay flooded\n");
	/* The others go on, while the flood takes its five seconds. */
	cr_assert(eq(int, kill(rv_fake_pid(&fake, 2, NULL), SIGKILL), 0));
	rv_fake_await(&fake, "signal=9 slot=2");
	rv_fake_await_count(&fake, " ready\n", 4);
	rv_fake_await_err(&fake, "worker default/0: flooded");
	rv_fake_down(&fake);
}

Test(sup_death, a_child_that_closes_its_channel_is_ended)
{
	struct rv_fake fake;

	rv_fake_new(&fake, 1);
	rv_fake_up(&fake, 1);
	rv_fake_order(&fake, 1, "close3\n");
	rv_fake_await(&fake, "signal=9 slot=1");
	rv_fake_await_count(&fake, " ready\n", 3);
	rv_fake_down(&fake);
}

Test(sup_death, without_acks_no_more_is_started_than_can_be_remembered)
{
	struct rv_fake fake;
	int starts;

	/* 1 + 2 × 1 + 32 slots, 4 places each: 140 deaths at most. */
	rv_fake_new(&fake, 1);
	rv_fake_ini(&fake,
		    "[pool:default]\nworkers = 1\nrestart_delay = 1ms\nrestart_delay_max = 1ms\n");
	rv_fake_orders(&fake, "keeper", "noack\n");
	rv_fake_orders(&fake, "worker", "exit 1\n");
	rv_fake_start(&fake);
	rv_fake_await_count(&fake, "DIED 140 ", 1);
	rv_fake_await_status(&fake, "pool.alive", "0");
	/* One more would come within 1 ms. */
	cr_assert(not(rv_test_wait_text(rv_test_path("%s/fake/log", fake.dir), "DIED 141 ", 500)));
	starts = rv_fake_count(&fake, " start default/0");
	cr_assert(eq(int, starts, 140), "%d", starts);
	/* It lives, and goes on when a keeper takes them. */
	rv_fake_orders(&fake, "worker", "ready\n");
	rv_fake_orders(&fake, "keeper", "ready\n");
	cr_assert(eq(int, kill(rv_fake_pid(&fake, 0, NULL), SIGKILL), 0));
	rv_fake_await_status(&fake, "pool.alive", "1");
	rv_fake_down(&fake);
}
