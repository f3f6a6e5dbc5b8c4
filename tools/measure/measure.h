#ifndef RV_MEASURE_MEASURE_H
#define RV_MEASURE_MEASURE_H

/*
 * The measurements of rv-measure, each a subcommand: rv_measure_<name>(argc, argv) prints one JSON
 * object on stdout and returns the program's exit code.  argv[0] is the subcommand's name.
 */

#include <stddef.h>
#include <stdint.h>

struct rv_store;

int rv_measure_raw(int argc, char **argv);    /* DIR JOBS PER_TRANSACTION full|normal */
int rv_measure_order(int argc, char **argv);  /* DIR JOBS ROUNDS STRATEGY|wide */
int rv_measure_busy(int argc, char **argv);   /* DIR PROCESSES SECONDS full|normal fused|apart */
int rv_measure_insert(int argc, char **argv); /* DIR ROWS PER_TRANSACTION */
int rv_measure_bulk(int argc, char **argv);   /* DIR JOBS PER_REQUEST */
int rv_measure_claim(int argc, char **argv);  /* DIR SMALL BIG ROUNDS */
int rv_measure_ping(int argc, char **argv);   /* DIR COUNT */
int rv_measure_added(int argc, char **argv);  /* STORE RUNTIME_DIR COUNT */
int rv_measure_draws(int argc, char **argv);  /* DIR DRAWS */
int rv_measure_lists(int argc, char **argv);  /* DIR JOBS */
int rv_measure_spawn(int argc, char **argv);  /* COUNT PROCESSES */
int rv_measure_submit(int argc, char **argv); /* INI PROCESSES SECONDS direct|daemon */
int rv_measure_child(int argc, char **argv);  /* SOCKET: never returns */
int rv_measure_pipe(int argc, char **argv);   /* AHEAD; prints answers: it is a handler */

/* Prints why on stderr and exits 1: a measurement that failed has no figure. */
void rv_measure_die(const char *what, const char *why) __attribute__((noreturn));

/* A new store ${dir}/${name} with the queue default (id 1) and the task noop; ${path} gets its
 * path. */
struct rv_store *rv_measure_store(const char *dir, const char *name, char *path, size_t space);

/* A word of the command line that is a number of at least 0; dies of any other. */
int64_t rv_measure_number(const char *text);

/* The median of ${count} values, which are sorted in place. */
int64_t rv_measure_median(int64_t *values, size_t count);

#endif
