/*
 * F15: every allocation of the story fails, once, or it and all after it: SQLite's own (by
 * SQLITE_CONFIG_MALLOC) and ours.  Requests fail with an error, nothing crashes, leaks or is half
 * done, and what was told stays.
 */
#include "helpers/alloc_fail.h"
#include "helpers/tmpdir.h"
#include "scene.h"

#include <sqlite3.h>
#include <string.h>
#include <unistd.h>

static sqlite3_mem_methods real;
static uint64_t at;
static uint64_t calls;
static bool persistent;
static bool struck;

static bool strikes(void)
{
	if (at == 0)
		return false;
	calls++;
	if (calls != at && !(persistent && calls > at))
		return false;
	struck = true;
	return true;
}

static void *failing_malloc(int size)
{
	return strikes() ? NULL : real.xMalloc(size);
}

static void *failing_realloc(void *memory, int size)
{
	return strikes() ? NULL : real.xRealloc(memory, size);
}

static void arm(uint64_t n, bool all_after)
{
	at = n;
	calls = 0;
	persistent = all_after;
	struck = false;
}

/* One run; false when the story has fewer allocations. */
static bool play_one(const char *clean, const char *path, bool ours, uint64_t n, bool all_after,
		     unsigned *ret_errors)
{
	static struct scene s;
	char what[128];
	bool hit;

	(void)snprintf(what, sizeof what, "%s allocation %llu%s", ours ? "our" : "SQLite's",
		       (unsigned long long)n, all_after ? " and all after it" : "");
	scene_copy(clean, path);
	scene_start(&s, path, RV_DURABILITY_NORMAL);
	if (ours)
		rv_test_alloc_fail((unsigned)n, all_after ? 1000000 : 0);
	else
		arm(n, all_after);
	if (!scene_play(&s))
		(*ret_errors)++;
	*ret_errors += s.errors;
	hit = ours ? rv_test_alloc_count() >= n : struck;
	scene_close(&s);
	rv_test_alloc_fail(0, 0);
	arm(0, false);
	scene_verify(&s, what);
	return hit;
}

static void play_all(const char *clean, const char *path, bool ours, bool all_after, uint64_t step)
{
	unsigned errors = 0;
	uint64_t n = 1;

	while (play_one(clean, path, ours, n, all_after, &errors))
		n += step;
	(void)printf("%s, %s: %llu points, %u failures\n", ours ? "ours" : "SQLite's",
		     all_after ? "from then on" : "once", (unsigned long long)((n - 1) / step),
		     errors);
	CHECK(errors > 0, "no allocation failed");
}

int main(int argc, char **argv)
{
	bool all = argc > 1 && strcmp(argv[1], "--all") == 0;
	sqlite3_mem_methods failing;
	char clean[600];
	char path[600];

	CHECK(sqlite3_config(SQLITE_CONFIG_GETMALLOC, &real) == SQLITE_OK, "too late");
	failing = real;
	failing.xMalloc = failing_malloc;
	failing.xRealloc = failing_realloc;
	CHECK(sqlite3_config(SQLITE_CONFIG_MALLOC, &failing) == SQLITE_OK, "too late");
	scene_begin();
	(void)snprintf(clean, sizeof clean, "%s/clean.db", rv_test_tmpdir());
	(void)snprintf(path, sizeof path, "%s/s.db", rv_test_tmpdir());
	scene_make(clean, RV_DURABILITY_NORMAL);
	play_all(clean, path, true, false, 1);
	play_all(clean, path, true, true, 1);
	play_all(clean, path, false, false, all ? 1 : 17);
	play_all(clean, path, false, true, all ? 1 : 29);
	return 0;
}
