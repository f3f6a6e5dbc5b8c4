/* Zones: the reader of TZif files against any bytes, and the zones of the system against theirs. */
#include "base/zone.h"
#include "conf/zone.h"

#include <criterion/criterion.h>
#include <criterion/new/assert.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

/* A file of version 2 without changes: the first part, the second, the rule. */
static size_t make(unsigned char *out, const char *tail)
{
	static const unsigned char head[44] = "TZif2";
	size_t size = 0;

	for (int part = 0; part < 2; part++) {
		memcpy(out + size, head, sizeof(head));
		out[size + 39] = 1; /* a type */
		out[size + 43] = 4; /* bytes of names */
		size += sizeof(head);
		memset(out + size, 0, 6);
		size += 6;
		memcpy(out + size, "UTC", 4);
		size += 4;
	}
	out[size++] = '\n';
	memcpy(out + size, tail, strlen(tail));
	size += strlen(tail);
	out[size++] = '\n';
	return size;
}

static struct rv_zone *zone_of(const char *tail)
{
	unsigned char data[512];
	struct rv_zone *zone = NULL;
	size_t size = make(data, tail);

	return rv_zone_parse(data, size, &zone, NULL) == RV_OK ? zone : NULL;
}

Test(zone, rules_of_posix)
{
	static const struct {
		const char *tail;
		time_t at;
		int32_t offset;
	} rows[] = {
		{"<+0330>-3:30", 1750000000, 12600},
		{"EST5", 1750000000, -18000},
		{"CET-1CEST,M3.5.0,M10.5.0/3", 1774745999, 3600}, /* 2026-03-29T00:59:59Z */
		{"CET-1CEST,M3.5.0,M10.5.0/3", 1774746000, 7200},
		{"CET-1CEST,M3.5.0,M10.5.0/3", 1792889999, 7200}, /* 2026-10-25T00:59:59Z */
		{"CET-1CEST,M3.5.0,M10.5.0/3", 1792890000, 3600},
		{"IST-1GMT0,M10.5.0,M3.5.0/1", 1785542400, 3600}, /* winter has the "summer" time */
		{"AEST-10AEDT,M10.1.0,M4.1.0/3", 1767225600, 39600},
		{"XXX3EDT4,0/0,J365/23", 1750000000, -14400}, /* always */
		{"<-02>2<-01>,M3.5.0/-1,M10.5.0/0", 1774746000, -3600},
		{"AAA0BBB,J60,J61", 1709164800 + 86400, 3600}, /* 2024: the 1st of March */
		{"AAA0BBB,59,60", 1709164800, 3600},           /* the 29th of February */
	};

	for (size_t i = 0; i < RV_ARRAY_LEN(rows); i++) {
		struct rv_zone *zone = zone_of(rows[i].tail);
		time_t at = rows[i].at;
		struct rv_zone_span span;
		struct tm tm;

		cr_assert(ne(ptr, zone, NULL), "%s", rows[i].tail);
		(void)setenv("TZ", rows[i].tail, 1); /* the C library reads the same */
		tzset();
		at += rows[i].offset == 3600 && strncmp(rows[i].tail, "AAA", 3) == 0 ? 7200 : 0;
		(void)localtime_r(&at, &tm);
		span = rv_zone_at(zone, at);
		cr_expect(eq(i32, span.offset_s, (int32_t)tm.tm_gmtoff), "%s", rows[i].tail);
		cr_expect(eq(i32, span.offset_s, rows[i].offset), "%s", rows[i].tail);
		cr_expect(le(i64, span.from_s, at));
		cr_expect(lt(i64, at, span.to_s));
		rv_zone_free(zone);
	}
}

Test(zone, a_tail_that_is_none_is_refused)
{
	static const char *const bad[] = {"X",
					  "CET",
					  "CET-1CEST,M3.5.0",
					  "CET-1CEST,M13.5.0,M10.5.0",
					  "CET-1CEST,M3.6.0,M10.5.0",
					  "CET-1CEST,M3.5.7,M10.5.0",
					  "CET-1CEST,J0,J365",
					  "CET-1CEST,366,J365",
					  "CET-25",
					  "CET-1CEST,M3.5.0/168,M10.5.0",
					  "<+0330",
					  "CET-1x"};

	for (size_t i = 0; i < RV_ARRAY_LEN(bad); i++)
		cr_expect(eq(ptr, zone_of(bad[i]), NULL), "%s", bad[i]);
}

