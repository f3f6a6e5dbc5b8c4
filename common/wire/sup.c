/*
 * The channel on descriptor 3.  Supervisor, workers, keeper.  Must never block, and must never
 * trust a packet: a child may be hostile (F30).
 */
#include "wire/sup.h"

#include "base/attr.h"
#include "base/check.h"

#include <errno.h>
#include <stddef.h>
#include <sys/socket.h>

enum direction { NEITHER, DOWN, UP };

static const struct row {
	const char *name;
	enum direction direction;
} rows[] = {
	{"NONE", NEITHER},
#define MSG(sym, dir, fields, meaning) {#sym, dir},
#include "wire/sup.def"
#undef MSG
};

#define HEAD_SIZE offsetof(struct rv_sup_msg, text)

const char *rv_sup_name(unsigned kind)
{
	return kind > RV_SUP_NONE && kind < RV_SUP_KINDS ? rows[kind].name : "?";
}

int rv_sup_send(int fd, const struct rv_sup_msg *msg)
{
	struct rv_sup_msg out = *msg;
	ssize_t n;

	PRE(msg->kind > RV_SUP_NONE && msg->kind < RV_SUP_KINDS);
	PRE(msg->size <= RV_SUP_TEXT);
	out.version = RV_SUP_VERSION;
	do {
		n = send(fd, &out, HEAD_SIZE + out.size, MSG_DONTWAIT | MSG_NOSIGNAL);
	} while (n < 0 && errno == EINTR);
	if (n >= 0)
		return RV_OK;
	return errno == ENOBUFS ? RV_E_BUSY : rv_err_from_errno(errno);
}

int rv_sup_recv(int fd, int up, struct rv_sup_msg *ret_msg)
{
	struct rv_sup_msg msg = {0};
	ssize_t n;

	do {
		/* With TRUNC the length is the packet's own, so a longer one does not pass as ours.
		 */
		n = recv(fd, &msg, sizeof msg, MSG_DONTWAIT | MSG_TRUNC);
	} while (n < 0 && errno == EINTR);
	if (n < 0)
		return rv_err_from_errno(errno);
	if (n == 0)
		return RV_E_CLOSED; /* an empty packet looks the same: its sender is no friend
				       either */
	if ((size_t)n < HEAD_SIZE || msg.version != RV_SUP_VERSION || msg.size > RV_SUP_TEXT ||
	    (size_t)n != HEAD_SIZE + msg.size)
		return RV_E_PARSE;
	if (msg.kind >= RV_SUP_KINDS || rows[msg.kind].direction != (up ? UP : DOWN))
		return RV_E_PARSE;
	*ret_msg = msg;
	return RV_OK;
}

uint64_t rv_ring_token(const char *queue)
{
	uint64_t hash = 0xcbf29ce484222325ULL;

	for (; *queue != '\0'; queue++)
		hash = (hash ^ (unsigned char)*queue) * 0x100000001b3ULL;
	/* 0 and 1 mean something else; a collision with 2 costs a look for nothing, no more. */
	return hash > RV_RING_KEEPER ? hash : RV_RING_KEEPER + 1;
}
