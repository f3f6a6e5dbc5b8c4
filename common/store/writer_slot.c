/*
 * Slots of the area: their states, the bitmap of who may have posted, waiting and waking by futex.
 * Runs in workers and the keeper.  The bitmap is a hint, the state decides; nothing read here is
 * used as an index without a bound.  Must never wait for anything but a slot's word.
 */
#include "store/writer_private.h"

#include "base/check.h"

#include <limits.h>
#include <linux/futex.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

_Static_assert(sizeof(struct rv_req) <= RV_AREA_SLOT_SIZE, "every flat request fits into a slot");
_Static_assert(sizeof(_Atomic uint32_t) == 4, "a futex word");

struct rv_req *rv_writer_slot_request(struct rv_area_slot *slot)
{
	return (struct rv_req *)(void *)slot->body;
}

bool rv_writer_slot_move(struct rv_area_slot *slot, enum rv_slot_state from, enum rv_slot_state to)
{
	uint32_t word = atomic_load_explicit(&slot->state, memory_order_relaxed);

	do {
		if ((word & RV_SLOT_STATE_MASK) != from)
			return false;
	} while (!atomic_compare_exchange_weak_explicit(
		&slot->state, &word, (word & ~RV_SLOT_STATE_MASK) | to, memory_order_acq_rel,
		memory_order_relaxed));
	return true;
}

void rv_writer_slot_mark(struct rv_writer *writer, unsigned index)
{
	PRE(index < writer->nslots);
	atomic_fetch_or(&writer->head->posted[index / 64], 1ULL << index % 64);
}

void rv_writer_slot_unmark(struct rv_writer *writer, unsigned index)
{
	PRE(index < writer->nslots);
	atomic_fetch_and(&writer->head->posted[index / 64], ~(1ULL << index % 64));
}

/* Appends the slots of ${bits}, word ${at} of the bitmap, to ${ret}. */
static unsigned spread(const struct rv_writer *writer, uint64_t bits, unsigned at, uint16_t *ret,
		       unsigned count)
{
	for (; bits != 0; bits &= bits - 1) {
		unsigned index = at * 64 + (unsigned)__builtin_ctzll(bits);

		if (index < writer->nslots)
			ret[count++] = (uint16_t)index;
	}
	return count;
}

unsigned rv_writer_slot_marked(const struct rv_writer *writer, unsigned after, uint16_t *ret)
{
	unsigned words = (writer->nslots + 63) / 64;
	unsigned first = after / 64;
	uint64_t upper = after % 64 == 63 ? 0 : ~0ULL << (after % 64 + 1);
	unsigned count = 0;
	uint64_t bits[RV_AREA_SLOTS_MAX / 64] = {0};

	PRE(after < writer->nslots);
	for (unsigned i = 0; i < words; i++)
		bits[i] = atomic_load(&writer->head->posted[i]);
	count = spread(writer, bits[first] & upper, first, ret, count);
	for (unsigned i = 1; i < words; i++) {
		unsigned at = (first + i) % words;

		count = spread(writer, bits[at], at, ret, count);
	}
	count = spread(writer, bits[first] & ~upper, first, ret, count);
	POST(count <= writer->nslots);
	return count;
}

/* Results are not looked at: a futex may always return early, and every caller looks again. */
void rv_writer_slot_wait(struct rv_area_slot *slot, uint32_t word, int64_t timeout_us)
{
	struct timespec timeout = {.tv_sec = timeout_us / 1000000,
				   .tv_nsec = timeout_us % 1000000 * 1000};

	PRE(timeout_us >= 0);
	(void)syscall(SYS_futex, &slot->state, FUTEX_WAIT, word, &timeout, NULL, 0);
}

void rv_writer_slot_wake(struct rv_area_slot *slot)
{
	(void)syscall(SYS_futex, &slot->state, FUTEX_WAKE, INT_MAX, NULL, NULL, 0);
}

/* The word changes, so that a poster about to wait does not sleep through this. */
static void nudge(struct rv_area_slot *slot)
{
	if (!slot)
		return;
	atomic_fetch_add(&slot->state, RV_SLOT_WAKE_ONE);
	rv_writer_slot_wake(slot);
}

void rv_writer_slot_nudge(struct rv_writer *writer)
{
	uint16_t marked[RV_AREA_SLOTS_MAX];
	struct rv_area_slot *posted = NULL;
	struct rv_area_slot *calling = NULL;

	/*
	 * The bitmap is read after the mutex was let go; a poster marks before it tries the mutex,
	 * so one of the two sees the other: the mark and the CAS on head->leader are full barriers
	 * where we run (TSan knows no fences).  Where they were not, a poster still looks after 2
	 * ms.
	 */
	unsigned count = rv_writer_slot_marked(writer, writer->how.slot, marked);

	for (unsigned i = 0; i < count; i++) {
		struct rv_area_slot *slot = &writer->slots[marked[i]];
		uint32_t state = atomic_load(&slot->state) & RV_SLOT_STATE_MASK;

		if (state == RV_SLOT_CALLING && !calling)
			calling = slot;
		if (state == RV_SLOT_POSTED && !posted)
			posted = slot;
	}
	/* Both: who calls may be dead, and then must not keep the others waiting. */
	nudge(calling);
	nudge(posted);
}
