/*
 * How the process of an exec job is started: what it executes, its payload, its pipes.  Worker
 * processes.  It gets descriptors 0 to 3 and no other.
 */
#include "run/exec.h"

#include "base/fault.h"
#include "base/seam.h"
#include "conf/conf.h"
#include "os/fd.h"
#include "run/exec_spec.h"
#include "run/worker.h"

#include <unistd.h>

static int64_t deadline_of(const struct rv_turn *turn)
{
	return turn->claim.timeout_us > 0 ? turn->started_us + turn->claim.timeout_us : 0;
}

static int build(struct rv_worker *worker, struct rv_turn *turn, const struct rv_tmp *tmp,
		 struct rv_exec_spec *spec, struct rv_why *why)
{
	const struct rv_conf *conf = worker->conf;
	struct rv_exec_input input = {
		.task = turn->task,
		.adhoc = turn->adhoc,
		.adhoc_allowed = conf->reeve.adhoc,
		.claim = &turn->claim,
		.queue = turn->queue,
		.instance_name = conf->reeve.instance,
		.deadline_us = deadline_of(turn),
		.mark = worker->mark,
		.environment = environ,
		.tmp = tmp->path[0] != '\0' ? tmp->path : NULL,
	};
	int err = rv_turn_load(worker, turn, why);

	if (err != RV_OK)
		return err;
	input.spec = turn->spec;
	input.idem_key = turn->idem_key;
	input.meta = turn->meta;
	input.batch = turn->batch;
	err = rv_exec_spec_build(&input, &turn->arena, spec, why);
	/*
	 * An argument that this definition wants and the job's does not have: ours may be the one
	 * that a reload has yet to replace.  As with a task that we do not know: later.
	 */
	if (err == RV_E_MISSING)
		return rv_wrap(why, RV_E_BUSY, "the task %s as this worker knows it",
			       turn->task->name);
	return err;
}

/* Pipes for 1, 2 and progress: ours in exec->fds, the job's in ${ends}. */
static int make_pipes(struct rv_exec *exec, int ends[RV_EXEC_PIPES], struct rv_why *why)
{
	for (unsigned i = 0; i < RV_EXEC_PIPES; i++) {
		int fds[2];
		int err = rv_fd_pipe(fds, false);

		if (err == RV_OK) {
			exec->fds[i] = fds[0];
			ends[i] = fds[1];
			err = rv_fd_nonblock(fds[0], true);
		}
		if (err != RV_OK)
			return rv_fail(why, RV_E_BUSY, "no pipes for the job: %s",
				       rv_err_text(err));
	}
	return RV_OK;
}

static int spawn(const struct rv_turn *turn, const struct rv_exec_spec *spec, int payload,
		 const int ends[RV_EXEC_PIPES], struct rv_proc *ret_proc, struct rv_why *why)
{
	struct rv_spawn how;
	int err = RV_FAULT(spawn);

	if (err != RV_OK)
		return rv_fail(why, err, "fault point spawn");
	rv_exec_spec_spawn(spec, turn->task, &how);
	how.fds[0] = (struct rv_spawn_fd){.from = payload, .to = 0};
	how.fds[1] = (struct rv_spawn_fd){.from = ends[0], .to = 1};
	how.fds[2] = (struct rv_spawn_fd){.from = ends[1], .to = 2};
	how.fds[3] = (struct rv_spawn_fd){.from = ends[2], .to = RV_PROGRESS_FD};
	how.nfds = 4;
	return rv_seam()->spawn(rv_seam()->ctx, &how, ret_proc, why);
}

int rv_exec_start(struct rv_worker *worker, struct rv_turn *turn, struct rv_exec *exec,
		  struct rv_why *why)
{
	struct rv_exec_spec spec = {0};
	int ends[RV_EXEC_PIPES] = {-1, -1, -1};
	int payload = -1;
	int err = RV_OK;

	*exec = (struct rv_exec){.proc = {.pidfd = -1}, .fds = {-1, -1, -1}, .tmp = {.fd = -1}};
	if (turn->task->private_tmp)
		err = rv_tmp_make(worker, &exec->tmp, why);
	if (err == RV_OK)
		err = build(worker, turn, &exec->tmp, &spec, why);
	if (err == RV_OK && spec.switch_user && exec->tmp.fd >= 0)
		err = rv_tmp_give(&exec->tmp, spec.uid, spec.gid, why);
	if (err == RV_OK)
		err = rv_turn_payload(worker, turn, &payload, why);
	if (err == RV_OK)
		err = make_pipes(exec, ends, why);
	if (err == RV_OK)
		err = spawn(turn, &spec, payload, ends, &exec->proc, why);
	rv_exec_spec_fini(&spec);
	rv_fd_close(&payload);
	for (unsigned i = 0; i < RV_EXEC_PIPES; i++)
		rv_fd_close(&ends[i]);
	if (err != RV_OK) {
		for (unsigned i = 0; i < RV_EXEC_PIPES; i++)
			rv_fd_close(&exec->fds[i]);
		(void)rv_tmp_remove(&exec->tmp, RV_S_US); /* it is empty */
	}
	return err;
}
