/*
 * The control socket: connections, who they are, and how much of us they get.  Runs in the
 * supervisor only.  One request a connection; its memory lives from accept to close.  Must never
 * wait for a peer, and never let one keep the others out.
 *
 * Wider than the budget of headers: table.h brings what the child table is made of.
 */
#include "supervisor/control.h"

#include "base/attr.h"
#include "base/buf.h"
#include "base/check.h"
#include "base/err.h"
#include "base/seam.h"
#include "conf/conf.h"
#include "obs/log.h"
#include "os/fd.h"
#include "os/file.h"
#include "os/sock.h"
#include "os/user.h"
#include "wire/control.h"

#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define PEERS_MAX     16
#define PEER_US       (5 * RV_SECOND_US) /* from connect to the answer's last byte */
#define CREDIT_MAX    100                /* requests in a burst */
#define CREDIT_SECOND 50                 /* and for long */
#define PASSES        400                /* both, of connections passed on: some 20 us each */
#define PAUSE_US      (RV_SECOND_US / 10)
#define GROUPS_MAX    128

struct peer {
	struct rv_control *control;
	int fd; /* -1: free */
	struct rv_loop_io io;
	struct rv_sock_peer who;
	struct rv_buf in;
	struct rv_buf out;
	size_t sent;
	bool is_answered;
	int64_t deadline_us;
};

/* What peers may ask of us, all together. */
struct credit {
	int64_t left, max, second;
	int64_t filled_us;
};

struct rv_control {
	struct rv_sup *sup;
	int fd;
	struct rv_loop_io io;
	char path[PATH_MAX];
	bool has_group;
	gid_t group;
	struct credit requests, passes;
	bool is_closed;  /* not accepting: every place is taken */
	int64_t open_us; /* not accepting until then: no descriptor is left; 0: accepting */
	struct peer peers[PEERS_MAX];
};

static void free_peer(struct peer *peer)
{
	PRE(peer->fd >= 0);
	rv_loop_io_stop(&peer->io);
	rv_fd_close(&peer->fd);
	rv_buf_fini(&peer->in);
	rv_buf_fini(&peer->out);
	if (peer->control->is_closed) {
		peer->control->is_closed = false;
		rv_loop_io_want(&peer->control->io, RV_LOOP_READ);
	}
}

static bool is_in_group(const struct peer *peer, gid_t group)
{
	gid_t groups[GROUPS_MAX];
	socklen_t size = sizeof groups;

	if (peer->who.gid == group)
		return true;
	if (getsockopt(peer->fd, SOL_SOCKET, SO_PEERGROUPS, groups, &size) != 0)
		return false;
	for (size_t i = 0; i < size / sizeof groups[0]; i++) {
		if (groups[i] == group)
			return true;
	}
	return false;
}

static bool may_enter(const struct peer *peer)
{
	const struct rv_control *control = peer->control;

	return peer->who.uid == geteuid() || peer->who.uid == 0 ||
	       (control->has_group && is_in_group(peer, control->group));
}

static struct credit full_credit(int64_t max, int64_t second)
{
	return (struct credit){
		.left = max, .max = max, .second = second, .filled_us = rv_mono_us()};
}

static bool has_credit(struct credit *credit)
{
	int64_t now_us = rv_mono_us();
	int64_t more = (now_us - credit->filled_us) * credit->second / RV_SECOND_US;

	if (more > 0) {
		credit->filled_us = now_us;
		credit->left =
			credit->left + more < credit->max ? credit->left + more : credit->max;
	}
	INV(credit->left >= 0 && credit->left <= credit->max);
	return credit->left > 0 && credit->left-- > 0;
}

/* Whose turn it is not now has another way, or comes again: nothing for a person to see to. */
static void refuse(struct peer *peer, int err, const struct rv_why *why)
{
	bool is_routine = err == RV_E_BUSY || err == RV_E_NOTRUN;

	rv_log_with(is_routine ? RV_LOG_DEBUG : RV_LOG_WARN, RV_EV_control_refused,
		    RV_FIELDS(RV_INT("pid", peer->who.pid), RV_INT("uid", peer->who.uid)), "%s",
		    rv_why_text(why, err));
	rv_buf_reset(&peer->out);
	if (rv_control_refusal(err, why, &peer->out) != RV_OK)
		rv_buf_reset(&peer->out); /* out of memory: it sees the end of the connection */
}

