/*
 * libreeve: the handle, its turns, its errors.  Runs in programs of other people: must never print,
 * exit, change a signal's disposition, or keep the lock while it sleeps.
 */
#include "client/lib.h"

#include "base/check.h"
#include "base/seam.h"
#include "conf/conf.h"
#include "core/job.h"
#include "store/store.h"
#include "wire/json.h"

#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define SAME(name) _Static_assert((int)REEVE_##name == (int)RV_##name, "one number for one error")
SAME(OK);
SAME(E_NOMEM);
SAME(E_IO);
SAME(E_CORRUPT);
SAME(E_REPLACED);
SAME(E_UNKNOWN);
SAME(E_BUSY);
SAME(E_NOTFOUND);
SAME(E_DENIED);
SAME(E_CONFLICT);
SAME(E_REFUSED);
SAME(E_NOSPACE);
SAME(E_FULL);
SAME(E_NOTRUN);
SAME(E_USAGE);
SAME(E_PARSE);
SAME(E_TOOBIG);
SAME(E_CONF);
SAME(E_SCHEMA);
SAME(E_TIMEOUT);
SAME(E_INTERNAL);
#undef SAME
#define SAME(name)                                                                                 \
	_Static_assert((int)REEVE_##name == (int)RV_JOB_##name, "one number for one state")
SAME(SCHEDULED);
SAME(READY);
SAME(BLOCKED);
SAME(RUNNING);
SAME(SUCCEEDED);
SAME(DEAD);
SAME(CANCELLED);

/* The first release's struct: shorter ones are none. */
#define OPEN_SIZE (offsetof(struct reeve_open, flags) + sizeof(unsigned))

static pthread_mutex_t opening = PTHREAD_MUTEX_INITIALIZER;
static _Thread_local struct {
	const struct reeve *of;
	struct rv_why why;
} last;

/* Errors that only the daemon's own processes should meet. */
static int shown(int err)
{
	switch (err) {
	case RV_E_LOCKED:
		return RV_E_BUSY;
	case RV_E_STALE:
		return RV_E_CONFLICT;
	case RV_E_FAILED:
	case RV_E_MISSING:
	case RV_E_CLOSED:
		return RV_E_INTERNAL;
	default:
		return err;
	}
}

static int say(const struct reeve *reeve, int err, const struct rv_why *why)
{
	last.of = reeve;
	(void)snprintf(last.why.text, sizeof(last.why.text), "%s",
		       err ? rv_why_text(why, err) : "");
	return shown(err);
}

int rv_lib_say(const struct reeve *reeve, int err, const char *format, ...)
{
	struct rv_why why;
	va_list args;

	va_start(args, format);
	(void)vsnprintf(why.text, sizeof(why.text), format, args);
	va_end(args);
	return say(reeve, err, &why);
}

/* The first mistake, and how many more there are. */
static void tell_conf(const struct rv_conf_errors *errors, struct rv_why *why)
{
	for (size_t i = 0; i < errors->count; i++) {
		const struct rv_conf_error *error = &errors->items[i];

		if (error->warning)
			continue;
		(void)rv_fail(why, RV_E_CONF, "%s: %s", error->where, error->text);
		if (errors->nerrors > 1)
			(void)rv_wrap(why, RV_E_CONF, "%zu mistakes in the configuration",
				      errors->nerrors);
		return;
	}
}

static int init_client(struct reeve *reeve, const struct reeve_open *how)
{
	struct rv_client_how client = {.config = how->config,
				       .store = how->store,
				       .overrides = how->set,
				       .busy_us = how->busy_us,
				       .environment = environ};
	struct rv_conf_errors errors;
	int err;

	rv_conf_errors_init(&errors);
	/* What a process has once is set up here, where one thread is. */
	(void)pthread_mutex_lock(&opening);
	rv_json_be_guest();
	(void)rv_mono_us();
	err = rv_client_init(&reeve->client, &client, &errors, &reeve->why);
	(void)pthread_mutex_unlock(&opening);
	if (err == RV_E_CONF)
		tell_conf(&errors, &reeve->why);
	rv_conf_errors_fini(&errors);
	return err;
}

int reeve_open(const struct reeve_open *how, struct reeve **ret_reeve)
{
	static const struct reeve_open nothing = REEVE_OPEN_INIT;
	struct reeve *reeve;
	int err;

	if (!how)
		how = &nothing;
	if (!ret_reeve || how->size < OPEN_SIZE)
		return rv_lib_say(NULL, RV_E_USAGE, "reeve_open: %s",
				  ret_reeve ? "the size of struct reeve_open is not set"
					    : "nowhere to put the handle");
	if (how->size > sizeof(*how) || (how->flags & ~REEVE_OPEN_EXISTING) || how->busy_us < 0)
		return rv_lib_say(NULL, RV_E_USAGE,
				  "reeve_open: this libreeve (%s) does not know what was asked",
				  RV_VERSION);
	reeve = calloc(1, sizeof(*reeve));
	if (!reeve)
		return rv_lib_say(NULL, RV_E_NOMEM, "%s", rv_err_text(RV_E_NOMEM));
	(void)pthread_mutex_init(&reeve->lock, NULL);
	reeve->pid = getpid();
	reeve->bell.waiter.fd = -1;
	reeve->existing = how->flags & REEVE_OPEN_EXISTING;
	err = init_client(reeve, how);
	if (err) {
		err = say(NULL, err, &reeve->why);
		reeve_close(reeve);
		return err;
	}
	*ret_reeve = reeve;
	return say(reeve, RV_OK, NULL);
}

void reeve_close(struct reeve *reeve)
{
	if (!reeve)
		return;
	if (last.of == reeve)
		last.of = NULL, last.why.text[0] = '\0';
	/* In a child of a fork the connection is still the parent's: forgotten, not closed. */
	rv_lib_bell_drop(reeve, reeve->pid == getpid());
	if (reeve->pid != getpid())
		reeve->client.store = NULL;
	rv_client_fini(&reeve->client);
	(void)pthread_mutex_destroy(&reeve->lock);
	free(reeve);
}

const char *reeve_error(const struct reeve *reeve)
{
	return last.of == reeve ? last.why.text : "";
}

const char *reeve_error_name(int err)
{
	static const struct {
		int err;
		const char *name;
	} names[] = {
#define ERR(sym, code, text) {RV_##sym, "REEVE_" #sym},
#include "base/err.def"
#undef ERR
	};

	for (size_t i = 0; i < RV_ARRAY_LEN(names); i++) {
		if (names[i].err == err && shown(err) == err)
			return names[i].name;
	}
	return "?";
}

const char *reeve_state_name(int state)
{
	return state >= 0 && state < RV_JOB_STATES ? rv_job_state_name((enum rv_job_state)state)
						   : "?";
}

const char *reeve_version(void)
{
	return RV_VERSION;
}

/* A file that is not the one we opened, or a handle whose commit nobody knows of, is given up. */
static void forget_store(struct reeve *reeve)
{
	rv_store_close(reeve->client.store);
	reeve->client.store = NULL;
	reeve->client.writable = false;
	reeve->forgotten++;
}

static int open_store(struct reeve *reeve, enum rv_client_mode mode)
{
	const struct rv_store *before = reeve->client.store;

	if (mode == RV_CLIENT_CREATE && reeve->existing)
		mode = RV_CLIENT_WRITE;
	if (before && rv_store_same_file(reeve->client.store) != RV_OK)
		forget_store(reeve);
	return rv_client_store(&reeve->client, mode, &reeve->why);
}

int rv_lib_enter(struct reeve *reeve, enum rv_client_mode mode)
{
	int err;

	if (!reeve)
		return rv_lib_say(NULL, RV_E_USAGE, "the handle is NULL");
	if (reeve->pid != getpid())
		return rv_lib_say(reeve, RV_E_USAGE,
				  "a handle does not survive a fork; open another one here");
	(void)pthread_mutex_lock(&reeve->lock);
	reeve->why.text[0] = '\0';
	err = open_store(reeve, mode);
	return err ? rv_lib_leave(reeve, err) : RV_OK;
}

int rv_lib_leave(struct reeve *reeve, int err)
{
	if (err == RV_E_UNKNOWN || err == RV_E_REPLACED)
		forget_store(reeve);
	err = say(reeve, err, &reeve->why);
	(void)pthread_mutex_unlock(&reeve->lock);
	return err;
}

/* In front of what is given out. */
struct given {
	struct rv_arena arena;
	max_align_t data[];
};

void *rv_lib_give(size_t size, struct rv_arena **ret_arena)
{
	struct given *given = calloc(1, sizeof(*given) + size);

	if (!given)
		return NULL;
	rv_arena_init(&given->arena);
	*ret_arena = &given->arena;
	return given->data;
}

void reeve_free(const void *given)
{
	union {
		const void *from;
		char *to;
	} cast = {.from = given};
	struct given *whole;

	if (!given)
		return;
	whole = (void *)(cast.to - offsetof(struct given, data));
	rv_arena_reset(&whole->arena);
	free(whole);
}
