#ifndef RV_TESTHELP_SHIM_RECORD_H
#define RV_TESTHELP_SHIM_RECORD_H

/* What shim_vfs.c tells the recorder in shim_record.c. */

#include <stddef.h>
#include <stdint.h>

enum rv_shim_kind { RV_SHIM_DB, RV_SHIM_LOG, RV_SHIM_JOURNAL, RV_SHIM_OTHER };

void rv_shim_note_write(enum rv_shim_kind kind, const void *data, size_t size, int64_t offset);
void rv_shim_note_truncate(enum rv_shim_kind kind, int64_t size);
void rv_shim_note_sync(enum rv_shim_kind kind);
void rv_shim_note_create(enum rv_shim_kind kind);
void rv_shim_note_delete(const char *name);

#endif
