/*
 * The pipe handler: a process that stays and gets its jobs as lines (docs/PROTOCOL.md, Pipe
 * handlers).  Worker processes.  One process a task, and the next one beside it while it is
 * replaced.  An answer counts only for the very run it names, and only while that run is on; what
 * a handler does can cost the job it has, never another one.
 * (Wider than it should be: it is where processes, lines and the turn meet.)
 */
#include "run/handler.h"

#include "base/check.h"
#include "base/seam.h"
#include "conf/conf.h"
#include "obs/log.h"
#include "obs/output.h"
#include "run/pipe.h"
#include "run/pipe_keep.h"
#include "run/pipe_line.h"
#include "run/worker.h"
#include "wire/area.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static struct {
	struct rv_pipe_task *pipes;
	size_t count;
} all;

static struct rv_pipe_proc *front; /* has the turn's job, or is to get it; NULL none */

struct rv_pipe_task *rv_pipe_task(const struct rv_conf_task *task)
{
	for (size_t i = 0; i < all.count; i++) {
		if (all.pipes[i].task == task)
			return &all.pipes[i];
	}
	IMPOSSIBLE("a pipe task without a place");
}

static int open_pipes(struct rv_worker *worker, struct rv_why *why)
{
	const struct rv_conf *conf = worker->conf;

	all.pipes = calloc(conf->ntasks + 1, sizeof(*all.pipes));
	if (!all.pipes)
		return rv_fail(why, RV_E_NOMEM, "no memory for the handlers");
	for (size_t i = 0; i < conf->ntasks; i++) {
		if (conf->tasks[i].handler == RV_CONF_HANDLER_PIPE ||
		    conf->tasks[i].handler == RV_CONF_HANDLER_MODULE)
			all.pipes[all.count++].task = &conf->tasks[i];
	}
	rv_keep_warm_up(worker, all.pipes, all.count);
	return RV_OK;
}

static void close_pipes(struct rv_worker *worker)
{
	rv_keep_close(all.pipes, all.count);
	rv_pipe_end_all(worker);
	free(all.pipes);
	all.pipes = NULL;
	all.count = 0;
	front = NULL;
}

/* ---- the job's end */

static void give(struct rv_turn *turn, enum rv_outcome outcome, const char *text)
{
	turn->result.kind = RV_RESULT_OUTCOME;
	turn->result.outcome = outcome;
	(void)snprintf(turn->result.text, sizeof(turn->result.text), "%s", text);
}

/* No answer will come to what was sent ahead: it is as if it had not been. */
static void unsend(struct rv_worker *worker)
{
	for (unsigned i = worker->next; i < worker->sent && worker->prefetched; i++)
		atomic_store(&worker->words[i].word, RV_WORD_WAITING);
	if (worker->sent > worker->next)
		worker->sent = worker->next;
}

/* What it printed before the job is what may tell why it died in it. */
static void keep_tail(struct rv_pipe_proc *p, struct rv_turn *turn)
{
	static char text[RV_TAIL_MAX];
	size_t size = rv_tail_copy(&p->tail, text);

	if (size > p->tail_job)
		rv_turn_heard(turn, RV_OUTPUT_STDERR, text, size - p->tail_job);
}

/* No handler has had it. */
static void interrupt(struct rv_turn *turn)
{
	turn->booting = false;
	give(turn, RV_OUTCOME_INTERRUPTED, "interrupted before its handler was ready");
	rv_turn_ended(turn);
}

static void crashed(struct rv_pipe_proc *p, struct rv_turn *turn)
{
	char text[RV_ERROR_MAX];

	rv_pipe_describe(p, text, sizeof(text));
	give(turn, RV_OUTCOME_CRASHED, text);
	turn->result.exit_code = rv_pipe_is_oom(p) ? RV_EXIT_OOM : p->exit.code;
	turn->result.signo = p->exit.signo;
	rv_pipe_use_crashed(&p->use, &p->exit, &turn->result);
	if (turn->reason == RV_STOP_NONE)
		keep_tail(p, turn);
	rv_turn_ended(turn);
}