static int put_refusal(json_t *answer, int err, const struct rv_why *why)
{
	bool good = rv_json_set_bool(answer, "ok", false) == RV_OK &&
		    rv_json_set_text(answer, "error", rv_why_text(why, err)) == RV_OK &&
		    rv_json_set_int(answer, "exit", rv_err_exit(err)) == RV_OK;

	return good ? RV_OK : RV_E_NOMEM;
}

/* Bytes after the first line. */
static bool has_more(const struct rv_buf *in)
{
	const char *end = memchr(in->data, '\n', in->size);

	return end && end + 1 < in->data + in->size;
}

/* Runs the verb and writes the one line of the answer; none where the connection is passed on. */
static void answer(struct peer *peer, const json_t *request, const char *verb)
{
	struct rv_ask ask = {.request = request, .fd = peer->fd, .has_more = has_more(&peer->in)};
	struct rv_why why = {0};
	json_t *reply = rv_control_answer();
	int err = reply ? RV_OK : RV_E_NOMEM;

	rv_log_with(RV_LOG_DEBUG, RV_EV_control_request,
		    RV_FIELDS(RV_INT("pid", peer->who.pid), RV_INT("uid", peer->who.uid)),
		    "request %.40s", verb);
	if (err == RV_OK && !has_credit(strcmp(verb, "submit") == 0 ? &peer->control->passes
								    : &peer->control->requests))
		err = rv_fail(&why, RV_E_BUSY, "too many requests; try again in a second");
	if (err == RV_OK)
		err = rv_verb_run(peer->control->sup, verb, &ask, reply, &why);
	if (err != RV_OK && reply && json_object_size(reply) > 2) {
		/* It has more to say than a sentence. */
		err = put_refusal(reply, err, &why);
	}
	if (err == RV_OK && !ask.is_passed)
		err = rv_control_line(reply, &peer->out);
	if (err != RV_OK)
		refuse(peer, err, &why);
	json_decref(reply);
}

static void flush(struct peer *peer)
{
	INV(peer->is_answered && peer->sent <= peer->out.size);
	if (peer->out.size > 0 &&
	    rv_control_flush(peer->fd, &peer->out, &peer->sent) == RV_E_BUSY) {
		rv_loop_io_want(&peer->io, RV_LOOP_WRITE);
		return;
	}
	free_peer(peer);
}

static void on_peer(struct rv_loop_io *io, int events)
{
	struct peer *peer = io->ctx;
	json_t *request = NULL;
	const char *verb = NULL;
	struct rv_why why = {0};
	int err;

	(void)events;
	INV(peer->fd >= 0);
	if (peer->is_answered) {
		flush(peer);
		return;
	}
	err = rv_control_read(peer->fd, &peer->in, &request, &verb, &why);
	if (err == RV_E_BUSY)
		return;
	if (err == RV_E_CLOSED) {
		free_peer(peer);
		return;
	}
	peer->is_answered = true;
	if (err != RV_OK)
		refuse(peer, err, &why);
	else
		answer(peer, request, verb);
	json_decref(request);
	flush(peer); /* of one that was passed on: closes our descriptor of it */
}

static struct peer *free_place(struct rv_control *control)
{
	for (size_t i = 0; i < PEERS_MAX; i++) {
		if (control->peers[i].fd < 0)
			return &control->peers[i];
	}
	return NULL;
}

static void on_connect(struct rv_loop_io *io, int events)
{
	struct rv_control *control = io->ctx;
	struct rv_why why = {0};
	struct peer *peer;

	(void)events;
	for (bool is_first = true; (peer = free_place(control)); is_first = false) {
		if (rv_sock_accept(control->fd, &peer->fd, &peer->who) != RV_OK) {
			/* Somebody waits and cannot be let in: do not spin until he can. */
			if (is_first) {
				control->open_us = rv_mono_us() + PAUSE_US;
				rv_loop_io_want(io, 0);
			}
			return;
		}
		rv_buf_init(&peer->in);
		rv_buf_init(&peer->out);
		peer->sent = 0;
		peer->deadline_us = rv_mono_us() + PEER_US;
		peer->is_answered = !may_enter(peer);
		rv_loop_io_start(control->sup->loop, &peer->io, peer->fd, RV_LOOP_READ, on_peer,
				 peer);
		if (peer->is_answered) {
			refuse(peer,
			       rv_fail(&why, RV_E_DENIED,
				       "only the daemon's user, root and its group may do this"),
			       &why);
			flush(peer);
		}
	}
	control->is_closed = true;
	rv_loop_io_want(io, 0);
}

