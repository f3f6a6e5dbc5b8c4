/*
 * A trial: a command is run a few times to see how long it takes, what it uses and when it prints.
 * Runs in the CLI, whose children the runs are; none outlives it.  What they print is read and
 * forgotten.
 */
#include "advise.h"

#include "base/check.h"
#include "base/seam.h"
#include "interrupt.h"
#include "os/fd.h"
#include "os/spawn.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <unistd.h>

struct trial {
	struct rv_cli *cli;
	struct rv_facts *facts;
	int64_t *took; /* owned; us, of the runs so far */
	size_t ntook;
	int signal_fd;
	int signo;
};

/* One run. */
struct attempt {
	struct rv_proc proc;
	int out; /* what it prints; -1: it has closed it */
	int64_t started_us, end_us, heard_us;
	int64_t silence_us;
	bool printed, killed;
};

static int spawn(struct trial *trial, char *const *argv, struct attempt *run)
{
	int pipe[2];
	int err = rv_fd_pipe(pipe, true);
	struct rv_spawn how = {
		.argv = argv, .envp = environ, .new_session = true, .parent_death_signal = SIGKILL};

	if (err)
		return rv_fail(&trial->cli->why, err, "cannot make a pipe");
	how.fds[0] = (struct rv_spawn_fd){-1, 0};
	how.fds[1] = (struct rv_spawn_fd){pipe[1], 1};
	how.fds[2] = (struct rv_spawn_fd){pipe[1], 2};
	how.nfds = 3;
	run->started_us = run->heard_us = rv_mono_us();
	err = rv_spawn(&how, &run->proc, &trial->cli->why);
	rv_fd_close(&pipe[1]);
	if (err)
		rv_fd_close(&pipe[0]);
	run->out = pipe[0];
	return err;
}

static void kill_it(struct attempt *run)
{
	run->killed = true;
	(void)rv_proc_signal(&run->proc, SIGKILL, true);
}

/* Reads what there is, up to a bound: another turn comes. */
static void hear(struct attempt *run)
{
	static char forgotten[65536];
	ssize_t n = read(run->out, forgotten, sizeof(forgotten));
	int64_t now_us = rv_mono_us();

	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	if (n <= 0) {
		rv_fd_close(&run->out);
		return;
	}
	if (now_us - run->heard_us > run->silence_us)
		run->silence_us = now_us - run->heard_us;
	run->heard_us = now_us;
	run->printed = true;
}

static int patience_ms(const struct attempt *run)
{
	int64_t left = run->end_us - rv_mono_us();

	if (run->end_us == 0 || run->killed)
		return -1;
	return left <= 0 ? 0 : (int)(left > RV_S_US ? 1000 : (left + RV_MS_US - 1) / RV_MS_US);
}

/* Until its leader has ended; what holds its output then is not waited for. */
static void watch(struct trial *trial, struct attempt *run)
{
	struct pollfd fds[3];

	do {
		fds[0] = (struct pollfd){.fd = run->proc.pidfd, .events = POLLIN};
		fds[1] = (struct pollfd){.fd = run->out, .events = POLLIN};
		fds[2] = (struct pollfd){.fd = trial->signal_fd, .events = POLLIN};
		if (poll(fds, RV_ARRAY_LEN(fds), patience_ms(run)) < 0)
			continue;
		if (fds[1].revents)
			hear(run);
		if (fds[2].revents && rv_interrupt_read(trial->signal_fd, &trial->signo))
			kill_it(run);
		if (run->end_us != 0 && !run->killed && rv_mono_us() >= run->end_us)
			kill_it(run);
	} while (!(fds[0].revents & POLLIN));
}

static int64_t time_us(const struct timeval *tv)
{
	return (int64_t)tv->tv_sec * RV_S_US + tv->tv_usec;
}

static void count(struct trial *trial, struct attempt *run, const struct rv_exit *ended)
{
	struct rv_facts *facts = trial->facts;
	int64_t now_us = rv_mono_us();
	int64_t took_us = now_us - run->started_us;

	facts->jobs++;
	facts->timeouts += run->killed;
	/* What has failed says nothing of how long it takes to succeed. */
	if (ended->code != 0) {
		facts->failed++;
		return;
	}
	facts->runs++;
	facts->cpu_us += time_us(&ended->usage.ru_utime) + time_us(&ended->usage.ru_stime);
	facts->busy_us += took_us;
	if (ended->usage.ru_maxrss > facts->rss_kib)
		facts->rss_kib = ended->usage.ru_maxrss;
	trial->took[trial->ntook++] = took_us;
	if (!run->printed)
		return;
	if (now_us - run->heard_us > run->silence_us)
		run->silence_us = now_us - run->heard_us;
	facts->printing++;
	if (run->silence_us > facts->silence_us)
		facts->silence_us = run->silence_us;
}

static int run_once(struct trial *trial, char *const *argv, int64_t timeout_us)
{
	struct attempt run = {.out = -1, .proc = {.pidfd = -1}};
	struct rv_exit ended = {.code = -1};
	int err = spawn(trial, argv, &run);

	if (err)
		return err;
	if (timeout_us > 0)
		run.end_us = run.started_us + timeout_us;
	watch(trial, &run);
	/* Its group may be there yet; its number is free only when it was reaped. */
	(void)rv_proc_signal(&run.proc, SIGKILL, true);
	err = rv_proc_reap(&run.proc, &ended);
	rv_fd_close(&run.out);
	if (err)
		return rv_fail(&trial->cli->why, err, "the run's end was not to be had");
	if (!trial->signo)
		count(trial, &run, &ended);
	return RV_OK;
}

static int compare(const void *a, const void *b)
{
	const int64_t *x = a;
	const int64_t *y = b;

	return (*x > *y) - (*x < *y);
}

static void summarize(struct trial *trial)
{
	struct rv_facts *facts = trial->facts;
	size_t n = trial->ntook;

	if (n == 0 || !trial->took)
		return;
	qsort(trial->took, n, sizeof(*trial->took), compare);
	facts->p50_us = trial->took[(n + 1) / 2 - 1];
	facts->p95_us = facts->p99_us = facts->most_us = trial->took[n - 1];
}

int rv_advise_trial(struct rv_cli *cli, char *const *argv, int64_t runs, int64_t timeout_us,
		    struct rv_facts *ret_facts, int *ret_signo)
{
	struct rv_facts facts = {.trial = true,
				 .p50_us = -1,
				 .p95_us = -1,
				 .p99_us = -1,
				 .most_us = -1,
				 .wait95_us = -1,
				 .rss_kib = -1,
				 .hour_runs = -1,
				 .gap05_us = -1,
				 .gap50_us = -1,
				 .gap95_us = -1,
				 .silence_us = -1};
	struct trial trial = {.cli = cli, .facts = &facts};
	RV_AUTO(rv_interrupt_close) int signal_fd = -1;
	int err = rv_interrupt_open(&signal_fd);

	PRE(runs > 0);
	trial.signal_fd = signal_fd;
	trial.took = calloc((size_t)runs, sizeof(*trial.took));
	if (!trial.took)
		err = RV_E_NOMEM;
	for (int64_t i = 0; !err && !trial.signo && i < runs; i++)
		err = run_once(&trial, argv, timeout_us);
	summarize(&trial);
	free(trial.took);
	*ret_signo = trial.signo;
	if (!err) {
		rv_advise_place(cli, "default", &facts);
		*ret_facts = facts;
	}
	return err;
}