/* ---- its words */

/* This line is about the job in front. */
static bool is_front(const struct rv_pipe_proc *p, const struct rv_pipe_said *said)
{
	const struct rv_worker *worker = p->worker;
	const struct rv_claimed *claim = &worker->turn.claim;

	if (p != front || worker->turn.booting || !rv_run_on(worker))
		return false;
#ifdef RV_MUTANT_PIPE_ANSWER_ANY
	return true;
#endif
	return said->job == claim->job && said->run == claim->run;
}

/* It is about one that was sent ahead, whose turn has not come. */
static bool is_behind(const struct rv_pipe_proc *p, const struct rv_pipe_said *said)
{
	const struct rv_worker *worker = p->worker;

	for (unsigned i = worker->next; i < worker->sent && p == front; i++) {
		if (said->job == worker->claimed[i].job && said->run == worker->claimed[i].run)
			return true;
	}
	return false;
}

static void on_word(struct rv_worker *worker, const struct rv_pipe_said *said)
{
	struct rv_turn *turn = &worker->turn;

	turn->heard_mono_us = rv_mono_us();
	rv_told_said(worker, &said->said);
	if (said->log) {
		int stream = said->log_stderr ? RV_OUTPUT_STDERR : RV_OUTPUT_STDOUT;

		rv_turn_heard(turn, stream, said->log, strlen(said->log));
		rv_turn_heard(turn, stream, "\n", 1);
	}
}

static void on_answer(struct rv_pipe_proc *p, const struct rv_pipe_said *said)
{
	struct rv_worker *worker = p->worker;
	struct rv_turn *turn = &worker->turn;

	rv_told_said(worker, &said->said);
	rv_pipe_use_tell(&p->use, &turn->result);
	give(turn, said->outcome, said->error);
	if (said->outcome != RV_OUTCOME_SUCCEEDED && said->error[0] == '\0')
		give(turn, said->outcome, "its handler said that it failed");
#ifdef RV_MUTANT_PIPE_LATE_COUNTS
	turn->reason = RV_STOP_NONE;
#endif
	rv_turn_ended(turn);
}

static void begin(struct rv_worker *worker);
static int start(struct rv_worker *worker, struct rv_turn *turn, struct rv_why *why);

/* The next one takes over, unless the present one owes answers. */
static void take_over(struct rv_pipe_task *pipe)
{
	if (!pipe->next || pipe->next->state != RV_PIPE_READY)
		return;
	if (pipe->now && pipe->now == front)
		return;
	if (pipe->now)
		rv_pipe_retire(pipe->now);
	pipe->now = pipe->next;
	pipe->next = NULL;
}

static void on_hello(struct rv_pipe_proc *p, const struct rv_pipe_said *said)
{
	struct rv_worker *worker = p->worker;
	struct rv_pipe_task *pipe = rv_pipe_task(p->task);

	p->state = RV_PIPE_READY;
	p->ahead = said->ahead;
	p->cancels = said->cancels;
	p->softs = said->softs;
	p->checks = said->checks;
	p->greeted = true;
	rv_loop_timer_stop(&p->timer);
	take_over(pipe);
	if (p == front && worker->turn.booting)
		begin(worker);
	else
		rv_keep_idle(p);
}

void rv_pipe_go_on(struct rv_pipe_proc *p)
{
	/* One that has ended since takes nothing more: another gets the job when it is gone. */
	if (p == front && p->worker->turn.booting && p->in_fd >= 0)
		begin(p->worker);
}

bool rv_pipe_has_job(const struct rv_pipe_proc *p)
{
	return p == front;
}

/* It has not said hello; it may have ended before its first line was looked at. */
static bool is_booting(const struct rv_pipe_proc *p)
{
	return p->state == RV_PIPE_BOOTING || (p->state == RV_PIPE_DEAD && !p->greeted);
}

/* No try will make it better: what was to be its first job ends as one without a program. */
static void on_refusal(struct rv_pipe_proc *p, const struct rv_pipe_said *said)
{
#ifndef RV_MUTANT_PIPE_REFUSAL_RETRIED
	p->refuses = true;
#endif
	(void)snprintf(p->why, sizeof(p->why), "%s", said->error);
	rv_pipe_kill(p, said->error);
}

