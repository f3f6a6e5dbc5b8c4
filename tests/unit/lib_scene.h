#ifndef RV_UNIT_LIB_SCENE_H
#define RV_UNIT_LIB_SCENE_H

/* A store of its own for each test of libreeve, and words for what a call gives. */

#include "helpers/assert.h"

#include "client/reeve.h"
#include "helpers/tmpdir.h"

#include <stdlib.h>
#include <string.h>

static const char *tmp;
static const char *conf;
static struct reeve *reeve;

/* The same configuration again: another handle. */
static struct reeve *open_again(unsigned flags)
{
	struct reeve_open how = REEVE_OPEN_INIT;
	struct reeve *opened = NULL;

	how.config = conf;
	how.flags = flags;
	int err = reeve_open(&how, &opened);
	cr_assert(eq(int, err, REEVE_OK), "%s", reeve_error(NULL));
	return opened;
}

static void setup(void)
{
	tmp = rv_test_tmpdir();
	conf = strdup(rv_test_path("%s/reeve.ini", tmp));
	rv_test_write_file(
		conf,
		"[reeve]\nstate_dir = %s/state\nruntime_dir = %s\nadhoc = yes\n"
		"[task:hello]\nhandler = exec\ncommand = /bin/echo ${arg.who}\n"
		"queue = bulk\n[task:noop]\nhandler = builtin\nbuiltin = noop\n"
		"[pool:default]\nqueues = default, bulk\n[queue:bulk]\nstrategy = fifo\n",
		tmp, tmp);
	reeve = open_again(0);
}

static void teardown(void)
{
	reeve_close(reeve);
	rv_test_tmpdir_end();
}

#define OK(call)                                                                                   \
	do {                                                                                       \
		int ok_ = (call);                                                                  \
		cr_assert(eq(int, ok_, REEVE_OK), "%s", reeve_error(reeve));                       \
	} while (0)
#define SAYS(call, want, part)                                                                     \
	do {                                                                                       \
		int err_ = (call);                                                                 \
		cr_assert(eq(int, err_, want), "%s", reeve_error(reeve));                          \
		rv_assert_has(reeve_error(reeve), part);                                           \
	} while (0)

#endif
