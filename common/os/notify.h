#ifndef RV_OS_NOTIFY_H
#define RV_OS_NOTIFY_H

/*
 * The service manager's notification protocol, sd_notify(3), as one datagram; no libsystemd.
 * The supervisor only.
 */

#include "base/attr.h"

#include <stdbool.h>
#include <stdint.h>

/* Is somebody to be notified ($NOTIFY_SOCKET)? */
bool rv_notify_wanted(void);

/*
 * Sends ${state} ("READY=1\nSTATUS=…") to $NOTIFY_SOCKET, a path or, with '@' first, an abstract
 * name.  RV_OK without doing anything when it is not set; never blocks; an error is only a hint.
 */
int rv_notify(const char *state);
int rv_notifyf(const char *format, ...) RV_PRINTF(1, 2);

/* $WATCHDOG_USEC if it is meant for us ($WATCHDOG_PID): ping at half of it; 0: no watchdog. */
int64_t rv_notify_watchdog_us(void);

#endif