static void on_said(struct rv_pipe_proc *p, const struct rv_pipe_said *said)
{
	struct rv_worker *worker = p->worker;

	if (said->kind == RV_PIPE_HELLO && p->state == RV_PIPE_BOOTING)
		on_hello(p, said);
	else if (said->kind == RV_PIPE_REFUSAL && is_booting(p))
		on_refusal(p, said);
	else if (p->state == RV_PIPE_BOOTING)
		rv_pipe_kill(p, "its first line is no hello");
	else if (said->kind == RV_PIPE_HELLO || said->kind == RV_PIPE_REFUSAL)
		rv_pipe_kill(p, "it said hello twice");
	else if (said->kind == RV_PIPE_HEALTH)
		rv_keep_answered(p, said);
	else if (is_front(p, said) && said->kind == RV_PIPE_WORD)
		on_word(worker, said);
	else if (is_front(p, said))
		on_answer(p, said);
	else if (is_behind(p, said))
		rv_pipe_kill(p, "it answers out of order");
	else if (!p->void_said) {
		p->void_said = true;
		rv_log_with(RV_LOG_WARN, RV_EV_handler_void,
			    RV_FIELDS(RV_STR("task", p->task->name), RV_INT("pid", p->pid),
				      RV_INT("job", said->job)),
			    "a handler of %s speaks of job %lld, run %lld, which it does not have",
			    p->task->name, (long long)said->job, (long long)said->run);
	}
}

/* Lines can be looked at: not while they may be about a job whose turn is to come. */
static bool may_take(const struct rv_pipe_proc *p)
{
	const struct rv_worker *worker = p->worker;

	if (p->killed)
		return false;
	if (p != front || worker->turn.booting)
		return true;
	return rv_run_on(worker);
}

static void take_line(struct rv_pipe_proc *p, const char *line, size_t size)
{
	struct rv_pipe_said said;
	struct rv_why why = {.text = ""};
	char text[200];
	int err = rv_pipe_said_parse(line, size, &said, &why);

	if (err == RV_OK) {
		on_said(p, &said);
		rv_pipe_said_fini(&said);
		return;
	}
	(void)snprintf(text, sizeof(text), "its line cannot be read: %.140s",
		       rv_why_text(&why, err));
	rv_pipe_kill(p, text);
}

static void take_lines(struct rv_pipe_proc *p)
{
	while (may_take(p) && p->taken < p->heard.size) {
		const char *line = p->heard.data + p->taken;
		size_t left = p->heard.size - p->taken;
		const char *end = memchr(line, '\n', left);
		size_t size = end ? (size_t)(end - line) : left;

		if (size > RV_PIPE_LINE_MAX) {
			rv_pipe_kill(p, "a line of more than 1 MiB");
			return;
		}
		if (!end)
			return;
		p->taken += size + 1;
		rv_pipe_use_line(&p->use);
		take_line(p, line, size);
	}
}

static void on_closed(struct rv_loop_timer *timer)
{
	rv_pipe_kill(timer->ctx, "it closed its answers");
}

void rv_pipe_heard(struct rv_pipe_proc *p, int err)
{
	take_lines(p);
	/* Mostly it is about to end, and that says more. */
	if (err == RV_E_CLOSED && (p->state == RV_PIPE_BOOTING || p->state == RV_PIPE_READY))
		rv_loop_timer_start(p->worker->loop, &p->timer, RV_PIPE_CLOSED_US, on_closed, p);
}

void rv_pipe_printed(struct rv_pipe_proc *p, int stream, const char *data, size_t size)
{
	struct rv_worker *worker = p->worker;

	if (p != front || worker->turn.booting || !rv_run_on(worker))
		return;
	if (stream == RV_OUTPUT_STDERR)
		p->tail_job += size;
	rv_turn_heard(&worker->turn, stream, data, size);
}

/* ---- its end */

