/*
 * Copying requests: what matters arrives, and bytes that a hostile neighbour put into shared memory
 * never lead out of it.  The shared source ends at the end of its mapping, so that one byte too far
 * is a SIGSEGV even without a sanitizer.
 */
#include "store/request.h"

#include <criterion/criterion.h>
#include <criterion/new/assert.h>

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

static uint64_t seed = 0x2545F4914F6CDD1DULL;

static uint64_t next_random(void)
{
	seed ^= seed << 13;
	seed ^= seed >> 7;
	seed ^= seed << 17;
	return seed;
}

static void scribble(void *at, size_t size)
{
	unsigned char *bytes = at;

	for (size_t i = 0; i < size; i++)
		bytes[i] = (unsigned char)(next_random() >> 24);
}

/* A request whose last byte is the last one before an unmapped page. */
static struct rv_req *at_the_edge(void)
{
	size_t page = (size_t)sysconf(_SC_PAGESIZE);
	size_t pages = (sizeof(struct rv_req) + page - 1) / page;
	char *map = mmap(NULL, (pages + 1) * page, PROT_READ | PROT_WRITE,
			 MAP_SHARED | MAP_ANONYMOUS, -1, 0);

	cr_assert(ne(ptr, map, MAP_FAILED));
	cr_assert(eq(int, mprotect(map + pages * page, page, PROT_NONE), 0));
	return (struct rv_req *)(void *)(map + pages * page - sizeof(struct rv_req));
}

static int ends(const char *text, size_t space)
{
	return memchr(text, '\0', space) != NULL;
}

#define ENDS(array) ends((array), sizeof(array))

static void is_sane(const struct rv_req *req)
{
	if (req->kind == RV_REQ_TURN) {
		const struct rv_req_turn *t = &req->u.turn;

		cr_assert(le(u32, t->nacks, RV_TURN_MAX));
		cr_assert(le(u32, t->want, RV_TURN_MAX));
		cr_assert(le(u32, t->nqueues, RV_QUEUES_MAX));
		cr_assert(le(u32, t->nclaimed, RV_TURN_MAX));
		for (uint32_t i = 0; i < t->nqueues; i++)
			cr_assert(ENDS(t->queues[i]));
		for (uint32_t i = 0; i < t->nacks; i++)
			cr_assert(ENDS(t->acks[i].error));
		for (uint32_t i = 0; i < t->nclaimed; i++) {
			cr_assert(ENDS(t->claimed[i].task));
			cr_assert(lt(i32, t->claimed[i].queue, RV_QUEUES_MAX));
			cr_assert(ge(i32, t->claimed[i].queue, 0));
		}
	}
	if (req->kind == RV_REQ_EXPIRE) {
		cr_assert(le(u32, req->u.expire.count, RV_EXPIRE_MAX));
		for (uint32_t i = 0; i < req->u.expire.count; i++)
			cr_assert(ENDS(req->u.expire.who[i].words));
	}
	if (req->kind == RV_REQ_BEATS)
		cr_assert(le(u32, req->u.beats.count, 256));
	if (req->kind == RV_REQ_JOIN)
		cr_assert(ENDS(req->u.join.pool) && ENDS(req->u.join.boot_id));
	if (req->kind == RV_REQ_RAISE)
		cr_assert(ENDS(req->u.raise.boot_id) && ENDS(req->u.raise.runtime_dir));
	if (req->kind == RV_REQ_PAUSE)
		cr_assert(ENDS(req->u.pause.queue));
	if (req->kind == RV_REQ_WAITER)
		cr_assert(ENDS(req->u.waiter.path));
	cr_assert(ENDS(req->why.text));
}

/* Mostly a known kind and counts near their bounds, else nothing but refusals would be seen. */
static void pretend(struct rv_req *req)
{
	if (next_random() % 8)
		req->kind = (int32_t)(next_random() % (RV_REQ_KINDS + 1));
	if (next_random() % 8 == 0)
		return;
	if (req->kind == RV_REQ_TURN) {
		req->u.turn.nacks = (uint32_t)(next_random() % (RV_TURN_MAX + 2));
		req->u.turn.want = (uint32_t)(next_random() % (RV_TURN_MAX + 2));
		req->u.turn.nqueues = (uint32_t)(next_random() % (RV_QUEUES_MAX + 2));
		req->u.turn.nclaimed = (uint32_t)(next_random() % (RV_TURN_MAX + 2));
	}
	if (req->kind == RV_REQ_EXPIRE)
		req->u.expire.count = (uint32_t)(next_random() % (RV_EXPIRE_MAX + 2));
	if (req->kind == RV_REQ_BEATS)
		req->u.beats.count = (uint32_t)(next_random() % (256 + 2));
}

