/* Files: which one is read, what it includes, what cannot be read, and passwords in files
 * of their own; what a reload takes. */
#include "tests/unit/configs.h"

#include <malloc.h>

#include "config/diff.h"
#include "config/source.h"
#include "tests/unit/suite.h"

static char home[64];

static void enter(void)
{
    clear_environment();
    enter_directory(home);
}

static void leave(void)
{
    char *command = must_format("rm -rf %s", home);

    ck_assert_int_eq(chdir("/"), 0);
    ck_assert_int_eq(system(command), 0);
    free(command);
}

static void load_fails(const char *path, const char *message)
{
    struct err err = {0};

    ck_assert_ptr_null(config_load(path, &err));
    ck_assert_str_eq(err.text, message);
    ck_assert_int_eq(err.code, ERR_CONFIG);
    ck_assert_ptr_null(config_load(path, NULL));
}

static struct config *load(const char *path)
{
    struct err err = {0};
    struct config *config = config_load(path, &err);

    ck_assert_msg(config != NULL, "%s", err.text);
    return config;
}

/* ---- which file ---- */

START_TEST(a_named_file_must_be_there)
{
    load_fails("nowhere.conf", "nowhere.conf: No such file or directory");
    load_fails("", "the path of the configuration file is empty");
    load_fails("/dev/null/x", "/dev/null/x: Not a directory");
    set_variable("DROVER_CONFIG", "gone.conf");
    load_fails(NULL, "gone.conf: No such file or directory");
}
END_TEST

START_TEST(the_option_counts_before_the_variable_and_that_before_the_directory)
{
    struct config *config;

    write_text("drover.conf", "stop_grace = 1;");
    config = load(NULL);
    ck_assert_int_eq(config->stop_grace_ms, 1000);
    ck_assert_str_eq(config->path, "drover.conf");
    config_free(config);

    write_text("variable.conf", "stop_grace = 2;");
    set_variable("DROVER_CONFIG", "variable.conf");
    config = load(NULL);
    ck_assert_int_eq(config->stop_grace_ms, 2000);
    config_free(config);

    write_text("option.conf", "stop_grace = 3;");
    config = load("option.conf");
    ck_assert_int_eq(config->stop_grace_ms, 3000);
    config_free(config);

    set_variable("DROVER_CONFIG", "");
    config = load(NULL);
    ck_assert_int_eq(config->stop_grace_ms, 1000);
    config_free(config);
}
END_TEST

START_TEST(without_any_file_there_are_defaults)
{
    struct config *config;

    if (access("/etc/drover/drover.conf", F_OK) == 0)
        return;
    config = load(NULL);
    ck_assert_ptr_null(config->path);
    ck_assert_str_eq(config->redis.url, "embedded");
    source_is(config, SECTION_REDIS, "url", 0, "default");
    config_free(config);
}
END_TEST

START_TEST(what_is_no_readable_text_is_refused)
{
    static char large[SOURCE_BYTES_MAX + 1];

    ck_assert_int_eq(mkdir("drover.conf", 0700), 0);
    load_fails("drover.conf", "drover.conf: is a directory");
    load_fails(NULL, "drover.conf: is a directory"); /* it is there, so it is meant */
    ck_assert_int_eq(mkfifo("fifo", 0600), 0);
    load_fails("fifo", "fifo: is not a regular file");
    write_file("nul", "user = \"a\";\n\0", 13, 0600);
    load_fails("nul", "nul: holds a NUL byte: is it a text file?");
    memset(large, ' ', sizeof(large));
    write_file("large", large, sizeof(large), 0600);
    load_fails("large", "large: is larger than 1024 KiB");
    write_file("large", large, sizeof(large) - 1, 0600);
    config_free(load("large"));
    if (geteuid() != 0) {
        write_file("closed", "", 0, 0);
        load_fails("closed", "closed: Permission denied");
    }
    load_fails("/dev/zero", "/dev/zero: holds a NUL byte: is it a text file?");
    config_free(load("/dev/null"));
}
END_TEST

START_TEST(errors_name_the_file_as_it_was_given)
{
    char *path = must_format("%s/./a.conf", home), *message;

    write_text("a.conf", "\nworkers = 1;");
    message =
        must_format("%s:2: workers: unknown here: it is a setting of pools[]", path);
    load_fails(path, message);
    load_fails("./a.conf",
               "./a.conf:2: workers: unknown here: it is a setting of pools[]");
    free(message);
    free(path);
}
END_TEST

START_TEST(a_last_line_needs_no_newline)
{
    write_text("a.conf", "stop_grace = 4; # seconds");
    config_free(load("a.conf"));
}
END_TEST

/* ---- includes ---- */

