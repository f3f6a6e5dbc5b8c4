#ifndef RV_REEVE_VERB_H
#define RV_REEVE_VERB_H

/* The functions of the verbs, one verb_*.c a family.  Each returns the program's exit code. */

struct rv_cli;

#define VERB(name, function, usage, help, examples) int rv_verb_##function(struct rv_cli *cli);
#include "verbs.def"

#endif
