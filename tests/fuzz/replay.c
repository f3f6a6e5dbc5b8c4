/*
 * Runs a fuzz target over its corpus without libFuzzer: each file of a folder as it is, cut short
 * at several places, and with single bytes changed, always the same ones.
 */
#include "fuzz.h"

#include <dirent.h>
#include <string.h>

#define FILE_MOST (1U << 20)
#define CUTS      32
#define CHANGES   96

static uint64_t dice = 88172645463325252ULL;

static size_t below(size_t most)
{
	dice ^= dice << 13;
	dice ^= dice >> 7;
	dice ^= dice << 17;
	return (size_t)(dice % most);
}

/* In a block of exactly its size, so that a sanitizer sees a read past its end. */
static void run(const uint8_t *data, size_t size)
{
	uint8_t *exact = malloc(size ? size : 1);

	FUZZ_CHECK(exact);
	memcpy(exact, data, size);
	(void)LLVMFuzzerTestOneInput(exact, size);
	free(exact);
}

static void run_file(const char *path)
{
	static const char telling[] = "\0\n\r\t \"'\\{}[]():;,.=!<>*?/#$%&+-0159aZ\x7f\x80\xc3\xff";
	static uint8_t data[FILE_MOST];
	FILE *file = fopen(path, "rbe");
	size_t size;

	FUZZ_CHECK(file);
	size = fread(data, 1, sizeof(data), file);
	(void)fclose(file);
	run(data, size);
	for (size_t i = 0; i < CUTS && size > 0; i++)
		run(data, below(size));
	for (size_t i = 0; i < CHANGES && size > 0; i++) {
		size_t at = below(size);
		uint8_t was = data[at];

		data[at] = (uint8_t)telling[below(sizeof(telling) - 1)];
		run(data, size);
		data[at] = was;
	}
}

int main(int argc, char **argv)
{
	const struct dirent *entry;
	DIR *folder = argc == 2 ? opendir(argv[1]) : NULL;
	int files = 0;

	if (!folder) {
		(void)fprintf(stderr, "usage: %s FOLDER\n", argv[0]);
		return 2;
	}
	run((const uint8_t *)"", 0);
	while ((entry = readdir(folder)) != NULL) {
		char path[4096];

		if (entry->d_name[0] == '.')
			continue;
		(void)snprintf(path, sizeof(path), "%s/%s", argv[1], entry->d_name);
		run_file(path);
		files++;
	}
	(void)closedir(folder);
	(void)printf("%d passed, %d failed, 0 skipped\n", files, files == 0);
	return files == 0;
}