START_TEST(an_include_is_relative_to_the_first_file)
{
    struct config *config;
    char *path = must_format("%s/dir/a.conf", home), *place;

    ck_assert_int_eq(mkdir("dir", 0700), 0);
    ck_assert_int_eq(mkdir("dir/sub", 0700), 0);
    write_text("dir/a.conf",
               "stop_grace = 4;\n@include \"sub/b.inc\"\nhang_timeout = 5;\n");
    write_text("dir/sub/b.inc", "\nmax_payload = 2;\n@include \"c.inc\"\n");
    write_text("dir/c.inc", "log: { level = \"debug\"; };\n");
    config = load(path);
    ck_assert_int_eq(config->max_payload_mib, 2);
    ck_assert_int_eq(config->log.level, 0);
    place = must_format("%s/dir/sub/b.inc:2", home);
    source_is(config, SECTION_TOP, "max_payload", 0, place);
    free(place);
    place = must_format("%s/dir/a.conf:3", home);
    source_is(config, SECTION_TOP, "hang_timeout", 0, place);
    free(place);
    config_free(config);
    free(path);
}
END_TEST

START_TEST(an_error_in_an_included_file_is_placed_there)
{
    write_text("a.conf", "\n\n@include \"b.inc\"\n");
    write_text("b.inc", "\nstop_grace = -1;\n");
    load_fails("a.conf", "b.inc:2: stop_grace: -1 is below the minimum of 0 s");
    write_text("b.inc", "\n\nstop_grace = ;\n");
    load_fails("a.conf", "b.inc:3: syntax error");
    load_fails("./a.conf", "./b.inc:3: syntax error");
    write_text("b.inc", "\nunknown_one = 1;\n");
    load_fails("./a.conf", "./b.inc:2: unknown_one: unknown setting");
    write_file("b.inc", "\0", 1, 0600);
    load_fails("a.conf",
               "a.conf:3: @include \"b.inc\": holds a NUL byte: is it a text file?");
}
END_TEST

START_TEST(includes_have_an_end)
{
    struct buf many;

    write_text("a.conf", "@include \"a.conf\"\n");
    load_fails("a.conf", "a.conf:1: files include each other too deep");
    buf_init(&many, 0);
    for (int i = 0; i < SOURCE_FILES_MAX; i++)
        (void)buf_add_text(&many, "@include \"empty\"\n");
    write_text("empty", "");
    write_text("a.conf", many.data);
    load_fails("a.conf", "empty:1: too many files are included");
    buf_free(&many);
}
END_TEST

/* ---- secrets ---- */

START_TEST(a_password_file_gives_the_password)
{
    static const struct {
        const char *text, *password;
    } rows[] = {
        {"canary", "canary"},
        {"canary\n", "canary"},
        {"canary\r\n", "canary"},
        {" can ary ", " can ary "},
    };

    for (size_t i = 0; i < ARRAY_CT(rows); i++) {
        struct config *config;

        write_text("secret", rows[i].text);
        set_variable("REDIS_PASSWORD", "of the environment");
        config = loaded("redis: { url = \"redis://h\";\npassword_file = \"secret\"; };");
        ck_assert_str_eq(config->redis.password, rows[i].password);
        source_is(config, SECTION_REDIS, "password", 0, "drover.conf:2");
        config_free(config);
    }
}
END_TEST

START_TEST(a_password_file_is_relative_to_the_configuration)
{
    struct config *config;

    ck_assert_int_eq(mkdir("dir", 0700), 0);
    write_text("dir/secret", "canary\n");
    write_text("dir/a.conf",
               "redis: { url = \"redis://h\"; password_file = \"secret\"; };");
    config = load("dir/a.conf");
    ck_assert_str_eq(config->redis.password, "canary");
    config_free(config);
}
END_TEST

START_TEST(a_password_file_that_others_may_read_is_refused)
{
    static const mode_t good[] = {0600, 0640, 0400, 0440};
    static const mode_t bad[] = {0644, 0604, 0660, 0601, 0650, 0700, 0666, 04600};
    const char *text = "redis: { host = \"h\"; password_file = \"secret\"; };";

    for (size_t i = 0; i < ARRAY_CT(good); i++) {
        write_file("secret", "canary\n", 7, good[i]);
        config_free(loaded(text));
        ck_assert_int_eq(unlink("secret"), 0);
    }
    for (size_t i = 0; i < ARRAY_CT(bad); i++) {
        char *message = must_format("drover.conf:1: redis.password_file: \"secret\": has "
                                    "mode %04o: others may read or change it; do chmod "
                                    "0640 or stricter",
                                    (unsigned)bad[i]);

        write_file("secret", "canary\n", 7, bad[i]);
        refused(text, message);
        ck_assert_int_eq(unlink("secret"), 0);
        free(message);
    }
}
END_TEST