int64_t rv_control_expire(struct rv_sup *sup, int64_t now_us)
{
	struct rv_control *control = sup->control;
	int64_t next_us = 0;

	if (!control)
		return 0;
	if (control->open_us != 0 && now_us >= control->open_us) {
		control->open_us = 0;
		if (!control->is_closed)
			rv_loop_io_want(&control->io, RV_LOOP_READ);
	}
	next_us = control->open_us;
	for (size_t i = 0; i < PEERS_MAX; i++) {
		struct peer *peer = &control->peers[i];

		if (peer->fd < 0)
			continue;
		if (now_us >= peer->deadline_us)
			free_peer(peer);
		else if (next_us == 0 || peer->deadline_us < next_us)
			next_us = peer->deadline_us;
	}
	return next_us;
}

bool rv_control_is_idle(const struct rv_sup *sup)
{
	for (size_t i = 0; sup->control && i < PEERS_MAX; i++) {
		if (sup->control->peers[i].fd >= 0 && sup->control->peers[i].is_answered)
			return false;
	}
	return true;
}

/* The store's lock is ours, but a daemon of another store may have the same runtime_dir. */
static int look_for_another(const char *path, struct rv_why *why)
{
	struct rv_why ignored;
	int fd = -1;
	int err = rv_sock_connect(path, RV_SECOND_US, &fd, &ignored);

	if (err != RV_OK && err != RV_E_TIMEOUT)
		return RV_OK; /* nobody listens there */
	rv_fd_close(&fd);
	return rv_fail(why, RV_E_LOCKED,
		       "another reeved, of another store, answers at %s; give this one a "
		       "runtime_dir of its own",
		       path);
}

/* Everything but the socket. */
static int make(struct rv_sup *sup, struct rv_control **ret_control, struct rv_why *why)
{
	const char *group = sup->conf->reeve.group;
	struct rv_control *control = calloc(1, sizeof *control);
	int err;

	PRE(!sup->control);
	if (!control)
		return rv_fail(why, RV_E_NOMEM, "out of memory");
	control->sup = sup;
	control->fd = -1;
	control->requests = full_credit(CREDIT_MAX, CREDIT_SECOND);
	control->passes = full_credit(PASSES, PASSES);
	for (size_t i = 0; i < PEERS_MAX; i++) {
		control->peers[i].fd = -1;
		control->peers[i].control = control;
	}
	err = rv_path_join(control->path, sizeof control->path, sup->conf->reeve.runtime_dir,
			   "control");
	if (err == RV_OK && group) {
		control->has_group = true;
		err = rv_group_find(group, &control->group, why);
	}
	if (err != RV_OK) {
		free(control);
		return err;
	}
	*ret_control = control;
	return RV_OK;
}

static void begin(struct rv_sup *sup, struct rv_control *control)
{
	sup->control = control;
	sup->control_fd = control->fd;
	rv_loop_io_start(sup->loop, &control->io, control->fd, RV_LOOP_READ, on_connect, control);
}

int rv_control_open(struct rv_sup *sup, struct rv_why *why)
{
	struct rv_control *control = NULL;
	int err = make(sup, &control, why);

	if (err != RV_OK)
		return err;
	INV(control);
	err = look_for_another(control->path, why);
	if (err == RV_OK)
		err = rv_sock_listen(control->path, sup->conf->reeve.group ? 0660 : 0600,
				     &control->fd, why);
	if (err == RV_OK)
		begin(sup, control);
	else
		free(control);
	return err;
}

int rv_control_adopt(struct rv_sup *sup, struct rv_why *why)
{
	struct rv_control *control = NULL;
	int err = make(sup, &control, why);

	PRE(sup->control_fd >= 0);
	if (err != RV_OK)
		return err;
	INV(control);
	control->fd = sup->control_fd;
	begin(sup, control);
	return RV_OK;
}

void rv_control_close(struct rv_sup *sup)
{
	struct rv_control *control = sup->control;

	if (!control)
		return;
	for (size_t i = 0; i < PEERS_MAX; i++) {
		if (control->peers[i].fd >= 0)
			free_peer(&control->peers[i]);
	}
	rv_loop_io_stop(&control->io);
	rv_fd_close(&control->fd);
	(void)unlink(control->path);
	free(control);
	sup->control = NULL;
	sup->control_fd = -1;
}
