/*
 * libreeve: following what happens to jobs.  Runs in programs of other people; must never sleep
 * with the handle's lock held, nor leave its socket behind.
 */
#include "client/lib.h"

#include "base/check.h"
#include "base/seam.h"
#include "os/fd.h"
#include "store/events.h"
#include "store/request.h"

#include <unistd.h>

#define EVENTS_DEFAULT 1000
#define LIMIT_MAX      10000
#define BELL_RENEW_US  (RV_WAITER_EXPIRES_US / 2)
#define NO_BELL_US     (100 * RV_MS_US) /* between the looks of who may only read the store */

struct reeve_events {
	struct rv_arena *arena;
	size_t count;
	int64_t last;
	struct reeve_event *events;
};

/* A call that may wait. */
struct following {
	struct reeve *reeve;
	struct reeve_events *events;
	size_t limit;
	int64_t deadline_us; /* mono; INT64_MAX: for ever */
	bool begun;
	bool denied;        /* who may only read follows without a bell */
	int64_t tried_us;   /* mono: when it was asked for last, with or without success */
	uint64_t forgotten; /* stores, when it began */
	struct rv_lib_bell bell;
};

static int add_event(void *ctx, const struct rv_event_view *view)
{
	struct reeve_events *events = ctx;
	struct reeve_event *event = &events->events[events->count++];

	*event = (struct reeve_event){.seq = view->seq,
				      .at_us = view->at_us,
				      .job = view->job,
				      .from = view->from,
				      .to = view->to};
	events->last = view->seq;
	return rv_lib_copy(events->arena, view->reason, &event->reason);
}

/* Begins a turn; the store must be the one that the first turn was at. */
static int enter(struct following *f, enum rv_client_mode mode)
{
	int err = rv_lib_enter(f->reeve, mode);

	if (err)
		return err;
	if (!f->begun)
		f->forgotten = f->reeve->forgotten;
	f->begun = true;
	if (f->forgotten == f->reeve->forgotten)
		return RV_OK;
	return rv_lib_leave(f->reeve, rv_fail(&f->reeve->why, RV_E_REPLACED,
					      "the store was removed or replaced while we waited"));
}

static int look(struct following *f)
{
	struct reeve_events *events = f->events;
	int err = enter(f, RV_CLIENT_READ);

	if (err)
		return err;
	if (events->last < 0)
		err = rv_store_events_last(f->reeve->client.store, &events->last);
	else
		err = rv_store_events(f->reeve->client.store, events->last, (int64_t)f->limit,
				      add_event, events);
	return rv_lib_leave(f->reeve, err);
}

static int64_t left_us(const struct following *f)
{
	return f->deadline_us == INT64_MAX ? INT64_MAX : f->deadline_us - rv_mono_us();
}

/* Somebody may have tidied the folder up: then nobody finds it any more. */
static bool is_in_place(const struct rv_lib_bell *bell)
{
	return bell->waiter.fd >= 0 && access(bell->waiter.path, F_OK) == 0;
}

static bool is_asked_for(const struct rv_lib_bell *bell)
{
	return bell->asked_us != 0 && rv_mono_us() - bell->asked_us < BELL_RENEW_US;
}

/* Asks for rings.  Others wait for the handle meanwhile: not for long, it may be tried again. */
static int ask(struct following *f, bool *ret_done)
{
	static const int64_t follows = RV_WAITER_FOLLOWS;
	struct rv_client *client = &f->reeve->client;
	struct rv_waiter *waiter = &f->bell.waiter;
	int64_t patience_us = client->busy_us;
	bool was = waiter->registered;
	int err;

	if (client->busy_us > NO_BELL_US)
		client->busy_us = NO_BELL_US;
	waiter->registered = false;
	err = rv_waiter_watch(waiter, client, &follows, 1, &f->reeve->why);
	client->busy_us = patience_us;
	f->tried_us = rv_mono_us();
	*ret_done = waiter->registered;
	if (waiter->registered)
		f->bell.asked_us = f->tried_us;
	waiter->registered = waiter->registered || was;
	return err;
}

/* The kept one, unless we have one; one that nobody would find is taken down. */
static void take_bell(struct following *f)
{
	struct reeve *reeve = f->reeve;

	if (f->bell.waiter.fd < 0 && reeve->bell.waiter.fd >= 0) {
		f->bell = reeve->bell;
		reeve->bell = (struct rv_lib_bell){.waiter = {.fd = -1}};
	}
	if (f->bell.waiter.fd >= 0 &&
	    (!is_in_place(&f->bell) || f->bell.forgotten != reeve->forgotten))
		rv_waiter_fini(&f->bell.waiter, &reeve->client);
}

