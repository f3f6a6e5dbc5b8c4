/*
 * Handing jobs to the keeper: the client's end of the connection.  Runs in the CLI and in programs
 * that use the library.  Must never leave it open whether a job was stored where that can be known,
 * and never send the same jobs twice: what may have been heard is asked for by its key, or told.
 */
#include "client/offer.h"

#include "base/buf.h"
#include "base/check.h"
#include "base/seam.h"
#include "client/alive.h"
#include "client/submit.h"
#include "os/fd.h"
#include "wire/control.h"

#include <poll.h>
#include <stdlib.h>
#include <string.h>

#define GREET_US (1 * RV_S_US) /* patience with a daemon that is to take the connection */
#define SEND_US  (2 * RV_S_US) /* … and to read a line */
#define AGAIN_US (1 * RV_S_US) /* after one that was not to be had, before it is tried again */
#define TELL_US                                                                                    \
	(10 * RV_S_US) /* for the answer, beyond what the client would wait for the lock           \
			*/

struct rv_offer {
	int fd; /* -1: none */
	struct rv_buf in;
	char store[RV_OFFER_STORE]; /* that the keeper at the other end has open */
	int64_t again_us;           /* mono */
};

static void hang_up(struct rv_offer *offer)
{
	rv_fd_close(&offer->fd);
	rv_buf_fini(&offer->in);
	rv_buf_init(&offer->in);
}

void rv_offer_close(struct rv_offer *offer)
{
	if (!offer)
		return;
	hang_up(offer);
	free(offer);
}

/* RV_E_TIMEOUT; what else may be wrong the next read or write tells. */
static int await(const struct rv_offer *offer, short events, int64_t deadline_us)
{
	int64_t left_us = deadline_us - rv_mono_us();

	return left_us > 0 ? rv_fd_wait(offer->fd, events, left_us) : RV_E_TIMEOUT;
}

static int read_line(struct rv_offer *offer, int64_t deadline_us, size_t *ret_length)
{
	int err;

	while ((err = rv_control_get_line(offer->fd, &offer->in, RV_OFFER_LINE, ret_length)) ==
	       RV_E_BUSY) {
		err = await(offer, POLLIN, deadline_us);
		if (err)
			return err;
	}
	return err;
}

/* RV_OK: the kernel has all of it.  Else the other end can never have had the end of the line. */
static int send_line(struct rv_offer *offer, const struct rv_buf *line, int64_t deadline_us)
{
	size_t sent = 0;
	int err;

	while ((err = rv_control_flush(offer->fd, line, &sent)) == RV_E_BUSY) {
		err = await(offer, POLLOUT, deadline_us);
		if (err)
			return err;
	}
	return err;
}

static int greet(struct rv_offer *offer, int64_t deadline_us)
{
	RV_AUTO(rv_json_free) json_t *request = rv_control_request("submit");
	struct rv_buf line;
	size_t length = 0;
	int err = request ? RV_OK : RV_E_NOMEM;

	rv_buf_init(&line);
	if (!err)
		err = rv_control_line(request, &line);
	if (!err)
		err = send_line(offer, &line, deadline_us);
	rv_buf_fini(&line);
	/* Who refuses it closes, maybe before it has read: its words are there all the same. */
	if (!err || err == RV_E_CLOSED)
		err = read_line(offer, deadline_us, &length);
	if (!err)
		err = rv_offer_greeted(offer->in.data, length, offer->store);
	if (!err)
		rv_control_drop_line(&offer->in, length);
	return err;
}

/* Something there that we have not asked for: it is closed, or says goodbye. */
static bool is_over(const struct rv_offer *offer)
{
	struct pollfd look = {.fd = offer->fd, .events = POLLIN};

	return offer->in.size > 0 || poll(&look, 1, 0) != 0;
}

/* A connection to the keeper of the store at our path.  RV_E_NOTRUN: none is to be had. */
static int connect_keeper(struct rv_client *client)
{
	int64_t now_us = rv_mono_us();
	char store[RV_OFFER_STORE];
	struct rv_offer *offer = client->offer;
	int err;

	if (!offer) {
		offer = client->offer = calloc(1, sizeof(*offer));
		if (!offer)
			return RV_E_NOTRUN;
		offer->fd = -1;
		rv_buf_init(&offer->in);
	}
	if (rv_offer_store(client->store_path, store) != RV_OK)
		return RV_E_NOTRUN;
	if (offer->fd >= 0 && strcmp(store, offer->store) == 0 && !is_over(offer))
		return RV_OK;
	hang_up(offer);
	if (now_us < offer->again_us)
		return RV_E_NOTRUN;
	memcpy(offer->store, store, sizeof(store));
	err = rv_alive_connect(client, GREET_US, &offer->fd, NULL);
	if (!err)
		err = greet(offer, now_us + GREET_US);
	if (err) {
		hang_up(offer);
		offer->again_us = rv_mono_us() + AGAIN_US;
	}
	return err ? RV_E_NOTRUN : RV_OK;
}

/* The jobs are out of our hands and nothing tells what became of them. */
static int lost(const struct rv_submit_jobs *jobs, struct rv_why *why)
{
	for (size_t i = 0; i < jobs->count; i++) {
		const char *key = jobs->jobs[i].idem_key;

		if (!key || !*key)
			return rv_fail(
				why, RV_E_UNKNOWN,
				"reeved's keeper ended before it answered: whether %s stored "
				"is not known; look with reeve jobs before it is added again "
				"(with an idempotency key it can be, as often as one likes)",
				jobs->count == 1 ? "the job is" : "the jobs are");
	}
	return RV_E_NOTRUN; /* asked again, directly: the same keys give the same jobs */
}

static int exchange(struct rv_client *client, const struct rv_buf *line,
		    struct rv_submit_jobs *jobs, struct rv_why *why)
{
	struct rv_offer *offer = client->offer;
	int64_t now_us = rv_mono_us();
	size_t length = 0;
	int err = send_line(offer, line, now_us + SEND_US);

	if (err) {
		/* Cut short it was never a line.  A goodbye may be there; it says the same. */
		hang_up(offer);
		return RV_E_NOTRUN;
	}
	err = read_line(offer, now_us + client->busy_us + TELL_US, &length);
	if (!err)
		err = rv_offer_outcome(offer->in.data, length, jobs, why);
	else
		err = RV_E_CLOSED;
	if (err == RV_E_CLOSED || err == RV_E_UNKNOWN) {
		hang_up(offer);
		return lost(jobs, why);
	}
	rv_control_drop_line(&offer->in, length);
	return err;
}

int rv_offer_jobs(struct rv_client *client, struct rv_submit_jobs *jobs, struct rv_why *why)
{
	struct rv_buf line;
	int err;

	PRE(jobs->count > 0);
	jobs->failed = jobs->count;
	jobs->may_wait = false;
	rv_buf_init(&line);
	/* What is too big for a line, or no JSON, has the direct way. */
	err = rv_offer_write(jobs->jobs, jobs->count, &line) ? RV_E_NOTRUN : RV_OK;
	if (!err)
		err = connect_keeper(client);
	if (!err)
		err = exchange(client, &line, jobs, why);
	rv_buf_fini(&line);
	/* Nothing was done, and it may be otherwise directly. */
	return err == RV_E_BUSY || err == RV_E_NOMEM ? RV_E_NOTRUN : err;
}
