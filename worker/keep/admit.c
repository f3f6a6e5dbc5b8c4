/*
 * Whether pools may begin more: the machine's load and memory, and what a pool has of it, looked at
 * with each tick and told to the supervisor, which tells the workers.  So nobody else has to look,
 * a worker that waits has no timer for it, and one that was just started knows it.  Keeper only;
 * with no keeper nobody waits.
 */
#include "keep/keeper.h"

#include "base/fmt.h"
#include "base/seam.h"
#include "conf/conf.h"
#include "obs/log.h"
#include "os/fd.h"
#include "os/self.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define PROCS_MAX 16384 /* more processes than that are not summed up */
#define DEPTH_MAX 64    /* of a process below its worker */

/* The machine as this tick sees it. */
struct machine {
	int64_t load;      /* thousandths, per CPU; -1 not known */
	int64_t available; /* bytes; -1 not known */
};

static struct proc {
	pid_t pid, ppid;
	int64_t rss_bytes;
} procs[PROCS_MAX];
static size_t nprocs;

static bool read_proc(const char *name, char *out, size_t space)
{
	RV_AUTO(rv_fd_close) int fd = -1;
	const char *folder = NULL;
	char path[256];
	size_t got = 0;

#ifdef RV_FAULTS
	folder = getenv("RV_PROC"); /* tests: a machine of their own */
#endif
	(void)snprintf(path, sizeof(path), "%s/%s", folder ? folder : "/proc", name);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0 || rv_fd_read_all(fd, out, space - 1, &got) != RV_OK)
		return false;
	out[got] = '\0';
	return true;
}

static void look(struct machine *machine)
{
	char text[8192];
	const char *at;
	long cpus = sysconf(_SC_NPROCESSORS_ONLN);

	*machine = (struct machine){.load = -1, .available = -1};
	if (read_proc("loadavg", text, sizeof(text)))
		machine->load = (int64_t)(strtod(text, NULL) * 1000) / (cpus > 0 ? cpus : 1);
	if (!read_proc("meminfo", text, sizeof(text)))
		return;
	at = strstr(text, "MemAvailable:");
	if (at)
		machine->available = strtoll(at + strlen("MemAvailable:"), NULL, 10) << 10;
}

static int by_pid(const void *a, const void *b)
{
	const struct proc *one = a;
	const struct proc *two = b;

	return (one->pid > two->pid) - (one->pid < two->pid);
}

static void read_procs(void)
{
	const struct dirent *entry;
	DIR *dir = opendir("/proc");

	nprocs = 0;
	while (dir && nprocs < PROCS_MAX && (entry = readdir(dir)) != NULL) {
		struct rv_procstat stat;
		long pid = strtol(entry->d_name, NULL, 10);

		if (pid > 0 && rv_procstat((pid_t)pid, &stat) == RV_OK)
			procs[nprocs++] = (struct proc){(pid_t)pid, stat.ppid, stat.rss_bytes};
	}
	if (dir)
		(void)closedir(dir);
	qsort(procs, nprocs, sizeof(procs[0]), by_pid);
}

static bool is_worker_of(const struct rv_keeper *keeper, pid_t pid, const struct rv_conf_pool *pool)
{
	for (unsigned i = 0; i < keeper->nlives; i++) {
		if (keeper->lives[i].pid == pid && keeper->lives[i].pool == pool)
			return true;
	}
	return false;
}

/* A worker of the pool, or below one: whatever a job leaves goes to its worker. */
static bool is_of_pool(const struct rv_keeper *keeper, const struct proc *proc,
		       const struct rv_conf_pool *pool)
{
	for (int depth = 0; proc && depth < DEPTH_MAX; depth++) {
		struct proc parent = {.pid = proc->ppid};

		if (is_worker_of(keeper, proc->pid, pool))
			return true;
		proc = bsearch(&parent, procs, nprocs, sizeof(procs[0]), by_pid);
	}
	return false;
}

static int64_t rss_of(const struct rv_keeper *keeper, const struct rv_conf_pool *pool)
{
	int64_t sum = 0;

	for (size_t i = 0; i < nprocs; i++) {
		if (is_of_pool(keeper, &procs[i], pool))
			sum += procs[i].rss_bytes;
	}
	return sum;
}

/* Why the pool waits, into ${why}; false: it need not. */
static bool waits(const struct rv_keeper *keeper, const struct rv_conf_pool *pool,
		  const struct machine *machine, char *why, size_t space)
{
	char now[RV_FMT_SPACE];
	char bound[RV_FMT_SPACE];
	int64_t rss;

	if (pool->max_load > 0 && machine->load > pool->max_load) {
		(void)snprintf(why, space, "load %lld.%lld of %d.%d",
			       (long long)machine->load / 1000, (long long)machine->load / 100 % 10,
			       pool->max_load / 1000, pool->max_load / 100 % 10);
		return true;
	}
	if (pool->min_memory_bytes > 0 && machine->available >= 0 &&
	    machine->available < pool->min_memory_bytes) {
		(void)snprintf(why, space, "%lldM of %s memory available",
			       (long long)(machine->available >> 20),
			       rv_fmt_size(bound, pool->min_memory_bytes));
		return true;
	}
	rss = pool->max_rss_total_bytes > 0 ? rss_of(keeper, pool) : 0;
	if (rss <= pool->max_rss_total_bytes)
		return false;
	(void)snprintf(now, sizeof(now), "%lldM", (long long)(rss >> 20));
	(void)snprintf(why, space, "its processes have %s of %s memory", now,
		       rv_fmt_size(bound, pool->max_rss_total_bytes));
	return true;
}

static bool has_bounds(const struct rv_conf_pool *pool)
{
	return pool->max_load > 0 || pool->min_memory_bytes > 0 || pool->max_rss_total_bytes > 0;
}

bool rv_keep_waits(const struct rv_keeper *keeper, const struct rv_conf_pool *pool)
{
	size_t at = (size_t)(pool - keeper->child.conf->pools);

	return at < RV_ARRAY_LEN(keeper->waits) && keeper->waits[at];
}

void rv_keep_admit(struct rv_keeper *keeper)
{
	const struct rv_conf *conf = keeper->child.conf;
	struct machine machine = {.load = -1, .available = -1};
	bool looked = false;
	bool summed = false;

	for (size_t i = 0; i < conf->npools && i < RV_ARRAY_LEN(keeper->waits); i++) {
		const struct rv_conf_pool *pool = &conf->pools[i];
		struct rv_sup_msg msg = {.version = RV_SUP_VERSION, .kind = RV_SUP_ADMIT};
		char why[80] = "";

		if (!has_bounds(pool))
			continue;
		if (!looked)
			look(&machine);
		if (!summed && pool->max_rss_total_bytes > 0) {
			read_procs();
			summed = true;
		}
		looked = true;
		keeper->waits[i] = waits(keeper, pool, &machine, why, sizeof(why));
		msg.a = rv_ring_token(pool->name);
		msg.b = keeper->waits[i];
		msg.size = (uint32_t)strlen(why);
		memcpy(msg.text, why, msg.size);
		if (rv_sup_send(RV_SUP_FD, &msg) != RV_OK)
			rv_log(RV_LOG_DEBUG, RV_EV_keeper_failed, "an ADMIT was not taken");
	}
}
