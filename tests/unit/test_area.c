/* The area and descriptor 3: what comes out of them is checked, however it got in (F30). */
#include "base/check.h"
#include "helpers/assert.h"
#include "helpers/child.h"
#include "helpers/limit.h"
#include "os/fd.h"
#include "os/self.h"
#include "os/spawn.h"
#include "wire/area.h"
#include "wire/sup.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

static struct rv_proc start_probe(const char *verb, const char *arg, int area_fd)
{
	struct rv_spawn how = {.parent_death_signal = SIGKILL};
	struct rv_why why = {{0}};
	struct rv_proc proc;
	char path[4096];

	cr_assert(eq(int, rv_self_sibling("rv_testprobe", path, sizeof path, NULL), RV_OK));
	how.argv = RV_WORDS(path, verb, arg);
	how.fds[how.nfds++] = (struct rv_spawn_fd){.from = area_fd, .to = RV_AREA_FD};
	how.fds[how.nfds++] = (struct rv_spawn_fd){.from = 2, .to = 2};
	cr_assert(eq(int, rv_spawn(&how, &proc, &why), RV_OK), "%s", why.text);
	return proc;
}

static struct rv_exit reap(struct rv_proc *proc)
{
	struct rv_exit how = {0};

	cr_assert(eq(int, rv_fd_wait(proc->pidfd, POLLIN, 30000000), RV_OK));
	cr_assert(eq(int, rv_proc_reap(proc, &how), RV_OK));
	return how;
}

Test(area, made_sealed_and_empty)
{
	struct rv_why why = {{0}};
	struct rv_area area = {0};
	struct stat st;
	uint64_t id = 0;
	int fd = -1;

	cr_assert(eq(int, rv_area_create(33, &fd, &id, &why), RV_OK), "%s", why.text);
	cr_assert(eq(int, fcntl(fd, F_GETFD) & FD_CLOEXEC, FD_CLOEXEC));
	cr_assert(eq(int, ftruncate(fd, 1 << 20), -1));
	cr_assert(eq(int, fcntl(fd, F_ADD_SEALS, F_SEAL_WRITE), -1), "sealed against sealing");
	cr_assert(eq(int, fstat(fd, &st), 0));
	cr_assert(le(long, st.st_blocks * 512, 4 * 4096L), "a slot that is not used costs nothing");
	cr_assert(eq(int, rv_area_map(fd, &area, &why), RV_OK), "%s", why.text);
	cr_assert(ne(u64, id, 0));
	cr_assert(lt(i64, 0, (int64_t)id));
	cr_assert(eq(u64, area.head->id, id));
	cr_assert(eq(uint, area.head->nslots, 33));
	for (unsigned slot = 0; slot < 33; slot++) {
		cr_assert(eq(u64, area.hints[slot].incarnation, 0));
		cr_assert(eq(uint, area.slots[slot].state, RV_SLOT_EMPTY));
		cr_assert(eq(u64, area.slots[slot].owner, 0));
	}
	cr_assert(eq(sz, (uintptr_t)area.hints % 4096, 0));
	cr_assert(eq(sz, (uintptr_t)area.slots % 4096, 0));
	cr_assert(le(ptr, (char *)&area.hints[33], (char *)area.slots));
	cr_assert(le(ptr, (char *)&area.slots[33], (char *)area.head + area.size));
	rv_area_unmap(&area);
	cr_assert(eq(ptr, area.head, NULL));
	rv_area_unmap(&area);
	rv_fd_close(&fd);
}

Test(area, the_largest_and_the_smallest)
{
	struct rv_area area;
	uint64_t id = 0;
	int fd = -1;

	cr_assert(eq(int, rv_area_create(RV_AREA_SLOTS_MAX, &fd, &id, NULL), RV_OK));
	cr_assert(eq(int, rv_area_map(fd, &area, NULL), RV_OK));
	area.slots[RV_AREA_SLOTS_MAX - 1].body[RV_AREA_SLOT_SIZE - 1] = 1;
	area.hints[RV_AREA_SLOTS_MAX - 1].jobs_done = 1;
	rv_area_unmap(&area);
	rv_fd_close(&fd);
	cr_assert(eq(int, rv_area_create(1, &fd, &id, NULL), RV_OK));
	rv_fd_close(&fd);
}