static void not_ready(struct rv_pipe_proc *p)
{
	struct rv_worker *worker = p->worker;
	struct rv_why why = {.text = ""};
	char text[RV_ERROR_MAX];
	int err = p->refuses ? RV_E_REFUSED : RV_E_BUSY;

	rv_pipe_describe(p, text, sizeof(text));
	worker->turn.booting = false;
	keep_tail(p, &worker->turn);
	if (p->refuses)
		(void)rv_fail(&why, err, "its handler refuses: %s", p->why);
	else
		(void)rv_fail(&why, err, "not ready: %s", text);
	rv_turn_unstartable(worker, err, &why);
}

bool rv_pipe_owes(const struct rv_pipe_proc *p)
{
	const struct rv_worker *worker = p->worker;

	return p == front && worker->sent > worker->next && !rv_run_on(worker);
}

void rv_pipe_exited(struct rv_pipe_proc *p)
{
	struct rv_pipe_task *pipe = rv_pipe_task(p->task);
	bool lost;

	if (!p->greeted)
		take_lines(p); /* it may have refused, and nobody has looked */
	/* Nobody is left: neither it nor the one that it was to replace. */
	lost = (pipe->now == p || (pipe->next == p && !pipe->now)) && !p->refuses;
	if (pipe->now == p)
		pipe->now = NULL;
	if (pipe->next == p)
		pipe->next = NULL;
	if (!p->greeted) /* a next one would be no better, for now */
		rv_keep_put_off(pipe);
	take_over(pipe);
	if (lost)
		rv_keep_lost(pipe);
	if (p != front)
		return;
	take_lines(p); /* it may have answered and then died */
	unsend(p->worker);
	if (rv_run_on(p->worker))
		p->worker->turn.settled = true;
}

/* It ended between two jobs: the one that it was given then it has never seen. */
static bool has_seen(const struct rv_pipe_proc *p, const struct rv_turn *turn)
{
	return p->unread < p->added - p->line_at[turn->place];
}

static bool is_unread(const struct rv_pipe_proc *p, const struct rv_turn *turn)
{
	return turn->booting || (turn->reason == RV_STOP_NONE && !has_seen(p, turn));
}

/* The same run, with another handler; once, and not if we were told to stop meanwhile. */
static void once_more(struct rv_worker *worker)
{
	struct rv_turn *turn = &worker->turn;
	struct rv_why why = {.text = ""};
	int err = RV_E_BUSY;

	if (worker->stopping) {
		interrupt(turn);
		return;
	}
	if (turn->retold) {
		(void)rv_fail(&why, err, "two of its handlers have ended without reading it");
	} else {
		turn->retold = true;
		turn->settled = false;
		if (turn->booting)
			rv_run_booted(worker);
		worker->sent = turn->place;
		err = start(worker, turn, &why);
	}
	if (err != RV_OK)
		rv_turn_unstartable(worker, err, &why);
	else if (turn->phase == RV_TURN_RUNNING)
		rv_run_watch(worker);
}

void rv_pipe_gone(struct rv_pipe_proc *p)
{
	struct rv_worker *worker = p->worker;

	if (p != front)
		return;
	front = NULL;
	if (!rv_run_on(worker))
		return;
	if (worker->turn.booting && !p->greeted)
		not_ready(p);
	else if (is_unread(p, &worker->turn))
		once_more(worker);
	else
		crashed(p, &worker->turn);
}

/* ---- the handler's table */

/* The handler is ready: the job goes to it, and what it has said already is taken in. */
static int hand_over(struct rv_worker *worker, struct rv_why *why)
{
	struct rv_pipe_proc *p = front;
	int err = rv_pipe_send(worker, p, why);

	if (err != RV_OK)
		return err;
	p->jobs++;
	p->tail_job = 0;
	take_lines(p);
	return RV_OK;
}

static void begin(struct rv_worker *worker)
{
	struct rv_why why = {.text = ""};
	int err;

	rv_run_booted(worker);
	err = hand_over(worker, &why);
	if (err != RV_OK)
		rv_turn_unstartable(worker, err, &why);
	else if (worker->turn.phase == RV_TURN_RUNNING)
		rv_run_watch(worker);
}