/*
 * Sees to it that there is a bell, if there can be.  ${*ret_new}: it was asked for just now, so
 * what happened before must be looked for once more.
 */
static int hang_up(struct following *f, bool *ret_new)
{
	struct reeve *reeve = f->reeve;
	int err;

	*ret_new = false;
	if (f->denied || (is_in_place(&f->bell) && is_asked_for(&f->bell)) ||
	    (f->tried_us != 0 && rv_mono_us() - f->tried_us < RV_WAITER_LOOK_US))
		return RV_OK;
	err = enter(f, RV_CLIENT_WRITE);
	f->denied = err == RV_E_DENIED;
	if (err)
		return f->denied ? RV_OK : err;
	take_bell(f);
	if (f->bell.waiter.fd < 0) {
		rv_waiter_init(&f->bell.waiter, &reeve->client);
		f->bell.forgotten = reeve->forgotten;
		f->bell.asked_us = 0;
		f->tried_us = rv_mono_us();
	}
	if (f->bell.waiter.fd >= 0 && !is_asked_for(&f->bell))
		err = ask(f, ret_new);
	return rv_lib_leave(reeve, err);
}

/* For the next call, if none has been kept already. */
static void keep_bell(struct following *f)
{
	struct reeve *reeve = f->reeve;

	if (f->bell.waiter.fd < 0)
		return;
	(void)pthread_mutex_lock(&reeve->lock);
	if (reeve->bell.waiter.fd < 0)
		reeve->bell = f->bell;
	else
		rv_waiter_fini(&f->bell.waiter, &reeve->client);
	(void)pthread_mutex_unlock(&reeve->lock);
}

void rv_lib_bell_drop(struct reeve *reeve, bool ours)
{
	if (ours && reeve->bell.waiter.fd >= 0)
		rv_waiter_fini(&reeve->bell.waiter, &reeve->client);
	else
		rv_fd_close(&reeve->bell.waiter.fd);
}

static int follow(struct following *f)
{
	int err;

	while ((err = look(f)) == RV_OK && f->events->count == 0 && left_us(f) > 0) {
		bool is_new;
		int64_t us;

		err = hang_up(f, &is_new);
		if (err)
			return err;
		us = left_us(f);
		if (!f->bell.waiter.registered && us > NO_BELL_US)
			us = NO_BELL_US;
		if (!is_new && us > 0)
			rv_waiter_sleep(&f->bell.waiter, NULL, 0, us);
	}
	return err;
}

int reeve_events(struct reeve *reeve, int64_t after, size_t limit, int64_t timeout_us,
		 const struct reeve_events **ret_events)
{
	struct following f = {.reeve = reeve,
			      .limit = limit ? limit : EVENTS_DEFAULT,
			      .deadline_us = INT64_MAX,
			      .bell = {.waiter = {.fd = -1}}};
	struct rv_arena *arena;
	int err;

	if (!ret_events || limit > LIMIT_MAX || after < REEVE_EVENTS_NOW)
		return rv_lib_say(reeve, RV_E_USAGE, "reeve_events: %s",
				  !ret_events         ? "ret_events is NULL"
				  : limit > LIMIT_MAX ? "at most 10000 events at once"
						      : "after is negative");
	if (timeout_us >= 0 && __builtin_add_overflow(rv_mono_us(), timeout_us, &f.deadline_us))
		f.deadline_us = INT64_MAX;
	f.events = rv_lib_give(sizeof(*f.events), &arena);
	if (!f.events)
		return rv_lib_say(reeve, RV_E_NOMEM, "%s", rv_err_text(RV_E_NOMEM));
	f.events->arena = arena;
	f.events->last = after;
	f.events->events = rv_arena_alloc(arena, f.limit * sizeof(*f.events->events));
	if (f.events->events)
		err = follow(&f);
	else
		err = rv_lib_say(reeve, RV_E_NOMEM, "%s", rv_err_text(RV_E_NOMEM));
	keep_bell(&f);
	if (err)
		reeve_free(f.events);
	else
		*ret_events = f.events;
	return err;
}

size_t reeve_events_count(const struct reeve_events *events)
{
	return events->count;
}

const struct reeve_event *reeve_events_at(const struct reeve_events *events, size_t index)
{
	return index < events->count ? &events->events[index] : NULL;
}

int64_t reeve_events_last(const struct reeve_events *events)
{
	return events->last;
}