Test(area, peeking_sees_what_a_child_wrote)
{
	struct rv_area_hint hint = {0};
	struct rv_area area;
	uint64_t id = 0;
	int fd = -1;

	cr_assert(eq(int, rv_area_create(4, &fd, &id, NULL), RV_OK));
	cr_assert(eq(int, rv_area_map(fd, &area, NULL), RV_OK));
	area.hints[3].incarnation = 0xabcdef;
	area.hints[3].beat_us = -5;
	area.hints[3].idle = 1;
	area.hints[3].job = 77;
	cr_assert(eq(int, rv_area_peek(fd, 3, &hint), RV_OK));
	cr_assert(eq(u64, hint.incarnation, 0xabcdef));
	cr_assert(eq(i64, hint.beat_us, -5));
	cr_assert(eq(uint, hint.idle, 1));
	cr_assert(eq(i64, hint.job, 77));
	cr_assert(eq(int, rv_area_peek(fd, 2, &hint), RV_OK));
	cr_assert(eq(u64, hint.incarnation, 0));
	rv_area_unmap(&area);
	rv_fd_close(&fd);
	cr_assert(ne(int, rv_area_peek(fd, 2, &hint), RV_OK));
	fd = memfd_create("short", MFD_CLOEXEC);
	cr_assert(eq(int, rv_area_peek(fd, 2, &hint), RV_E_NOTFOUND));
}

Test(area, f04_a_dead_holder_leaves_the_mutex_to_the_next)
{
	struct rv_area_hint hint = {0};
	struct rv_area area;
	struct rv_proc proc;
	uint64_t id = 0;
	int fd = -1;

	cr_assert(eq(int, rv_area_create(2, &fd, &id, NULL), RV_OK));
	cr_assert(eq(int, rv_area_map(fd, &area, NULL), RV_OK));
	proc = start_probe("area-die", "", fd);
	cr_assert(eq(int, reap(&proc).signo, SIGKILL));
	cr_assert(eq(int, rv_area_peek(fd, 1, &hint), RV_OK));
	cr_assert(eq(i64, hint.beat_us, 4711), "it had it");
	cr_assert(eq(int, pthread_mutex_lock(&area.head->mutex), EOWNERDEAD));
	cr_assert(eq(int, pthread_mutex_consistent(&area.head->mutex), 0));
	cr_assert(eq(int, pthread_mutex_unlock(&area.head->mutex), 0));
	cr_assert(eq(int, pthread_mutex_lock(&area.head->mutex), 0));
	cr_assert(eq(int, pthread_mutex_unlock(&area.head->mutex), 0));
	rv_area_unmap(&area);
}

Test(area, the_mutex_excludes_processes)
{
	struct rv_proc procs[4];
	struct rv_area area;
	uint64_t id = 0;
	int fd = -1;

	cr_assert(eq(int, rv_area_create(2, &fd, &id, NULL), RV_OK));
	for (size_t i = 0; i < RV_ARRAY_LEN(procs); i++)
		procs[i] = start_probe("area-add", "20000", fd);
	for (size_t i = 0; i < RV_ARRAY_LEN(procs); i++)
		cr_assert(eq(int, reap(&procs[i]).code, 0));
	cr_assert(eq(int, rv_area_map(fd, &area, NULL), RV_OK));
	cr_assert(eq(u64, area.head->tick, 80000));
	rv_area_unmap(&area);
}

/* A copy of a good area with one field changed, sealed or not. */
static int forged(size_t offset, uint32_t value, bool sealed, off_t cut)
{
	static char copy[1 << 20];
	uint64_t id = 0;
	struct stat st;
	int good = -1;
	int fd = memfd_create("forged", MFD_CLOEXEC | MFD_ALLOW_SEALING);

	cr_assert(eq(int, rv_area_create(4, &good, &id, NULL), RV_OK));
	cr_assert(eq(int, fstat(good, &st), 0));
	cr_assert(le(long, st.st_size, (long)sizeof copy));
	cr_assert(eq(long, pread(good, copy, sizeof copy, 0), st.st_size));
	(void)close(good);
	if (offset < sizeof copy - sizeof value)
		memcpy(copy + offset, &value, sizeof value);
	cr_assert(eq(long, pwrite(fd, copy, (size_t)st.st_size, 0), st.st_size));
	cr_assert(eq(int, ftruncate(fd, st.st_size - cut), 0));
	if (sealed)
		cr_assert(eq(int, fcntl(fd, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL),
			     0));
	return fd;
}

#define NOWHERE SIZE_MAX

