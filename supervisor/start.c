/*
 * The start of the daemon, in the order of the design: folders, lock, wait and sweep, area,
 * doorbell, control socket; then the loop, whose first plan starts the keeper.  Runs in the
 * supervisor only. Nothing is written, swept or bound before the store's lock is ours.
 *
 * Wider than the budget of headers: table.h brings what the child table is made of.
 */
#include "supervisor/start.h"

#include "base/buf.h"
#include "base/check.h"
#include "base/err.h"
#include "base/seam.h"
#include "conf/conf.h"
#include "obs/log.h"
#include "os/fd.h"
#include "os/file.h"
#include "os/lock.h"
#include "os/notify.h"
#include "os/self.h"
#include "os/sweep.h"
#include "supervisor/control.h"
#include "supervisor/doorbell.h"
#include "supervisor/group.h"
#include "supervisor/main.h"
#include "supervisor/oom.h"
#include "supervisor/place.h"
#include "supervisor/reload.h"
#include "supervisor/signals.h"
#include "supervisor/step.h"
#include "wire/area.h"

#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/stat.h>
#include <unistd.h>

#define HEADROOM      32                 /* slots for a reload, past twice the workers */
#define FDS_PER_CHILD 3                  /* pidfd, channel, stderr */
#define LEFTOVER_US   (5 * RV_SECOND_US) /* past kill_after */

static void noop_io(struct rv_loop_io *io, int events)
{
	(void)io;
	(void)events;
}

static void noop_timer(struct rv_loop_timer *timer)
{
	(void)timer;
}

/* What the children of our last image have open already. */
static size_t count_held(const struct rv_sup *sup)
{
	size_t held = 0;

	for (size_t i = 0; i < sup->nslots; i++) {
		const struct rv_child *child = &sup->children[i];

		held += (size_t)(child->proc.pidfd >= 0) + (size_t)(child->chan >= 0) +
			(size_t)(child->words.fd >= 0);
	}
	POST(held <= sup->nslots * FDS_PER_CHILD);
	return held;
}

/*
 * libev's tables grow when more is watched than ever before; here they grow once, to what a full
 * child table needs, so that no death has to allocate.  At the first start it is an error not to
 * have the descriptors for it; whoever goes on has children to lose, and warms what there is.
 */
static int warm_loop(const struct rv_sup *sup, struct rv_why *why)
{
	bool is_first = sup->options->resume_fd < 0;
	size_t n = sup->nslots * FDS_PER_CHILD;
	size_t wanted = n - count_held(sup);
	struct rv_loop_timer timer = {0};
	struct rv_loop_io *ios = calloc(n, sizeof *ios);
	int *fds = calloc(n, sizeof *fds);
	int err = ios && fds ? RV_OK : RV_E_NOMEM;
	size_t made = 0;

	while (err == RV_OK && made < wanted && (fds[made] = eventfd(1, EFD_CLOEXEC)) >= 0) {
		rv_loop_io_start(sup->loop, &ios[made], fds[made], RV_LOOP_READ, noop_io, NULL);
		made++;
	}
	if (err == RV_OK && made < wanted && is_first)
		err = rv_fail(why, RV_E_MISSING,
			      "%zu descriptors are needed and %zu can be had: raise the limit "
			      "(ulimit -n, LimitNOFILE)",
			      n, made);
	/* In place of those that are held: as much is pending at once. */
	for (size_t i = made; i < n && made > 0; i++)
		rv_loop_io_start(sup->loop, &ios[i], fds[i % made], RV_LOOP_READ, noop_io, NULL);
	rv_loop_timer_start(sup->loop, &timer, 0, noop_timer, NULL);
	for (int i = 0; i < 3 && err == RV_OK && rv_loop_timer_active(&timer); i++)
		rv_loop_turn(sup->loop, false);
	rv_loop_timer_stop(&timer);
	for (size_t i = 0; ios && i < n; i++)
		rv_loop_io_stop(&ios[i]);
	while (made-- > 0)
		rv_fd_close(&fds[made]);
	free(ios);
	free(fds);
	return err;
}

