#ifndef RV_BASE_FAULT_H
#define RV_BASE_FAULT_H

/* Named fault points; see fault.def for how a run is told to fail at one. */

#include "base/attr.h"

enum rv_fault_point {
#define POINT(name, where) RV_FAULT_##name,
#include "base/fault.def"
#undef POINT
	RV_FAULT_POINTS
};

/* Who this process is, for the ${who} of RV_FAULT.  Borrowed for the life of the process. */
void rv_fault_iam(const char *who);

/* RV_OK, or the RV_E_* to fail with; kill, stop, abort and exit do not return (stop: not at once).
 */
int rv_fault_hit(enum rv_fault_point point);

#ifdef RV_FAULTS
#define RV_FAULT(name) rv_fault_hit(RV_FAULT_##name)
#else
#define RV_FAULT(name) 0
#endif

#endif
