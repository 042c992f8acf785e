/* config check and config show: what they print, where, with which exit code. The rest
 * of the command line is replaced by the few lines at the top. */
#include "tests/unit/configs.h"

#include <fcntl.h>
#include <jansson.h>

#include "cli/cli.h"
#include "config/source.h"
#include "tests/unit/suite.h"

/* ---- in place of the layers around ---- */

const char *cli_value(const struct cli_args *args, const char *option)
{
    for (size_t i = 0; args->command->options[i].name; i++)
        if (strcmp(args->command->options[i].name, option) == 0)
            return args->values ? args->values[i] : NULL;
    ck_abort_msg("no option %s", option);
}

bool cli_flag(const struct cli_args *args, const char *option)
{
    return cli_value(args, option) != NULL;
}

struct config *cli_config(const struct cli_args *args, int *exit_code)
{
    struct err err = {0};
    struct config *config = config_load(args->config_path, &err);

    *exit_code = config ? EXIT_DONE : EXIT_BAD_USAGE;
    if (config == NULL)
        fprintf(stderr, "drover: %s\n", err.text);
    return config;
}

/* ---- running a command ---- */

static char home[64];
static struct buf out, errors;

static void enter(void)
{
    clear_environment();
    enter_directory(home);
    buf_init(&out, 0);
    buf_init(&errors, 0);
}

static void leave(void)
{
    char *command = must_format("rm -rf %s", home);

    buf_free(&out);
    buf_free(&errors);
    ck_assert_int_eq(chdir("/"), 0);
    ck_assert_int_eq(system(command), 0);
    free(command);
}

