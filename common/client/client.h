#ifndef RV_CLIENT_CLIENT_H
#define RV_CLIENT_CLIENT_H

/*
 * A client of one reeve: its configuration, its store, its daemon.  Used by the CLI and by tests;
 * never by the daemon's own processes.  Nothing is opened before it is asked for.
 */

#include "base/err.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct rv_conf;
struct rv_conf_errors;
struct rv_offer;
struct rv_store;

struct rv_client_how {
	const char *config;           /* -c; NULL: the search order */
	const char *store;            /* --store: short for store.path=…, made absolute */
	const char *const *overrides; /* -o, NULL-terminated; or NULL */
	char *const *environment;
	int64_t busy_us; /* total patience for the store's write lock; 0: RV_CLIENT_BUSY_US */
};

#define RV_CLIENT_BUSY_US    (10 * 1000000LL)
#define RV_CLIENT_CONTROL_US (10 * 1000000LL) /* patience for the daemon's answer */
#define RV_CLIENT_WAL_MAX                                                                          \
	(16LL << 20) /* a log above this is checkpointed after a commit of ours                    \
		      */

/* A wait of the job that we run in, as the daemon was told of it (client/nest.h). */
struct rv_nest {
	int64_t slot, incarnation, job, fence; /* job 0: it was not */
	bool lends;                            /* the store is to be told of its end too */
};

struct rv_client {
	struct rv_conf *conf;   /* owned */
	char *store_path;       /* owned, absolute */
	struct rv_store *store; /* owned; NULL until rv_client_store */
	bool writable;          /* the store was opened for writing */
	bool store_named;       /* by the caller alone: state_dir need not be that of its daemon */
	int64_t busy_us;
	struct rv_offer *offer; /* owned; NULL: the keeper was never asked (client/offer.h) */
};

/*
 * Reads the configuration.  RV_E_CONF: ${errors} (initialised by the caller) has every mistake.
 * ${client} need not be initialised before and can be given to fini after any outcome.
 */
int rv_client_init(struct rv_client *client, const struct rv_client_how *how,
		   struct rv_conf_errors *errors, struct rv_why *why) RV_MUST_CHECK;
void rv_client_fini(struct rv_client *client);

enum rv_client_mode {
	RV_CLIENT_READ,
	RV_CLIENT_WRITE,
	RV_CLIENT_CREATE, /* make the store (and its folder, 0700) if there is none */
};

/*
 * Opens the store (again, when it is open for reading only and ${mode} wants more).  A store with
 * no queue at all was just made by us or by somebody who died then: the configuration's tasks and
 * queues are mirrored into it.  RV_E_NOTFOUND: there is none.  Errors of rv_store_open.
 */
int rv_client_store(struct rv_client *client, enum rv_client_mode mode,
		    struct rv_why *why) RV_MUST_CHECK;

/* "${store}.lock". */
int rv_client_lock_path(const struct rv_client *client, char *out, size_t space) RV_MUST_CHECK;

/*
 * Where the sockets are: what the store's instance row says, else (no store open, or no daemon ever
 * ran) the configuration's runtime_dir.
 */
int rv_client_runtime_dir(struct rv_client *client, char *out, size_t space) RV_MUST_CHECK;

#endif
