/*
 * From a task and a job to argv, environment, folder and limits: arguments stay in their words,
 * nothing dangerous gets through, and what is wrong is said.
 */
#include "base/arena.h"
#include "base/err.h"
#include "conf/conf.h"
#include "run/exec_spec.h"
#include "store/request.h"

#include <criterion/criterion.h>
#include <criterion/new/assert.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

static const char ini[] =
	"[reeve]\nstate_dir = /nonexistent/state\nadhoc = yes\n"
	"[task:plain]\ncommand = /bin/tool --in ${arg.in} --both=${arg.in}:${arg.out} 'a b' end\n"
	"[task:line]\ncommand = echo \"$REEVE_ARG_in\" | cat\nshell = yes\n"
	"[task:rich]\ncommand = /bin/true\nenv = A=1\nenv = PATH=/opt/bin\nenv = A=2\n"
	"pass_env = PASSED, MISSING\ncwd = /var\numask = 000\nnice = 5\n"
	"limit_nofile = 64\nlimit_cpu = 7s\nlimit_fsize = 1M\nlimit_as = infinity\n"
	"[task:none]\nhandler = builtin\nbuiltin = noop\n";

static struct rv_conf *conf;
static struct rv_arena arena;
static struct rv_exec_spec spec;
static struct rv_why why;
static struct rv_claimed claim;
static struct rv_exec_input in;
static char passed_1[] = "PASSED=yes", passed_2[] = "PASSEDX=no", passed_3[] = "HOME=/root";
static char *passed[] = {passed_1, passed_2, passed_3, NULL};

static void set_up(void)
{
	struct rv_conf_errors errors;

	rv_conf_errors_init(&errors);
	cr_assert(rv_conf_parse(ini, sizeof(ini) - 1, &conf, &errors) == RV_OK, "%s",
		  errors.count > 0 ? errors.items[0].text : "?");
	rv_conf_errors_fini(&errors);
	rv_arena_init(&arena);
	claim = (struct rv_claimed){
		.job = 42, .fence = 77, .created_us = 0xabc, .attempt = 2, .max_attempts = 5};
	in = (struct rv_exec_input){
		.claim = &claim,
		.queue = "bulk",
		.instance_name = "main",
		.mark = "0123",
		.environment = passed,
	};
}

static void tear_down(void)
{
	rv_exec_spec_fini(&spec);
	rv_arena_reset(&arena);
	rv_conf_free(conf);
}

TestSuite(exec_spec, .init = set_up, .fini = tear_down);

static int build(const char *task, const char *json)
{
	in.task = rv_conf_task_find(conf, task);
	cr_assert(in.task != NULL);
	in.spec = json;
	why.text[0] = '\0';
	return rv_exec_spec_build(&in, &arena, &spec, &why);
}

static int build_adhoc(const char *json)
{
	in.task = &conf->defaults;
	in.adhoc = true;
	in.adhoc_allowed = true;
	in.spec = json;
	why.text[0] = '\0';
	return rv_exec_spec_build(&in, &arena, &spec, &why);
}

static const char *env_of(const char *name)
{
	const char *found = NULL;

	for (char **at = spec.envp; *at; at++) {
		if (strncmp(*at, name, strlen(name)) == 0 && (*at)[strlen(name)] == '=') {
			cr_assert(found == NULL, "%s is there twice", name);
			found = *at + strlen(name) + 1;
		}
	}
	return found;
}

#define IS(text, wanted)                                                                           \
	do {                                                                                       \
		const char *is_ = (text);                                                          \
		cr_expect(is_ &&strcmp(is_, (wanted)) == 0, "%s, not %s", is_ ? is_ : "(none)",    \
			  (wanted));                                                               \
	} while (0)
#define SAYS(part)                                                                                 \
	cr_expect(strstr(why.text, (part)) != NULL, "\"%s\" does not say %s", why.text, (part))

Test(exec_spec, an_argument_stays_inside_its_word)
{
	cr_assert(build("plain", "{\"args\":{\"in\":\"a b;$(x)'\\\"\\n*\",\"out\":\"-rf\"}}") ==
			  RV_OK,
		  "%s", why.text);
	IS(spec.argv[0], "/bin/tool");
	IS(spec.argv[1], "--in");
	IS(spec.argv[2], "a b;$(x)'\"\n*");
	IS(spec.argv[3], "--both=a b;$(x)'\"\n*:-rf");
	IS(spec.argv[4], "a b");
	IS(spec.argv[5], "end");
	cr_expect(spec.argv[6] == NULL);
	cr_expect(spec.path == NULL);
}

Test(exec_spec, numbers_and_booleans_are_words_too)
{
	cr_assert(build("plain", "{\"args\":{\"in\":-9007199254740993,\"out\":true}}") == RV_OK);
	IS(spec.argv[3], "--both=-9007199254740993:true");
	cr_assert(build("plain", "{\"args\":{\"in\":0.5,\"out\":\"\"}}") == RV_OK);
	IS(spec.argv[2], "0.5");
	IS(spec.argv[3], "--both=0.5:");
}

