#ifndef RV_BASE_ATTR_H
#define RV_BASE_ATTR_H

/* Compiler attributes and the two ownership helpers of the house. */

#include <stddef.h>

#define RV_MUST_CHECK        __attribute__((warn_unused_result))
#define RV_PRINTF(fmt, args) __attribute__((format(printf, fmt, args)))
#define RV_NORETURN          __attribute__((noreturn))
#define RV_UNUSED            __attribute__((unused))
#define RV_ARRAY_LEN(a)      (sizeof(a) / sizeof((a)[0]))

#define rv_container_of(ptr, type, member) ((type *)(void *)((char *)(ptr)-offsetof(type, member)))

/*
 * RV_AUTO(fn) is put before a pointer variable: fn(&variable) runs when it leaves its scope.
 * RV_TAKE(p) hands the pointer over: its value is returned, the variable becomes NULL.
 */
#define RV_AUTO(fn) __attribute__((cleanup(fn)))
#define RV_TAKE(p)                                                                                 \
	({                                                                                         \
		__typeof__(p) rv_taken_ = (p);                                                     \
		(p) = NULL;                                                                        \
		rv_taken_;                                                                         \
	})

#endif
