/* Opening the sqlite backend: where a store may be, whose it becomes, what it is made like. */
#include "helpers/assert.h"
#include "helpers/tmpdir.h"
#include "store/read.h"
#include "store/sqlite.h"
#include "store/sqlite_calls.h"
#include "store/sqlite_place.h"

#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

static struct rv_why why;

static int open_at(const char *path, bool create, struct rv_store **ret_store)
{
	struct rv_store_open how = {.backend = "sqlite",
				    .path = path,
				    .create = create,
				    .migrate = create,
				    .group = (gid_t)-1};

	why.text[0] = '\0';
	return rv_store_open(&how, ret_store, &why);
}

static struct rv_store *must_open(const char *path)
{
	struct rv_store *store = NULL;

	cr_assert(eq(int, open_at(path, true, &store), RV_OK), "%s", why.text);
	return store;
}

static void refused(const char *path, bool create, int err, const char *words)
{
	struct rv_store *store = NULL;

	cr_assert(eq(int, open_at(path, create, &store), err), "%s", why.text);
	rv_assert_has(why.text, words);
	cr_assert(eq(ptr, store, NULL));
}

static int64_t pragma(struct rv_store *store, const char *sql)
{
	int64_t value = -1;

	cr_assert(eq(int, rv_sqlite_pragma(RV_SQLITE_OF(store), sql, &value), RV_OK));
	return value;
}

Test(sqlite_open, what_a_new_store_is_like)
{
	static const struct {
		const char *sql;
		int64_t value;
	} settings[] = {
		{"PRAGMA page_size", 4096},          {"PRAGMA auto_vacuum", 2},
		{"PRAGMA user_version", 1},          {"PRAGMA application_id", RV_SQLITE_ID},
		{"PRAGMA trusted_schema", 0},        {"PRAGMA cell_size_check", 1},
		{"PRAGMA secure_delete", 0},         {"PRAGMA mmap_size", 0},
		{"PRAGMA wal_autocheckpoint", 1000}, /* says nothing: see the hook */
		{"PRAGMA foreign_keys", 0},
	};
	const char *path = rv_test_path("%s/a.db", rv_test_tmpdir());
	struct rv_store *store = must_open(path);
	struct stat st;
	int on = -1;

	for (size_t i = 0; i < RV_ARRAY_LEN(settings); i++) {
		int64_t value = pragma(store, settings[i].sql);

		if (i != 8)
			cr_assert(eq(i64, value, settings[i].value), "%s", settings[i].sql);
	}
	cr_assert(eq(int,
		     sqlite3_db_config(RV_SQLITE_OF(store)->db, SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE,
				       -1, &on),
		     SQLITE_OK));
	cr_assert(eq(int, on, 1));
	cr_assert(eq(int,
		     sqlite3_db_config(RV_SQLITE_OF(store)->db, SQLITE_DBCONFIG_DEFENSIVE, -1, &on),
		     SQLITE_OK));
	cr_assert(eq(int, on, 1));
	cr_assert(eq(int, stat(path, &st), 0));
	cr_assert(eq(int, (int)(st.st_mode & 07777), 0600));
	rv_store_close(store);
}

Test(sqlite_open, a_group_may_share_it)
{
	const char *path = rv_test_path("%s/a.db", rv_test_tmpdir());
	struct rv_store_open how = {
		.backend = "sqlite", .path = path, .create = true, .group = getegid()};
	struct rv_store *store = NULL;
	struct stat st;

	cr_assert(eq(int, rv_store_open(&how, &store, &why), RV_OK), "%s", why.text);
	cr_assert(eq(int, stat(path, &st), 0));
	cr_assert(eq(int, (int)(st.st_mode & 07777), 0660));
	cr_assert(eq(uint, st.st_gid, getegid()));
	cr_assert(eq(int, stat(rv_test_path("%s-wal", path), &st), 0));
	cr_assert(eq(int, (int)(st.st_mode & 07777), 0660));
	rv_store_close(store);
}

