#ifndef RV_OBS_OUTPUT_FORMAT_H
#define RV_OBS_OUTPUT_FORMAT_H

/* The bytes of output files; see output.h.  Only output.c and output_read.c. */

#include <endian.h>
#include <stdint.h>

#define RV_OUTPUT_VERSION    1U
#define RV_OUTPUT_MAGIC      0x74756f6576656572ULL /* "reeveout" */
#define RV_OUTPUT_TAIL_MAGIC 0x6c69617465766572ULL /* "revetail" */
#define RV_OUTPUT_RECORD     0x7672U               /* "rv" */

struct rv_output_file {
	uint64_t magic;
	uint32_t version;
	uint32_t zero;
};

/* The ring's data follows; logical offset L lies at sizeof(head) + L % size. */
struct rv_output_tail {
	struct rv_output_file file;
	uint64_t size;
	uint64_t start; /* of the oldest whole record; moved before its bytes are overwritten */
	uint64_t end;   /* moved after the bytes are there */
	uint64_t spare[3];
};

struct rv_output_entry {
	uint32_t size;
	uint16_t stream;
	uint16_t magic;
	int64_t time_us;
	uint64_t at;
};

_Static_assert(sizeof(struct rv_output_file) == 16, "file header");
_Static_assert(sizeof(struct rv_output_tail) == 64, "tail header");
_Static_assert(sizeof(struct rv_output_entry) == 24, "record header");

#endif