/* The mark of this store's processes: its lock file by what it is, not by where it lies. */
int rv_sup_mark(struct rv_sup *sup, struct rv_why *why)
{
	struct stat st;

	PRE(sup->lock_fd >= 0);
	if (fstat(sup->lock_fd, &st) != 0)
		return rv_fail(why, RV_E_IO, "cannot look at the lock: %m");
	(void)snprintf(sup->mark, sizeof sup->mark, "%llx-%llx.", (unsigned long long)st.st_dev,
		       (unsigned long long)st.st_ino);
	/* Also on what clears its environment and outlives both us and its worker. */
	if (rv_sweep_mark("REEVE_INSTANCE", sup->mark) != RV_OK)
		rv_log(RV_LOG_WARN, RV_EV_daemon_starting,
		       "RLIMIT_LOCKS is limited: should reeved and its workers be killed at once, "
		       "a "
		       "process of a job without its environment can outlive them");
	return RV_OK;
}

static int take_lock(struct rv_sup *sup, struct rv_why *why)
{
	char path[RV_PATH_MAX];
	pid_t holder = 0;
	int n = snprintf(path, sizeof path, "%s.lock", sup->conf->store.path);
	int err;

	if (n < 0 || (size_t)n >= sizeof path)
		return rv_fail(why, RV_E_CONF, "store.path is too long");
	err = rv_lock_daemon(path, sup->conf->reeve.group ? 0660 : 0600, &sup->lock_fd, &holder,
			     why);
	if (err != RV_OK)
		return err;
	return rv_sup_mark(sup, why);
}

struct leftovers {
	const char *mark;
	int most; /* seen at once */
};

static int sweep_leftovers(void *ctx)
{
	struct leftovers *left = ctx;
	int found = 0;
	int err = rv_sweep_marked("REEVE_INSTANCE", left->mark, &found);

	if (err == RV_OK && found > left->most)
		left->most = found;
	return err;
}

/* Nothing of a killed predecessor may live when the first lease of ours is given. */
static int await_predecessor(struct rv_sup *sup, struct rv_why *why)
{
	struct leftovers left = {.mark = sup->mark};
	int64_t deadline_us = rv_mono_us() + sup->kill_after_us + LEFTOVER_US;
	int found = 1;
	int err = sweep_leftovers(&left);

	PRE(sup->lock_fd >= 0 && sup->mark[0] != '\0');

	if (err == RV_OK && left.most > 0)
		rv_log(RV_LOG_INFO, RV_EV_daemon_waiting,
		       "%d processes of a killed predecessor are ended", left.most);
	if (err == RV_OK)
		err = rv_lock_wait(sup->lock_fd, deadline_us, sweep_leftovers, &left);
	/* Those that hold no lock: its jobs. */
	while (err == RV_OK && found > 0) {
		err = rv_sweep_marked("REEVE_INSTANCE", sup->mark, &found);
		if (err == RV_OK && found > 0 && rv_mono_us() >= deadline_us)
			err = RV_E_TIMEOUT;
		if (err == RV_OK && found > 0)
			(void)poll(NULL, 0, RV_LOCK_TRY_MS);
	}
	if (err == RV_E_TIMEOUT)
		return rv_fail(why, RV_E_BUSY,
			       "processes of a killed predecessor do not end; try again later");
	if (err != RV_OK)
		return rv_fail(why, err, "cannot sweep what a killed predecessor left: %s",
			       rv_err_text(err));
	if (left.most > 0)
		rv_log(RV_LOG_WARN, RV_EV_sweep_leftover,
		       "a killed predecessor had left %d processes; they are ended", left.most);
	return RV_OK;
}

/* Children we have already are not ours to sweep: a shell's background jobs before its exec. */
static void note_strangers(struct rv_sup *sup)
{
	char path[64];
	char list[1024];
	size_t got = 0;
	char *at = list;
	char *end;
	int n = 0;
	RV_AUTO(rv_fd_close) int fd = -1;

	(void)snprintf(path, sizeof path, "/proc/self/task/%d/children", (int)gettid());
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0 || rv_fd_read_all(fd, list, sizeof list - 1, &got) != RV_OK)
		return;
	list[got] = '\0';
	for (long pid = strtol(at, &end, 10); end != at && n < RV_STRANGERS_MAX;
	     pid = strtol(at, &end, 10)) {
		sup->strangers[n++] = (pid_t)pid;
		at = end;
	}
}