Test(sqlite_open, root_gives_it_to_the_owner_of_the_folder)
{
	const char *folder = rv_test_tmpdir();
	static const char *const endings[] = {"", "-wal", "-shm"};
	struct rv_store *store;
	const char *path;

	if (geteuid() != 0)
		cr_skip("needs root");
	cr_assert(eq(int, chown(folder, 65534, 65534), 0));
	path = rv_test_path("%s/a.db", folder);
	store = must_open(path);
	for (size_t i = 0; i < RV_ARRAY_LEN(endings); i++) {
		struct stat st;

		cr_assert(eq(int, stat(rv_test_path("%s%s", path, endings[i]), &st), 0));
		cr_assert(eq(uint, st.st_uid, 65534), "%s", endings[i]);
	}
	rv_store_close(store);
	cr_assert(eq(int, chown(folder, 0, 0), 0));
}

Test(sqlite_open, links_and_other_things_are_refused)
{
	const char *folder = rv_test_tmpdir();
	const char *path = rv_test_path("%s/a.db", folder);
	const char *other = rv_test_path("%s/b.db", folder);

	rv_store_close(must_open(path));
	cr_assert(eq(int, symlink(path, other), 0));
	refused(other, true, RV_E_CONF, "symlink");
	cr_assert(eq(int, unlink(other), 0));
	cr_assert(eq(int, link(path, other), 0));
	refused(other, true, RV_E_CONF, "hard links");
	refused(path, true, RV_E_CONF, "hard links");
	cr_assert(eq(int, unlink(other), 0));
	cr_assert(eq(int, mkdir(other, 0700), 0));
	refused(other, true, RV_E_CONF, "not a regular file");
	cr_assert(eq(int, rmdir(other), 0));
	cr_assert(eq(int, mkfifo(other, 0600), 0));
	refused(other, true, RV_E_CONF, "not a regular file");
	rv_store_close(must_open(path));
}

Test(sqlite_open, a_folder_may_be_reached_by_a_link)
{
	const char *folder = rv_test_tmpdir();
	const char *link_path = rv_test_path("%s/link", folder);

	cr_assert(eq(int, mkdir(rv_test_path("%s/real", folder), 0700), 0));
	cr_assert(eq(int, symlink("real", link_path), 0));
	rv_store_close(must_open(rv_test_path("%s/a.db", link_path)));
	cr_assert(eq(int, access(rv_test_path("%s/real/a.db", folder), F_OK), 0));
}

Test(sqlite_open, what_is_not_there)
{
	const char *folder = rv_test_tmpdir();
	const char *empty = rv_test_path("%s/empty.db", folder);

	refused(rv_test_path("%s/a.db", folder), false, RV_E_NOTFOUND, "there is no store at");
	refused(rv_test_path("%s/none/a.db", folder), true, RV_E_NOTFOUND,
		"cannot find the folder");
	rv_test_write_file(empty, "%s", "");
	refused(empty, false, RV_E_SCHEMA, "empty");
	rv_store_close(must_open(empty)); /* an empty file is nobody's */
}

Test(sqlite_open, names_with_anything_in_them)
{
	static const char *const names[] = {"a b.db", "100%.db",     "what?.db",
					    "#1.db",  "\xc3\xa9.db", "file:x.db"};

	for (size_t i = 0; i < RV_ARRAY_LEN(names); i++) {
		const char *path = rv_test_path("%s/%s", rv_test_tmpdir(), names[i]);
		struct stat st;

		rv_store_close(must_open(path));
		cr_assert(eq(int, stat(path, &st), 0), "%s", names[i]);
		cr_assert(lt(i64, 0, (int64_t)st.st_size), "%s", names[i]);
	}
}

