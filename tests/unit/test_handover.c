/* The state that one image of the supervisor leaves to the next: whole, or refused. */
#include "base/buf.h"
#include "helpers/assert.h"
#include "supervisor/handover.h"
#include "supervisor/start.h"
#include "wire/json.h"

#include <jansson.h>
#include <stdlib.h>
#include <string.h>

static struct rv_sup sup;
static struct rv_sup next;
static struct rv_buf text;
static struct rv_buf again;
static struct rv_why why;

static void worker(size_t slot, enum rv_life life, int fd)
{
	struct rv_child *child = &sup.children[slot];

	child->life = life;
	child->pool = 3;
	child->index = (int)slot;
	(void)snprintf(child->name, sizeof child->name, "bulk/%zu", slot);
	child->incarnation = sup.last_incarnation - slot;
	child->restart.in_a_row = 3;
	for (int i = 0; i < 1005; i++) { /* the ring has gone round */
		child->restart.times[child->restart.next] = i;
		child->restart.next = (child->restart.next + 1) % RV_RESTART_BURST_MAX;
		child->restart.filled += child->restart.filled < RV_RESTART_BURST_MAX;
	}
	if (!rv_life_has_process(life))
		return;
	child->proc = (struct rv_proc){1000 + (pid_t)slot, fd};
	child->pid = child->proc.pid;
	child->chan = fd + 1;
	child->words.fd = fd + 2;
	memcpy(child->words.last, "last \xff words", child->words.nlast = 12);
	cr_assert(eq(int, rv_obits_reserve(&sup.obits), RV_OK));
}

static void setup(void)
{
	struct rv_obit obit = {.incarnation = 5, .slot = 4, .code = -1, .signo = 9, .died_us = 7};

	sup = (struct rv_sup){
		.conf_fd = 10, .lock_fd = 11, .area_fd = 12, .bell_fd = 13, .control_fd = 14};
	cr_assert(eq(int, rv_sup_table(&sup, 12, &why), RV_OK));
	(void)snprintf(sup.file, sizeof sup.file, "/etc/reeve/reeve.ini");
	sup.generation = 4;
	sup.last_generation = 7;
	sup.last_incarnation = UINT64_C(0x7fffffff00000020);
	sup.may_work = true;
	sup.is_ready = true;
	sup.strangers[0] = 77;
	sup.pools[3] = (struct rv_pool){.is_used = true,
					.name = "bulk",
					.min = 0,
					.max = 9,
					.wanted = 4,
					.hold = RV_HOLD_QUIET,
					.generation = 6,
					.roll = {.state = RV_ROLL_GIVEN_UP, .failures = 2}};
	sup.children[0].life = RV_LIFE_RUNNING;
	sup.children[0].proc = (struct rv_proc){999, 20};
	sup.children[0].chan = 21;
	sup.children[0].words.fd = 22;
	(void)snprintf(sup.children[0].name, sizeof sup.children[0].name, "keeper");
	worker(1, RV_LIFE_RUNNING, 30);
	worker(2, RV_LIFE_STOPPING, 40);
	worker(3, RV_LIFE_BACKOFF, -1);
	cr_assert(eq(int, rv_obits_reserve(&sup.obits), RV_OK));
	memcpy(obit.words, "x\n", obit.nwords = 2);
	cr_assert(ne(ptr, rv_obits_add(&sup.obits, &obit), NULL));
	rv_buf_init(&text);
	rv_buf_init(&again);
	cr_assert(eq(int, rv_handover_write(&sup, &text), RV_OK));
}

static void teardown(void)
{
	rv_buf_fini(&text);
	rv_buf_fini(&again);
	rv_sup_table_free(&sup);
	rv_sup_table_free(&next);
}

static int read_text(const char *data, size_t size)
{
	rv_sup_table_free(&next);
	next = (struct rv_sup){0};
	why = (struct rv_why){0};
	return rv_handover_read(&next, data, size, &why);
}

Test(handover, what_is_written_is_read, .init = setup, .fini = teardown)
{
	cr_assert(eq(int, read_text(text.data, text.size), RV_OK), "%s", why.text);
	cr_assert(eq(int, rv_handover_write(&next, &again), RV_OK));
	rv_assert_text(rv_buf_text(&text), rv_buf_text(&again));
	cr_assert(eq(sz, next.nslots, 12));
	cr_assert(eq(u64, next.last_incarnation, UINT64_C(0x7fffffff00000020)));
	cr_assert(eq(int, next.children[2].life, RV_LIFE_STOPPING));
	cr_assert(eq(int, next.children[2].chan, 41));
	cr_assert(eq(int, next.children[4].pool, RV_POOL_NONE));
	cr_assert(eq(u32, next.children[3].restart.filled, RV_RESTART_BURST_MAX));
	cr_assert(eq(i64, next.children[3].restart.times[0], 5), "the oldest that is kept");
	rv_assert_text(next.pools[3].name, "bulk");
	/* A place for the obituary of each that lives, and the one that is open. */
	cr_assert(eq(sz, next.obits.reserved, 2));
	cr_assert(eq(sz, next.obits.used, 1));
	cr_assert(eq(sz, rv_obits_count(&next.obits, RV_OBIT_SWEEPING), 1));
	cr_assert(eq(u64, next.obits.last, 1));
}

