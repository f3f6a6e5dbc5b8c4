/*
 * Handlers without a job: started before there is one, asked whether they are well, ended when
 * nobody needs them, replaced when they are worn out.  Worker processes.  All of it by timers of
 * the worker's loop, and none where no key asks for it; nothing here may cost a job anything, so
 * what a job is at is left alone. (Wider than it should be: it is where processes, their lines and
 * the worker meet.)
 */
#include "run/pipe_keep.h"

#include "base/check.h"
#include "base/fmt.h"
#include "base/seam.h"
#include "child/child.h"
#include "conf/conf.h"
#include "obs/log.h"
#include "os/self.h"
#include "run/pipe.h"
#include "run/pipe_due.h"
#include "run/pipe_line.h"
#include "run/worker.h"

#include <stdio.h>
#include <string.h>

#define LOOK_US RV_S_US /* between two looks at the memory of a handler */

static struct rv_loop_timer warm_end; /* runs: the worker is not ready yet */

void rv_keep_put_off(struct rv_pipe_task *task)
{
	task->next_try_us = rv_mono_us() + task->task->handler_delay_us;
}

/* ---- a process without a job to wait for it */

static void complain(const struct rv_pipe_task *task, int err, const struct rv_why *why)
{
	rv_log_with(RV_LOG_WARN, RV_EV_handler_ended, RV_FIELDS(RV_STR("task", task->task->name)),
		    "no new handler of %s: %s", task->task->name, rv_why_text(why, err));
}

static void start_now(struct rv_pipe_task *task)
{
	struct rv_why why = {.text = ""};
	int err;

	PRE(!task->now && !task->next);
	rv_keep_put_off(task);
	err = rv_pipe_start(task->worker, task->task, &task->now, &why);
	if (err == RV_OK)
		return;
	complain(task, err, &why);
	if (err == RV_E_BUSY || err == RV_E_NOMEM)
		rv_keep_lost(task); /* else the next job is told why */
}

static void on_again(struct rv_loop_timer *timer)
{
	rv_keep_lost(timer->ctx);
}

void rv_keep_lost(struct rv_pipe_task *task)
{
	const struct rv_conf_task *conf = task->task;
	const struct rv_worker *worker = task->worker;
	int64_t left_us = task->next_try_us - rv_mono_us();

	if ((!conf->warm_up && conf->health_check_us == 0) || worker->draining || worker->ending ||
	    task->now || task->next)
		return;
	if (left_us > 0)
		rv_loop_timer_start(worker->loop, &task->again, left_us, on_again, task);
	else
		start_now(task);
}

/* ---- before the first job */

static bool is_served(const struct rv_conf_pool *pool, const char *queue)
{
	for (size_t i = 0; i < pool->queues.count; i++) {
		if (strcmp(pool->queues.items[i], queue) == 0)
			return true;
	}
	return false;
}

static void on_warm_end(struct rv_loop_timer *timer)
{
	const struct rv_worker *worker = timer->ctx;

	rv_log(RV_LOG_WARN, RV_EV_handler_late,
	       "a handler is not ready after half of boot_timeout: %s does not wait for it any "
	       "more",
	       worker->child->name);
}

void rv_keep_warm_up(struct rv_worker *worker, struct rv_pipe_task *tasks, size_t count)
{
	int64_t left_us;

	for (size_t i = 0; i < count; i++) {
		tasks[i].worker = worker;
		if (!tasks[i].task->warm_up || !is_served(worker->pool, tasks[i].task->queue))
			continue;
		start_now(&tasks[i]);
		if (tasks[i].now)
			tasks[i].next_try_us = 0; /* it replaces nothing */
	}
	/* The supervisor counts from its start, and it has opened the store since. */
	left_us = worker->pool->boot_timeout_us / 2 - (rv_mono_us() - worker->booted_us);
	if (rv_pipe_first())
		rv_loop_timer_start(worker->loop, &warm_end, left_us > 0 ? left_us : 0, on_warm_end,
				    worker);
}

/* Those that began before the worker was ready are all there are until it is. */
bool rv_keep_warming(void)
{
	for (const struct rv_pipe_proc *p = rv_pipe_first(); p; p = p->other) {
		if (p->state == RV_PIPE_BOOTING && rv_loop_timer_active(&warm_end))
			return true;
	}
	rv_loop_timer_stop(&warm_end);
	return false;
}

void rv_keep_close(struct rv_pipe_task *tasks, size_t count)
{
	rv_loop_timer_stop(&warm_end);
	for (size_t i = 0; i < count; i++)
		rv_loop_timer_stop(&tasks[i].again);
}

/* ---- idle */

static void on_due(struct rv_loop_timer *timer);

bool rv_keep_is_asked(const struct rv_pipe_proc *p)
{
	return p->asked_us != 0;
}

static void ask(struct rv_pipe_proc *p)
{
	if (rv_pipe_health_line(++p->question, &p->lines) != RV_OK)
		return; /* no memory: it is asked the next time */
	p->asked_us = rv_mono_us();
	rv_pipe_write(p);
}

static void let_go(struct rv_pipe_proc *p)
{
	char after[RV_FMT_SPACE];

	rv_log_with(RV_LOG_INFO, RV_EV_handler_idle,
		    RV_FIELDS(RV_STR("task", p->task->name), RV_INT("pid", p->pid)),
		    "a handler of %s is ended: it had no job for %s", p->task->name,
		    rv_fmt_duration(after, p->task->idle_ttl_us));
	rv_pipe_task(p->task)->now = NULL; /* the next job starts another */
	rv_pipe_retire(p);
}

