/* A library that has an SQLite of its own, for a module that needs it (test_e2e_module.c). */
int sqlite3_open_v2(const char *path, void **ret);
int rv_needs_sqlite(void);

int sqlite3_open_v2(const char *path, void **ret)
{
	return path == (const char *)ret;
}

int rv_needs_sqlite(void)
{
	return 0;
}
