/*
 * The command line of a child of reeved (docs/PROTOCOL.md).  Worker and keeper.
 */
#include "child/child.h"

#include "base/fmt.h"
#include "wire/build.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static int parse_slot(struct rv_child *child, const char *text, struct rv_why *why)
{
	int64_t slot;

	if (rv_parse_int(text, 0, RV_AREA_SLOTS_MAX - 1, &slot) != RV_OK)
		return rv_fail(why, RV_E_USAGE, "--slot %s is no slot of an area", text);
	child->slot = (unsigned)slot;
	return RV_OK;
}

static int parse_incarnation(const char *text, uint64_t *ret, struct rv_why *why)
{
	uint64_t value;
	char *end;

	errno = 0;
	value = strtoull(text, &end, 16);
	if (errno != 0 || end == text || *end != '\0' || value == 0)
		return rv_fail(why, RV_E_USAGE, "%s is no incarnation", text);
	*ret = value;
	return RV_OK;
}

bool rv_child_version(const char *name, int argc, char **argv)
{
	if (argc != 2 || strcmp(argv[1], "--version") != 0)
		return false;
	(void)printf("reeve-%s %s\n", name, rv_build_words());
	return true;
}

int rv_child_parse(struct rv_child *child, int argc, char **argv, struct rv_why *why)
{
	int err = RV_OK;

	child->lock_fd = -1;
	for (int i = 1; err == RV_OK && i < argc; i += 2) {
		if (i + 1 >= argc)
			return rv_fail(why, RV_E_USAGE, "%s needs a value", argv[i]);
		if (strcmp(argv[i], "--pool") == 0)
			child->pool = argv[i + 1];
		else if (strcmp(argv[i], "--name") == 0)
			child->name = argv[i + 1];
		else if (strcmp(argv[i], "--slot") == 0)
			err = parse_slot(child, argv[i + 1], why);
		else if (strcmp(argv[i], "--incarnation") == 0)
			err = parse_incarnation(argv[i + 1], &child->incarnation, why);
		else if (strcmp(argv[i], "--highest") == 0)
			err = parse_incarnation(argv[i + 1], &child->highest, why);
		else if (strcmp(argv[i], "--quiet") == 0)
			child->quiet = strcmp(argv[i + 1], "yes") == 0;
		else if (strcmp(argv[i], "--children") == 0)
			child->children = strcmp(argv[i + 1], "yes") == 0;
		else
			return rv_fail(why, RV_E_USAGE, "unknown option %s", argv[i]);
	}
	if (err == RV_OK && child->incarnation == 0)
		return rv_fail(why, RV_E_USAGE, "reeved starts this program; it is not for people");
	return err;
}
