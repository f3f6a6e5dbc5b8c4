/*
 * How the process of an exec job is started: what it executes, its payload, its pipes.  Worker
 * processes.  It gets descriptors 0 to 3 and no other, but for RV_STATE_FD of another user.
 * (Wider than it should be: all that a run has of us is brought together here.)
 */
#include "run/exec.h"

#include "base/fault.h"
#include "base/seam.h"
#include "conf/conf.h"
#include "obs/resume.h"
#include "os/fd.h"
#include "os/file.h"
#include "run/exec_spec.h"
#include "run/worker.h"

#include <fcntl.h>
#include <limits.h>
#include <unistd.h>

static int64_t deadline_of(const struct rv_turn *turn)
{
	return turn->claim.timeout_us > 0 ? turn->started_us + turn->claim.timeout_us : 0;
}

/*
 * Where the run may leave something for the next one, into ${out}: what the one before left is
 * within its bound.
 */
static int state_path(const struct rv_worker *worker, const struct rv_turn *turn, char *out,
		      size_t space, struct rv_why *why)
{
	const char *state_dir = worker->conf->reeve.state_dir;
	int64_t size;
	int err = rv_resume_ready(state_dir);

	if (err == RV_OK)
		err = rv_resume_check(state_dir, turn->claim.job, turn->task->state_max_bytes,
				      &size);
	if (err == RV_OK || err == RV_E_TOOBIG)
		err = rv_resume_path(out, space, state_dir, turn->claim.job);
	return err == RV_OK ? err : rv_fail(why, RV_E_BUSY, "no state file: %s", rv_err_text(err));
}

/* For a user who cannot go there. */
static int open_state(const char *path, const struct rv_exec_spec *spec, int *ret_fd,
		      struct rv_why *why)
{
	int err = rv_file_open(path, O_RDWR | O_CREAT, 0600, ret_fd, why);

	if (err == RV_OK && fchown(*ret_fd, spec->uid, spec->gid) != 0)
		err = rv_fail(why, RV_E_DENIED, "the state file cannot be given away: %m");
	return err;
}

static int build(struct rv_worker *worker, struct rv_turn *turn, struct rv_exec *exec,
		 struct rv_exec_spec *spec, struct rv_why *why)
{
	char state[PATH_MAX];
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
		.store = conf->store.path,
		.state_dir = conf->reeve.state_dir,
		.bin = worker->bin,
		.environment = environ,
		.tmp = exec->tmp.path[0] != '\0' ? exec->tmp.path : NULL,
	};
	int err = rv_turn_load(worker, turn, why);

	if (err == RV_OK && turn->task->state_max_bytes > 0) {
		err = state_path(worker, turn, state, sizeof(state), why);
		input.state_file = state;
	}
	if (err != RV_OK)
		return err;
	input.spec = turn->spec;
	input.idem_key = turn->idem_key;
	input.meta = turn->meta;
	input.batch = turn->batch;
	err = rv_exec_spec_build(&input, &turn->arena, spec, why);
	if (err == RV_OK && spec->switch_user && input.state_file)
		err = open_state(state, spec, &exec->state_fd, why);
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
		 const int ends[RV_EXEC_PIPES], struct rv_exec *exec, struct rv_why *why)
{
	struct rv_spawn how;
	int err = RV_FAULT(spawn);

	if (err != RV_OK)
		return rv_fail(why, err, "fault point spawn");
	rv_exec_spec_spawn(spec, turn->task, &how);
	rv_leaf_spawn(&exec->leaf, &how);
	how.fds[0] = (struct rv_spawn_fd){.from = payload, .to = 0};
	how.fds[1] = (struct rv_spawn_fd){.from = ends[0], .to = 1};
	how.fds[2] = (struct rv_spawn_fd){.from = ends[1], .to = 2};
	how.fds[3] = (struct rv_spawn_fd){.from = ends[2], .to = RV_PROGRESS_FD};
	how.nfds = 4;
	if (exec->state_fd >= 0)
		how.fds[how.nfds++] =
			(struct rv_spawn_fd){.from = exec->state_fd, .to = RV_STATE_FD};
	return rv_seam()->spawn(rv_seam()->ctx, &how, &exec->proc, why);
}

int rv_exec_start(struct rv_worker *worker, struct rv_turn *turn, struct rv_exec *exec,
		  struct rv_why *why)
{
	struct rv_exec_spec spec = {0};
	int ends[RV_EXEC_PIPES] = {-1, -1, -1};
	int payload = -1;
	int err = RV_OK;

	*exec = (struct rv_exec){
		.proc = {.pidfd = -1}, .fds = {-1, -1, -1}, .state_fd = -1, .tmp = {.fd = -1}};
	if (turn->task->private_tmp)
		err = rv_tmp_make(worker, &exec->tmp, why);
	if (err == RV_OK)
		err = build(worker, turn, exec, &spec, why);
	if (err == RV_OK && spec.switch_user && exec->tmp.fd >= 0)
		err = rv_tmp_give(&exec->tmp, spec.uid, spec.gid, why);
	if (err == RV_OK)
		err = rv_turn_payload(worker, turn, &payload, why);
	if (err == RV_OK)
		err = make_pipes(exec, ends, why);
	if (err == RV_OK)
		err = rv_leaf_make(turn->task, &exec->leaf, why);
	if (err == RV_OK)
		err = spawn(turn, &spec, payload, ends, exec, why);
	rv_exec_spec_fini(&spec);
	rv_fd_close(&payload);
	rv_fd_close(&exec->state_fd);
	for (unsigned i = 0; i < RV_EXEC_PIPES; i++)
		rv_fd_close(&ends[i]);
	if (err != RV_OK) {
		for (unsigned i = 0; i < RV_EXEC_PIPES; i++)
			rv_fd_close(&exec->fds[i]);
		rv_leaf_remove(&exec->leaf);
		(void)rv_tmp_remove(&exec->tmp, RV_S_US); /* it is empty */
	}
	return err;
}
