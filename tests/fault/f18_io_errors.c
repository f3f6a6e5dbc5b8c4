/*
 * F18, F14: every I/O call of the story fails once, or it and all after it, with EIO, with a full
 * disk, or as half a write.  Whatever was told stays, no invariant breaks, a failed fsync is never
 * told as done (RV_E_UNKNOWN and a dead handle).
 */
#include "helpers/shim_vfs.h"
#include "helpers/tmpdir.h"
#include "scene.h"

#include <string.h>
#include <unistd.h>

static const struct {
	const char *name;
	enum rv_shim_fault fault;
	bool persistent;
} kinds[] = {
	{"EIO once", RV_SHIM_EIO, false},       {"EIO from then on", RV_SHIM_EIO, true},
	{"full once", RV_SHIM_ENOSPC, false},   {"full from then on", RV_SHIM_ENOSPC, true},
	{"half a write", RV_SHIM_SHORT, false}, {"half a write, then full", RV_SHIM_SHORT, true},
};

/* One run with the ${n}-th call failing; false when the story has fewer. */
static bool play_one(const char *clean, const char *path, size_t kind, uint64_t n,
		     unsigned *ret_errors)
{
	static struct scene s;
	char what[128];
	bool struck;

	(void)snprintf(what, sizeof what, "%s at call %llu", kinds[kind].name,
		       (unsigned long long)n);
	scene_copy(clean, path);
	scene_start(&s, path, n % 2 ? RV_DURABILITY_FULL : RV_DURABILITY_NORMAL);
	rv_shim_fail(n, RV_SHIM_ANY, kinds[kind].fault, kinds[kind].persistent);
	(void)scene_play(&s);
	scene_close(&s);
	struck = rv_shim_struck();
	rv_shim_fail(0, 0, RV_SHIM_EIO, false);
	*ret_errors += s.errors;
	scene_verify(&s, what);
	return struck;
}

/* A sync that fails in COMMIT: told as unknown, and the handle is of no more use. */
static void failed_sync(const char *clean, const char *path)
{
	static struct scene s;
	struct rv_job_new job = {.task = "t", .priority = -1};
	int64_t id = 0;
	struct rv_req req = {.kind = RV_REQ_ENQUEUE,
			     .u.enqueue = {.jobs = &job, .count = 1, .ret_ids = &id}};
	struct rv_req *reqs[] = {&req};
	int err;

	scene_copy(clean, path);
	scene_start(&s, path, RV_DURABILITY_FULL);
	CHECK(scene_open(&s) == RV_OK, "%s", s.why.text);
	rv_shim_fail(1, RV_SHIM_SYNC, RV_SHIM_EIO, false);
	err = rv_store_do(s.store, reqs, 1, RV_DURABILITY_FULL, RV_S_US, &s.why);
	CHECK(err == RV_E_UNKNOWN, "a failed sync was told as %s", rv_err_name(err));
	CHECK(req.err == RV_E_UNKNOWN, "its request was told %s", rv_err_name(req.err));
	CHECK(rv_store_begin(s.store, RV_DURABILITY_FULL, RV_S_US, &s.why) == RV_E_UNKNOWN,
	      "the handle goes on");
	rv_shim_fail(0, 0, RV_SHIM_EIO, false);
	scene_verify(&s, "after a failed sync");
}

int main(int argc, char **argv)
{
	bool all = argc > 1 && strcmp(argv[1], "--all") == 0;
	char path[600];
	char clean[600];

	scene_begin();
	rv_shim_install();
	(void)snprintf(clean, sizeof clean, "%s/clean.db", rv_test_tmpdir());
	(void)snprintf(path, sizeof path, "%s/s.db", rv_test_tmpdir());
	scene_make(clean, RV_DURABILITY_FULL);
	failed_sync(clean, path);
	for (size_t kind = 0; kind < RV_ARRAY_LEN(kinds); kind++) {
		unsigned errors = 0;
		uint64_t step = kinds[kind].persistent && !all ? 5 : 1;
		uint64_t n = 1;

		while (play_one(clean, path, kind, n, &errors))
			n += step;
		CHECK(n > 50 && errors > 20, "%s: only %llu calls, %u errors", kinds[kind].name,
		      (unsigned long long)n, errors);
		(void)printf("%s: %llu points, %u failed requests, nothing lost\n",
			     kinds[kind].name, (unsigned long long)((n - 1) / step), errors);
	}
	return 0;
}
