/*
 * The recorder of the shim: every write, truncation and sync of a database, its log and journal,
 * and the disk after a power cut made from them.  The model: a sync makes durable what was done to
 * that file before it; of the rest each 512-byte sector reached the disk or did not, in any order;
 * a file's size is that of the last sector that did.  Creating and deleting a file is durable at
 * once.
 */
#include "helpers/shim_record.h"
#include "helpers/shim_vfs.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define FILES  3
#define SECTOR 512

static const char *const endings[FILES] = {"", "-wal", "-journal"};

enum op_kind { OP_WRITE, OP_TRUNCATE, OP_SYNC, OP_CREATE, OP_DELETE };

struct op {
	enum op_kind kind;
	enum rv_shim_kind file;
	int64_t offset;
	size_t size;
	unsigned char *data;
};

struct disk {
	bool there;
	size_t size, space;
	unsigned char *data;
};

static struct {
	bool on;
	char path[4096];
	struct op *ops;
	uint64_t n, space;
	struct disk before[FILES];
} record;

static void *must(void *memory)
{
	if (!memory)
		abort();
	return memory;
}

static struct op *note(enum op_kind kind, enum rv_shim_kind file)
{
	struct op *op;

	if (!record.on || file == RV_SHIM_OTHER)
		return NULL;
	if (record.n == record.space) {
		record.space = record.space == 0 ? 1024 : record.space * 2;
		record.ops = must(realloc(record.ops, record.space * sizeof *record.ops));
	}
	op = &record.ops[record.n++];
	*op = (struct op){.kind = kind, .file = file};
	return op;
}

void rv_shim_note_write(enum rv_shim_kind kind, const void *data, size_t size, int64_t offset)
{
	struct op *op = note(OP_WRITE, kind);

	if (!op)
		return;
	op->offset = offset;
	op->size = size;
	op->data = must(malloc(size + 1));
	memcpy(op->data, data, size);
}

void rv_shim_note_truncate(enum rv_shim_kind kind, int64_t size)
{
	struct op *op = note(OP_TRUNCATE, kind);

	if (op)
		op->offset = size;
}

void rv_shim_note_sync(enum rv_shim_kind kind)
{
	(void)note(OP_SYNC, kind);
}

void rv_shim_note_create(enum rv_shim_kind kind)
{
	(void)note(OP_CREATE, kind);
}

void rv_shim_note_delete(const char *name)
{
	for (int i = 0; i < FILES; i++) {
		char path[4200];

		(void)snprintf(path, sizeof path, "%s%s", record.path, endings[i]);
		if (record.on && strcmp(path, name) == 0)
			(void)note(OP_DELETE, (enum rv_shim_kind)i);
	}
}

/* Grows ${disk} to ${size}, zeroed. */
static void extend(struct disk *disk, size_t size)
{
	if (size <= disk->size)
		return;
	if (size > disk->space) {
		disk->space = size + (256 << 10);
		disk->data = must(realloc(disk->data, disk->space));
	}
	memset(disk->data + disk->size, 0, size - disk->size);
	disk->size = size;
}

static void load(const char *path, struct disk *disk)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	struct stat st;

	free(disk->data);
	*disk = (struct disk){0};
	if (fd < 0)
		return;
	if (fstat(fd, &st) != 0)
		abort();
	disk->there = true;
	extend(disk, (size_t)st.st_size);
	for (size_t at = 0; at < disk->size;) {
		ssize_t got = read(fd, disk->data + at, disk->size - at);

		if (got <= 0)
			abort();
		at += (size_t)got;
	}
	(void)close(fd);
}

void rv_shim_record(const char *path)
{
	rv_shim_record_end();
	(void)snprintf(record.path, sizeof record.path, "%s", path);
	for (int i = 0; i < FILES; i++) {
		char name[4200];

		(void)snprintf(name, sizeof name, "%s%s", path, endings[i]);
		load(name, &record.before[i]);
	}
	record.on = true;
}

