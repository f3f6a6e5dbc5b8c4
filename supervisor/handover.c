/*
 * The state that goes from one image of the supervisor to the next.  Runs in the supervisor only:
 * in the one that ends, in the one that is asked whether it could go on, and in the one that does.
 * Must never take half of it: what cannot be read is refused as a whole, before the old image is
 * gone.
 *
 * Wider than the budget of headers: table.h brings what the child table is made of.
 */
#include "supervisor/handover.h"

#include "base/attr.h"
#include "base/base64.h"
#include "base/buf.h"
#include "base/check.h"
#include "base/crc32c.h"
#include "base/err.h"
#include "supervisor/start.h"
#include "wire/area.h"
#include "wire/build.h"
#include "wire/json.h"
#include "wire/sup.h"

#include <stddef.h>
#include <stdio.h>
#include <string.h>

#define VERSION 2

/* Enumerators are handed over as numbers: both sides must mean the same by them. */
static const char states[] =
#define LIFE(sym, name, process) #sym " "
#include "supervisor/slot_states.def"
	"/ "
#define REASON(sym, name, counts, text) #sym " "
#include "supervisor/reasons.def"
#undef REASON
	"/ "
#define ROLL(sym, name) #sym " "
#include "supervisor/roll_states.def"
	"/ FREE SWEEPING UNCLEAN SWEPT SENT / CLEAN CRASH HUNG LOST / NONE QUIET DRAINED";

/* A row of handover.def: where the number stands in its struct, and what fits there. */
struct field {
	const char *name;
	size_t offset;
	size_t size;
	bool is_signed;
};

#define TYPE(where, field) __typeof__(((struct where *)NULL)->field)
#define FIELD(where, name, field)                                                                  \
	{#name, offsetof(struct where, field), sizeof(TYPE(where, field)),                         \
	 (TYPE(where, field)) - 1 < (TYPE(where, field))1},

static const struct field sup_fields[] = {
#define HAND_SUP(name, field)    FIELD(rv_sup, name, field)
#define HAND_SUP_FD(name, field) FIELD(rv_sup, name, field)
#include "supervisor/handover.def"
};
static const struct field pool_fields[] = {
#define HAND_POOL(name, field) FIELD(rv_pool, name, field)
#include "supervisor/handover.def"
};
static const struct field child_fields[] = {
#define HAND_CHILD(name, field)    FIELD(rv_child, name, field)
#define HAND_CHILD_FD(name, field) FIELD(rv_child, name, field)
#include "supervisor/handover.def"
};
static const struct field restart_fields[] = {
#define HAND_RESTART(name, field) FIELD(rv_restart, name, field)
#include "supervisor/handover.def"
};
static const struct field obit_fields[] = {
#define HAND_OBIT(name, field) FIELD(rv_obit, name, field)
#include "supervisor/handover.def"
};

/* Where the low ${size} bytes of 64 bits begin. */
#define LOW_END(size)                                                                              \
	(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__ ? (size_t)0 : sizeof(uint64_t) - (size))

static int64_t load(const void *it, const struct field *field)
{
	const char *at = (const char *)it + field->offset;
	uint64_t bits = 0;

	PRE(field->size <= sizeof bits);
	memcpy((char *)&bits + LOW_END(field->size), at, field->size);
	if (field->is_signed && field->size < sizeof bits && bits >> (8 * field->size - 1) != 0)
		bits |= UINT64_MAX << 8 * field->size;
	return (int64_t)bits;
}

/* Whether it fits. */
static bool store(void *it, const struct field *field, int64_t number)
{
	bool is_bool = field->size == sizeof(bool);

	if (is_bool && number != 0 && number != 1)
		return false;
	memcpy((char *)it + field->offset, (const char *)&number + LOW_END(field->size),
	       field->size);
	return load(it, field) == number;
}

static bool put_fields(json_t *json, const void *it, const struct field *fields, size_t count)
{
	bool good = true;

	for (size_t i = 0; good && i < count; i++)
		good = rv_json_set_int(json, fields[i].name, load(it, &fields[i])) == RV_OK;
	return good;
}