Test(request, random_bytes_never_lead_out_of_bounds)
{
	struct rv_req *from = at_the_edge();
	struct rv_req *to = at_the_edge();
	struct rv_req *before = malloc(sizeof *before);
	int taken = 0;
	int refused = 0;

	cr_assert(before != NULL);
	scribble(from, sizeof *from);
	for (int i = 0; i < 3000; i++) {
		enum rv_req_part part = next_random() % 2 ? RV_REQ_INPUT : RV_REQ_ANSWER;
		size_t at = next_random() % (sizeof *from - 64);

		scribble((char *)from + at, 64);
		pretend(from);
		memset(to, 0, sizeof *to);
		if (part == RV_REQ_ANSWER && next_random() % 8)
			to->kind = from->kind;
		*before = *to;
		if (rv_req_copy(to, from, part) == RV_OK) {
			taken++;
			cr_assert(rv_req_flat(to->kind));
			is_sane(to);
		} else {
			refused++;
			cr_assert(eq(int, memcmp(to, before, sizeof *to), 0));
		}
	}
	cr_assert(gt(int, taken, 500));
	cr_assert(gt(int, refused, 500));
	free(before);
}

/* Somebody changes the counts all the time while they are read. */
Test(request, a_source_that_changes_under_the_copy)
{
	struct rv_req *from = at_the_edge();
	struct rv_req *to = at_the_edge();
	pid_t child;
	int taken = 0;

	scribble(from, sizeof *from);
	from->kind = RV_REQ_TURN;
	from->u.turn.prefetch = 0;
	child = fork();
	if (child == 0) {
		volatile struct rv_req_turn *turn = &from->u.turn;

		(void)prctl(PR_SET_PDEATHSIG, SIGKILL);
		for (uint32_t n = 0;; n++) {
			turn->nacks = n % 3 ? n % 64 : UINT32_MAX - n;
			turn->nqueues = n % 5 ? n % 32 : n;
			turn->want = n % 64;
			turn->nclaimed = n % 7 ? n % 64 : UINT32_MAX;
			turn->prefetch = 77;
		}
	}
	cr_assert(gt(int, child, 0));
	while (*(volatile uint32_t *)&from->u.turn.prefetch != 77)
		;
	/* Until both have run often enough: the other one may not be scheduled for a while. */
	for (int i = 0; i < 20000 || taken <= 100; i++) {
		to->kind = RV_REQ_TURN;
		if (rv_req_copy(to, from, i % 2 ? RV_REQ_INPUT : RV_REQ_ANSWER) == RV_OK) {
			taken++;
			is_sane(to);
		}
	}
	cr_assert(eq(int, kill(child, SIGKILL), 0));
	cr_assert(eq(int, waitpid(child, NULL, 0), child));
	cr_assert(gt(int, taken, 100));
}

