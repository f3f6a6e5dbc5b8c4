#ifndef RV_CONF_ENV_H
#define RV_CONF_ENV_H

/*
 * Which variables a job's environment may be given, and env_file.  Used by the configuration, by
 * the worker (env_file, pass_env) and by the CLI (add -e NAME=VALUE).
 */

#include "base/err.h"
#include "conf/types.h"

struct rv_arena;

/*
 * RV_OK: ${name} (${size} bytes) may be set.  RV_E_PARSE: not [A-Za-z_][A-Za-z0-9_]*; RV_E_DENIED:
 * it changes what a program loads or runs (LD_*, BASH_ENV, PYTHON* …) or is reeve's own (REEVE_*).
 */
int rv_env_name_check(const char *name, size_t size, struct rv_why *why) RV_MUST_CHECK;
/* The same for "NAME=VALUE". */
int rv_env_pair_check(const char *pair, struct rv_why *why) RV_MUST_CHECK;

/*
 * Reads an env_file: lines NAME=VALUE, raw to the end of the line; empty lines and # comments are
 * skipped.  RV_E_PARSE or RV_E_DENIED with ${why} "file:line: …"; RV_E_IO; RV_E_NOMEM.
 */
int rv_env_file_read(const char *path, struct rv_arena *arena, struct rv_conf_list *ret_env,
		     struct rv_why *why) RV_MUST_CHECK;

#endif
