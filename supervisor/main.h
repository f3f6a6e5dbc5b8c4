#ifndef RV_SUPERVISOR_MAIN_H
#define RV_SUPERVISOR_MAIN_H

/* What the command line said; borrowed from argv for the life of the process. */

#include <stdbool.h>

#define RV_OVERRIDES_MAX 64

struct rv_options {
	const char *file;                            /* -c; NULL: the usual places */
	const char *overrides[RV_OVERRIDES_MAX + 1]; /* -o and --store, NULL-terminated */
	bool check_only;                             /* -t */
	int resume_fd;     /* --resume: the state that we are to go on from; -1 */
	int can_resume_fd; /* --can-resume: we are asked whether we could; -1 */
	char **argv;       /* the command line without these two */
	int argc;
};

#endif
