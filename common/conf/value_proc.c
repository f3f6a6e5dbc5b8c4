/*
 * Values that are about processes: CPUs and the priority of I/O.  Whoever reads or prints a
 * configuration.  What is printed is read back as the same value.
 */
#include "conf/value.h"

#include "base/buf.h"
#include "base/check.h"
#include "base/fmt.h"

#include <stdio.h>
#include <string.h>

static bool has_cpu(const struct rv_conf_cpus *cpus, int cpu)
{
	return cpu < RV_CONF_CPUS_MAX && (cpus->bits[cpu / 64] >> (cpu % 64) & 1) != 0;
}

/* "2" or "0-3", up to the end of ${item}. */
static int take_cpus(const struct rv_conf_key *key, const char *item, size_t size,
		     struct rv_conf_cpus *cpus, struct rv_why *why)
{
	char text[32] = "";
	char *dash;
	int64_t low = 0;
	int64_t high = 0;

	if (size < sizeof(text))
		memcpy(text, item, size);
	dash = strchr(text, '-');
	if (dash)
		*dash = '\0';
	if (rv_parse_int(text, key->min, key->max, &low) != RV_OK ||
	    rv_parse_int(dash ? dash + 1 : text, low, key->max, &high) != RV_OK)
		return rv_fail(why, RV_E_PARSE, "%.*s: is no CPU, 0 to %lld, nor a range of them",
			       (int)(size > 60 ? 60 : size), item, (long long)key->max);
	for (int64_t cpu = low; cpu <= high; cpu++)
		cpus->bits[cpu / 64] |= 1ULL << (cpu % 64);
	return RV_OK;
}

int rv_value_set_cpus(const struct rv_conf_key *key, const char *text, void *field,
		      struct rv_arena *arena, struct rv_why *why)
{
	struct rv_conf_cpus cpus = {{0}};
	int err = RV_OK;

	(void)arena;
	while (err == RV_OK) {
		size_t skip = strspn(text, " \t");
		size_t size = strcspn(text + skip, ", \t");

		err = take_cpus(key, text + skip, size, &cpus, why);
		text += skip + size;
		text += strspn(text, " \t");
		if (*text != ',')
			break;
		text++;
	}
	if (err == RV_OK && *text != '\0')
		err = rv_fail(why, RV_E_PARSE, "CPUs are divided by commas: 0-3, 6");
	if (err == RV_OK)
		*(struct rv_conf_cpus *)field = cpus;
	return err;
}

int rv_value_print_cpus(const struct rv_conf_key *key, const void *field, struct rv_buf *out)
{
	const struct rv_conf_cpus *cpus = field;
	const char *comma = "";
	int err = RV_OK;

	(void)key;
	for (int cpu = 0; cpu < RV_CONF_CPUS_MAX && err == RV_OK; cpu++) {
		int last = cpu;

		if (!has_cpu(cpus, cpu))
			continue;
		while (has_cpu(cpus, last + 1))
			last++;
		err = last > cpu ? rv_buf_printf(out, "%s%d-%d", comma, cpu, last)
				 : rv_buf_printf(out, "%s%d", comma, cpu);
		comma = ", ";
		cpu = last;
	}
	return err;
}

/* ---- load */

int rv_value_set_decimal(const struct rv_conf_key *key, const char *text, void *field,
			 struct rv_arena *arena, struct rv_why *why)
{
	size_t whole = strspn(text, "0123456789");
	size_t part = text[whole] == '.' ? strspn(text + whole + 1, "0123456789") : 0;
	char digits[16] = "";
	int64_t value = 0;

	(void)arena;
	if (whole > 0 && whole <= 6 && part <= 3 && (text[whole] != '.' || part > 0) &&
	    text[whole + part + (text[whole] == '.')] == '\0') {
		(void)snprintf(digits, sizeof(digits), "%.*s%.*s%.*s", (int)whole, text, (int)part,
			       text + whole + (part > 0), (int)(3 - part), "000");
		if (rv_parse_int(digits, key->min, key->max, &value) == RV_OK) {
			*(int *)field = (int)value;
			return RV_OK;
		}
	}
	return rv_fail(why, RV_E_PARSE,
		       "must be a number from %lld to %lld, with up to three decimals",
		       (long long)key->min / 1000, (long long)key->max / 1000);
}

int rv_value_print_decimal(const struct rv_conf_key *key, const void *field, struct rv_buf *out)
{
	int value = *(const int *)field;

	(void)key;
	if (value % 1000 == 0)
		return rv_buf_printf(out, "%d", value / 1000);
	if (value % 100 == 0)
		return rv_buf_printf(out, "%d.%d", value / 1000, value / 100 % 10);
	return rv_buf_printf(out, "%d.%03d", value / 1000, value % 1000);
}

/* ---- ionice */

static const char *const classes[] = {
	[RV_CONF_IO_REALTIME] = "realtime",
	[RV_CONF_IO_BEST_EFFORT] = "best-effort",
	[RV_CONF_IO_IDLE] = "idle",
};

int rv_value_set_ionice(const struct rv_conf_key *key, const char *text, void *field,
			struct rv_arena *arena, struct rv_why *why)
{
	size_t size = strcspn(text, " \t");
	const char *rest = text + size + strspn(text + size, " \t");
	int64_t level = 0;

	(void)arena;
	for (int class = RV_CONF_IO_REALTIME; class <= RV_CONF_IO_IDLE; class ++) {
		if (strlen(classes[class]) != size || strncmp(classes[class], text, size) != 0)
			continue;
		if (class == RV_CONF_IO_IDLE
			    ? *rest != '\0'
			    : rv_parse_int(rest, key->min, key->max, &level) != RV_OK)
			break;
		*(int *)field = RV_CONF_IONICE(class, (int)level);
		return RV_OK;
	}
	return rv_fail(why, RV_E_PARSE, "must be idle, best-effort N or realtime N, N from 0 to 7");
}

int rv_value_print_ionice(const struct rv_conf_key *key, const void *field, struct rv_buf *out)
{
	int value = *(const int *)field;
	int class = value >> 13;

	(void)key;
	if (value == 0)
		return RV_OK;
	INV(class >= RV_CONF_IO_REALTIME && class <= RV_CONF_IO_IDLE);
	if (class == RV_CONF_IO_IDLE)
		return rv_buf_str(out, classes[class]);
	return rv_buf_printf(out, "%s %d", classes[class], value & 7);
}
