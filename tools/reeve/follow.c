/*
 * The output of a job, as it comes: follows the files by inotify and the job by the waiter's bell.
 * Runs in the CLI.  Holds no transaction while it waits.
 */
#include "follow.h"

#include "conf/conf.h"
#include "obs/output.h"
#include "interrupt.h"
#include "os/file.h"
#include "view.h"

#include <string.h>
#include <sys/stat.h>

void rv_follow_init(struct rv_follow *follow, struct rv_cli *cli, int64_t job)
{
	memset(follow, 0, sizeof(*follow));
	follow->cli = cli;
	follow->job = job;
	rv_emit_init(&follow->emit, &cli->out);
	follow->waiter.fd = -1;
}

void rv_follow_fini(struct rv_follow *follow)
{
	rv_output_reader_close(follow->reader);
	follow->reader = NULL;
	rv_follow_bar_close(follow);
	rv_waiter_fini(&follow->waiter, &follow->cli->client);
}

/* Everything that is there now. */
static int drain(struct rv_follow *follow, bool *ret_any)
{
	struct rv_output_record record;
	int err;

	while ((err = rv_output_next(follow->reader, &record)) == RV_OK) {
		*ret_any = true;
		err = rv_emit_record(&follow->emit, &record);
		if (err)
			return err;
	}
	if (follow->emit.split)
		(void)fflush(stderr);
	if (err != RV_E_BUSY)
		return rv_fail(&follow->cli->why, err, "cannot read the output of job %lld",
			       (long long)follow->job);
	return rv_out_alive() ? RV_OK : RV_E_CLOSED;
}

/*
 * Outputs lie in the daemon's state_dir.  Ours may be another one (--store names the database
 * only), so the store's own folder comes first if it has any.
 */
const char *rv_follow_state_dir(const struct rv_cli *cli, const char *name, char *folder,
				size_t space)
{
	const char *ours = cli->client.conf->reeve.state_dir;
	char output[RV_PATH_MAX];
	struct stat st;

	if (rv_path_folder(folder, space, cli->client.store_path) == RV_OK &&
	    rv_path_join(output, sizeof(output), folder, name) == RV_OK && stat(output, &st) == 0)
		return folder;
	return stat(ours, &st) == 0 ? ours : folder;
}

static int open_reader(struct rv_cli *cli, int64_t job, int run, struct rv_output_reader **ret)
{
	char folder[RV_PATH_MAX];
	struct rv_output_how how = {
		.state_dir = rv_follow_state_dir(cli, "output", folder, sizeof(folder)),
		.job = job,
		.run = run};
	int err = rv_output_reader_open(&how, ret);

	if (err || rv_output_reader_exists(*ret) || how.state_dir != folder)
		return err;
	rv_output_reader_close(*ret);
	*ret = NULL;
	how.state_dir = cli->client.conf->reeve.state_dir;
	err = rv_output_reader_open(&how, ret);
	if (err || rv_output_reader_exists(*ret))
		return err;
	rv_output_reader_close(*ret); /* nowhere yet: wait where it is likelier */
	*ret = NULL;
	how.state_dir = folder;
	return rv_output_reader_open(&how, ret);
}

static int end_run(struct rv_follow *follow)
{
	bool any = false;
	int err = RV_OK;

	if (follow->reader)
		err = drain(follow, &any);
	if (!err)
		err = rv_emit_flush(&follow->emit);
	rv_output_reader_close(follow->reader);
	follow->reader = NULL;
	return err;
}

int rv_follow_run(struct rv_follow *follow, int run, bool *ret_any)
{
	int err = end_run(follow);

	if (err)
		return err;
	follow->run = run;
	err = open_reader(follow->cli, follow->job, run, &follow->reader);
	return err ? err : drain(follow, ret_any);
}

/* Once for each run that did not end it, also when the next one began before we could look. */
static int note_retries(struct rv_follow *follow, const struct rv_job_view *view)
{
	bool waits = view->state == RV_JOB_SCHEDULED;
	int ended = waits ? view->runs : view->runs - 1;
	int err = RV_OK;

	while (!err && follow->noted < ended) {
		int run = ++follow->noted;
		char due[RV_VIEW_AGO_SPACE] = "now";
		char words[RV_VIEW_LAST_SPACE];

		if (follow->emit.silent)
			continue;
		err = rv_view_last(follow->cli->client.store, view, run, words);
		if (!err && waits && run == ended)
			(void)rv_view_due(due, view->run_at_us);
		if (!err)
			rv_cli_note("job %lld: %s; the next run is due %s", (long long)follow->job,
				    words, due);
		else if (err == RV_E_NOTFOUND)
			err = RV_OK; /* not kept */
	}
	return err;
}