static int sum_fd(int fd, void *ctx)
{
	*(int *)ctx += fd;
	return RV_OK;
}

Test(handover, every_descriptor_is_named, .init = setup, .fini = teardown)
{
	int sum = 0;

	cr_assert(eq(int, rv_handover_fds(&sup, sum_fd, &sum), RV_OK));
	cr_assert(
		eq(int, sum, 10 + 11 + 12 + 13 + 14 + 20 + 21 + 22 + 30 + 31 + 32 + 40 + 41 + 42));
}

/* Dumps ${json} and reads it. */
static int read_json(const json_t *json)
{
	char *dump = json_dumps(json, 0);
	int err = read_text(dump, strlen(dump));

	free(dump);
	return err;
}

/* Each member of ${object} taken away, and made another type: refused, and named. */
static int break_each(json_t *root, json_t *object)
{
	const char *name;
	json_t *value;
	json_t *copy = json_copy(object);
	int broken = 0;

	json_object_foreach(copy, name, value)
	{
		if (strcmp(name, "file") == 0 || strcmp(name, "asked") == 0)
			continue; /* may be absent; is for the words alone */
		(void)json_object_del(object, name);
		cr_assert(ne(int, read_json(root), RV_OK), "without %s", name);
		(void)json_object_set_new(object, name, json_real(0.5));
		cr_assert(ne(int, read_json(root), RV_OK), "with another %s", name);
		if (json_is_integer(value)) {
			(void)json_object_set_new(object, name, json_integer(INT64_MIN));
			(void)!read_json(root); /* taken or not, no harm */
		}
		(void)json_object_set(object, name, value);
		broken++;
	}
	json_decref(copy);
	cr_assert(eq(int, read_json(root), RV_OK), "%s", why.text);
	return broken;
}

Test(handover, half_of_it_is_refused, .init = setup, .fini = teardown)
{
	json_t *root = json_loadb(text.data, text.size, 0, NULL);

	cr_assert(lt(int, 20, break_each(root, root)));
	cr_assert(lt(int, 10, break_each(root, json_array_get(json_object_get(root, "pools"), 0))));
	cr_assert(lt(int, 20,
		     break_each(root, json_array_get(json_object_get(root, "children"), 1))));
	cr_assert(lt(int, 10, break_each(root, json_array_get(json_object_get(root, "obits"), 0))));
	json_decref(root);
	for (size_t size = 0; size < text.size; size += 97)
		cr_assert(ne(int, read_text(text.data, size), RV_OK));
}

Test(handover, another_release_says_so, .init = setup, .fini = teardown)
{
	static const char *const names[] = {"v", "area", "messages", "states", "tables"};

	for (size_t i = 0; i < RV_ARRAY_LEN(names); i++) {
		json_t *root = json_loadb(text.data, text.size, 0, NULL);

		(void)json_object_set_new(root, names[i],
					  i < 3 ? json_integer(99) : json_string("DOWN"));
		cr_assert(eq(int, read_json(root), RV_E_REFUSED), "%s", names[i]);
		rv_assert_has(why.text, "stop reeved and start it anew");
		json_decref(root);
	}
}

/* One that did not say yet which tables its store has. */
Test(handover, a_release_of_before_says_so, .init = setup, .fini = teardown)
{
	json_t *root = json_loadb(text.data, text.size, 0, NULL);

	(void)json_object_set_new(root, "v", json_integer(1));
	(void)json_object_del(root, "tables");
	cr_assert(eq(int, read_json(root), RV_E_REFUSED));
	rv_assert_has(why.text, "(v 1, not 2)");
	json_decref(root);
}

Test(handover, what_is_not_known_is_passed_over, .init = setup, .fini = teardown)
{
	json_t *root = json_loadb(text.data, text.size, 0, NULL);

	(void)json_object_set_new(root, "invented", json_true());
	(void)json_object_set_new(json_array_get(json_object_get(root, "children"), 0), "later",
				  json_integer(1));
	cr_assert(eq(int, read_json(root), RV_OK), "%s", why.text);
	json_decref(root);
}

/* What says yes follows from every byte that was read. */
Test(handover, the_words_belong_to_what_was_asked, .init = setup, .fini = teardown)
{
	char ours[RV_HANDOVER_WORDS];
	char others[RV_HANDOVER_WORDS];

	rv_handover_words(text.data, text.size, ours);
	rv_handover_words(text.data, text.size - 1, others);
	cr_assert(ne(int, strcmp(ours, others), 0));
	sup.upgrade.nonce = 5;
	cr_assert(eq(int, rv_handover_write(&sup, &again), RV_OK));
	rv_handover_words(again.data, again.size, others);
	cr_assert(ne(int, strcmp(ours, others), 0));
	rv_handover_words(text.data, text.size, others);
	rv_assert_text(ours, others);
}
