/*
 * jsoncheck FIELD:TYPE[=VALUE]…: whether the JSON on stdin is one value and has these fields.
 * A FIELD is a path, "daemon.state", "jobs[].id" (every element), "jobs[0].id"; "." is the whole.
 * TYPE: int text bool null array object any, or two of them: "int|null"; array and object may be
 * "=N", their size.  Prints what is not so; exit 1.
 */
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static int failures;

static void complain(const char *spec, const char *what)
{
	(void)fprintf(stderr, "jsoncheck: %s: %s\n", spec, what);
	failures++;
}

static const char *type_name(const json_t *json)
{
	switch (json_typeof(json)) {
	case JSON_INTEGER:
		return "int";
	case JSON_STRING:
		return "text";
	case JSON_TRUE:
	case JSON_FALSE:
		return "bool";
	case JSON_NULL:
		return "null";
	case JSON_ARRAY:
		return "array";
	case JSON_OBJECT:
		return "object";
	case JSON_REAL:
	default:
		return "real";
	}
}

/* Is ${name} one of the words of "int|null"? */
static int is_one_of(const char *types, size_t size, const char *name)
{
	const char *end = types + size;

	while (types < end) {
		const char *bar = memchr(types, '|', (size_t)(end - types));
		const char *stop = bar ? bar : end;

		if ((size_t)(stop - types) == strlen(name) &&
		    memcmp(types, name, (size_t)(stop - types)) == 0)
			return 1;
		types = bar ? bar + 1 : end;
	}
	return 0;
}

static void check_value(const char *spec, const json_t *json, const char *value)
{
	char text[64] = "";

	if (json_is_string(json)) {
		if (strcmp(json_string_value(json), value) != 0)
			complain(spec, json_string_value(json));
		return;
	}
	if (json_is_array(json))
		(void)snprintf(text, sizeof(text), "%zu", json_array_size(json));
	else if (json_is_object(json))
		(void)snprintf(text, sizeof(text), "%zu", json_object_size(json));
	else if (json_is_integer(json))
		(void)snprintf(text, sizeof(text), "%lld", (long long)json_integer_value(json));
	else if (json_is_boolean(json))
		(void)snprintf(text, sizeof(text), "%s", json_is_true(json) ? "true" : "false");
	if (strcmp(text, value) != 0)
		complain(spec, text);
}

static void check_type(const char *spec, const json_t *json, const char *types)
{
	const char *equals = strchr(types, '=');
	size_t size = equals ? (size_t)(equals - types) : strlen(types);

	if (!is_one_of(types, size, "any") && !is_one_of(types, size, type_name(json)))
		complain(spec, type_name(json));
	else if (equals)
		check_value(spec, json, equals + 1);
}

/* One step down for each ".name" or "[N]"; "[]" goes down into every element. */
static void walk(const char *spec, const json_t *json, const char *path, const char *types)
{
	char name[128];
	size_t size;

	if (path == types - 1 || *path == ':') {
		check_type(spec, json, types);
		return;
	}
	if (*path == '.') {
		walk(spec, json, path + 1, types);
		return;
	}
	if (*path == '[') {
		const char *end = strchr(path, ']') + 1;
		const json_t *item;
		size_t i;

		if (!json_is_array(json)) {
			complain(spec, "no array");
			return;
		}
		if (path[1] != ']') {
			item = json_array_get(json, strtoul(path + 1, NULL, 10));
			if (item)
				walk(spec, item, end, types);
			else
				complain(spec, "no such element");
			return;
		}
		json_array_foreach(json, i, item)
		{
			walk(spec, item, end, types);
		}
		return;
	}
	size = strcspn(path, ".[:");
	(void)snprintf(name, sizeof(name), "%.*s", (int)size, path);
	json = json_object_get(json, name);
	if (json)
		walk(spec, json, path + size, types);
	else
		complain(spec, "absent");
}

int main(int argc, char **argv)
{
	json_error_t error;
	json_t *json = json_loadf(stdin, JSON_REJECT_DUPLICATES | JSON_ALLOW_NUL, &error);

	if (!json) {
		(void)fprintf(stderr, "jsoncheck: no JSON: %s (line %d)\n", error.text, error.line);
		return 1;
	}
	for (int i = 1; i < argc; i++) {
		const char *types = strchr(argv[i], ':');

		if (types)
			walk(argv[i], json, argv[i], types + 1);
		else
			complain(argv[i], "expected FIELD:TYPE");
	}
	json_decref(json);
	return failures > 0;
}