void rv_shim_record_end(void)
{
	for (uint64_t i = 0; i < record.n; i++)
		free(record.ops[i].data);
	free(record.ops);
	record.ops = NULL;
	record.n = record.space = 0;
	record.on = false;
}

uint64_t rv_shim_recorded(void)
{
	return record.n;
}

static uint64_t dice(uint64_t *state)
{
	uint64_t z = *state += 0x9e3779b97f4a7c15ULL; /* splitmix64 */

	z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9ULL;
	z = (z ^ (z >> 27)) * 0x94d049bb133111ebULL;
	return z ^ (z >> 31);
}

/* The parts of a write that reach the disk, by sectors of the file. */
static void put(struct disk *disk, const struct op *op, enum rv_shim_cut how, uint64_t *seed)
{
	size_t at = 0;

	while (at < op->size) {
		size_t offset = (size_t)op->offset + at;
		size_t piece = SECTOR - offset % SECTOR;

		if (piece > op->size - at)
			piece = op->size - at;
		if (how == RV_SHIM_KEEP || (how == RV_SHIM_RANDOM && (dice(seed) & 1))) {
			extend(disk, offset + piece);
			memcpy(disk->data + offset, op->data + at, piece);
		}
		at += piece;
	}
}

static void play(struct disk *disks, uint64_t cut, enum rv_shim_cut how, uint64_t seed)
{
	bool durable[FILES] = {false};
	unsigned char *is_durable = must(calloc(cut + 1, 1));

	for (uint64_t i = cut; i-- > 0;) {
		const struct op *op = &record.ops[i];

		if (op->kind == OP_SYNC)
			durable[op->file] = true;
		is_durable[i] = durable[op->file];
	}
	for (uint64_t i = 0; i < cut; i++) {
		const struct op *op = &record.ops[i];
		struct disk *disk = &disks[op->file];
		enum rv_shim_cut fate = is_durable[i] ? RV_SHIM_KEEP : how;

		switch (op->kind) {
		case OP_WRITE:
			put(disk, op, fate, &seed);
			break;
		case OP_TRUNCATE:
			if (fate == RV_SHIM_DROP || (fate == RV_SHIM_RANDOM && (dice(&seed) & 1)))
				break;
			extend(disk, (size_t)op->offset);
			disk->size = (size_t)op->offset;
			break;
		case OP_CREATE:
			disk->there = true;
			break;
		case OP_DELETE:
			disk->there = false;
			disk->size = 0;
			break;
		case OP_SYNC:
		default:
			break;
		}
	}
	free(is_durable);
}

static void save(const char *path, const struct disk *disk)
{
	int fd;

	(void)unlink(path);
	if (!disk->there)
		return;
	fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	if (fd < 0)
		abort();
	for (size_t at = 0; at < disk->size;) {
		ssize_t put_bytes = write(fd, disk->data + at, disk->size - at);

		if (put_bytes <= 0)
			abort();
		at += (size_t)put_bytes;
	}
	(void)close(fd);
}

void rv_shim_image(const char *folder, const char *name, uint64_t cut, enum rv_shim_cut how,
		   uint64_t seed)
{
	struct disk disks[FILES] = {{0}};
	char path[4200];

	if (cut > record.n)
		abort();
	for (int i = 0; i < FILES; i++) {
		disks[i].there = record.before[i].there;
		extend(&disks[i], record.before[i].size);
		if (record.before[i].size > 0)
			memcpy(disks[i].data, record.before[i].data, record.before[i].size);
	}
	play(disks, cut, how, seed);
	(void)snprintf(path, sizeof path, "%s/%s-shm", folder, name);
	(void)unlink(path);
	for (int i = 0; i < FILES; i++) {
		(void)snprintf(path, sizeof path, "%s/%s%s", folder, name, endings[i]);
		save(path, &disks[i]);
		free(disks[i].data);
	}
}
