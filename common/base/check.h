#ifndef RV_BASE_CHECK_H
#define RV_BASE_CHECK_H

/*
 * Checks that stay on in release builds: a process is disposable, its parent restarts it.
 *   PRE   the caller's duty        POST  our own promise
 *   INV   a truth about the data   IMPOSSIBLE  a line that must never run
 *   DEEP  a costly verification, torture builds only
 * RV_LIMIT(usual, tiny) is a size of our own choice, of a page, a block, a read: a torture build
 * takes the tiny one, so that its edge is met all the time.
 * Never use them for input, files, the network or the database's answers.
 */

#include "base/attr.h"

/* Prints kind, expression and place on stderr (no allocation, async-signal-safe) and aborts. */
void rv_check_failed(const char *kind, const char *what, const char *file, int line) RV_NORETURN;

#define RV_CHECK_(kind, expr) ((expr) ? (void)0 : rv_check_failed(kind, #expr, __FILE__, __LINE__))
#define PRE(expr)             RV_CHECK_("PRE", expr)
#define POST(expr)            RV_CHECK_("POST", expr)
#define INV(expr)             RV_CHECK_("INV", expr)
#define IMPOSSIBLE(what)      rv_check_failed("IMPOSSIBLE", what, __FILE__, __LINE__)

#ifdef RV_TORTURE
#define DEEP(stmt)            (stmt)
#define RV_LIMIT(usual, tiny) (tiny)
#else
#define DEEP(stmt)            ((void)0)
#define RV_LIMIT(usual, tiny) (usual)
#endif

#endif
