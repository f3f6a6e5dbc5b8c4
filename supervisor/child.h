#ifndef RV_SUPERVISOR_CHILD_H
#define RV_SUPERVISOR_CHILD_H

/* Making the table of slot_states.def happen: fork, signal, message, death. */

#include "supervisor/sup.h"

/*
 * ${event} happens to ${child}: moves it and does what the table says.  False when the table has no
 * such row (nothing is done).  ${cause}: why we end it, NONE otherwise.
 */
bool rv_child_event(struct rv_sup *sup, struct rv_child *child, enum rv_life_event event,
		    enum rv_reason cause);

/* It does not answer (HUNG, no TICK, no STATUS, STUCK): KILL at once if it is stopped, else ABRT.
 */
void rv_child_hangs(struct rv_sup *sup, struct rv_child *child, const char *what);

/* It was started by our last image: watched from now on, if it lives. */
void rv_child_adopt(struct rv_sup *sup, struct rv_child *child);

/* The kind of a slot, and a child's name with it ("worker default/0", "keeper"): borrowed, static.
 */
enum rv_proc_kind rv_child_kind(const struct rv_child *child);
const char *rv_child_title(const struct rv_child *child);

/* The pool of a worker; NULL for the keeper and a free slot. */
struct rv_pool *rv_child_pool(struct rv_sup *sup, const struct rv_child *child);
int64_t rv_child_boot_us(struct rv_sup *sup, const struct rv_child *child);

/* channel.c: sends; false when it could not be (the peer does not read, or is gone). */
bool rv_child_send(struct rv_child *child, const struct rv_sup_msg *msg);
bool rv_child_tell(struct rv_child *child, unsigned kind, uint64_t a, uint64_t b);
/* Sends a descriptor (borrowed) with it; also false when the child is behind with reading. */
bool rv_child_pass(struct rv_child *child, unsigned kind, int passed);
/* Begins to read the channel; the rest of it, when the child is dead. */
void rv_child_listen(struct rv_sup *sup, struct rv_child *child);
void rv_child_hear_rest(struct rv_sup *sup, struct rv_child *child);
/* A child that was out of credit is read again once it has some.  When next; 0: none waits. */
int64_t rv_child_unpause(struct rv_sup *sup, int64_t now_us);

/* words.c: the child's stderr. */
void rv_words_open(struct rv_sup *sup, struct rv_child *child, int fd);
/* The same with one that was read before, by our last image. */
void rv_words_adopt(struct rv_sup *sup, struct rv_child *child);
/* What is there of a line is passed on as it is. */
void rv_words_flush(struct rv_child *child);
/* Reads what is left, passes it on, closes. */
void rv_words_close(struct rv_child *child);

#endif