static const struct {
	size_t offset;
	uint32_t value;
	bool sealed;
	off_t cut;
	int err;
} forgeries[] = {
	{NOWHERE, 0, true, 0, RV_OK},
	{NOWHERE, 0, false, 0, RV_E_REFUSED},
	{NOWHERE, 0, true, 4096, RV_E_REFUSED},
	{NOWHERE, 0, true, 1, RV_E_REFUSED},
	{offsetof(struct rv_area_head, magic), 1, true, 0, RV_E_REFUSED},
	{offsetof(struct rv_area_head, version), 99, true, 0, RV_E_REFUSED},
	{offsetof(struct rv_area_head, nslots), 0, true, 0, RV_E_REFUSED},
	{offsetof(struct rv_area_head, nslots), 3, true, 0, RV_E_REFUSED},
	{offsetof(struct rv_area_head, nslots), 5, true, 0, RV_E_REFUSED},
	{offsetof(struct rv_area_head, nslots), 257, true, 0, RV_E_REFUSED},
	{offsetof(struct rv_area_head, nslots), UINT32_MAX, true, 0, RV_E_REFUSED},
};

Test(area, f30_only_a_whole_sealed_area_of_this_version_is_mapped)
{
	for (size_t i = 0; i < RV_ARRAY_LEN(forgeries); i++) {
		struct rv_area area = {0};
		struct rv_why why = {{0}};
		int fd = forged(forgeries[i].offset, forgeries[i].value, forgeries[i].sealed,
				forgeries[i].cut);

		cr_assert(eq(int, rv_area_map(fd, &area, &why), forgeries[i].err), "row %zu: %s", i,
			  why.text);
		cr_assert(eq(int, area.head != NULL, forgeries[i].err == RV_OK), "row %zu", i);
		rv_area_unmap(&area);
		(void)close(fd);
	}
	struct rv_area area = {0};
	int pipe_fds[2];
	cr_assert(eq(int, rv_fd_pipe(pipe_fds, false), RV_OK));
	cr_assert(eq(int, rv_area_map(pipe_fds[0], &area, NULL), RV_E_REFUSED));
	cr_assert(eq(int, rv_area_map(-1, &area, NULL), RV_E_REFUSED));
}

Test(area, f16_without_descriptors_it_says_so)
{
	struct rv_test_limit limit;
	struct rv_why why = {{0}};
	uint64_t id = 7;
	int fd = -7;

	limit = rv_test_limit(RLIMIT_NOFILE, 30);
	while (open("/dev/null", O_RDONLY | O_CLOEXEC) >= 0)
		continue;
	cr_assert(eq(int, rv_area_create(1, &fd, &id, &why), RV_E_BUSY));
	rv_assert_has(why.text, "cannot make the shared area");
	cr_assert(eq(int, fd, -7));
	rv_test_limit_end(&limit);
}

static void pair(int fds[2])
{
	cr_assert(eq(int, rv_fd_seqpair(fds), RV_OK));
}

Test(sup, messages_arrive_whole_and_in_order)
{
	struct rv_sup_msg out = {.kind = RV_SUP_KICK, .a = 1, .b = UINT64_MAX, .c = 3};
	struct rv_sup_msg in = {0};
	int fds[2];

	pair(fds);
	cr_assert(eq(int, rv_sup_recv(fds[0], 1, &in), RV_E_BUSY));
	cr_assert(eq(int, rv_sup_send(fds[1], &out), RV_OK));
	out = (struct rv_sup_msg){.kind = RV_SUP_STATUS, .a = 9, .size = RV_SUP_TEXT};
	memset(out.text, 't', sizeof out.text);
	cr_assert(eq(int, rv_sup_send(fds[1], &out), RV_OK));
	cr_assert(eq(int, rv_sup_recv(fds[0], 1, &in), RV_OK));
	cr_assert(eq(int, in.kind, RV_SUP_KICK));
	cr_assert(eq(u64, in.b, UINT64_MAX));
	cr_assert(eq(u64, in.d, 0));
	cr_assert(eq(uint, in.size, 0));
	cr_assert(eq(int, rv_sup_recv(fds[0], 1, &in), RV_OK));
	cr_assert(eq(uint, in.size, RV_SUP_TEXT));
	cr_assert(eq(int, memcmp(in.text, out.text, RV_SUP_TEXT), 0));
}

