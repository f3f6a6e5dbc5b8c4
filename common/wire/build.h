#ifndef RV_WIRE_BUILD_H
#define RV_WIRE_BUILD_H

/*
 * What a program was built with, as far as the programs that work with it must agree: release,
 * area, messages, tables of the store.  Each child of reeved says it when it is asked (--version),
 * and reeved compares before it executes itself anew (supervisor/fit.c).
 */

/* A line without its end; static. */
const char *rv_build_words(void);
/* The tables alone: 16 hex digits. */
const char *rv_build_tables(void);

#endif