START_TEST(a_bad_password_file_is_named_and_never_shown)
{
    const char *text = "redis: { host = \"h\"; password_file = \"secret\"; };";

    refused(text, "drover.conf:1: redis.password_file: \"secret\": No such file or "
                  "directory");
    ck_assert_int_eq(mkdir("secret", 0700), 0);
    refused(text, "drover.conf:1: redis.password_file: \"secret\": is a directory");
    ck_assert_int_eq(rmdir("secret"), 0);
    write_text("secret", "\n");
    refused(text, "drover.conf:1: redis.password_file: \"secret\": is empty");
    write_text("secret", "canary\ncanary\n");
    refused(text, "drover.conf:1: redis.password_file: \"secret\": holds a newline: a "
                  "backslash is written \\\\");
    write_file("secret", "canary\0canary", 13, 0600);
    refused(text,
            "drover.conf:1: redis.password_file: \"secret\": holds a NUL byte: is it "
            "a text file?");
    write_text("secret", "canary");
    refused(
        "redis: { password_file = \"secret\"; password = \"canary\"; };",
        "drover.conf:1: redis.password: password_file is given too: leave one of them "
        "out");
    refused(
        "redis: { url = \"redis://u:p@h\"; password_file = \"secret\"; };",
        "drover.conf:1: redis.password_file: redis.url holds it already: leave one of "
        "them out");
}
END_TEST

START_TEST(no_error_shows_a_password)
{
    static const char *const files[] = {
        "redis: { password = \"canary\\n\"; };",
        "redis: { password = \"canary\"; pasword = 1; };",
        "redis: { password = [ \"canary\" ]; };",
        "redis: { password = \"canary\", ; };",
        "redis: { url = \"redis://u:canary@h\"; host = \"x\"; };",
        "redis: { url = \"redis://u:canary@h\"; password = \"canary\"; };",
        "redis: { url = \"redis://u:canary@h/x\"; };",
        "redis: { url = \"canary\\t\"; };",
        "redis: { password = \"canary\"; password = \"canary\"; };",
    };

    for (size_t i = 0; i < ARRAY_CT(files); i++) {
        struct err err = {0};

        ck_assert_ptr_null(config_load_text("drover.conf", files[i], &err));
        ck_assert_msg(strstr(err.text, "canary") == NULL, "%s", err.text);
    }
}
END_TEST

/* Linked in front of free(): counts the blocks that go back with a password in them. */
static size_t leaked;
void __real_free(void *block);
void __wrap_free(void *block);
void __wrap_free(void *block)
{
    if (block && memmem(block, malloc_usable_size(block), "canary", 6))
        leaked++;
    __real_free(block);
}

START_TEST(memory_goes_back_without_the_password)
{
    static const char *const files[] = {
        "redis: { host = \"h\"; password = \"canary\"; };",
        "redis: { url = \"redis://u:canary@h\"; };",
        "redis: { url = \"redis://h?password=canary\"; };",
        "redis: { host = \"h\"; password_file = \"secret\"; };",
        "redis: { host = \"h\"; password = \"canary\"; db = -1; };",
        "redis: { host = \"h\"; password = \"canary\"",
        "",
    };

    write_text("secret", "canary\n");
    set_variable("REDIS_PASSWORD", "canary");
    free(must_strdup("canary"));
    ck_assert_uint_eq(leaked, 1); /* it is seen */
    leaked = 0;
    for (size_t i = 0; i < ARRAY_CT(files); i++) {
        struct redis_endpoint endpoint;
        struct config *config;

        write_text("a.conf", files[i]);
        config = config_load("a.conf", NULL);
        if (config) {
            ck_assert_int_eq(redis_endpoint_resolve(config, &endpoint, NULL), 0);
            redis_endpoint_free(&endpoint);
        }
        config_free(config);
        ck_assert_msg(leaked == 0, "%s", files[i]);
    }
}
END_TEST

/* ---- reload ---- */

static void differ(const char *old_text, const char *new_text, const char *names)
{
    struct config *old = loaded(old_text), *new = loaded(new_text);
    struct buf found;
    size_t ct, commas = 0;

    buf_init(&found, 0);
    ct = config_diff(old, new, &found);
    ck_assert_str_eq(buf_slice(&found).ptr, names);
    for (const char *at = names; *at; at++)
        commas += *at == ',';
    ck_assert_uint_eq(ct, *names ? commas + 1 : 0);
    buf_free(&found);
    config_free(old);
    config_free(new);
}