/* A number that is not there, or does not fit where it belongs, is an error. */
static int get_fields(const json_t *json, void *it, const struct field *fields, size_t count,
		      struct rv_why *why)
{
	for (size_t i = 0; i < count; i++) {
		int64_t number = 0;
		int err = rv_json_get_int(json, fields[i].name, &number, why);

		if (err != RV_OK)
			return err;
		if (!store(it, &fields[i], number))
			return rv_fail(why, RV_E_PARSE, "%s is out of its bounds", fields[i].name);
	}
	return RV_OK;
}

#define PUT(what) good = good && put_fields(json, it, what##_fields, RV_ARRAY_LEN(what##_fields))
#define GET(what)                                                                                  \
	err = err == RV_OK ? get_fields(json, it, what##_fields, RV_ARRAY_LEN(what##_fields), why) \
			   : err

static json_t *restart_json(const struct rv_restart *it)
{
	json_t *json = json_object();
	json_t *times = json_array();
	bool good = json && times;

	PRE(it->times && it->filled <= RV_RESTART_BURST_MAX && it->next < RV_RESTART_BURST_MAX);

	PUT(restart);
	for (unsigned i = 0; good && i < it->filled; i++) {
		unsigned at =
			(it->next + RV_RESTART_BURST_MAX - it->filled + i) % RV_RESTART_BURST_MAX;

		good = json_array_append_new(times, json_integer(it->times[at])) == 0;
	}
	if (good)
		good = rv_json_set_new(json, "times", json_incref(times)) == RV_OK;
	json_decref(times);
	if (good)
		return json;
	json_decref(json);
	return NULL;
}

static json_t *pool_json(const struct rv_pool *it, int place)
{
	json_t *json = json_object();
	bool good = json && rv_json_set_int(json, "place", place) == RV_OK &&
		    rv_json_set_text(json, "name", it->name) == RV_OK;

	PUT(pool);
	if (good)
		return json;
	json_decref(json);
	return NULL;
}

static bool put_bytes(json_t *json, const char *name, const void *data, size_t size)
{
	struct rv_buf text;
	bool good;

	rv_buf_init(&text);
	good = rv_base64_add(&text, data, size) == RV_OK &&
	       rv_json_set_text(json, name, rv_buf_text(&text)) == RV_OK;
	rv_buf_fini(&text);
	return good;
}

static json_t *child_json(const struct rv_child *it)
{
	json_t *json = json_object();
	bool good = json && rv_json_set_int(json, "slot", it->slot) == RV_OK &&
		    rv_json_set_text(json, "name", it->name) == RV_OK &&
		    put_bytes(json, "last", it->words.last, it->words.nlast) &&
		    rv_json_set_new(json, "restart", restart_json(&it->restart)) == RV_OK;

	PUT(child);
	if (good)
		return json;
	json_decref(json);
	return NULL;
}

static json_t *obit_json(const struct rv_obit *it)
{
	json_t *json = json_object();
	bool good = json && put_bytes(json, "words", it->words, it->nwords);

	PUT(obit);
	if (good)
		return json;
	json_decref(json);
	return NULL;
}

static bool append(json_t *list, json_t *item)
{
	return item && json_array_append_new(list, item) == 0;
}

static bool put_lists(const struct rv_sup *sup, json_t *pools, json_t *children, json_t *obits,
		      json_t *strangers)
{
	bool good = pools && children && obits && strangers;

	for (int p = 0; good && p < RV_PLAN_SLOTS_MAX; p++) {
		if (sup->pools[p].is_used)
			good = append(pools, pool_json(&sup->pools[p], p));
	}
	for (size_t i = 0; good && i < sup->nslots; i++) {
		if (i == RV_PLAN_KEEPER || sup->children[i].pool != RV_POOL_NONE)
			good = append(children, child_json(&sup->children[i]));
	}
	for (size_t i = 0; good && i < sup->obits.space; i++) {
		if (sup->obits.items[i].state != RV_OBIT_FREE)
			good = append(obits, obit_json(&sup->obits.items[i]));
	}
	for (int i = 0; good && i < RV_STRANGERS_MAX && sup->strangers[i] != 0; i++)
		good = append(strangers, json_integer(sup->strangers[i]));
	return good;
}

static bool put_all(const struct rv_sup *it, json_t *json)
{
	json_t *pools = json_array();
	json_t *children = json_array();
	json_t *obits = json_array();
	json_t *strangers = json_array();
	bool good = put_lists(it, pools, children, obits, strangers);

	PUT(sup);
	good = rv_json_set_new(json, "pools", pools) == RV_OK && good;
	good = rv_json_set_new(json, "children", children) == RV_OK && good;
	good = rv_json_set_new(json, "obits", obits) == RV_OK && good;
	good = rv_json_set_new(json, "strangers", strangers) == RV_OK && good;
	return good &&
	       rv_json_set_new(json, "area_restart", restart_json(&it->area_restart)) == RV_OK;
}

int rv_handover_write(const struct rv_sup *sup, struct rv_buf *out)
{
	json_t *json = json_object();
	int err = RV_E_NOMEM;

	PRE(sup->children && sup->nslots >= 2);
	if (json && rv_json_set_int(json, "v", VERSION) == RV_OK &&
	    rv_json_set_text(json, "release", RV_VERSION) == RV_OK &&
	    rv_json_set_int(json, "area", RV_AREA_VERSION) == RV_OK &&
	    rv_json_set_int(json, "messages", RV_SUP_VERSION) == RV_OK &&
	    rv_json_set_text(json, "states", states) == RV_OK &&
	    rv_json_set_text(json, "tables", rv_build_tables()) == RV_OK &&
	    rv_json_set_int(json, "slots", (int64_t)sup->nslots) == RV_OK &&
	    rv_json_set_int(json, "asked", sup->upgrade.nonce) == RV_OK &&
	    rv_json_set_text(json, "file", sup->file[0] != '\0' ? sup->file : NULL) == RV_OK &&
	    put_all(sup, json))
		err = rv_json_dump(json, false, out);
	json_decref(json);
	return err;
}

void rv_handover_words(const char *text, size_t size, char out[static RV_HANDOVER_WORDS])
{
	uint32_t sum = rv_crc32c(0, text, size);

	PRE(size > 0);
	sum = rv_crc32c(sum, states, sizeof states);
	sum = rv_crc32c(sum, rv_build_tables(), strlen(rv_build_tables()));
	(void)snprintf(out, RV_HANDOVER_WORDS, "reeved can take over: %d.%u.%u %08x", VERSION,
		       RV_AREA_VERSION, RV_SUP_VERSION, (unsigned)sum);
}

/* ---- and back */

/* Can the processes of that release and ours work together? */
static int check_release(const json_t *json, struct rv_why *why)
{
	static const struct {
		const char *name;
		int64_t ours;
	} versions[] = {{"v", VERSION}, {"area", RV_AREA_VERSION}, {"messages", RV_SUP_VERSION}};
	/* Tables: of the store, as they were when the program was built (wire/build.h). */
	const struct {
		const char *name;
		const char *ours;
	} texts[] = {{"states", states}, {"tables", rv_build_tables()}};
	const char *release = "?";
	int err = rv_json_get_text(json, "release", &release, why);

	for (size_t i = 0; err == RV_OK && i < RV_ARRAY_LEN(versions); i++) {
		int64_t theirs = 0;

		err = rv_json_get_int(json, versions[i].name, &theirs, why);
		if (err == RV_OK && theirs != versions[i].ours)
			return rv_fail(why, RV_E_REFUSED,
				       "%s cannot take over from %s in place (%s %lld, not %lld): "
				       "stop reeved and start it anew",
				       RV_VERSION, release, versions[i].name, (long long)theirs,
				       (long long)versions[i].ours);
	}
	for (size_t i = 0; err == RV_OK && i < RV_ARRAY_LEN(texts); i++) {
		const char *theirs = "";

		err = rv_json_get_text(json, texts[i].name, &theirs, why);
		if (err == RV_OK && strcmp(theirs, texts[i].ours) != 0)
			return rv_fail(why, RV_E_REFUSED,
				       "%s cannot take over from %s in place (other %s): stop "
				       "reeved and start it anew",
				       RV_VERSION, release, texts[i].name);
	}
	return err;
}

static int get_bytes(const json_t *json, const char *name, void *out, size_t space,
		     size_t *ret_size, struct rv_why *why)
{
	const char *text = "";
	int err = rv_json_get_text(json, name, &text, why);

	if (err != RV_OK)
		return err;
	if (strlen(text) / 4 * 3 > space + 2)
		return rv_fail(why, RV_E_PARSE, "%s is too long", name);
	unsigned char bytes[RV_LAST_WORDS + 4];

	PRE(space <= RV_LAST_WORDS);
	err = rv_base64_read(text, strlen(text), bytes, ret_size);
	if (err == RV_OK && *ret_size > space)
		err = RV_E_PARSE;
	if (err != RV_OK)
		return rv_fail(why, RV_E_PARSE, "%s is no base64 of that size", name);
	memcpy(out, bytes, *ret_size);
	return RV_OK;
}

static int get_restart(const json_t *object, const char *name, struct rv_restart *it,
		       struct rv_why *why)
{
	json_t *json = NULL;
	json_t *times = NULL;
	int err = rv_json_get_object(object, name, &json, why);

	if (err == RV_OK)
		err = rv_json_get_array(json, "times", &times, why);
	GET(restart);
	if (err != RV_OK)
		return err;
	if (json_array_size(times) > RV_RESTART_BURST_MAX)
		return rv_fail(why, RV_E_PARSE, "too many times");
	it->filled = (unsigned)json_array_size(times);
	it->next = it->filled % RV_RESTART_BURST_MAX;
	for (unsigned i = 0; i < it->filled; i++)
		it->times[i] = json_integer_value(json_array_get(times, i));
	return RV_OK;
}

static int get_pool(struct rv_sup *sup, const json_t *json, struct rv_why *why)
{
	const char *name = "";
	int64_t number = 0;
	struct rv_pool *it;
	int err = rv_json_get_int(json, "place", &number, why);

	if (err == RV_OK)
		err = rv_json_get_text(json, "name", &name, why);
	if (err != RV_OK)
		return err;
	if (number < 0 || number >= RV_PLAN_SLOTS_MAX || sup->pools[number].is_used ||
	    strlen(name) >= RV_NAME_MAX)
		return rv_fail(why, RV_E_PARSE, "a pool without a place");
	it = &sup->pools[number];
	it->is_used = true;
	(void)snprintf(it->name, sizeof it->name, "%s", name);
	GET(pool);
	if (err == RV_OK && (it->hold >= RV_HOLDS || it->roll.state >= RV_ROLL_STATES ||
			     it->min < 0 || it->max < it->min || it->wanted < 0))
		err = rv_fail(why, RV_E_PARSE, "pool %s is no pool", name);
	return err;
}

static bool is_sound(const struct rv_sup *sup, const struct rv_child *it)
{
	bool is_keeper = it->slot == RV_PLAN_KEEPER;

	if (it->life >= RV_LIVES || it->cause >= RV_REASONS || it->last_reason >= RV_REASONS)
		return false;
	if (is_keeper ? it->pool != RV_POOL_NONE
		      : it->pool < 0 || it->pool >= RV_PLAN_SLOTS_MAX ||
				!sup->pools[it->pool].is_used)
		return false;
	if (!rv_life_has_process(it->life))
		return it->proc.pidfd < 0 && it->chan < 0;
	return it->proc.pidfd > 2 && it->proc.pid > 1 && it->chan > 2 && it->words.fd > 2;
}

static int get_child(struct rv_sup *sup, const json_t *json, struct rv_why *why)
{
	const char *name = "";
	int64_t number = 0;
	struct rv_child *it;
	int err = rv_json_get_int(json, "slot", &number, why);

	if (err == RV_OK)
		err = rv_json_get_text(json, "name", &name, why);
	if (err != RV_OK)
		return err;
	if (number < 0 || (size_t)number >= sup->nslots || strlen(name) >= RV_CHILD_NAME)
		return rv_fail(why, RV_E_PARSE, "a child without a slot");
	it = &sup->children[number];
	(void)snprintf(it->name, sizeof it->name, "%s", name);
	GET(child);
	if (err == RV_OK)
		err = get_bytes(json, "last", it->words.last, sizeof it->words.last,
				&it->words.nlast, why);
	if (err == RV_OK)
		err = get_restart(json, "restart", &it->restart, why);
	if (err == RV_OK && !is_sound(sup, it))
		err = rv_fail(why, RV_E_PARSE, "slot %u holds no child", it->slot);
	/* Each worker that lives has a place for its obituary. */
	if (err == RV_OK && it->slot != RV_PLAN_KEEPER && rv_life_has_process(it->life))
		err = rv_obits_reserve(&sup->obits);
	return err;
}

static int get_obit(struct rv_sup *sup, const json_t *json, struct rv_why *why)
{
	struct rv_obit what = {0};
	struct rv_obit *it = &what;
	int err = RV_OK;

	GET(obit);
	if (err == RV_OK)
		err = get_bytes(json, "words", it->words, sizeof it->words, &it->nwords, why);
	if (err == RV_OK && (it->state <= RV_OBIT_FREE || it->state > RV_OBIT_SENT ||
			     it->died > RV_DIED_LOST || it->slot >= sup->nslots))
		err = rv_fail(why, RV_E_PARSE, "an obituary of nobody");
	return err == RV_OK ? rv_obits_put(&sup->obits, it) : err;
}

static int each(struct rv_sup *sup, const json_t *json, const char *name,
		int (*fn)(struct rv_sup *sup, const json_t *item, struct rv_why *why),
		struct rv_why *why)
{
	json_t *list = NULL;
	int err = rv_json_get_array(json, name, &list, why);

	for (size_t i = 0; err == RV_OK && i < json_array_size(list); i++)
		err = fn(sup, json_array_get(list, i), why);
	return err;
}

static int get_stranger(struct rv_sup *sup, const json_t *item, struct rv_why *why)
{
	(void)why;
	for (int i = 0; i < RV_STRANGERS_MAX; i++) {
		if (sup->strangers[i] != 0)
			continue;
		sup->strangers[i] = (pid_t)json_integer_value(item);
		break;
	}
	return RV_OK;
}

static int get_sup(struct rv_sup *it, const json_t *json, struct rv_why *why)
{
	const char *file = "";
	int err = rv_json_get_text(json, "file", &file, why);

	err = err == RV_E_NOTFOUND ? RV_OK : err;
	(void)snprintf(it->file, sizeof it->file, "%s", file);
	GET(sup);
	return err;
}

static int get_all(struct rv_sup *sup, const json_t *json, struct rv_why *why)
{
	int64_t slots = 0;
	int err = check_release(json, why);

	if (err == RV_OK)
		err = rv_json_get_int(json, "slots", &slots, why);
	if (err == RV_OK && (slots < 2 || slots > RV_PLAN_SLOTS_MAX))
		err = rv_fail(why, RV_E_PARSE, "no table has %lld slots", (long long)slots);
	if (err == RV_OK)
		err = rv_sup_table(sup, (size_t)slots, why);
	if (err == RV_OK)
		err = get_sup(sup, json, why);
	if (err == RV_OK)
		err = each(sup, json, "pools", get_pool, why);
	if (err == RV_OK)
		err = each(sup, json, "obits", get_obit, why);
	if (err == RV_OK)
		err = each(sup, json, "children", get_child, why);
	if (err == RV_OK)
		err = each(sup, json, "strangers", get_stranger, why);
	INV(err != RV_OK || (sup->children && sup->nslots == (size_t)slots));
	return err == RV_OK ? get_restart(json, "area_restart", &sup->area_restart, why) : err;
}

int rv_handover_read(struct rv_sup *sup, const char *text, size_t size, struct rv_why *why)
{
	json_t *json = NULL;
	int err = rv_json_parse(text, size, RV_HANDOVER_MAX, &json, why);

	PRE(!sup->children);
	if (err == RV_OK)
		err = get_all(sup, json, why);
	json_decref(json);
	return err;
}

int rv_handover_fds(const struct rv_sup *sup, int (*fn)(int fd, void *ctx), void *ctx)
{
	int err = RV_OK;

#define HAND_SUP_FD(name, field)                                                                   \
	if (err == RV_OK)                                                                          \
		err = fn(sup->field, ctx);
#include "supervisor/handover.def"
	for (size_t i = 0; err == RV_OK && i < sup->nslots; i++) {
		const struct rv_child *child = &sup->children[i];

#define HAND_CHILD_FD(name, field)                                                                 \
	if (err == RV_OK && child->field >= 0)                                                     \
		err = fn(child->field, ctx);
#include "supervisor/handover.def"
	}
	return err;
}