/* Reads the job; keeps how it ended.  ${*ret_runs}: how many runs there are. */
static int look(struct rv_follow *follow, int *ret_runs, enum rv_job_state *state)
{
	struct rv_job_view view;
	int err = rv_cli_same_store(follow->cli);

	if (!err)
		err = rv_store_job(follow->cli->client.store, follow->job, &view);
	if (err == RV_E_NOTFOUND)
		return rv_fail(&follow->cli->why, err, "there is no job %lld",
			       (long long)follow->job);
	if (err)
		return err;
	*ret_runs = view.runs;
	*state = view.state;
	follow->state = view.state;
	follow->exit_code = view.exit_code;
	follow->signo = view.signo;
	(void)snprintf(follow->error, sizeof(follow->error), "%s", view.error ? view.error : "");
	return note_retries(follow, &view);
}

/* Prints until nothing more comes from this run, and goes on to the next one if there is one. */
static int catch_up(struct rv_follow *follow, int runs)
{
	bool any = false;
	int err = RV_OK;

	if (follow->reader && !rv_output_reader_exists(follow->reader)) {
		rv_output_reader_close(follow->reader);
		follow->reader = NULL;
		err = open_reader(follow->cli, follow->job, follow->run, &follow->reader);
	}
	if (!err && follow->reader)
		err = drain(follow, &any);
	while (!err && follow->run < runs)
		err = rv_follow_run(follow, follow->run + 1, &any);
	return err;
}

/* Sleeps until the files, the bell, a signal or a second say so. */
static int sleep_once(struct rv_follow *follow, int signal_fd,
		      bool (*interrupted)(struct rv_follow *follow, int signo))
{
	struct pollfd others[2] = {{.fd = signal_fd, .events = POLLIN},
				   {.fd = -1, .events = POLLIN}};
	bool any = false;
	int signo;

	if (follow->reader) {
		int err = rv_output_watch(follow->reader, &others[1].fd);

		if (err == RV_E_NOTFOUND) /* not even the state_dir is there: look by the second */
			err = RV_OK;
		if (!err)
			err = drain(follow, &any); /* what came before the watch was there */
		if (err)
			return err;
	}
	rv_follow_bar_show(follow);
	rv_waiter_sleep(&follow->waiter, others, 2, RV_WAITER_LOOK_US);
	rv_follow_bar_hide(follow);
	if (others[0].revents && rv_interrupt_read(signal_fd, &signo) &&
	    !interrupted(follow, signo))
		return RV_E_CLOSED;
	return RV_OK;
}

int rv_follow_job(struct rv_follow *follow, int signal_fd,
		  bool (*interrupted)(struct rv_follow *follow, int signo))
{
	enum rv_job_state state = RV_JOB_STATES;
	bool watched = false;

	rv_waiter_init(&follow->waiter, &follow->cli->client);
	for (;;) {
		int runs = 0;
		int err = look(follow, &runs, &state);

		if (!err)
			err = catch_up(follow, runs);
		if (err)
			return err;
		if (rv_job_state_final(state)) {
			if (watched)
				rv_waiter_done(&follow->waiter);
			return end_run(follow);
		}
		if (!watched) { /* then look once more before the first sleep */
			err = rv_waiter_watch(&follow->waiter, &follow->cli->client, &follow->job,
					      1, &follow->cli->why);
			watched = true;
		} else {
			err = sleep_once(follow, signal_fd, interrupted);
		}
		if (err)
			return err;
	}
}

int rv_follow_json(struct rv_cli *cli, int64_t job, int run, json_t **ret_list)
{
	struct rv_output_reader *reader = NULL;
	struct rv_output_record record;
	json_t *list = json_array();
	int err = list ? RV_OK : RV_E_NOMEM;

	if (!err && run > 0) {
		err = open_reader(cli, job, run, &reader);
		while (!err && (err = rv_output_next(reader, &record)) == RV_OK)
			err = rv_emit_json(list, &record);
		err = err == RV_E_BUSY ? RV_OK : err;
	}
	rv_output_reader_close(reader);
	if (err) {
		json_decref(list);
		return err;
	}
	*ret_list = list;
	return RV_OK;
}
