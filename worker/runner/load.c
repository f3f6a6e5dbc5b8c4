/*
 * Loads a module and says what is wrong with it.  The runner's process, or one that is thrown away
 * after the look: its constructors run here.  Must never be linked into a process that has the
 * store open: an SQLite that a module brings would drop our locks.
 */
#include "runner/load.h"

#include "base/check.h"

#include <dlfcn.h>
#include <elf.h>
#include <errno.h>
#include <link.h>
#include <stdbool.h>
#include <stddef.h>
#include <string.h>
#include <sys/stat.h>

#define SYMBOL "reeve_module"
/* What a module of ABI 1 has at least. */
#define SIZE_MIN (offsetof(struct reeve_module, run_batch) + sizeof(void (*)(void)))

/* Who may write it may run code as this user: a look at the file and at the folder it is in. */
static int check_file(const char *path, struct rv_why *why)
{
	const char *slash = strrchr(path, '/');
	char folder[4096];
	struct stat st;

	if (path[0] != '/' || slash == path || (size_t)(slash - path) >= sizeof(folder))
		return rv_fail(why, RV_E_REFUSED, "%s: it must be an absolute path, in a folder",
			       path);
	if (stat(path, &st) != 0)
		return rv_fail(why, RV_E_REFUSED, "%s: cannot be read: %s", path, strerror(errno));
	if (!S_ISREG(st.st_mode))
		return rv_fail(why, RV_E_REFUSED, "%s: is no file", path);
	if (st.st_mode & S_IWOTH)
		return rv_fail(why, RV_E_REFUSED, "%s: everybody may write it", path);
	memcpy(folder, path, (size_t)(slash - path));
	folder[slash - path] = '\0';
	if (stat(folder, &st) != 0)
		return rv_fail(why, RV_E_REFUSED, "%s: cannot be read: %s", folder,
			       strerror(errno));
	if ((st.st_mode & S_IWOTH) && !(st.st_mode & S_ISVTX))
		return rv_fail(why, RV_E_REFUSED, "%s: everybody may write its folder", path);
	return RV_OK;
}

/*
 * What the file itself exports, not a library that it needs, once it is large enough to be read;
 * fields that it does not have are left as they are.
 */
static int take(void *handle, const char *path, struct reeve_module *ret, struct rv_why *why)
{
	const struct reeve_module *module = dlsym(handle, SYMBOL);
	struct link_map *map = NULL;
	const ElfW(Sym) * symbol;
	void *entry = NULL;
	Dl_info info;

	if (!module || dlinfo(handle, RTLD_DI_LINKMAP, &map) != 0 ||
	    dladdr1(module, &info, &entry, RTLD_DL_SYMENT) == 0 || !entry ||
	    (ElfW(Addr))info.dli_fbase != map->l_addr)
		return rv_fail(why, RV_E_REFUSED, "%s: exports no %s: it is no module of reeve",
			       path, SYMBOL);
	symbol = entry;
	if (ELF64_ST_TYPE(symbol->st_info) != STT_OBJECT ||
	    symbol->st_size < offsetof(struct reeve_module, name))
		return rv_fail(why, RV_E_REFUSED, "%s: its %s is no struct reeve_module", path,
			       SYMBOL);
#ifndef RV_MUTANT_MODULE_ANY_ABI
	if (module->abi != REEVE_MODULE_ABI)
		return rv_fail(why, RV_E_REFUSED, "%s: was built for ABI %u, this reeve has %d",
			       path, (unsigned)module->abi, REEVE_MODULE_ABI);
#endif
	if (module->size < SIZE_MIN || symbol->st_size < module->size)
		return rv_fail(why, RV_E_REFUSED,
			       "%s: its struct reeve_module has %u bytes; it must say "
			       "sizeof(struct reeve_module), at least %zu",
			       path, (unsigned)module->size, SIZE_MIN);
	memcpy(ret, module, module->size < sizeof(*ret) ? module->size : sizeof(*ret));
	return RV_OK;
}

/* ${map} itself has ${name}; a handle finds it in what it needs as well. */
static bool defines(const struct link_map *map, const char *name)
{
	void *handle = dlopen(map->l_name, RTLD_LAZY | RTLD_NOLOAD);
	void *place = handle ? dlsym(handle, name) : NULL;
	Dl_info info;
	bool is_own =
		place && dladdr(place, &info) != 0 && (ElfW(Addr))info.dli_fbase == map->l_addr;

	if (handle)
		(void)dlclose(handle);
	return is_own;
}

/*
 * One SQLite a process: closing a file of one drops the locks of another.  The system's own library
 * is that one, as everybody who needs it gets the same.
 */
static int check_sqlite(void *handle, const char *path, struct rv_why *why)
{
	static const char *const names[] = {"sqlite3_open", "sqlite3_open_v2",
					    "sqlite3_initialize"};
	const struct link_map *map = NULL;

	if (dlinfo(handle, RTLD_DI_LINKMAP, (void *)&map) != 0)
		return rv_fail(why, RV_E_REFUSED, "%s: %s", path, dlerror());
	for (; map; map = map->l_next) {
		const char *base = strrchr(map->l_name, '/');

		if (base && strncmp(base, "/libsqlite3.so", strlen("/libsqlite3.so")) == 0)
			continue;
#ifdef RV_MUTANT_MODULE_ANY_SQLITE
		continue;
#endif
		for (size_t i = 0; map->l_name[0] != '\0' && i < RV_ARRAY_LEN(names); i++) {
			if (defines(map, names[i]))
				return rv_fail(why, RV_E_REFUSED,
					       "%s: brings an SQLite of its own (%s in %s): link "
					       "the system's libsqlite3 instead",
					       path, names[i], map->l_name);
		}
	}
	return RV_OK;
}

int rv_load_module(const char *path, struct reeve_module *ret_module, struct rv_why *why)
{
	struct reeve_module copy = {0};
	void *handle;
	int err = check_file(path, why);

	if (err != RV_OK)
		return err;
	handle = dlopen(path, RTLD_NOW | RTLD_LOCAL);
	if (!handle) {
		const char *said = dlerror();
		const char *rest =
			said && strncmp(said, path, strlen(path)) == 0 ? strlen(path) + said : said;

		return rv_fail(why, RV_E_REFUSED, "%s%s%s", path,
			       rest == said ? ": cannot be loaded: " : "", rest ? rest : "?");
	}
	err = check_sqlite(handle, path, why);
	if (err == RV_OK)
		err = take(handle, path, &copy, why);
	if (err != RV_OK)
		return err;
	if (!copy.name || (!copy.run && !copy.run_batch))
		return rv_fail(why, RV_E_REFUSED, "%s: has no %s", path,
			       copy.name ? "run" : "name");
	POST(copy.abi == REEVE_MODULE_ABI);
	*ret_module = copy;
	return RV_OK;
}