static void give_up(struct rv_pipe_proc *p)
{
	char after[RV_FMT_SPACE];
	char text[120];

	(void)snprintf(text, sizeof(text), "it did not answer a health check within %s",
		       rv_fmt_duration(after, p->task->health_timeout_us));
	rv_pipe_kill(p, text);
}

static void look(struct rv_pipe_proc *p)
{
	const struct rv_conf_task *task = p->task;
	struct rv_pipe_times times = {
		.idle_us = p->idle_us,
		.well_us = p->well_us,
		.asked_us = p->asked_us,
		.ttl_us = task->idle_ttl_us,
		.every_us = p->checks ? task->health_check_us : 0,
		.patience_us = task->health_timeout_us,
	};
	int64_t wait_us;

	switch (rv_pipe_due(&times, rv_mono_us(), &wait_us)) {
	case RV_PIPE_DUE_SICK:
		give_up(p);
		return;
	case RV_PIPE_DUE_END:
		let_go(p);
		return;
	case RV_PIPE_DUE_ASK:
		ask(p);
		wait_us = p->asked_us != 0 ? task->health_timeout_us : task->health_check_us;
		break;
	case RV_PIPE_DUE_NOTHING:
		break;
	}
	if (p->state == RV_PIPE_READY && wait_us != RV_PIPE_NEVER)
		rv_loop_timer_start(p->worker->loop, &p->due, wait_us, on_due, p);
}

static void on_due(struct rv_loop_timer *timer)
{
	struct rv_pipe_proc *p = timer->ctx;

	/* It may be us who were away: its answer counts as long as nobody has missed it. */
	if (p->state == RV_PIPE_READY && p->asked_us != 0) {
		rv_pipe_drain_all(p);
		rv_pipe_heard(p, RV_OK);
	}
	if (p->state != RV_PIPE_READY)
		return;
	if (p->asked_us == 0 && (rv_pipe_has_job(p) || p->worker->draining))
		return; /* its end sets the timer anew */
	if (rv_pipe_task(p->task)->now != p)
		p->idle_us = rv_mono_us(); /* its time begins when it has taken over */
	look(p);
}

/* A key that does not do what it seems to is told, once. */
static void tell_unasked(const struct rv_pipe_proc *p)
{
	struct rv_pipe_task *task = rv_pipe_task(p->task);

	if (p->checks || p->task->health_check_us == 0 || task->unasked_said)
		return;
	task->unasked_said = true;
	rv_log_with(RV_LOG_WARN, RV_EV_handler_unasked, RV_FIELDS(RV_STR("task", p->task->name)),
		    "the handler of %s does not say \"health\": health_check only sees that it has "
		    "ended",
		    p->task->name);
}

void rv_keep_idle(struct rv_pipe_proc *p)
{
	const struct rv_conf_task *task = p->task;

	if (p->state != RV_PIPE_READY || (task->idle_ttl_us == 0 && task->health_check_us == 0))
		return;
	tell_unasked(p);
	p->idle_us = rv_mono_us();
	if (!rv_loop_timer_active(&p->due))
		look(p);
}

void rv_keep_answered(struct rv_pipe_proc *p, const struct rv_pipe_said *said)
{
	char text[200];

	if (p->asked_us == 0 || said->job != (int64_t)p->question) {
		if (!p->void_said)
			rv_log_with(RV_LOG_WARN, RV_EV_handler_void,
				    RV_FIELDS(RV_STR("task", p->task->name), RV_INT("pid", p->pid)),
				    "a handler of %s answers a health check that it does not have",
				    p->task->name);
		p->void_said = true;
		return;
	}
	if (said->outcome != RV_OUTCOME_SUCCEEDED) {
		(void)snprintf(text, sizeof(text), "it says that it is not well: %.140s",
			       said->error);
		rv_pipe_kill(p, text);
		return;
	}
	p->asked_us = 0;
	p->well_us = rv_mono_us();
	rv_loop_timer_stop(&p->due);
	if (p->state != RV_PIPE_READY)
		return; /* it was replaced meanwhile */
	if (rv_pipe_has_job(p))
		rv_pipe_go_on(p);
	else
		look(p);
}

/* ---- replacing it */

static bool too_large(struct rv_pipe_proc *p, int64_t now_us)
{
	struct rv_procstat stat;

	if (p->task->recycle_rss_bytes == 0 || now_us - p->looked_us < LOOK_US)
		return false;
	p->looked_us = now_us;
	return rv_procstat(p->pid, &stat) == RV_OK && stat.rss_bytes > p->task->recycle_rss_bytes;
}

static bool is_worn(struct rv_pipe_proc *p)
{
	int64_t now_us = rv_mono_us();

	return p->void_said || (p->jobs_max > 0 && p->jobs >= p->jobs_max) ||
	       (p->age_max_us > 0 && now_us - p->born_us >= p->age_max_us) || too_large(p, now_us);
}

void rv_keep_look_after(struct rv_pipe_proc *p)
{
	struct rv_pipe_task *task = rv_pipe_task(p->task);
	struct rv_why why = {.text = ""};
	int err;

	if (p->state != RV_PIPE_READY || task->now != p || task->next ||
	    rv_mono_us() < task->next_try_us || p->worker->draining || !is_worn(p))
		return;
	rv_keep_put_off(task);
	err = rv_pipe_start(p->worker, p->task, &task->next, &why);
	if (err != RV_OK)
		complain(task, err, &why);
}
