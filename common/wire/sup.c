/*
 * The channel on descriptor 3.  Supervisor, workers, keeper.  Must never block, and must never
 * trust a packet: a child may be hostile (F30).
 */
#include "wire/sup.h"

#include "base/attr.h"
#include "base/check.h"

#include <errno.h>
#include <linux/sockios.h>
#include <stddef.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

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

#define BEHIND_BYTES (32 << 10) /* in the kernel: some thirty messages */

/* A control message with room for a descriptor. */
union beside {
	struct cmsghdr head;
	char space[CMSG_SPACE(sizeof(int))];
};

int rv_sup_pass(int fd, const struct rv_sup_msg *msg, int passed)
{
	struct rv_sup_msg out = *msg;
	struct iovec part = {.iov_base = &out, .iov_len = HEAD_SIZE + msg->size};
	struct msghdr packet = {.msg_iov = &part, .msg_iovlen = 1};
	union beside beside = {.head = {.cmsg_len = CMSG_LEN(sizeof(int)),
					.cmsg_level = SOL_SOCKET,
					.cmsg_type = SCM_RIGHTS}};
	ssize_t n;

	PRE(msg->kind > RV_SUP_NONE && msg->kind < RV_SUP_KINDS);
	PRE(msg->size <= RV_SUP_TEXT);
	out.version = RV_SUP_VERSION;
	if (passed >= 0) {
		memcpy(CMSG_DATA(&beside.head), &passed, sizeof passed);
		packet.msg_control = &beside;
		packet.msg_controllen = sizeof beside;
	}
	do {
		n = sendmsg(fd, &packet, MSG_DONTWAIT | MSG_NOSIGNAL);
	} while (n < 0 && errno == EINTR);
	if (n >= 0)
		return RV_OK;
	/* ETOOMANYREFS: too many descriptors are on their way. */
	return errno == ENOBUFS || errno == ETOOMANYREFS ? RV_E_BUSY : rv_err_from_errno(errno);
}

int rv_sup_send(int fd, const struct rv_sup_msg *msg)
{
	return rv_sup_pass(fd, msg, -1);
}

static int check(const struct rv_sup_msg *msg, ssize_t n, int up)
{
	if (n == 0)
		return RV_E_CLOSED; /* an empty packet looks the same: its sender is no friend
				       either */
	if ((size_t)n < HEAD_SIZE || msg->version != RV_SUP_VERSION || msg->size > RV_SUP_TEXT ||
	    (size_t)n != HEAD_SIZE + msg->size)
		return RV_E_PARSE;
	if (msg->kind >= RV_SUP_KINDS || rows[msg->kind].direction != (up ? UP : DOWN))
		return RV_E_PARSE;
	return RV_OK;
}

int rv_sup_recv(int fd, int up, struct rv_sup_msg *ret_msg)
{
	struct rv_sup_msg msg = {0};
	ssize_t n;
	int err;

	do {
		/* With TRUNC the length is the packet's own, so a longer one does not pass as ours.
		 */
		n = recv(fd, &msg, sizeof msg, MSG_DONTWAIT | MSG_TRUNC);
	} while (n < 0 && errno == EINTR);
	if (n < 0)
		return rv_err_from_errno(errno);
	err = check(&msg, n, up);
	if (err == RV_OK)
		*ret_msg = msg;
	return err;
}

int rv_sup_take(int fd, int up, struct rv_sup_msg *ret_msg, int *ret_passed)
{
	struct rv_sup_msg msg = {0};
	struct iovec part = {.iov_base = &msg, .iov_len = sizeof msg};
	union beside beside = {.head = {.cmsg_len = 0}};
	struct msghdr packet = {.msg_iov = &part,
				.msg_iovlen = 1,
				.msg_control = &beside,
				.msg_controllen = CMSG_LEN(sizeof(int))};
	const struct cmsghdr *head;
	int passed = -1;
	ssize_t n;
	int err;

	do {
		n = recvmsg(fd, &packet, MSG_DONTWAIT | MSG_TRUNC | MSG_CMSG_CLOEXEC);
	} while (n < 0 && errno == EINTR);
	if (n < 0)
		return rv_err_from_errno(errno);
	head = CMSG_FIRSTHDR(&packet);
	/* More than one do not fit: the kernel has closed those. */
	if (head && head->cmsg_level == SOL_SOCKET && head->cmsg_type == SCM_RIGHTS &&
	    head->cmsg_len >= CMSG_LEN(sizeof passed))
		memcpy(&passed, CMSG_DATA(head), sizeof passed);
	err = check(&msg, n, up);
	if (err != RV_OK) {
		if (passed >= 0)
			(void)close(passed);
		return err;
	}
	*ret_msg = msg;
	*ret_passed = passed;
	return RV_OK;
}

bool rv_sup_is_behind(int fd)
{
	int unread = 0;

	return ioctl(fd, SIOCOUTQ, &unread) != 0 || unread >= BEHIND_BYTES;
}

uint64_t rv_ring_token(const char *queue)
{
	uint64_t hash = 0xcbf29ce484222325ULL;

	for (; *queue != '\0'; queue++)
		hash = (hash ^ (unsigned char)*queue) * 0x100000001b3ULL;
	/* 0 and 1 mean something else; a collision with 2 costs a look for nothing, no more. */
	return hash > RV_RING_KEEPER ? hash : RV_RING_KEEPER + 1;
}
