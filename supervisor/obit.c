/*
 * The table of obituaries and the messages made of it.  Runs in the supervisor and in unit tests;
 * after rv_obits_init it allocates nothing.
 */
#include "supervisor/obit.h"

#include "base/check.h"

#include <stdlib.h>
#include <string.h>

int rv_obits_init(struct rv_obits *obits, size_t slots)
{
	PRE(slots > 0);
	*obits = (struct rv_obits){.space = slots * RV_OBIT_PER_SLOT};
	obits->items = calloc(obits->space, sizeof *obits->items);
	return obits->items ? RV_OK : RV_E_NOMEM;
}

void rv_obits_fini(struct rv_obits *obits)
{
	free(obits->items);
	*obits = (struct rv_obits){0};
}

int rv_obits_reserve(struct rv_obits *obits)
{
	INV(obits->used + obits->reserved <= obits->space);
	if (obits->used + obits->reserved == obits->space)
		return RV_E_BUSY;
	obits->reserved++;
	return RV_OK;
}

void rv_obits_unreserve(struct rv_obits *obits)
{
	PRE(obits->reserved > 0);
	obits->reserved--;
}

struct rv_obit *rv_obits_add(struct rv_obits *obits, const struct rv_obit *what)
{
	PRE(obits->reserved > 0);
	PRE(what->nwords <= RV_LAST_WORDS);
	for (size_t i = 0; i < obits->space; i++) {
		struct rv_obit *obit = &obits->items[i];

		if (obit->state != RV_OBIT_FREE)
			continue;
		*obit = *what;
		obit->state = RV_OBIT_SWEEPING;
		obit->number = ++obits->last;
		obits->reserved--;
		obits->used++;
		return obit;
	}
	IMPOSSIBLE("a reserved place is missing");
}

int rv_obits_put(struct rv_obits *obits, const struct rv_obit *obit)
{
	PRE(obit->state != RV_OBIT_FREE && obit->nwords <= RV_LAST_WORDS);
	if (obits->used + obits->reserved == obits->space)
		return RV_E_BUSY;
	for (size_t i = 0; i < obits->space; i++) {
		if (obits->items[i].state != RV_OBIT_FREE)
			continue;
		obits->items[i] = *obit;
		obits->used++;
		return RV_OK;
	}
	IMPOSSIBLE("a place that is not used is missing");
}

struct rv_obit *rv_obits_first(struct rv_obits *obits, enum rv_obit_state state)
{
	struct rv_obit *first = NULL;

	for (size_t i = 0; obits->used > 0 && i < obits->space; i++) {
		struct rv_obit *obit = &obits->items[i];

		if (obit->state == state && (!first || obit->number < first->number))
			first = obit;
	}
	return first;
}

size_t rv_obits_count(const struct rv_obits *obits, enum rv_obit_state state)
{
	size_t count = 0;

	for (size_t i = 0; obits->used > 0 && i < obits->space; i++)
		count += obits->items[i].state == state;
	return count;
}

void rv_obits_resend(struct rv_obits *obits)
{
	for (size_t i = 0; i < obits->space; i++) {
		if (obits->items[i].state == RV_OBIT_SENT)
			obits->items[i].state = RV_OBIT_SWEPT;
	}
}

bool rv_obits_resend_stale(struct rv_obits *obits, int64_t before_us)
{
	bool any = false;

	for (size_t i = 0; obits->used > 0 && i < obits->space; i++) {
		struct rv_obit *obit = &obits->items[i];

		if (obit->state != RV_OBIT_SENT || obit->sent_us >= before_us)
			continue;
		obit->state = RV_OBIT_SWEPT;
		any = true;
	}
	return any;
}

int rv_obits_ack(struct rv_obits *obits, uint64_t number)
{
	for (size_t i = 0; i < obits->space; i++) {
		struct rv_obit *obit = &obits->items[i];

		if (obit->state != RV_OBIT_SENT || obit->number != number)
			continue;
		obit->state = RV_OBIT_FREE;
		INV(obits->used > 0);
		obits->used--;
		return RV_OK;
	}
	return RV_E_NOTFOUND;
}

void rv_obit_message(const struct rv_obit *obit, struct rv_sup_msg *ret_msg)
{
	unsigned code = obit->code >= 0 ? (unsigned)obit->code : 0;

	_Static_assert(RV_LAST_WORDS <= RV_SUP_TEXT, "last words fit into a message");
	PRE(obit->signo >= 0 && obit->signo < 128 && code <= 255);
	PRE(obit->user_us >= 0 && obit->sys_us >= 0 && obit->maxrss_bytes >= 0);
	*ret_msg = (struct rv_sup_msg){
		.version = RV_SUP_VERSION,
		.kind = RV_SUP_DIED,
		.size = (uint32_t)obit->nwords,
		.a = obit->number,
		.b = obit->incarnation,
		.c = (uint64_t)obit->died,
		.d = RV_SUP_END(code, obit->signo, obit->core),
		.e = obit->slot,
		.f = (uint64_t)obit->user_us,
		.g = (uint64_t)obit->sys_us,
		.h = (uint64_t)obit->maxrss_bytes,
	};
	memcpy(ret_msg->text, obit->words, obit->nwords);
}

void rv_living_message(uint64_t highest, const uint64_t *ids, size_t count, size_t from,
		       struct rv_sup_msg *ret_msg, size_t *ret_next)
{
	size_t some = count - from;

	PRE(from <= count);
	if (some > RV_SUP_TEXT / sizeof *ids)
		some = RV_SUP_TEXT / sizeof *ids;
	*ret_msg = (struct rv_sup_msg){
		.version = RV_SUP_VERSION,
		.kind = RV_SUP_LIVING,
		.size = (uint32_t)(some * sizeof *ids),
		.a = highest,
		.b = some,
		.c = from > 0,
		.d = count,
	};
	if (some > 0)
		memcpy(ret_msg->text, ids + from, some * sizeof *ids);
	*ret_next = from + some;
}