START_TEST(what_a_reload_does_not_take_is_named)
{
    differ("", "", "");
    differ("", "state_dir = \"/x\";", "state_dir");
    differ("user = \"a\";", "", "user");
    differ("redis: { url = \"redis://a\"; };", "redis: { host = \"a\"; db = 1; };",
           "redis.url, redis.host, redis.port, redis.db");
    differ("redis: { password = \"a\"; };", "redis: { password = \"b\"; };",
           "redis.password");
    differ("console: { listen = \"x:1\"; };", "", "console.listen");
    differ("stop_grace = 1; log: { level = \"debug\"; }; pools: ( { workers = 9; } );",
           "pools: ( { name = \"a\"; }, { name = \"b\"; } ); max_payload = 3; "
           "jobs: ( { name = \"x\"; type = \"noop\"; } );",
           "");
}
END_TEST

/* ---- what is well of a broken file ---- */

static const char *const broken_files[] = {
    "state_dir = \"/there\"; redis: { host = \"h\"; };\npools: ( { workers = -7; } );\n",
    "pools: ( { workers = -7; } ); state_dir = \"/there\"; redis: { host = \"h\"; };\n",
    "state_dir = \"/there\";\nsate_dir = 1;\nredis: { host = \"h\"; };\n",
    "stop_grace 3;\nstate_dir = \"/there\";\nredis: { host = \"h\"; };\n",
    "jobs: ( { name = \"x\nstate_dir = \"/there\";\nredis: { host = \"h\"; };\n",
    "pools: ( { name = \"a\"; \nredis: { host = \"h\"; };\nstate_dir : \"/there\"\n",
    "# state_dir = \"/not\";\n/* state_dir = \"/not\"; */ redis: { host = \"h\"; };\n"
    "state_dir = \"/there\" // x\n;;; pools",
    "redis: { host = \"h\"; }; state_dir = \"/there\"; }}}} (((( \"",
    "log: { level = \"loud\"; jobs = \"all\"; }; redis = { host = \"h\"; };"
    "state_dir\n=\n\"/there\";",
    "state_dir = \"/there\"; state_dir = \"/twice\"; redis: { host = \"h\"; };",
};

START_TEST(of_a_broken_file_each_setting_that_is_well_can_be_used)
{
    struct err broken, err = {0};
    struct config *config;

    write_text("drover.conf", broken_files[_i]);
    ck_assert_ptr_null(config_load("drover.conf", NULL));
    config = config_load_usable("drover.conf", &broken, &err);
    ck_assert_msg(config != NULL, "%s", err.text);
    ck_assert_str_eq(config->state_dir, "/there");
    ck_assert_str_eq(config->redis.host, "h");
    ck_assert_int_eq(broken.code, ERR_CONFIG);
    ck_assert_ptr_nonnull(strstr(broken.text, "drover.conf"));
    config_free(config);
}
END_TEST

START_TEST(a_good_file_is_used_whole_and_a_missing_one_is_missing)
{
    struct err broken, err = {0};
    struct config *config;

    write_text("drover.conf", "stop_grace = 3;");
    config = config_load_usable("drover.conf", &broken, &err);
    ck_assert_ptr_nonnull(config);
    ck_assert_int_eq(broken.code, ERR_NONE);
    ck_assert_int_eq(config->stop_grace_ms, 3000);
    config_free(config);
    ck_assert_ptr_null(config_load_usable("gone.conf", &broken, &err));
    ck_assert_int_eq(err.code, ERR_CONFIG);
}
END_TEST

static void add_tests(TCase *tc)
{
    tcase_add_checked_fixture(tc, enter, leave);
    tcase_add_test(tc, a_named_file_must_be_there);
    tcase_add_loop_test(tc, of_a_broken_file_each_setting_that_is_well_can_be_used, 0,
                        ARRAY_CT(broken_files));
    tcase_add_test(tc, a_good_file_is_used_whole_and_a_missing_one_is_missing);
    tcase_add_test(tc,
                   the_option_counts_before_the_variable_and_that_before_the_directory);
    tcase_add_test(tc, without_any_file_there_are_defaults);
    tcase_add_test(tc, what_is_no_readable_text_is_refused);
    tcase_add_test(tc, errors_name_the_file_as_it_was_given);
    tcase_add_test(tc, a_last_line_needs_no_newline);
    tcase_add_test(tc, an_include_is_relative_to_the_first_file);
    tcase_add_test(tc, an_error_in_an_included_file_is_placed_there);
    tcase_add_test(tc, includes_have_an_end);
    tcase_add_test(tc, a_password_file_gives_the_password);
    tcase_add_test(tc, a_password_file_is_relative_to_the_configuration);
    tcase_add_test(tc, a_password_file_that_others_may_read_is_refused);
    tcase_add_test(tc, a_bad_password_file_is_named_and_never_shown);
    tcase_add_test(tc, no_error_shows_a_password);
    tcase_add_test(tc, memory_goes_back_without_the_password);
    tcase_add_test(tc, what_a_reload_does_not_take_is_named);
}

int main(void)
{
    return run_suite("config files", 60, add_tests);
}