int rv_sup_program(const char *name, char *out, size_t space, struct rv_why *why)
{
	const char *folder = NULL;

#ifdef RV_FAULTS
	folder = getenv("REEVE_LIBEXEC"); /* tests: other children than ours */
#endif
	return folder ? rv_path_join(out, space, folder, name)
		      : rv_self_sibling(name, out, space, why);
}

int rv_sup_programs(struct rv_sup *sup, struct rv_why *why)
{
	static const char *const names[] = {
#define PROC(sym, program, name, first, last) [RV_PROC_##sym] = program,
#include "supervisor/procs.def"
#undef PROC
	};

	for (int kind = 0; kind < RV_PROC_KINDS; kind++) {
		char *out = sup->program[kind];
		int err = rv_sup_program(names[kind], out, sizeof sup->program[kind], why);

		if (err != RV_OK)
			return err;
		if (access(out, X_OK) != 0)
			return rv_fail(why, RV_E_MISSING, "cannot execute %s: %m", out);
	}
	return RV_OK;
}

int rv_sup_table(struct rv_sup *sup, size_t nslots, struct rv_why *why)
{
	int64_t *times;

	PRE(!sup->children && nslots >= 2 && nslots <= RV_PLAN_SLOTS_MAX);
	sup->nslots = nslots;
	sup->children = calloc(sup->nslots, sizeof *sup->children);
	times = calloc((sup->nslots + 1) * RV_RESTART_BURST_MAX, sizeof *times);
	sup->times = times;
	if (!sup->children || !times || rv_obits_init(&sup->obits, sup->nslots) != RV_OK)
		return rv_fail(why, RV_E_NOMEM, "out of memory");
	for (size_t i = 0; i < sup->nslots; i++) {
		struct rv_child *child = &sup->children[i];

		child->slot = (unsigned)i;
		child->pool = RV_POOL_NONE;
		child->proc.pidfd = -1;
		child->chan = -1;
		child->words.fd = -1;
		child->restart.times = times + i * RV_RESTART_BURST_MAX;
	}
	sup->area_restart.times = times + sup->nslots * RV_RESTART_BURST_MAX;
	return RV_OK;
}

void rv_sup_table_free(struct rv_sup *sup)
{
	rv_obits_fini(&sup->obits);
	free(sup->children);
	free(sup->times);
	sup->children = NULL;
	sup->times = NULL;
}

/* For what is configured now and for what a reload may want. */
static int make_table(struct rv_sup *sup, struct rv_why *why)
{
	size_t workers = 0;
	size_t nslots;

	PRE(sup->conf->npools > 0);
	for (size_t i = 0; i < sup->conf->npools; i++)
		workers += (size_t)sup->conf->pools[i].workers.max;
	nslots = 1 + 2 * workers + HEADROOM;
	if (nslots > RV_PLAN_SLOTS_MAX)
		nslots = RV_PLAN_SLOTS_MAX;
	return rv_sup_table(sup, nslots, why);
}

static int open_area(struct rv_sup *sup, struct rv_why *why)
{
	uint64_t id;

	PRE(sup->area_fd < 0);
	/* Above: of this start, and positive for SQLite; below: counted. */
	sup->last_incarnation = (rv_random_u64() >> 33 | 1) << 32;
	sup->area_us = rv_mono_us();
	POST(sup->last_incarnation >> 32 != 0 && (int64_t)sup->last_incarnation > 0);
	return rv_area_create((unsigned)sup->nslots, &sup->area_fd, &id, why);
}

int rv_sup_loop(struct rv_sup *sup, struct rv_why *why)
{
	int err = rv_loop_new(&sup->loop);

	if (err == RV_OK)
		err = warm_loop(sup, why);
	if (err == RV_E_MISSING)
		return err;
	if (err == RV_OK)
		err = rv_subreaper();
	if (err != RV_OK)
		return rv_fail(why, err, "cannot make the event loop: %s", rv_err_text(err));
	rv_loop_hook(sup->loop, rv_step, sup);
	return rv_signals_open(sup, why);
}

