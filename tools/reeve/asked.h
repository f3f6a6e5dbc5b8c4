#ifndef RV_REEVE_ASKED_H
#define RV_REEVE_ASKED_H

/* The jobs that a command line asks for, by words or --query, --state, -q and --task. */

#include "cli.h"
#include "core/query.h"

struct rv_buf;

/*
 * The query of --query or else the words from the ${first} on (-1: none is a query), and the
 * options, of cli->args, after ${terms} (a query of ours, "" none; another sort is theirs).
 * RV_E_USAGE with a sentence; the place in the query is kept for rv_asked_fail.
 */
int rv_asked(struct rv_cli *cli, int first, const char *terms,
	     struct rv_query *ret_query) RV_MUST_CHECK;
/* Appends " NAME:VALUE", its value taken as it is; nothing for NULL. */
int rv_asked_term(struct rv_buf *buf, const char *name, const char *value) RV_MUST_CHECK;
/* As rv_cli_fail; when a query was wrong it is printed too, with a caret under the place. */
int rv_asked_fail(struct rv_cli *cli, int err) RV_MUST_CHECK;

#endif