static int start(struct rv_worker *worker, struct rv_turn *turn, struct rv_why *why)
{
	struct rv_pipe_task *pipe = rv_pipe_task(turn->task);
	int err = RV_OK;

	/* What was sent ahead went to this one; if it is killed, its end will say what it has seen.
	 */
	if (turn->place < worker->sent) {
		INV(front);
		front->tail_job = 0;
		return front->state == RV_PIPE_READY ? hand_over(worker, why) : RV_OK;
	}
	front = NULL;
	take_over(pipe);
	if (pipe->now && (pipe->now->state == RV_PIPE_KILLED || pipe->now->in_fd < 0))
		pipe->now = NULL; /* it ends by itself */
	if (!pipe->now) {
		pipe->now = pipe->next;
		pipe->next = NULL;
	}
	if (!pipe->now)
		err = rv_pipe_start(worker, turn->task, &pipe->now, why);
	if (err != RV_OK)
		return err;
	front = pipe->now;
#ifdef RV_MUTANT_PIPE_SICK_SERVES
	front->asked_us = 0;
#endif
	if (front->state == RV_PIPE_READY && !rv_keep_is_asked(front))
		return hand_over(worker, why);
	/* One that owes its hello, or may be sick: it shall not meet the job before it has spoken.
	 */
	rv_run_boot(worker, front->state == RV_PIPE_READY ? turn->task->health_timeout_us
							  : turn->task->ready_timeout_us);
	return RV_OK;
}

static void ready(struct rv_turn *turn)
{
	(void)turn;
	if (front)
		rv_pipe_drain(front);
}

static void ask(struct rv_turn *turn)
{
	const struct rv_seam *seam = rv_seam();

	if (!front->cancels) {
		(void)seam->signal(seam->ctx, &front->proc, turn->task->stop_signal, 1);
		(void)seam->signal(seam->ctx, &front->proc, SIGCONT, 1);
	} else if (rv_pipe_cancel_line(&turn->claim, &front->lines) == RV_OK) {
		rv_pipe_write(front);
	}
}

static void stop(struct rv_worker *worker, struct rv_turn *turn, enum rv_stop_how how)
{
	if (!front)
		return;
	(void)worker;
	if (turn->booting || (front->state == RV_PIPE_DEAD && is_unread(front, turn)))
		interrupt(turn); /* the job has not come to it */
	else if (front->state == RV_PIPE_DEAD)
		return; /* its end is on the way */
	else if (how == RV_STOP_KILL)
		rv_pipe_kill(front, NULL);
	else if (front->state == RV_PIPE_READY)
		ask(turn);
}

/* No signal: it would end what other jobs are still to come to. */
static bool warn(struct rv_turn *turn)
{
	if (!front || front->state != RV_PIPE_READY || !front->softs ||
	    rv_pipe_soft_line(&turn->claim, &front->lines) != RV_OK)
		return false;
	rv_pipe_write(front);
	return true;
}

static void end(struct rv_turn *turn)
{
	struct rv_pipe_proc *p = front;
	struct rv_worker *worker = rv_container_of(turn, struct rv_worker, turn);

	turn->booting = false;
	if (!p)
		return;
	if (worker->next < worker->sent)
		return; /* it has the next one already */
	front = NULL;
	if (p->state == RV_PIPE_READY) {
		take_lines(p); /* what it says now is void */
		rv_keep_look_after(p);
		take_over(rv_pipe_task(p->task));
		rv_keep_idle(p);
	}
}

const struct rv_handler rv_handler_pipe = {
	.name = "pipe",
	.open = open_pipes,
	.close = close_pipes,
	.quick = true,
	.start = start,
	.ready = ready,
	.stop = stop,
	.warn = warn,
	.end = end,
};

/* The same, with a program of ours that loads the module (exec_spec.c). */
const struct rv_handler rv_handler_module = {
	.name = "module",
	.quick = true,
	.start = start,
	.ready = ready,
	.stop = stop,
	.warn = warn,
	.end = end,
};