static const struct {
	const char *json;
	int err;
	const char *says;
} wrong[] = {
	{"{\"args\":{\"in\":\"x\"}}", RV_E_MISSING, "out"},
	{"{}", RV_E_MISSING, "in"},
	{"", RV_E_MISSING, "in"},
	{"{\"args\":{\"in\":[1],\"out\":\"\"}}", RV_E_PARSE, "in"},
	{"{\"args\":{\"in\":\"a\\u0000b\",\"out\":\"\"}}", RV_E_PARSE, "NUL"},
	{"{\"args\":[]}", RV_E_PARSE, "args"},
	{"{\"args\":{\"in\":\"a\",\"in\":\"b\"}}", RV_E_PARSE, "description"},
	{"[", RV_E_PARSE, "description"},
	{"no json", RV_E_PARSE, "description"},
};

Test(exec_spec, what_is_wrong_is_said)
{
	for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
		int err = build("plain", wrong[i].json);

		cr_expect(eq(int, err, wrong[i].err), "%s: %s", wrong[i].json, why.text);
		SAYS(wrong[i].says);
	}
}

Test(exec_spec, deep_and_odd_json_is_refused_or_taken_but_never_a_crash)
{
	static char deep[200002];

	memset(deep, '[', 100000);
	memset(deep + 100000, ']', 100000);
	cr_expect(eq(int, build("plain", deep), RV_E_PARSE));
	cr_expect(eq(int, build("plain", "{\"args\":{\"in\":1e400,\"out\":\"\"}}"), RV_E_PARSE));
	cr_expect(eq(int, build("plain", "{\"args\":{\"in\":\"\xff\xfe\",\"out\":\"\"}}"),
		     RV_E_PARSE));
}

Test(exec_spec, a_shell_line_is_the_configurations_own)
{
	cr_assert(build("line", "{\"args\":{\"in\":\"$(reboot)\",\"o-d.d\":7,\"nil\":null}}") ==
		  RV_OK);
	IS(spec.path, "/bin/sh");
	IS(spec.argv[0], "/bin/sh");
	IS(spec.argv[1], "-c");
	IS(spec.argv[2], "echo \"$REEVE_ARG_in\" | cat");
	cr_expect(spec.argv[3] == NULL);
	IS(env_of("REEVE_ARG_in"), "$(reboot)");
	IS(env_of("REEVE_ARG_o_d_d"), "7");
	cr_expect(env_of("REEVE_ARG_nil") == NULL);
}

Test(exec_spec, the_environment_is_what_the_interface_says)
{
	in.deadline_us = 1000000;
	in.batch = 12;
	in.meta = "{\"tenant\":\"a b\"}";
	cr_assert(build("rich", "{\"args\":{\"LD_PRELOAD\":\"x\"}}") == RV_OK, "%s", why.text);
	IS(env_of("REEVE_JOB_ID"), "42");
	IS(env_of("REEVE_TASK"), "rich");
	IS(env_of("REEVE_QUEUE"), "bulk");
	IS(env_of("REEVE_ATTEMPT"), "2");
	IS(env_of("REEVE_MAX_ATTEMPTS"), "5");
	IS(env_of("REEVE_FENCE"), "77");
	IS(env_of("REEVE_IDEMPOTENCY_KEY"), "main-42-abc");
	IS(env_of("REEVE_BATCH"), "12");
	IS(env_of("REEVE_META"), "{\"tenant\":\"a b\"}");
	IS(env_of("REEVE_DEADLINE"), "1970-01-01T00:00:01.000000Z");
	IS(env_of("REEVE_PROGRESS_FD"), "3");
	IS(env_of("REEVE_INSTANCE"), "0123");
	IS(env_of("PATH"), "/opt/bin");
	IS(env_of("A"), "2");
	IS(env_of("PASSED"), "yes");
	cr_expect(env_of("PASSEDX") == NULL && env_of("HOME") == NULL);
	cr_expect(env_of("LD_PRELOAD") == NULL && env_of("REEVE_ARG_LD_PRELOAD") == NULL);
	in.idem_key = "mine";
	in.deadline_us = 0;
	in.meta = NULL;
	in.batch = 0;
	cr_assert(build("plain", "{\"args\":{\"in\":1,\"out\":2}}") == RV_OK);
	IS(env_of("REEVE_IDEMPOTENCY_KEY"), "mine");
	cr_expect(env_of("REEVE_DEADLINE") == NULL && env_of("REEVE_META") == NULL &&
		  env_of("REEVE_BATCH") == NULL);
	IS(env_of("PATH"), RV_EXEC_PATH);
}

