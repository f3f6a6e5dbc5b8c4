#ifndef RV_STORE_SQLITE_SQL_H
#define RV_STORE_SQLITE_SQL_H

/* The .sql files of this folder as text, put into the binary by embed.cmake.  Private to it. */

extern const char rv_sql_0001_initial[];
extern const char rv_sql_invariants[];

#endif
