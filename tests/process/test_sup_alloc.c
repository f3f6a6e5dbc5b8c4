/* The way fork → death → sweep → restart → obituary allocates nothing. */
#include "fakedaemon.h"

#include "helpers/assert.h"
#include "helpers/tmpdir.h"
#include "os/self.h"

#include <fcntl.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#define WORKERS 4

static _Atomic uint64_t *map_count(const char *path)
{
	int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	void *map;

	cr_assert(ne(int, fd, -1));
	cr_assert(eq(int, ftruncate(fd, 4096), 0));
	map = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	(void)close(fd);
	cr_assert(ne(ptr, map, MAP_FAILED));
	return map;
}

/* Every child from ${first} on dies, one with escapees; ${deaths} were counted before. */
static int deaths_round(struct rv_fake *fake, int first, int deaths)
{
	int ready = rv_fake_count(fake, " ready\n");
	int count = WORKERS + 1 - first;

	for (int slot = first; slot <= WORKERS; slot++) {
		if (slot == 2)
			rv_fake_order(fake, slot, "escape 5\nsay last words\nexit 3\n");
		else
			cr_assert(eq(int, kill(rv_fake_pid(fake, slot, NULL), SIGKILL), 0));
	}
	rv_fake_await_count(fake, " ready\n", ready + count);
	for (int i = 1; i <= count; i++) {
		char wanted[32];

		(void)snprintf(wanted, sizeof wanted, "DIED %d ", deaths + i);
		rv_fake_await_count(fake, wanted, 1);
	}
	return deaths + count;
}

Test(sup_alloc, from_fork_to_obituary_nothing_is_allocated)
{
	struct rv_fake fake;
	static char preload[4200];
	static char where[600];
	char library[4096];
	_Atomic uint64_t *count;
	uint64_t before;
	int deaths = 0;

	rv_fake_new(&fake, WORKERS);
	rv_fake_ini(&fake,
		    "[pool:default]\nworkers = %d\nrestart_delay = 1ms\nrestart_delay_max = 5ms\n",
		    WORKERS);
	cr_assert(
		eq(int, rv_self_sibling("rv_countalloc.so", library, sizeof library, NULL), RV_OK));
	(void)snprintf(where, sizeof where, "RV_ALLOC_COUNT=%s/count", fake.dir);
	(void)snprintf(preload, sizeof preload, "LD_PRELOAD=%s", library);
	count = map_count(rv_test_path("%s/count", fake.dir));
	rv_fake_env(&fake, where);
	rv_fake_env(&fake, preload);
	rv_fake_start(&fake);
	rv_fake_await_count(&fake, " ready\n", WORKERS + 1);
	before = atomic_load(count);
	cr_assert(lt(ulong, 0, before), "nothing is counted at all");
	for (int i = 0; i < 10; i++)
		deaths = deaths_round(&fake, i < 3 ? 0 : 1,
				      deaths); /* its delays are not a pool's */
	cr_assert(eq(ulong, atomic_load(count), before));
	rv_fake_down(&fake);
}