Test(exec_spec, limits_and_the_rest_reach_the_spawn)
{
	struct rv_spawn how;
	int seen = 0;

	cr_assert(build("rich", NULL) == RV_OK);
	rv_exec_spec_spawn(&spec, in.task, &how);
	IS(how.cwd, "/var");
	cr_expect(eq(int, how.umask, RV_SPAWN_UMASK_0));
	cr_expect(eq(int, how.nice, 5));
	cr_expect(how.new_session && how.no_new_privs && !how.switch_user);
	cr_expect(eq(int, how.parent_death_signal, 9));
	for (size_t i = 0; i < how.nlimits; i++) {
		const struct rlimit *limit = &how.limits[i].limit;

		switch (how.limits[i].resource) {
		case RLIMIT_NOFILE:
			cr_expect(limit->rlim_cur == 64 && limit->rlim_max == 64);
			seen++;
			break;
		case RLIMIT_CPU:
			cr_expect(limit->rlim_cur == 7 && limit->rlim_max == 8);
			seen++;
			break;
		case RLIMIT_FSIZE:
			cr_expect(limit->rlim_cur == 1 << 20);
			seen++;
			break;
		case RLIMIT_AS:
			cr_expect(limit->rlim_cur == RLIM_INFINITY);
			seen++;
			break;
		case RLIMIT_CORE:
			cr_expect(limit->rlim_cur == 0);
			seen++;
			break;
		default:
			cr_expect(false, "resource %d was not asked for", how.limits[i].resource);
		}
	}
	cr_expect(eq(int, seen, 5));
}

Test(exec_spec, an_adhoc_job_carries_command_folder_and_environment)
{
	cr_assert(build_adhoc("{\"command\":[\"ls\",\"-l\",\"${arg.x}\",\"\"],\"cwd\":\"/usr\","
			      "\"env\":{\"K\":\"v w\",\"PATH\":\"/p\"}}") == RV_OK,
		  "%s", why.text);
	IS(spec.argv[0], "ls");
	IS(spec.argv[2], "${arg.x}");
	IS(spec.argv[3], "");
	cr_expect(spec.argv[4] == NULL);
	IS(spec.cwd, "/usr");
	IS(env_of("K"), "v w");
	IS(env_of("PATH"), "/p");
	IS(env_of("REEVE_TASK"), "");
}

static const struct {
	const char *json;
	int err;
	const char *says;
} wrong_adhoc[] = {
	{"", RV_E_PARSE, "no command"},
	{"{\"command\":[]}", RV_E_PARSE, "no command"},
	{"{\"command\":\"ls\"}", RV_E_PARSE, "no command"},
	{"{\"command\":[\"\"]}", RV_E_PARSE, "empty"},
	{"{\"command\":[\"a\",7]}", RV_E_PARSE, "word"},
	{"{\"command\":[\"a\\u0000b\"]}", RV_E_PARSE, "word"},
	{"{\"command\":[\"a\"],\"cwd\":\"here\"}", RV_E_PARSE, "absolute"},
	{"{\"command\":[\"a\"],\"cwd\":7}", RV_E_PARSE, "folder"},
	{"{\"command\":[\"a\"],\"env\":[]}", RV_E_PARSE, "env"},
	{"{\"command\":[\"a\"],\"env\":{\"LD_PRELOAD\":\"x\"}}", RV_E_DENIED, "LD_PRELOAD"},
	{"{\"command\":[\"a\"],\"env\":{\"REEVE_FENCE\":\"1\"}}", RV_E_DENIED, "REEVE_FENCE"},
	{"{\"command\":[\"a\"],\"env\":{\"BASH_ENV\":\"x\"}}", RV_E_DENIED, "BASH_ENV"},
	{"{\"command\":[\"a\"],\"env\":{\"a b\":\"x\"}}", RV_E_PARSE, "a b"},
	{"{\"command\":[\"a\"],\"env\":{\"A\":7}}", RV_E_PARSE, "A"},
};

Test(exec_spec, a_wrong_adhoc_job_is_told_why)
{
	for (size_t i = 0; i < sizeof(wrong_adhoc) / sizeof(wrong_adhoc[0]); i++) {
		int err = build_adhoc(wrong_adhoc[i].json);

		cr_expect(eq(int, err, wrong_adhoc[i].err), "%s: %s", wrong_adhoc[i].json,
			  why.text);
		SAYS(wrong_adhoc[i].says);
	}
}

Test(exec_spec, where_adhoc_is_no_the_worker_refuses_too)
{
	in.task = &conf->defaults;
	in.adhoc = true;
	in.spec = "{\"command\":[\"/bin/true\"]}";
	cr_expect(eq(int, rv_exec_spec_build(&in, &arena, &spec, &why), RV_E_REFUSED));
	SAYS("adhoc");
}

Test(exec_spec, a_task_without_a_command_is_refused)
{
	cr_expect(eq(int, build("none", ""), RV_E_REFUSED));
	SAYS("none");
}
