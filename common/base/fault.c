/*
 * Named fault points.  Every process of a build with RV_FAULTS; a release build has no call to it.
 * RV_FAULT is read once; the countdown is per process.
 */
#include "base/fault.h"

#include "base/err.h"

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static const char *const point_names[] = {
#define POINT(name, where) [RV_FAULT_##name] = #name,
#include "base/fault.def"
#undef POINT
};

static const char *iam = "";

static struct plan {
	int read;  /* the environment was looked at */
	int point; /* RV_FAULT_POINTS: none */
	int countdown;
	char kind[16];
} plan = {.point = RV_FAULT_POINTS};

void rv_fault_iam(const char *who)
{
	iam = who;
}

static void read_plan(void)
{
	const char *text = getenv("RV_FAULT");
	char name[40];
	char count[12] = "1";
	char who[16] = "";

	plan.read = 1;
	if (!text || sscanf(text, "%39[^:]:%15[^:]:%11[^:]:%15s", name, plan.kind, count, who) < 2)
		return;
	if (who[0] != '\0' && strcmp(who, iam) != 0)
		return;
	for (int i = 0; i < RV_FAULT_POINTS; i++) {
		if (strcmp(name, point_names[i]) == 0)
			plan.point = i;
	}
	plan.countdown = (int)strtol(count, NULL, 10);
}

static int act(const char *kind)
{
	static const struct {
		const char *kind;
		int err;
	} errors[] = {{"eio", RV_E_IO},
		      {"enospc", RV_E_NOSPACE},
		      {"busy", RV_E_BUSY},
		      {"nomem", RV_E_NOMEM}};

	if (strcmp(kind, "kill") == 0)
		(void)kill(getpid(), SIGKILL);
	else if (strcmp(kind, "stop") == 0)
		(void)kill(getpid(), SIGSTOP);
	else if (strcmp(kind, "abort") == 0)
		abort();
	else if (strcmp(kind, "exit") == 0)
		_exit(1);
	for (size_t i = 0; i < RV_ARRAY_LEN(errors); i++) {
		if (strcmp(kind, errors[i].kind) == 0)
			return errors[i].err;
	}
	return RV_OK;
}

/* RV_FAULT_ONCE: only the first process that gets there fails; its successors find the file. */
static int is_first(void)
{
	const char *path = getenv("RV_FAULT_ONCE");
	int fd;

	if (!path)
		return 1;
	fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	if (fd < 0)
		return 0;
	(void)dprintf(fd, "%d\n", (int)getpid());
	(void)close(fd);
	return 1;
}

int rv_fault_hit(enum rv_fault_point point)
{
	if (!plan.read)
		read_plan();
	if (plan.point != (int)point || plan.countdown <= 0 || --plan.countdown > 0)
		return RV_OK;
	return is_first() ? act(plan.kind) : RV_OK;
}