Test(sup, every_kind_has_a_name_and_one_direction)
{
	for (unsigned kind = 1; kind < RV_SUP_KINDS; kind++) {
		struct rv_sup_msg out = {.kind = (uint16_t)kind};
		struct rv_sup_msg in = {0};
		int fds[2];
		int up;
		int down;

		pair(fds);
		cr_assert(ne(int, rv_sup_name(kind)[0], '?'));
		cr_assert(eq(int, rv_sup_send(fds[1], &out), RV_OK));
		up = rv_sup_recv(fds[0], 1, &in);
		cr_assert(eq(int, rv_sup_send(fds[1], &out), RV_OK));
		down = rv_sup_recv(fds[0], 0, &in);
		cr_assert(eq(int, up + down, RV_E_PARSE), "%s goes both ways or none",
			  rv_sup_name(kind));
		(void)close(fds[0]);
		(void)close(fds[1]);
	}
	rv_assert_text(rv_sup_name(RV_SUP_READY), "READY");
	rv_assert_text(rv_sup_name(0), "?");
	rv_assert_text(rv_sup_name(9999), "?");
}

#define HEAD offsetof(struct rv_sup_msg, text)

static const struct {
	size_t length;
	uint16_t version, kind;
	uint32_t size;
} packets[] = {
	{1, RV_SUP_VERSION, RV_SUP_READY, 0},
	{HEAD - 1, RV_SUP_VERSION, RV_SUP_READY, 0},
	{HEAD, RV_SUP_VERSION + 1, RV_SUP_READY, 0},
	{HEAD, RV_SUP_VERSION, RV_SUP_NONE, 0},
	{HEAD, RV_SUP_VERSION, RV_SUP_KINDS, 0},
	{HEAD, RV_SUP_VERSION, UINT16_MAX, 0},
	{HEAD, RV_SUP_VERSION, RV_SUP_STOP, 0}, /* the other direction */
	{HEAD, RV_SUP_VERSION, RV_SUP_READY, 1},
	{HEAD + 1, RV_SUP_VERSION, RV_SUP_READY, 0},
	{HEAD, RV_SUP_VERSION, RV_SUP_READY, UINT32_MAX},
	{HEAD + RV_SUP_TEXT + 1, RV_SUP_VERSION, RV_SUP_READY, RV_SUP_TEXT + 1},
	{HEAD + RV_SUP_TEXT + 1000, RV_SUP_VERSION, RV_SUP_READY, RV_SUP_TEXT},
};

Test(sup, f30_garbage_is_told_from_messages)
{
	static unsigned char bytes[4096];
	struct rv_sup_msg in = {.a = 77};
	int fds[2];

	pair(fds);
	for (size_t i = 0; i < RV_ARRAY_LEN(packets); i++) {
		struct rv_sup_msg head = {.version = packets[i].version,
					  .kind = packets[i].kind,
					  .size = packets[i].size};

		memcpy(bytes, &head, sizeof head);
		cr_assert(eq(long, send(fds[1], bytes, packets[i].length, 0),
			     (long)packets[i].length));
		cr_assert(eq(int, rv_sup_recv(fds[0], 1, &in), RV_E_PARSE), "row %zu", i);
		cr_assert(eq(u64, in.a, 77), "the answer is left alone");
	}
}

/* Random packets: no crash, and what passes obeys the bounds. */
Test(sup, f30_random_bytes)
{
	unsigned char bytes[sizeof(struct rv_sup_msg) + 64];
	struct rv_sup_msg in;
	int passed = 0;
	int fds[2];

	pair(fds);
	srand(4711);
	for (int i = 0; i < 20000; i++) {
		size_t size = 1 + (size_t)rand() % sizeof bytes;
		int err;

		for (size_t at = 0; at < size; at++)
			bytes[at] = (unsigned char)rand();
		if (i % 2 && size > HEAD) { /* half of them nearly right */
			struct rv_sup_msg head = {.version = RV_SUP_VERSION,
						  .kind = (uint16_t)(rand() % (RV_SUP_KINDS + 2)),
						  .size = (uint32_t)(size - HEAD)};
			memcpy(bytes, &head, HEAD);
		}
		cr_assert(eq(long, send(fds[1], bytes, size, 0), (long)size));
		err = rv_sup_recv(fds[0], 1, &in);
		cr_assert(err == RV_OK || err == RV_E_PARSE);
		if (err == RV_OK) {
			passed++;
			cr_assert(le(uint, in.size, RV_SUP_TEXT));
			cr_assert(lt(int, in.kind, RV_SUP_KINDS));
		}
	}
	cr_assert(lt(int, 100, passed));
}

