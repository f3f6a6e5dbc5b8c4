#ifndef RV_TESTHELP_TMPDIR_H
#define RV_TESTHELP_TMPDIR_H

/* A private folder for a test, removed with all it has at the end.  Failures abort. */

#include "base/attr.h"

#include <stddef.h>

/* A fresh folder, 0700, below $TMPDIR (else /tmp): ${out} is borrowed until rv_test_tmpdir_end. */
const char *rv_test_tmpdir(void);
/* The same, without $TMPDIR in memory if it can be: for what tests no durability and syncs much. */
const char *rv_test_memdir(void);
/* Removes every folder of this process; runs by itself at a normal exit. */
void rv_test_tmpdir_end(void);
/* Removes ${path} and all below it, following no symlink. */
void rv_test_remove_tree(const char *path);

/* "folder/name", printf-like, valid until the 16th call after it. */
const char *rv_test_path(const char *format, ...) RV_PRINTF(1, 2);
void rv_test_write_file(const char *path, const char *format, ...) RV_PRINTF(2, 3);
/* The whole file, NUL-terminated; free() it; NULL when there is none. */
char *rv_test_read_file(const char *path);

#endif