static uint64_t state = 88172645463325252ULL;

static uint64_t below(uint64_t n)
{
	state ^= state << 13;
	state ^= state >> 7;
	state ^= state << 17;
	return state % n;
}

/* Reading is bounded whatever the file says; what is taken can be reckoned with. */
Test(zone, any_bytes)
{
	for (int i = 0; i < 100000; i++) {
		unsigned char data[512];
		size_t size = make(data, "CET-1CEST,M3.5.0,M10.5.0/3");
		struct rv_zone *zone = NULL;
		unsigned char *exact;

		for (uint64_t n = below(6); n > 0; n--)
			data[below(size)] = (unsigned char)below(256);
		size -= below(4) == 0 ? below(size) : 0;
		exact = malloc(size + !size); /* so that a sanitizer sees the end */
		cr_assert(ne(ptr, exact, NULL));
		memcpy(exact, data, size);
		if (rv_zone_parse(exact, size, &zone, NULL) == RV_OK) {
			int64_t at = (int64_t)below(8000000000ULL) - 2000000000;
			struct rv_zone_span span = rv_zone_at(zone, at);

			cr_assert(le(i64, span.from_s, at));
			cr_assert(lt(i64, at, span.to_s));
			cr_assert(le(i64, rv_zone_first(zone, at + span.offset_s), at));
		}
		rv_zone_free(zone);
		free(exact);
	}
}

Test(zone, names)
{
	struct rv_zone *zone = NULL;
	struct rv_why why = {.text = ""};

	cr_assert(rv_zone_name_sane("America/Argentina/Buenos_Aires"));
	cr_assert(rv_zone_name_sane("Etc/GMT+5"));
	cr_assert(not(rv_zone_name_sane("")));
	cr_assert(not(rv_zone_name_sane("/etc/passwd")));
	cr_assert(not(rv_zone_name_sane("../../etc/passwd")));
	cr_assert(not(rv_zone_name_sane("Europe/")));
	cr_assert(not(rv_zone_name_sane("Europe//Rome")));
	cr_assert(not(rv_zone_name_sane("Europe/Rome ")));
	cr_assert(eq(int, rv_conf_zone("UTC", &zone, &why), RV_OK));
	cr_assert(eq(ptr, zone, NULL));
	cr_assert(eq(int, rv_conf_zone("local", &zone, &why), RV_OK));
	rv_zone_free(zone);
	cr_assert(eq(int, rv_conf_zone("Europe/Nowhere", &zone, &why), RV_E_CONF));
	cr_assert(eq(int, rv_conf_zone("../zoneinfo/UTC", &zone, &why), RV_E_CONF));
	if (rv_conf_zone("Europe/Rome", &zone, &why) != RV_OK)
		cr_skip("%s\n", why.text);
	rv_zone_free(zone);
	cr_assert(eq(int, rv_conf_zone("Europe/Rom", &zone, &why), RV_E_CONF));
	cr_assert_str_eq(why.text, "there is no time zone Europe/Rom; did you mean Europe/Rome?");
	/* a folder, and a text that is no zone */
	cr_assert(eq(int, rv_conf_zone("Europe", &zone, &why), RV_E_CONF));
	cr_assert(eq(int, rv_conf_zone("zone.tab", &zone, &why), RV_E_CONF));
}

Test(zone, a_first_moment_shows_what_was_asked_for)
{
	static const char *const names[] = {"Europe/Rome", "America/New_York", "Pacific/Apia",
					    "Australia/Lord_Howe", "Africa/Casablanca"};

	for (size_t i = 0; i < RV_ARRAY_LEN(names); i++) {
		struct rv_zone *zone = NULL;

		if (rv_conf_zone(names[i], &zone, NULL) != RV_OK)
			cr_skip("no %s here\n", names[i]);
		for (int n = 0; n < 20000; n++) {
			int64_t at = (int64_t)below(4102444800ULL);
			int64_t local = at + rv_zone_at(zone, at).offset_s;
			int64_t first = rv_zone_first(zone, local);

			cr_assert(le(i64, first, at));
			cr_assert(eq(i64, first + rv_zone_at(zone, first).offset_s, local));
		}
		rv_zone_free(zone);
	}
}