/*
 * The path of this program, at which another may lie one day: as it was called, for the name may be
 * a link that is to lead elsewhere then; else as the kernel has it.
 */
static void find_self(struct rv_sup *sup, const char *name)
{
	char here[PATH_MAX] = "";
	struct stat ours;
	struct stat there;
	int n;

	if (name && strchr(name, '/') && (name[0] == '/' || getcwd(here, sizeof here))) {
		n = snprintf(sup->self, sizeof sup->self, "%s%s%s", here,
			     here[0] != '\0' ? "/" : "", name);
		if (n > 0 && (size_t)n < sizeof sup->self && stat(sup->self, &there) == 0 &&
		    stat("/proc/self/exe", &ours) == 0 && ours.st_dev == there.st_dev &&
		    ours.st_ino == there.st_ino)
			return;
	}
	n = (int)readlink("/proc/self/exe", sup->self, sizeof sup->self - 1);
	sup->self[n > 0 ? n : 0] = '\0';
}

void rv_sup_init(struct rv_sup *sup, const struct rv_options *options)
{
	*sup = (struct rv_sup){
		.options = options,
		.conf_fd = -1,
		.lock_fd = -1,
		.area_fd = -1,
		.bell_fd = -1,
		.control_fd = -1,
		.log_fd = -1,
		.started_us = rv_mono_us(),
		.upgrade = {.checker = {.pidfd = -1}, .words_fd = -1},
	};
	(void)rv_oom_killed_since(&sup->oom_kills);
	find_self(sup, options->argv[0]);
}

int rv_sup_open(struct rv_sup *sup, const struct rv_options *options, struct rv_conf *conf,
		struct rv_why *why)
{
	int err;

	rv_sup_init(sup, options);
	sup->conf = conf;
	note_strangers(sup);
	err = rv_sup_programs(sup, why);
	if (err == RV_OK)
		err = rv_place_make(conf, why);
	if (err == RV_OK)
		err = take_lock(sup, why);
	if (err != RV_OK)
		return err;
	sup->conf = NULL; /* adopted as the first one */
	err = rv_reload_adopt(sup, conf, why);
	if (err != RV_OK) {
		sup->conf = conf;
		return err;
	}
	rv_log_with(RV_LOG_INFO, RV_EV_daemon_starting,
		    RV_FIELDS(RV_STR("store", conf->store.path), RV_STR("version", RV_VERSION)),
		    "reeved %s starts", RV_VERSION);
	rv_place_share(sup->conf);
	rv_group_open(sup);
	err = await_predecessor(sup, why);
	if (err == RV_OK)
		err = rv_group_limits(sup, sup->conf, why);
	if (err == RV_OK)
		err = make_table(sup, why);
	if (err == RV_OK)
		err = rv_sup_loop(sup, why);
	if (err == RV_OK)
		err = open_area(sup, why);
	if (err == RV_OK)
		err = rv_doorbell_open(sup, why);
	if (err == RV_OK)
		err = rv_control_open(sup, why);
	sup->watchdog_us = rv_notify_watchdog_us() / 2;
	sup->is_dirty = true;
	return err;
}

void rv_sup_close(struct rv_sup *sup)
{
	for (size_t i = 0; i < sup->nslots && sup->children; i++)
		INV(sup->children[i].proc.pidfd < 0);
	if (sup->loop) {
		rv_loop_hook(sup->loop, NULL, NULL);
		rv_loop_timer_stop(&sup->timer);
		rv_loop_io_stop(&sup->log_io);
		rv_control_close(sup);
		rv_doorbell_close(sup);
		rv_loop_signals_stop(&sup->signals);
		rv_loop_free(sup->loop);
	}
	rv_group_close(sup);
	rv_sup_table_free(sup);
	free(sup->child_env);
	rv_conf_free(sup->conf);
	rv_fd_close(&sup->conf_fd);
	rv_fd_close(&sup->area_fd);
	rv_fd_close(&sup->lock_fd);
}
