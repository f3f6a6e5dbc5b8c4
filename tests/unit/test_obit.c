/* Obituaries: numbered, kept until ACKed, never without a place. */
#include "base/err.h"
#include "helpers/assert.h"
#include "supervisor/obit.h"

static struct rv_obits obits;

static struct rv_obit *die(uint64_t incarnation)
{
	struct rv_obit what = {.incarnation = incarnation, .slot = 3, .code = 1};

	return rv_obits_add(&obits, &what);
}

static void init(size_t slots)
{
	cr_assert(eq(int, rv_obits_init(&obits, slots), RV_OK));
}

Test(obit, numbers_follow_the_order_of_deaths)
{
	init(4);
	for (uint64_t i = 1; i <= 4; i++) {
		cr_assert(eq(int, rv_obits_reserve(&obits), RV_OK));
		cr_assert(eq(ulong, die(100 + i)->number, i));
	}
	cr_assert(eq(ulong, rv_obits_first(&obits, RV_OBIT_SWEEPING)->incarnation, 101));
	cr_assert(zero(ptr, rv_obits_first(&obits, RV_OBIT_SWEPT)));
	rv_obits_fini(&obits);
}

Test(obit, no_place_no_start)
{
	size_t n = 2 * RV_OBIT_PER_SLOT;

	init(2);
	for (size_t i = 0; i < n; i++)
		cr_assert(eq(int, rv_obits_reserve(&obits), RV_OK));
	cr_assert(eq(int, rv_obits_reserve(&obits), RV_E_BUSY));
	rv_obits_unreserve(&obits);
	cr_assert(eq(int, rv_obits_reserve(&obits), RV_OK));
	/* Every one that was promised a place has it. */
	for (size_t i = 0; i < n; i++)
		(void)die(i + 1);
	cr_assert(eq(int, rv_obits_reserve(&obits), RV_E_BUSY));
	rv_obits_first(&obits, RV_OBIT_SWEEPING)->state = RV_OBIT_SENT;
	cr_assert(eq(int, rv_obits_ack(&obits, 1), RV_OK));
	cr_assert(eq(int, rv_obits_reserve(&obits), RV_OK));
	rv_obits_fini(&obits);
}

Test(obit, kept_until_the_ack_and_sent_again_to_the_next_keeper)
{
	struct rv_obit *obit;

	init(2);
	cr_assert(eq(int, rv_obits_reserve(&obits), RV_OK));
	obit = die(7);
	cr_assert(eq(int, rv_obits_ack(&obits, 1), RV_E_NOTFOUND), "it was not sent");
	obit->state = RV_OBIT_SENT;
	rv_obits_resend(&obits);
	cr_assert(eq(ptr, rv_obits_first(&obits, RV_OBIT_SWEPT), obit));
	obit->state = RV_OBIT_SENT;
	cr_assert(eq(int, rv_obits_ack(&obits, 2), RV_E_NOTFOUND));
	cr_assert(eq(int, rv_obits_ack(&obits, 1), RV_OK));
	cr_assert(eq(int, rv_obits_ack(&obits, 1), RV_E_NOTFOUND), "only once");
	cr_assert(eq(sz, obits.used, 0));
	rv_obits_fini(&obits);
}

Test(obit, what_is_not_acked_for_long_is_sent_again)
{
	struct rv_obit *obit;

	init(2);
	cr_assert(eq(int, rv_obits_reserve(&obits), RV_OK));
	obit = die(7);
	obit->state = RV_OBIT_SENT;
	obit->sent_us = 100;
	cr_assert(not(rv_obits_resend_stale(&obits, 100)));
	cr_assert(rv_obits_resend_stale(&obits, 101));
	cr_assert(eq(int, obit->state, RV_OBIT_SWEPT));
	cr_assert(not(rv_obits_resend_stale(&obits, 101)), "it waits already");
	rv_obits_fini(&obits);
}

Test(obit, a_new_keeper_does_not_hear_of_the_unswept)
{
	init(2);
	cr_assert(eq(int, rv_obits_reserve(&obits), RV_OK));
	cr_assert(eq(int, rv_obits_reserve(&obits), RV_OK));
	(void)die(7);
	die(8)->state = RV_OBIT_UNCLEAN;
	rv_obits_resend(&obits);
	cr_assert(zero(ptr, rv_obits_first(&obits, RV_OBIT_SWEPT)));
	cr_assert(eq(sz, rv_obits_count(&obits, RV_OBIT_UNCLEAN), 1));
	rv_obits_fini(&obits);
}

Test(obit, the_message_says_how_it_ended)
{
	struct rv_obit obit = {
		.number = 5,
		.incarnation = 0x1234,
		.slot = 9,
		.died = RV_DIED_CRASH,
		.code = 3,
		.user_us = 11,
		.sys_us = 12,
		.maxrss_bytes = 4096,
		.nwords = 4,
		.words = "oops",
	};
	struct rv_sup_msg msg;

	rv_obit_message(&obit, &msg);
	cr_assert(eq(int, msg.kind, RV_SUP_DIED));
	cr_assert(eq(ulong, msg.a, 5));
	cr_assert(eq(ulong, msg.b, 0x1234));
	cr_assert(eq(ulong, msg.c, RV_DIED_CRASH));
	cr_assert(eq(ulong, msg.d, 3 << 8));
	cr_assert(eq(ulong, msg.e, 9));
	cr_assert(eq(ulong, msg.f, 11));
	cr_assert(eq(ulong, msg.g, 12));
	cr_assert(eq(ulong, msg.h, 4096));
	cr_assert(eq(uint, msg.size, 4));
	cr_assert(eq(int, memcmp(msg.text, "oops", 4), 0));
	obit.code = -1;
	obit.signo = 11;
	obit.core = true;
	rv_obit_message(&obit, &msg);
	cr_assert(eq(ulong, msg.d, 0x80 | 11));
	rv_assert_text((const char *)msg.text, "oops");
}

Test(obit, the_list_of_the_living_comes_in_parts)
{
	static uint64_t ids[150];
	size_t from = 0;
	size_t seen = 0;
	int parts = 0;

	for (size_t i = 0; i < 150; i++)
		ids[i] = i + 1;
	do {
		struct rv_sup_msg msg;
		size_t next;

		rv_living_message(150, ids, 150, from, &msg, &next);
		cr_assert(eq(int, msg.kind, RV_SUP_LIVING));
		cr_assert(eq(ulong, msg.a, 150));
		cr_assert(eq(ulong, msg.c, parts > 0));
		cr_assert(eq(ulong, msg.d, 150));
		cr_assert(eq(ulong, msg.b * 8, msg.size));
		for (uint64_t i = 0; i < msg.b; i++) {
			uint64_t id;

			memcpy(&id, msg.text + 8 * i, 8);
			cr_assert(eq(ulong, id, ++seen));
		}
		parts++;
		from = next;
	} while (from < 150);
	cr_assert(eq(int, parts, 3));
	cr_assert(eq(sz, seen, 150));
}

Test(obit, an_empty_list_is_a_list)
{
	struct rv_sup_msg msg;
	size_t next = 1;

	rv_living_message(9, NULL, 0, 0, &msg, &next);
	cr_assert(eq(ulong, msg.b, 0));
	cr_assert(eq(uint, msg.size, 0));
	cr_assert(eq(sz, next, 0));
}
