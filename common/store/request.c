/*
 * Copying requests between a process and a slot of the area; their names.  Workers and keeper.
 * A source in shared memory may change at any moment and hold anything: each count is read once,
 * bounded in a local, and only the local is used; no pointer of it is ever followed or copied.
 */
#include "store/request.h"

#include "base/check.h"

#include <string.h>

#define QUEUES_MAX      ((uint32_t)RV_QUEUES_MAX)
#define INCARNATIONS    RV_ARRAY_LEN(((struct rv_req_beats *)0)->incarnations)
#define READ_ONCE(word) (*(const volatile __typeof__(word) *)&(word))
#define END(text)       ((text)[sizeof(text) - 1] = '\0')

static const char *const names[] = {
	[RV_REQ_NONE] = "NONE",
#define REQ(sym, member, who, what) [RV_REQ_##sym] = #sym,
#include "store/request.def"
#undef REQ
};

const char *rv_req_name(int kind)
{
	return kind >= 0 && kind < RV_REQ_KINDS ? names[kind] : "?";
}

bool rv_req_flat(int kind)
{
	return kind > RV_REQ_NONE && kind < RV_REQ_KINDS && kind != RV_REQ_ENQUEUE &&
	       kind != RV_REQ_MIRROR && kind != RV_REQ_RESULT && kind != RV_REQ_NEW_BATCH &&
	       kind != RV_REQ_INBOX && kind != RV_REQ_SCHEDULE;
}

static int bounded(uint32_t count, size_t limit)
{
	return count <= limit ? RV_OK : RV_E_TOOBIG;
}

static int copy_turn_in(struct rv_req_turn *to, const struct rv_req_turn *from)
{
	uint32_t nacks = READ_ONCE(from->nacks);
	uint32_t nqueues = READ_ONCE(from->nqueues);
	uint32_t want = READ_ONCE(from->want);

	if (bounded(nacks, RV_TURN_MAX) || bounded(nqueues, QUEUES_MAX) ||
	    bounded(want, RV_TURN_MAX))
		return RV_E_TOOBIG;
	to->incarnation = from->incarnation;
	to->nacks = nacks;
	to->want = want;
	to->prefetch = from->prefetch;
	to->children = from->children;
	to->nqueues = nqueues;
	to->nclaimed = 0;
	to->more = 0;
	memcpy(to->queues, from->queues, nqueues * sizeof to->queues[0]);
	for (uint32_t i = 0; i < nqueues; i++)
		END(to->queues[i]);
	memcpy(to->acks, from->acks, nacks * sizeof to->acks[0]);
	for (uint32_t i = 0; i < nacks; i++) {
		END(to->acks[i].error);
		to->acks[i].err = RV_OK;
	}
	POST(nacks <= RV_TURN_MAX && nqueues <= QUEUES_MAX); /* the copies: ${to} may be shared */
	return RV_OK;
}

static int copy_turn_out(struct rv_req_turn *to, const struct rv_req_turn *from)
{
	uint32_t nacks = READ_ONCE(from->nacks);
	uint32_t nclaimed = READ_ONCE(from->nclaimed);

	if (bounded(nacks, RV_TURN_MAX) || bounded(nclaimed, RV_TURN_MAX))
		return RV_E_TOOBIG;
	for (uint32_t i = 0; i < nacks; i++)
		to->acks[i].err = from->acks[i].err;
	memcpy(to->claimed, from->claimed, nclaimed * sizeof to->claimed[0]);
	for (uint32_t i = 0; i < nclaimed; i++) {
		END(to->claimed[i].task);
		if (to->claimed[i].queue < 0 || to->claimed[i].queue >= RV_QUEUES_MAX)
			to->claimed[i].queue = 0;
	}
	to->nclaimed = nclaimed;
	to->more = from->more;
	POST(nacks <= RV_TURN_MAX && nclaimed <= RV_TURN_MAX);
	return RV_OK;
}

static int copy_expire(struct rv_req_expire *to, const struct rv_req_expire *from,
		       enum rv_req_part part)
{
	uint32_t count = READ_ONCE(from->count);

