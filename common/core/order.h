#ifndef RV_CORE_ORDER_H
#define RV_CORE_ORDER_H

/* A job's place in its queue (DESIGN §3): computed once, so that every claim is one index seek. */

#include "base/spec.h"

/* ${sequence}: the queue's running number, 0 … 2^47-1.  FIFO: sequence; PRIORITY: priority << 47 |
 * sequence. */
int64_t rv_order(enum rv_strategy strategy, int priority, int64_t sequence);

const char *rv_strategy_name(enum rv_strategy strategy);
int rv_strategy_parse(const char *name, enum rv_strategy *ret_strategy);

#endif