Test(sup, a_peer_that_does_not_read_and_one_that_is_gone)
{
	struct rv_sup_msg out = {.kind = RV_SUP_TICK};
	struct rv_sup_msg in;
	int err = RV_OK;
	int fds[2];

	pair(fds);
	for (int i = 0; i < 100000 && err == RV_OK; i++)
		err = rv_sup_send(fds[1], &out);
	cr_assert(eq(int, err, RV_E_BUSY));
	(void)close(fds[1]);
	while ((err = rv_sup_recv(fds[0], 1, &in)) == RV_OK)
		continue;
	cr_assert(eq(int, err, RV_E_CLOSED));
	cr_assert(eq(int, rv_sup_send(fds[0], &(struct rv_sup_msg){.kind = RV_SUP_WAKE}),
		     RV_E_CLOSED));
	(void)close(fds[0]);
	cr_assert(ne(int, rv_sup_recv(fds[0], 1, &in), RV_OK));
}

static int open_fds(void)
{
	int count = 0;

	for (int fd = 0; fd < 256; fd++)
		count += fcntl(fd, F_GETFD) >= 0;
	return count;
}

Test(sup, a_descriptor_goes_with_a_message)
{
	struct rv_sup_msg out = {.kind = RV_SUP_SUBMIT, .a = 5};
	struct rv_sup_msg in = {0};
	int pipe_fds[2];
	int passed = -2;
	int before;
	int fds[2];
	char byte = 0;

	pair(fds);
	cr_assert(eq(int, pipe(pipe_fds), 0));
	before = open_fds();
	cr_assert(eq(int, rv_sup_pass(fds[0], &out, pipe_fds[1]), RV_OK));
	cr_assert(eq(int, rv_sup_take(fds[1], 0, &in, &passed), RV_OK));
	cr_assert(eq(int, in.kind, RV_SUP_SUBMIT));
	cr_assert(eq(u64, in.a, 5));
	cr_assert(ne(int, passed, pipe_fds[1]));
	cr_assert(eq(int, fcntl(passed, F_GETFD), FD_CLOEXEC));
	cr_assert(eq(long, write(passed, "x", 1), 1));
	cr_assert(eq(long, read(pipe_fds[0], &byte, 1), 1));
	(void)close(passed);
	/* None came: none is told. */
	cr_assert(eq(int, rv_sup_send(fds[0], &out), RV_OK));
	cr_assert(eq(int, rv_sup_take(fds[1], 0, &in, &passed), RV_OK));
	cr_assert(eq(int, passed, -1));
	/* Who does not ask for one, or gets it with what is no message, has none to lose. */
	cr_assert(eq(int, rv_sup_pass(fds[0], &out, pipe_fds[1]), RV_OK));
	cr_assert(eq(int, rv_sup_recv(fds[1], 0, &in), RV_OK));
	cr_assert(eq(int, rv_sup_pass(fds[0], &out, pipe_fds[1]), RV_OK));
	passed = -2;
	cr_assert(eq(int, rv_sup_take(fds[1], 1, &in, &passed), RV_E_PARSE));
	cr_assert(eq(int, passed, -2));
	cr_assert(eq(int, open_fds(), before));
}

/* Outsiders cannot fill a channel that carries obituaries. */
Test(sup, who_does_not_read_is_behind)
{
	struct rv_sup_msg out = {.kind = RV_SUP_WAKE};
	struct rv_sup_msg in;
	int count = 0;
	int fds[2];

	pair(fds);
	cr_assert(not(rv_sup_is_behind(fds[0])));
	while (!rv_sup_is_behind(fds[0])) {
		cr_assert(eq(int, rv_sup_send(fds[0], &out), RV_OK));
		count++;
	}
	cr_assert(lt(int, 5, count));
	for (int i = 0; i < 2 * count; i++)
		cr_assert(eq(int, rv_sup_send(fds[0], &out), RV_OK), "there is room for more");
	while (rv_sup_recv(fds[1], 0, &in) == RV_OK)
		continue;
	cr_assert(not(rv_sup_is_behind(fds[0])));
	(void)close(fds[0]);
	cr_assert(rv_sup_is_behind(fds[0]), "one that is gone");
}

/* The reference values of FNV-1a, 64 bits. */
Test(ring, tokens_are_fnv1a_and_never_a_reserved_one)
{
	cr_assert(eq(u64, rv_ring_token(""), 0xcbf29ce484222325ULL));
	cr_assert(eq(u64, rv_ring_token("a"), 0xaf63dc4c8601ec8cULL));
	cr_assert(eq(u64, rv_ring_token("foobar"), 0x85944171f73967e8ULL));
	cr_assert(ne(u64, rv_ring_token("default"), rv_ring_token("bulk")));
}
