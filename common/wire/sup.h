#ifndef RV_WIRE_SUP_H
#define RV_WIRE_SUP_H

/*
 * The channel on descriptor 3: SOCK_SEQPACKET, one struct rv_sup_msg a packet, host byte order
 * (both ends are one build: version is checked all the same).  docs/PROTOCOL.md §descriptor 3 is
 * normative.
 */

#include "base/err.h"

#include <stdbool.h>
#include <stdint.h>

#define RV_SUP_FD      3 /* control channel of a child */
#define RV_AREA_FD     4 /* the area */
#define RV_CONF_FD     5 /* sealed memfd: the effective configuration as INI text (ADR-0003) */
#define RV_SUP_VERSION 1u
#define RV_SUP_TEXT    480u

/*
 * An incarnation names one life of one child: the upper 32 bits are random per daemon start (never
 * 0), the lower ones count.  Two of the same daemon start have the same RV_INCARNATION_START.
 */
#define RV_INCARNATION_START(incarnation) ((uint64_t)(incarnation) >> 32)

enum rv_sup_kind {
	RV_SUP_NONE,
#define MSG(sym, dir, fields, meaning) RV_SUP_##sym,
#include "wire/sup.def"
#undef MSG
	RV_SUP_KINDS
};

/* Why a child is gone: decides whether the job it had STARTED counts a crash (R5). */
enum rv_died {
	RV_DIED_CLEAN, /* it ended as told: drain, stop, reload: counts nothing */
	RV_DIED_CRASH, /* by itself: exit != 0 or a signal not ours: counts */
	RV_DIED_HUNG,  /* by our KILL for a hang: counts */
	RV_DIED_LOST,  /* area failed, supervisor lost, killed while booting: counts nothing */
};

/* DIED.d: as the low 16 bits of a wait status, so the exit code stands above signal and core. */
#define RV_SUP_END(code, signo, core)                                                              \
	((uint64_t)(code) << 8 | ((core) ? 0x80U : 0U) | (uint64_t)(signo))
#define RV_SUP_END_CODE(d)  ((unsigned)((d) >> 8 & 0xff))
#define RV_SUP_END_CORE(d)  (((d)&0x80) != 0)
#define RV_SUP_END_SIGNO(d) ((unsigned)((d)&0x7f))

struct rv_sup_msg {
	uint16_t version;
	uint16_t kind; /* enum rv_sup_kind */
	uint32_t size; /* bytes used of text */
	uint64_t a, b, c, d, e, f, g, h;
	unsigned char text[RV_SUP_TEXT];
};

/* The name of a kind ("READY"); "?" for anything else. */
const char *rv_sup_name(unsigned kind);

/*
 * Both are non-blocking.  send: RV_E_BUSY when the peer does not read, RV_E_CLOSED when it is gone.
 * recv: RV_E_BUSY nothing there, RV_E_CLOSED at EOF, RV_E_PARSE for a packet that is no message of
 * the direction ${up} (0: down) (the caller ends that peer; F30).
 */
int rv_sup_send(int fd, const struct rv_sup_msg *msg) RV_MUST_CHECK;
int rv_sup_recv(int fd, int up, struct rv_sup_msg *ret_msg) RV_MUST_CHECK;

/*
 * The same with a descriptor beside the message.  pass: ${passed} stays the caller's, the receiver
 * gets one of its own.  take: ${*ret_passed} is the caller's to close (O_CLOEXEC), -1 for none, and
 * only with RV_OK; rv_sup_recv drops what comes beside a message.
 */
int rv_sup_pass(int fd, const struct rv_sup_msg *msg, int passed) RV_MUST_CHECK;
int rv_sup_take(int fd, int up, struct rv_sup_msg *ret_msg, int *ret_passed) RV_MUST_CHECK;
/* The peer has left so much unread that what can wait, or can be refused, should not be sent. */
bool rv_sup_is_behind(int fd);

/*
 * The doorbell token of a queue: 64-bit FNV-1a of its name, never 0 or 1, so that the supervisor,
 * which opens no store, knows queues by name (http://www.isthe.com/chongo/tech/comp/fnv/).
 */
uint64_t rv_ring_token(const char *queue);
#define RV_RING_ALL    0u /* look at all */
#define RV_RING_KEEPER 1u /* something was scheduled earlier than the keeper may think */

#endif