Test(sqlite_open, an_older_schema_is_not_touched_unasked)
{
	const char *path = rv_test_path("%s/a.db", rv_test_tmpdir());
	struct rv_store *store = must_open(path);

	cr_assert(eq(int, rv_sqlite_exec(RV_SQLITE_OF(store), "PRAGMA user_version = 0"), RV_OK));
	rv_store_close(store);
	refused(path, false, RV_E_SCHEMA, "older schema");
}

/* As builds made them whose 0001 was another: by what they say of it, or not saying it at all. */
Test(sqlite_open, a_store_of_another_build_is_refused)
{
	static const char *const others[] = {
		"UPDATE tally SET tables = tables + 1 WHERE id = 0",
		"UPDATE tally SET tables = NULL WHERE id = 0",
		"ALTER TABLE tally DROP COLUMN tables",
		"ALTER TABLE tally RENAME TO tallies",
	};

	for (size_t i = 0; i < RV_ARRAY_LEN(others); i++) {
		const char *path = rv_test_path("%s/%zu.db", rv_test_tmpdir(), i);
		struct rv_store *store = must_open(path);
		struct rv_store_open reading = {
			.backend = "sqlite", .path = path, .read_only = true, .group = (gid_t)-1};

		(void)sqlite3_db_config(RV_SQLITE_OF(store)->db, SQLITE_DBCONFIG_DEFENSIVE, 0,
					NULL);
		cr_assert(eq(int, rv_sqlite_exec(RV_SQLITE_OF(store), others[i]), RV_OK), "%s",
			  others[i]);
		rv_store_close(store);
		refused(path, true, RV_E_SCHEMA, "was made by another build of reeve");
		rv_assert_has(why.text, path);
		refused(path, false, RV_E_SCHEMA, "was made by another build of reeve");
		cr_assert(eq(int, rv_store_open(&reading, &store, &why), RV_E_SCHEMA));
	}
}

Test(sqlite_open, it_tells_when_the_file_is_another)
{
	const char *path = rv_test_path("%s/a.db", rv_test_tmpdir());
	const char *away = rv_test_path("%s/away.db", rv_test_tmpdir());
	struct rv_store *store = must_open(path);

	cr_assert(eq(int, rv_store_same_file(store), RV_OK));
	cr_assert(eq(int, rename(path, away), 0));
	cr_assert(eq(int, rv_store_same_file(store), RV_E_REPLACED));
	rv_test_write_file(path, "%s", "another");
	cr_assert(eq(int, rv_store_same_file(store), RV_E_REPLACED));
	cr_assert(eq(int, rename(away, path), 0));
	cr_assert(eq(int, rv_store_same_file(store), RV_OK));
	rv_store_close(store);
}

Test(sqlite_open, nothing_is_left_beside_a_new_store)
{
	const char *folder = rv_test_tmpdir();
	const char *path = rv_test_path("%s/a.db", folder);

	rv_store_close(must_open(path));
	cr_assert(eq(int, unlink(path), 0));
	cr_assert(eq(int, unlink(rv_test_path("%s-wal", path)), 0));
	cr_assert(eq(int, unlink(rv_test_path("%s-shm", path)), 0));
	cr_assert(eq(int, rmdir(folder), 0), "something else is there");
	cr_assert(eq(int, mkdir(folder, 0700), 0));
}

/* https://sqlite.org/wal.html#walresetbug */
Test(sqlite_open, affected_versions_of_the_library_are_known)
{
	static const struct {
		int version;
		bool affected;
	} rows[] = {{3006023, false}, {3007000, true}, {3040001, true},  {3044005, true},
		    {3044006, false}, {3045000, true}, {3050006, true},  {3050007, false},
		    {3051000, true},  {3051002, true}, {3051003, false}, {3054001, false}};

	for (size_t i = 0; i < RV_ARRAY_LEN(rows); i++)
		cr_assert(eq(int, rv_sqlite_affected(rows[i].version), rows[i].affected), "%d",
			  rows[i].version);
}