	if (bounded(count, RV_EXPIRE_MAX))
		return RV_E_TOOBIG;
	if (part == RV_REQ_ANSWER) {
		for (uint32_t i = 0; i < count; i++)
			to->who[i].released = from->who[i].released;
		return RV_OK;
	}
	to->count = count;
	to->all_below = from->all_below;
	to->overdue_us = from->overdue_us;
	memcpy(to->who, from->who, count * sizeof to->who[0]);
	for (uint32_t i = 0; i < count; i++) {
		END(to->who[i].words);
		to->who[i].released = 0;
	}
	POST(count <= RV_EXPIRE_MAX);
	return RV_OK;
}

static int copy_beats(struct rv_req_beats *to, const struct rv_req_beats *from,
		      enum rv_req_part part)
{
	uint32_t count = READ_ONCE(from->count);

	if (bounded(count, INCARNATIONS))
		return RV_E_TOOBIG;
	if (part == RV_REQ_ANSWER)
		return RV_OK;
	to->deadline_us = from->deadline_us;
	to->count = count;
	memcpy(to->incarnations, from->incarnations, count * sizeof to->incarnations[0]);
	POST(count <= INCARNATIONS);
	return RV_OK;
}

/* The small ones: all of their struct goes both ways, and their strings end. */
static void end_strings(struct rv_req *req, int kind)
{
	switch (kind) {
	case RV_REQ_JOIN:
		END(req->u.join.pool);
		END(req->u.join.name);
		END(req->u.join.boot_id);
		break;
	case RV_REQ_RAISE:
		END(req->u.raise.boot_id);
		END(req->u.raise.runtime_dir);
		break;
	case RV_REQ_PROGRESS:
		END(req->u.progress.message);
		break;
	case RV_REQ_PAUSE:
		END(req->u.pause.queue);
		break;
	case RV_REQ_FIRE:
		END(req->u.fire.schedule);
		END(req->u.fire.error);
		break;
	case RV_REQ_WAITER:
		END(req->u.waiter.path);
		END(req->u.waiter.queue);
		break;
	default:
		break;
	}
}

static int copy_small(struct rv_req *to, const struct rv_req *from, int kind)
{
	PRE(rv_req_flat(kind));
	switch (kind) {
#define REQ(sym, member, who, what)                                                                \
	case RV_REQ_##sym:                                                                         \
		memcpy(&to->u.member, &from->u.member, sizeof to->u.member);                       \
		break;
#include "store/request.def"
#undef REQ
	default:
		IMPOSSIBLE("a kind that was looked at before");
	}
	end_strings(to, kind);
	return RV_OK;
}

static int copy_body(struct rv_req *to, const struct rv_req *from, int kind, enum rv_req_part part)
{
	switch (kind) {
	case RV_REQ_TURN:
		return part == RV_REQ_INPUT ? copy_turn_in(&to->u.turn, &from->u.turn)
					    : copy_turn_out(&to->u.turn, &from->u.turn);
	case RV_REQ_EXPIRE:
		return copy_expire(&to->u.expire, &from->u.expire, part);
	case RV_REQ_BEATS:
		return copy_beats(&to->u.beats, &from->u.beats, part);
	default:
		return copy_small(to, from, kind);
	}
}

int rv_req_copy(struct rv_req *to, const struct rv_req *from, enum rv_req_part part)
{
	int kind = READ_ONCE(from->kind);
	int err;

	PRE(to != from);
	PRE(part == RV_REQ_INPUT || part == RV_REQ_ANSWER);
	if (!rv_req_flat(kind))
		return RV_E_USAGE;
	if (part == RV_REQ_ANSWER && READ_ONCE(to->kind) != kind)
		return RV_E_USAGE;
	err = copy_body(to, from, kind, part);
	if (err != RV_OK)
		return err;
	if (part == RV_REQ_INPUT) {
		to->kind = kind;
		to->err = RV_OK;
		to->why.text[0] = '\0';
		return RV_OK;
	}
	to->err = READ_ONCE(from->err);
	to->why.text[0] = '\0';
	if (to->err != RV_OK) {
		memcpy(&to->why, &from->why, sizeof to->why);
		END(to->why.text);
	}
	return RV_OK;
}