Test(request, a_turn_arrives_as_it_was_and_answers_come_back)
{
	struct rv_req *mine = calloc(1, sizeof *mine);
	struct rv_req *slot = calloc(1, sizeof *slot);
	struct rv_req *leader = calloc(1, sizeof *leader);

	cr_assert(mine && slot && leader);
	mine->kind = RV_REQ_TURN;
	mine->u.turn = (struct rv_req_turn){.incarnation = 7, .nacks = 2, .want = 3, .nqueues = 2};
	(void)snprintf(mine->u.turn.queues[0], sizeof mine->u.turn.queues[0], "critical");
	(void)snprintf(mine->u.turn.queues[1], sizeof mine->u.turn.queues[1], "default");
	mine->u.turn.acks[1] = (struct rv_ack){.job = 5,
					       .fence = 9,
					       .outcome = RV_OUTCOME_FAILED,
					       .exit_code = 3,
					       .error = "it broke"};
	cr_assert(eq(int, rv_req_copy(slot, mine, RV_REQ_INPUT), RV_OK));
	cr_assert(eq(int, rv_req_copy(leader, slot, RV_REQ_INPUT), RV_OK));
	cr_assert(eq(int,
		     memcmp(&leader->u.turn.acks[1], &mine->u.turn.acks[1], sizeof(struct rv_ack)),
		     0));
	cr_assert(eq(int, strcmp(leader->u.turn.queues[1], "default"), 0));
	cr_assert(eq(u64, leader->u.turn.incarnation, 7));
	cr_assert(eq(u32, leader->u.turn.want, 3));
	leader->u.turn.acks[1].err = RV_E_STALE;
	leader->u.turn.nclaimed = 1;
	leader->u.turn.claimed[0] = (struct rv_claimed){.job = 11, .fence = 12, .queue = 1};
	leader->u.turn.more = 4;
	leader->err = RV_E_CONFLICT;
	(void)snprintf(leader->why.text, sizeof leader->why.text, "because");
	cr_assert(eq(int, rv_req_copy(slot, leader, RV_REQ_ANSWER), RV_OK));
	cr_assert(eq(int, rv_req_copy(mine, slot, RV_REQ_ANSWER), RV_OK));
	cr_assert(eq(int, mine->u.turn.acks[1].err, RV_E_STALE));
	cr_assert(eq(int, mine->u.turn.acks[0].err, RV_OK));
	cr_assert(eq(i64, mine->u.turn.claimed[0].fence, 12));
	cr_assert(eq(u32, mine->u.turn.nclaimed, 1));
	cr_assert(eq(u32, mine->u.turn.more, 4));
	cr_assert(eq(int, mine->err, RV_E_CONFLICT));
	cr_assert(eq(int, strcmp(mine->why.text, "because"), 0));
	cr_assert(eq(i64, mine->u.turn.acks[1].job, 5)); /* input fields are as they were */
	free(mine);
	free(slot);
	free(leader);
}

/* A short turn must not drag the whole struct through the cache: bytes past its counts stay. */
Test(request, only_what_matters_is_copied)
{
	struct rv_req *from = calloc(1, sizeof *from);
	struct rv_req *to = malloc(sizeof *to);

	cr_assert(from && to);
	memset(to, 0x5a, sizeof *to);
	from->kind = RV_REQ_TURN;
	from->u.turn.nacks = 1;
	from->u.turn.nqueues = 1;
	cr_assert(eq(int, rv_req_copy(to, from, RV_REQ_INPUT), RV_OK));
	cr_assert(eq(int, to->u.turn.queues[1][0], 0x5a));
	cr_assert(eq(i64, to->u.turn.acks[1].job, 0x5a5a5a5a5a5a5a5a));
	cr_assert(eq(i64, to->u.turn.claimed[0].job, 0x5a5a5a5a5a5a5a5a));
	free(from);
	free(to);
}

Test(request, every_flat_kind_goes_both_ways_and_no_pointer_does)
{
	struct rv_req *from = calloc(1, sizeof *from);
	struct rv_req *to = calloc(1, sizeof *to);

	cr_assert(from && to);
	for (int kind = -1; kind <= RV_REQ_KINDS; kind++) {
		int want = rv_req_flat(kind) ? RV_OK : RV_E_USAGE;

		from->kind = kind;
		to->kind = kind;
		cr_assert(eq(int, rv_req_copy(to, from, RV_REQ_INPUT), want));
		cr_assert(eq(int, rv_req_copy(to, from, RV_REQ_ANSWER), want));
	}
	cr_assert(not(rv_req_flat(RV_REQ_ENQUEUE)));
	cr_assert(not(rv_req_flat(RV_REQ_MIRROR)));
	cr_assert(rv_req_flat(RV_REQ_TURN));
	cr_assert(eq(int, strcmp(rv_req_name(RV_REQ_TURN), "TURN"), 0));
	cr_assert(eq(int, strcmp(rv_req_name(RV_REQ_KINDS), "?"), 0));
	cr_assert(eq(int, strcmp(rv_req_name(-3), "?"), 0));
	from->kind = RV_REQ_LEAVE;
	to->kind = RV_REQ_JOIN; /* the answer to something else */
	cr_assert(eq(int, rv_req_copy(to, from, RV_REQ_ANSWER), RV_E_USAGE));
	free(from);
	free(to);
}