static int redirect(int fd, const char *path)
{
    int was = dup(fd), file = open(path, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

    ck_assert_int_ge(was, 0);
    ck_assert_int_ge(file, 0);
    ck_assert_int_eq(dup2(file, fd), fd);
    ck_assert_int_eq(close(file), 0);
    return was;
}

static void restore(int fd, int was, const char *path, struct buf *text)
{
    ck_assert_int_eq(dup2(was, fd), fd);
    ck_assert_int_eq(close(was), 0);
    buf_clear(text);
    (void)buf_add_text(text, "");
    ck_assert_int_eq(source_read_file(path, SOURCE_BYTES_MAX, text, NULL), 0);
    ck_assert_int_eq(unlink(path), 0);
}

static int run(const struct cli_args *args)
{
    int out_was, errors_was, code;

    (void)fflush(stdout);
    out_was = redirect(STDOUT_FILENO, "out");
    errors_was = redirect(STDERR_FILENO, "err");
    code = args->command->run(args);
    (void)fflush(stdout);
    (void)fflush(stderr);
    restore(STDOUT_FILENO, out_was, "out", &out);
    restore(STDERR_FILENO, errors_was, "err", &errors);
    return code;
}

static int run_check(const char *path, bool json)
{
    return run(&(struct cli_args){
        .config_path = path, .json = json, .command = &cmd_config_check});
}

static int run_show(const char *path, bool json)
{
    return run(&(struct cli_args){
        .config_path = path, .json = json, .command = &cmd_config_show});
}

/* ---- check ---- */

START_TEST(a_good_file_is_ok)
{
    write_text("drover.conf", "stop_grace = 1;\n");
    ck_assert_int_eq(run_check(NULL, false), EXIT_DONE);
    ck_assert_str_eq(out.data, "drover.conf: ok\n");
    ck_assert_str_eq(errors.data, "");
    ck_assert_int_eq(run_check("./drover.conf", true), EXIT_DONE);
    ck_assert_str_eq(out.data,
                     "{\"ok\":true,\"file\":\"./drover.conf\",\"warnings\":[]}\n");
    ck_assert_str_eq(errors.data, "");
}
END_TEST

START_TEST(no_file_is_ok_too)
{
    if (access("/etc/drover/drover.conf", F_OK) == 0)
        return;
    ck_assert_int_eq(run_check(NULL, false), EXIT_DONE);
    ck_assert_str_eq(out.data, "no configuration file, defaults and environment: ok\n");
    ck_assert_int_eq(run_check(NULL, true), EXIT_DONE);
    ck_assert_str_eq(out.data, "{\"ok\":true,\"file\":null,\"warnings\":[]}\n");
}
END_TEST

START_TEST(a_bad_file_is_named_on_stderr)
{
    write_text("drover.conf", "\npools: ( { lease = 0; } );\n");
    ck_assert_int_eq(run_check(NULL, false), EXIT_BAD_USAGE);
    ck_assert_str_eq(out.data, "");
    ck_assert_str_eq(errors.data,
                     "drover.conf:2: pools[0].lease: 0 is below the minimum of 1 s\n");
    ck_assert_int_eq(run_check("drover.conf", true), EXIT_BAD_USAGE);
    ck_assert_str_eq(out.data,
                     "{\"ok\":false,\"error\":\"drover.conf:2: pools[0].lease: 0 "
                     "is below the minimum of 1 s\"}\n");
    ck_assert_int_eq(run_check("gone", false), EXIT_BAD_USAGE);
    ck_assert_str_eq(errors.data, "gone: No such file or directory\n");
}
END_TEST

START_TEST(a_bad_placeholder_is_found)
{
    write_text("drover.conf", "jobs: ( { name = \"a\"; type = \"shell\";\n"
                              "command = [ \"x\", \"{bad\" ]; } );\n");
    ck_assert_int_eq(run_check(NULL, false), EXIT_BAD_USAGE);
    ck_assert_str_eq(errors.data, "drover.conf:2: jobs[0].command[1]: '{' at byte 0 is "
                                  "not closed; a single brace is written {{\n");
}
END_TEST

START_TEST(a_user_that_nobody_knows_is_found)
{
    write_text("drover.conf", "stop_grace = 1;\nuser = \"no-such-user\";\n");
    ck_assert_int_eq(run_check(NULL, false), EXIT_BAD_USAGE);
    ck_assert_str_eq(errors.data,
                     "drover.conf:2: user: there is no user \"no-such-user\"\n");
    write_text("drover.conf", "user = \"root\";\n");
    ck_assert_int_eq(run_check(NULL, false), EXIT_DONE);
}
END_TEST

START_TEST(a_directory_that_is_not_there_is_a_warning)
{
    static const char warning[] =
        "drover.conf:2: jobs[0].cwd: /no/such: No such file or directory: its jobs will "
        "fail";
    char *json = must_format(
        "{\"ok\":true,\"file\":\"drover.conf\",\"warnings\":[\"%s\"]}\n", warning);
    char *text = must_format("%s\n", warning);

    write_text(
        "drover.conf",
        "jobs: ( { name = \"a\"; type = \"shell\"; command = [ \"true\" ];\n"
        "cwd = \"/no/such\"; },\n"
        "{ name = \"b\"; type = \"shell\"; command = [ \"true\" ]; cwd = \"/\"; } );\n");
    ck_assert_int_eq(run_check(NULL, false), EXIT_DONE);
    ck_assert_str_eq(out.data, "drover.conf: ok\n");
    ck_assert_str_eq(errors.data, text);
    ck_assert_int_eq(run_check(NULL, true), EXIT_DONE);
    ck_assert_str_eq(out.data, json);
    free(text);
    free(json);
}
END_TEST

START_TEST(a_webhooks_file_that_is_not_there_is_a_warning)
{
    write_text("drover.conf",
               "jobs: ( { name = \"a\"; type = \"http\"; url = \"https://h/\";\n"
               "ca_file = \"/no/ca\"; cert_file = \"/dev/null\"; key_file = "
               "\"/no/key\"; } );\n");
    ck_assert_int_eq(run_check(NULL, false), EXIT_DONE);
    ck_assert_str_eq(out.data, "drover.conf: ok\n");
    ck_assert_str_eq(errors.data,
                     "drover.conf:2: jobs[0].ca_file: /no/ca: No such file or "
                     "directory: its jobs will fail\n"
                     "drover.conf:2: jobs[0].key_file: /no/key: No such file or "
                     "directory: its jobs will fail\n");
}
END_TEST

/* ---- show ---- */

/* The words of the line that begins with `name`. */
static void line_is(const char *name, const char *value, const char *source)
{
    char *begin = must_format("\n%s ", name), *line, *end;

    line = strstr(out.data, begin);
    ck_assert_msg(line != NULL, "%s is not shown:\n%s", name, out.data);
    line += strlen(begin);
    line += strspn(line, " ");
    ck_assert_msg(strncmp(line, value, strlen(value)) == 0, "%s: %s", name, line);
    line += strlen(value);
    line += strspn(line, " ");
    end = strchr(line, '\n');
    ck_assert_msg((size_t)(end - line) == strlen(source) &&
                      strncmp(line, source, strlen(source)) == 0,
                  "%s: %s", name, line);
    free(begin);
}

static const char full[] =
    "redis: { url = \"redis://u:canary@h/3\"; };\n"
    "stop_grace = 0.5;\n"
    "pools: ( { name = \"a\"; }, { name = \"b\"; lease = 40;\n"
    "  backoff = ( 0, 0.5 ); } );\n"
    "jobs: ( { name = \"App\\\\X\"; type = \"noop\"; },\n"
    "  { name = \"y\"; type = \"shell\"; command = [ \"a\\nb\", \"\xff\" ]; } );\n";

START_TEST(show_names_value_and_source_of_each_setting)
{
    set_variable("REDIS_QUEUE", "x,y");
    set_variable("REDIS_PREFIX", "p_");
    write_text("drover.conf", full);
    ck_assert_int_eq(run_show(NULL, false), EXIT_DONE);
    ck_assert_str_eq(errors.data, "");
    ck_assert_ptr_eq(strstr(out.data, "SETTING"), out.data);
    line_is("redis.url", "\"redis://u:(secret)@h/3\"", "drover.conf:1");
    line_is("redis.host", "-", "not used");
    line_is("redis.prefix", "\"p_\"", "environment REDIS_PREFIX");
    line_is("state_dir", "\"/var/lib/drover\"", "default");
    line_is("user", "-", "default");
    line_is("stop_grace", "0.5", "drover.conf:2");
    line_is("pools[0].queues", "[ \"x\", \"y\" ]", "environment REDIS_QUEUE");
    line_is("pools[0].backoff", "[ 1, 5, 30 ]", "default");
    line_is("pools[1].lease", "40", "drover.conf:3");
    line_is("pools[1].backoff", "( 0, 0.5 )", "drover.conf:4");
    line_is("jobs[0].name", "\"App\\\\X\"", "drover.conf:5");
    line_is("jobs[1].command", "[ \"a\\nb\", \"\\xff\" ]", "drover.conf:6");
    line_is("jobs[1].kill_grace", "5", "default");
    ck_assert_ptr_null(strstr(out.data, "jobs[0].command"));
}
END_TEST

static json_t *setting_of(json_t *document, const char *name)
{
    json_t *entry;
    size_t i;

    json_array_foreach(json_object_get(document, "settings"), i, entry)
    {
        if (strcmp(json_string_value(json_object_get(entry, "name")), name) == 0)
            return entry;
    }
    ck_abort_msg("%s is not shown", name);
}

static void json_is(json_t *document, const char *name, const char *value,
                    const char *source, bool reload)
{
    json_t *entry = setting_of(document, name);
    char *text = json_dumps(json_object_get(entry, "value"),
                            JSON_ENCODE_ANY | JSON_COMPACT | JSON_REAL_PRECISION(6));

    ck_assert_str_eq(text, value);
    ck_assert_str_eq(json_string_value(json_object_get(entry, "source")), source);
    ck_assert_int_eq(json_is_true(json_object_get(entry, "reload")), reload);
    free(text);
}

START_TEST(show_gives_programs_json)
{
    json_t *document;

    set_variable("REDIS_PASSWORD", "canary");
    write_text("drover.conf", full);
    ck_assert_int_eq(run_show("drover.conf", true), EXIT_DONE);
    document = json_loads(out.data, 0, NULL);
    ck_assert_ptr_nonnull(document);
    ck_assert_str_eq(json_string_value(json_object_get(document, "file")), "drover.conf");
    json_is(document, "redis.url", "\"redis://u:(secret)@h/3\"", "drover.conf:1", false);
    json_is(document, "redis.password", "\"(secret)\"", "environment REDIS_PASSWORD",
            false);
    json_is(document, "redis.host", "null", "not used", false);
    json_is(document, "stop_grace", "0.5", "drover.conf:2", true);
    json_is(document, "hang_timeout", "26.666", "default", true);
    json_is(document, "log.level", "\"info\"", "default", true);
    json_is(document, "pools[0].queues", "[\"high\",\"default\",\"low\"]", "default",
            true);
    json_is(document, "pools[1].backoff", "[0,0.5]", "drover.conf:4", true);
    json_is(document, "pools[1].workers", "2", "default", true);
    json_is(document, "jobs[1].tries", "null", "default", true);
    json_is(document, "jobs[1].command", "[\"a\\nb\",\"\\\\xff\"]", "drover.conf:6",
            true);
    json_decref(document);
}
END_TEST

START_TEST(no_output_holds_a_password)
{
    static const char *const files[] = {
        "redis: { url = \"redis://u:canary@h\"; };",
        "redis: { url = \"redis://canary@h\"; };",
        "redis: { url = \"redis://:canary@h?x=canary\"; };",
        "redis: { url = \"redis://h?password=canary\"; };",
        "redis: { host = \"h\"; password = \"canary\"; };",
        "redis: { host = \"h\"; password_file = \"secret\"; };",
        "redis: { host = \"h\"; password = \"canary\"; db = -1; };",
        "redis: { url = \"redis://u:canary@h:x\"; };",
        "redis: { host = \"h\"; password = \"canary\"",
        "failed: { store = \"postgres\"; dsn = \"host=db password=canary\"; };",
        "failed: { store = \"postgres\"; dsn = \"postgresql://u:canary@db\"; };",
        "failed: { store = \"postgres\"; dsn = \"host=db password='canary\"; };",
        "failed: { store = \"postgres\"; host = \"db\"; password = \"canary\"; };",
    };

    write_text("secret", "canary\n");
    set_variable("REDIS_USERNAME", "reader");
    set_variable("REDIS_PASSWORD", "canary");
    for (size_t i = 0; i < ARRAY_CT(files); i++) {
        write_text("drover.conf", files[i]);
        for (int json = 0; json < 2; json++) {
            (void)run_check(NULL, json);
            ck_assert_ptr_null(strstr(out.data, "canary"));
            ck_assert_ptr_null(strstr(errors.data, "canary"));
            (void)run_show(NULL, json);
            ck_assert_uint_gt(out.len + errors.len, 0);
            ck_assert_ptr_null(strstr(out.data, "canary"));
            ck_assert_ptr_null(strstr(errors.data, "canary"));
        }
    }
}
END_TEST

START_TEST(show_prints_the_sample_that_is_installed)
{
    struct buf tree;
    const char *values[] = {"", NULL};

    write_text("drover.conf", "broken");
    buf_init(&tree, 0);
    ck_assert_int_eq(
        source_read_file(TOP_SRCDIR "/config/drover.conf", SOURCE_BYTES_MAX, &tree, NULL),
        0);
    ck_assert_int_eq(
        run(&(struct cli_args){.command = &cmd_config_show, .values = values}),
        EXIT_DONE);
    ck_assert_str_eq(out.data, tree.data);
    buf_free(&tree);
}
END_TEST

static void add_tests(TCase *tc)
{
    tcase_add_checked_fixture(tc, enter, leave);
    tcase_add_test(tc, a_good_file_is_ok);
    tcase_add_test(tc, no_file_is_ok_too);
    tcase_add_test(tc, a_bad_file_is_named_on_stderr);
    tcase_add_test(tc, a_bad_placeholder_is_found);
    tcase_add_test(tc, a_user_that_nobody_knows_is_found);
    tcase_add_test(tc, a_directory_that_is_not_there_is_a_warning);
    tcase_add_test(tc, a_webhooks_file_that_is_not_there_is_a_warning);
    tcase_add_test(tc, show_names_value_and_source_of_each_setting);
    tcase_add_test(tc, show_gives_programs_json);
    tcase_add_test(tc, no_output_holds_a_password);
    tcase_add_test(tc, show_prints_the_sample_that_is_installed);
}

int main(void)
{
    return run_suite("config commands", 60, add_tests);
}
