/*
 * What a configuration asks of this machine: its users, programs, modules, and what its kernel can
 * limit.  Whoever reads a configuration for itself; children leave it out, they get what was
 * checked.
 */
#include "conf/build.h"

#include "conf/words.h"
#include "conf/zone.h"

#include <errno.h>
#include <grp.h>
#include <pwd.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static void check_group(struct rv_builder *b, const struct rv_instance *in, const char *group)
{
	if (!group || !rv_build_is_set(in, "group"))
		return;
	errno = 0;
	if (!getgrnam(group) && (errno == 0 || errno == ENOENT || errno == ESRCH))
		rv_conf_error_add(b->errors, rv_build_where(in, "group"),
				  "group = %s: there is no such group", group);
}

/* Of a job: who has it already needs no right to it. */
static void check_job_group(struct rv_builder *b, const struct rv_instance *in, const char *group)
{
	const struct group *entry = group && geteuid() != 0 ? getgrnam(group) : NULL;

	check_group(b, in, group);
	if (entry && rv_build_is_set(in, "group") && entry->gr_gid != getegid())
		rv_conf_warning_add(b->errors, rv_build_where(in, "group"),
				    "group = %s: only a daemon of root can run jobs in another "
				    "group",
				    group);
}

static void check_user(struct rv_builder *b, const struct rv_instance *in, const char *user)
{
	const struct passwd *entry;

	if (!user || !rv_build_is_set(in, "user"))
		return;
	errno = 0;
	entry = getpwnam(user);
	if (!entry && (errno == 0 || errno == ENOENT || errno == ESRCH))
		rv_conf_error_add(b->errors, rv_build_where(in, "user"),
				  "user = %s: there is no such user", user);
	else if (entry && geteuid() != 0 && entry->pw_uid != geteuid())
		rv_conf_warning_add(b->errors, rv_build_where(in, "user"),
				    "user = %s: only a daemon of root can run jobs as another user",
				    user);
}

/* What only root can give is said here; the kernel would refuse each job. */
static void check_rights(struct rv_builder *b, const struct rv_instance *in,
			 const struct rv_conf_task *task)
{
	long count = sysconf(_SC_NPROCESSORS_CONF);
	bool root = geteuid() == 0;

	for (int cpu = 0; cpu < RV_CONF_CPUS_MAX && rv_build_is_set(in, "cpus"); cpu++) {
		if (cpu < count || (task->cpus.bits[cpu / 64] >> (cpu % 64) & 1) == 0)
			continue;
		rv_conf_error_add(b->errors, rv_build_where(in, "cpus"),
				  "cpus: this machine has no CPU %d", cpu);
		break;
	}
	if (!root && rv_build_is_set(in, "nice") && task->nice < 0)
		rv_conf_warning_add(b->errors, rv_build_where(in, "nice"),
				    "nice = %d: only a daemon of root can do that", task->nice);
	if (!root && rv_build_is_set(in, "ionice") && task->ionice >> 13 == RV_CONF_IO_REALTIME)
		rv_conf_warning_add(b->errors, rv_build_where(in, "ionice"),
				    "ionice = realtime: only a daemon of root can do that");
	if (!root && rv_build_is_set(in, "oom_score_adj") && task->oom_score_adj < 0)
		rv_conf_warning_add(b->errors, rv_build_where(in, "oom_score_adj"),
				    "oom_score_adj = %d: only a daemon of root can do that",
				    task->oom_score_adj);
}

/* A limit that cannot be had is no limit: an error, where it was asked for. */
static void check_limits(struct rv_builder *b, const struct rv_instance *in,
			 const struct rv_conf_task *task)
{
	const struct {
		const char *key, *controller;
		bool wanted;
	} limits[] = {
		{"memory_max", "memory", task->memory_max_bytes > 0},
		{"cpu_max", "cpu", task->cpu_max > 0},
		{"pids_max", "pids", task->pids_max > 0},
	};

	for (size_t i = 0; i < RV_ARRAY_LEN(limits) && b->limits; i++) {
		struct rv_why why = {0};
		int err;

		if (!limits[i].wanted || !rv_build_is_set(in, limits[i].key))
			continue;
		err = b->limits(limits[i].controller, &why);
		if (err != RV_OK)
			rv_conf_error_add(b->errors, rv_build_where(in, limits[i].key),
					  "%s: such a limit cannot be had here: %s", limits[i].key,
					  rv_why_text(&why, err));
	}
}

/* Do jobs without a user run as root? */
static bool is_roots(const struct rv_builder *b)
{
	const struct rv_conf_reeve *reeve = rv_build_find(b, RV_SECTION_REEVE, "")->base;
	struct stat st;

	if (b->as != RV_CONF_AS_OWNER)
		return b->as == RV_CONF_AS_ROOT;
	return stat(reeve->state_dir, &st) != 0 || st.st_uid == 0;
}

