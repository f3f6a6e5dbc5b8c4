/*
 * F17: the power goes at any moment of the story.  From the record of every write and sync the disk
 * is made as it may be then: what was synced, and of the rest nothing, all, or each sector by
 * chance. With FULL nothing that was told may be lost; with NORMAL something must be, or this test
 * could not see a missing sync at all.  No invariant breaks in either.
 */
#include "helpers/shim_vfs.h"
#include "helpers/tmpdir.h"
#include "scene.h"

#include <string.h>
#include <unistd.h>

#define MOMENTS 256

/* What had been told when so many operations were on record. */
struct moment {
	uint64_t ops;
	int njobs;
	int64_t ids[SCENE_JOBS];
	enum told told[SCENE_JOBS];
};

static struct moment moments[MOMENTS];
static size_t nmoments;
static struct scene story;

static void acked(struct scene *s)
{
	struct moment *m = &moments[nmoments++];

	CHECK(nmoments < MOMENTS, "too many answers");
	m->ops = rv_shim_recorded();
	m->njobs = s->njobs;
	memcpy(m->ids, s->ids, sizeof m->ids);
	memcpy(m->told, s->told, sizeof m->told);
}

static void as_ledger(const struct moment *m, struct scene *ledger)
{
	memset(ledger, 0, sizeof *ledger);
	ledger->njobs = m->njobs;
	memcpy(ledger->ids, m->ids, sizeof ledger->ids);
	memcpy(ledger->told, m->told, sizeof ledger->told);
}

static void broken(void *ctx, const char *rule, const char *what)
{
	CHECK(false, "cut at %llu: %s: %s", *(unsigned long long *)ctx, rule, what);
}

/* Whether something is lost: neither as last told nor as the request under way would have it. */
static bool loses(const char *path, unsigned long long cut)
{
	static struct scene before;
	static struct scene after;
	struct rv_store_open how = {
		.backend = "sqlite", .path = path, .migrate = true, .group = (gid_t)-1};
	struct rv_store *store = NULL;
	struct rv_why why = {{0}};
	size_t i = 0;
	bool lost;

	while (i < nmoments && moments[i].ops <= cut)
		i++;
	CHECK(rv_store_open(&how, &store, &why) == RV_OK, "cut at %llu: %s", cut, why.text);
	CHECK(rv_store_check(store, true, broken, &cut) == RV_OK, "cut at %llu", cut);
	if (i > 0)
		as_ledger(&moments[i - 1], &before);
	else
		memset(&before, 0, sizeof before);
	lost = scene_lost(&before, store) > 0;
	if (lost && i < nmoments) {
		as_ledger(&moments[i], &after);
		after.njobs = before.njobs; /* a job that was being added need not be there */
		lost = scene_lost(&after, store) > 0;
	}
	rv_store_close(store);
	return lost;
}

static uint64_t play_all(const char *clean, enum rv_durability durability, uint64_t images)
{
	static const enum rv_shim_cut ways[] = {RV_SHIM_RANDOM, RV_SHIM_DROP, RV_SHIM_RANDOM,
						RV_SHIM_KEEP};
	const char *folder = rv_test_tmpdir();
	char path[600];
	char cut_path[600];
	uint64_t ops;
	uint64_t lost = 0;

	(void)snprintf(path, sizeof path, "%s/s.db", folder);
	(void)snprintf(cut_path, sizeof cut_path, "%s/cut.db", folder);
	scene_copy(clean, path);
	scene_start(&story, path, durability);
	story.acked = acked;
	nmoments = 0;
	rv_shim_record(path);
	CHECK(scene_play(&story), "%s", story.why.text);
	CHECK(story.errors <= 1, "%u requests failed", story.errors);
	ops = rv_shim_recorded();
	CHECK(ops > 100, "only %llu operations", (unsigned long long)ops);
	for (uint64_t i = 0; i < images; i++) {
		uint64_t cut = i * ops / images;

		rv_shim_image(folder, "cut.db", cut, ways[i % RV_ARRAY_LEN(ways)], i);
		lost += loses(cut_path, cut);
	}
	scene_remove(path);
	scene_remove(cut_path);
	rv_shim_record_end();
	(void)printf("%s: %llu cuts of %llu operations, %llu lost what was told\n",
		     durability == RV_DURABILITY_FULL ? "FULL" : "NORMAL",
		     (unsigned long long)images, (unsigned long long)ops, (unsigned long long)lost);
	return lost;
}

int main(int argc, char **argv)
{
	uint64_t images = argc > 1 && strcmp(argv[1], "--all") == 0 ? 10000 : 400;
	char clean[600];
	uint64_t lost;

	scene_begin();
	rv_shim_install();
	(void)snprintf(clean, sizeof clean, "%s/clean.db", rv_test_tmpdir());
	scene_make(clean, RV_DURABILITY_FULL);
	lost = play_all(clean, RV_DURABILITY_FULL, images);
	CHECK(lost == 0, "FULL lost what was told in %llu cuts", (unsigned long long)lost);
	lost = play_all(clean, RV_DURABILITY_NORMAL, images / 4);
	CHECK(lost > 0, "NORMAL lost nothing: this test cannot see a missing sync");
	return 0;
}