/*
 * The kernel lets root have any number of processes: such a limit would be none.  Of what tasks
 * inherit it is said once, where it stands; [defaults] by itself is what ad-hoc jobs have.
 */
static void check_nproc(struct rv_builder *b, const struct rv_instance *in, bool *said)
{
	const struct rv_instance *defaults = rv_build_find(b, RV_SECTION_DEFAULTS, "");
	const struct rv_conf_reeve *reeve = rv_build_find(b, RV_SECTION_REEVE, "")->base;
	const struct rv_conf_task *task = in->base;
	const struct passwd *entry = task->user ? getpwnam(task->user) : NULL;
	const char *key = "limit_nproc";

	if (task->limit_nproc == RV_CONF_UNSET || task->limit_nproc == RV_CONF_INFINITY ||
	    (task->user && (!entry || entry->pw_uid != 0)) ||
	    (in == defaults ? !reeve->adhoc : task->handler == RV_CONF_HANDLER_BUILTIN))
		return;
	if (!rv_build_is_set(in, key) && rv_build_is_set(in, "user"))
		key = "user";
	else if (!rv_build_is_set(in, key))
		in = defaults;
	if (in == defaults && *said)
		return;
	*said = *said || in == defaults;
	rv_conf_error_add(b->errors, rv_build_where(in, key),
			  "limit_nproc = %lld: it does not bind root, as whom such jobs would run: "
			  "give them a user, or pids_max instead",
			  (long long)task->limit_nproc);
}

/* A program that is not there may still come: a warning. */
static void check_program(struct rv_builder *b, const struct rv_instance *in)
{
	const struct rv_conf_task *task = in->base;
	struct rv_words words = {0};
	struct rv_arena arena;
	int err;

	if (!task->command || task->shell)
		return;
	rv_arena_init(&arena);
	err = rv_words_split(task->command, &arena, &words, NULL);
	if (err == RV_E_NOMEM)
		b->err = err;
	if (err == RV_OK && words.count > 0 && words.items[0].nparts == 1) {
		const struct rv_word_part *first = &words.items[0].parts[0];

		if (!first->is_arg && first->text[0] == '/' && access(first->text, X_OK) != 0)
			rv_conf_warning_add(b->errors, rv_build_where(in, "command"),
					    "command: %s cannot be run: %s", first->text,
					    strerror(errno));
	}
	rv_arena_reset(&arena);
}

/* The same; and what is in it, for who asks. */
static void check_module(struct rv_builder *b, const struct rv_instance *in)
{
	const struct rv_conf_task *task = in->base;
	struct rv_why why = {0};
	int err;

	if (!task->module || task->handler != RV_CONF_HANDLER_MODULE)
		return;
	if (access(task->module, R_OK) != 0) {
		rv_conf_warning_add(b->errors, rv_build_where(in, "module"),
				    "module: %s cannot be read: %s", task->module, strerror(errno));
		return;
	}
	err = b->look ? b->look(task->module, task->user, task->group, &why) : RV_OK;
	if (err == RV_E_NOMEM)
		b->err = err;
	else if (err != RV_OK)
		rv_conf_error_add(b->errors, rv_build_where(in, "module"), "module: %s",
				  rv_why_text(&why, err));
}

static void check_zone(struct rv_builder *b, const struct rv_instance *in)
{
	const struct rv_conf_schedule *schedule = in->base;
	struct rv_zone *zone = NULL;
	struct rv_why why = {0};
	int err;

	if (rv_build_is_bad(in, "timezone"))
		return;
	err = rv_conf_zone(schedule->timezone, &zone, &why);
	if (err == RV_E_NOMEM)
		b->err = err;
	else if (err)
		rv_conf_error_add(b->errors, rv_build_where(in, "timezone"), "timezone: %s",
				  rv_why_text(&why, err));
	rv_zone_free(zone);
}

void rv_check_machine(struct rv_builder *b)
{
	bool root = is_roots(b);
	bool said = false;

	for (size_t i = 0; i < rv_build_count(b) && b->err == RV_OK; i++) {
		const struct rv_instance *in = rv_build_at(b, i);

		if (in->section == RV_SECTION_SCHEDULE) {
			check_zone(b, in);
		} else if (in->section == RV_SECTION_REEVE) {
			check_group(b, in, ((const struct rv_conf_reeve *)in->base)->group);
		} else if (in->section == RV_SECTION_TASK || in->section == RV_SECTION_DEFAULTS) {
			const struct rv_conf_task *task = in->base;

			check_user(b, in, task->user);
			check_job_group(b, in, task->group);
			check_rights(b, in, task);
			check_limits(b, in, task);
			if (root)
				check_nproc(b, in, &said);
			if (in->section == RV_SECTION_TASK) {
				check_program(b, in);
				check_module(b, in);
			}
		}
	}
}
