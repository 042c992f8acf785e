/* Which PostgreSQL the failed jobs go to, and what is shown of it. */
#include "tests/unit/configs.h"

#include "config/dsn.h"
#include "tests/unit/suite.h"

/* Variables are "NAME=value" by spaces; `text` is postgres_endpoint_text() or the error.
 */
static const struct {
    const char *variables;
    const char *failed; /* inside failed: { store = "postgres"; … }; */
    const char *text, *password, *table;
} databases[] = {
    /* by file */
    {"", "dsn = \"host=db dbname=app\";", "host=db dbname=app", NULL, "\"failed_jobs\""},
    {"", "dsn = \"postgresql://u@db/app\"; table = \"q.failed\";",
     "postgresql://u@db/app", NULL, "\"q\".\"failed\""},
    {"", "dsn = \"host=db\"; password = \"p\";", "host=db", "p", "\"failed_jobs\""},
    {"", "host = \"db\"; port = 6432; database = \"app\"; username = \"u\";",
     "host='db' port='6432' dbname='app' user='u'", NULL, "\"failed_jobs\""},

    /* by environment */
    {"DB_CONNECTION=pgsql DB_HOST=eh DB_PORT=5433 DB_DATABASE=ed DB_USERNAME=eu "
     "DB_PASSWORD=ep",
     "", "host='eh' port='5433' dbname='ed' user='eu'", "ep", "\"failed_jobs\""},
    {"DB_HOST=eh DB_PASSWORD=null", "", "host='eh'", NULL, "\"failed_jobs\""},
    {"DB_URL=pgsql://u:p@uh/ud?charset=utf8&sslmode=require DB_PASSWORD=ep", "",
     "postgresql://u:(secret)@uh/ud?sslmode=require", NULL, "\"failed_jobs\""},
    {"DB_URL=postgres://u@uh DB_PASSWORD=ep DB_HOST=eh", "", "postgresql://u@uh", "ep",
     "\"failed_jobs\""},
    {"", "host = \"db\"; username = \"o'h\\\\a\";", "host='db' user='o\\'h\\\\a'", NULL,
     "\"failed_jobs\""},

    /* file before environment */
    {"DB_URL=pgsql://uh/ud DB_HOST=eh DB_PASSWORD=ep", "dsn = \"host=fh\";", "host=fh",
     NULL, "\"failed_jobs\""},
    {"DB_CONNECTION=mysql DB_HOST=eh", "dsn = \"host=fh\";", "host=fh", NULL,
     "\"failed_jobs\""},
    {"DB_URL=pgsql://uh/ud DB_HOST=eh DB_PASSWORD=ep DB_DATABASE=ed", "host = \"fh\";",
     "host='fh' dbname='ed'", "ep", "\"failed_jobs\""},

    /* errors */
    {"DB_CONNECTION=mysql DB_HOST=eh", "",
     "environment DB_HOST: failed.host: DB_CONNECTION is \"mysql\", not \"pgsql\": DB_* "
     "are about another kind of database; give failed.dsn",
     NULL, NULL},
    {"DB_PORT=5432", "",
     "drover.conf:1: failed.store: \"postgres\" needs failed.dsn, or DB_HOST and "
     "DB_DATABASE (or DB_URL) in the environment",
     NULL, NULL},
    {"DB_URL=mysql://u:canary@h/d", "",
     "environment DB_URL: failed.dsn: is neither \"host=db dbname=app user=drover\" nor "
     "postgresql://user@host/database",
     NULL, NULL},
    {"DB_HOST=eh DB_PORT=x", "",
     "environment DB_PORT: failed.port: \"x\" is not a whole number", NULL, NULL},
};

static void set_variables(const char *variables)
{
    char *copy = must_strdup(variables), *save = NULL;

    for (char *at = strtok_r(copy, " ", &save); at; at = strtok_r(NULL, " ", &save)) {
        char *equals = strchr(at, '=');

        ck_assert_ptr_nonnull(equals);
        *equals = '\0';
        set_variable(at, equals + 1);
    }
    free(copy);
}

START_TEST(file_then_environment_say_which_database)
{
    char *text =
        must_format("failed: { store = \"postgres\"; %s };", databases[_i].failed);
    struct postgres_endpoint endpoint;
    struct err err = {0};
    struct config *config;
    char *shown;

    set_variables(databases[_i].variables);
    config = config_load_text("drover.conf", text, &err);
    free(text);
    if (config == NULL) {
        ck_assert_str_eq(err.text, databases[_i].text);
        return;
    }
    ck_assert_int_eq(postgres_endpoint_resolve(config, &endpoint, &err), 0);
    shown = postgres_endpoint_text(&endpoint);
    ck_assert_str_eq(shown, databases[_i].text);
    if (databases[_i].password)
        ck_assert_str_eq(endpoint.password, databases[_i].password);
    else
        ck_assert_ptr_null(endpoint.password);
    ck_assert_str_eq(endpoint.table, databases[_i].table);
    free(shown);
    postgres_endpoint_free(&endpoint);
    config_free(config);
}
END_TEST

START_TEST(the_environment_is_nobodys_where_redis_is_the_store)
{
    struct config *config;

    set_variable("DB_CONNECTION", "mysql");
    set_variable("DB_HOST", "eh");
    set_variable("DB_PORT", "x");
    config = loaded("");
    ck_assert_ptr_null(config->failed.host);
    ck_assert_int_eq(config->failed.store, FAILED_IN_REDIS);
    config_free(config);
}
END_TEST

START_TEST(each_value_names_its_source)
{
    struct config *config;

    set_variable("DB_HOST", "eh");
    set_variable("DB_PASSWORD", "ep");
    config = loaded("failed: { store = \"postgres\";\n database = \"fd\"; };");
    source_is(config, SECTION_FAILED, "host", 0, "environment DB_HOST");
    source_is(config, SECTION_FAILED, "password", 0, "environment DB_PASSWORD");
    source_is(config, SECTION_FAILED, "database", 0, "drover.conf:2");
    source_is(config, SECTION_FAILED, "table", 0, "default");
    config_free(config);
}
END_TEST

START_TEST(a_password_file_gives_the_password)
{
    char dir[64];
    struct config *config;

    enter_directory(dir);
    write_file("secret", "s3cret\n", 7, 0600);
    set_variable("DB_PASSWORD", "ep");
    config = loaded("failed: { store = \"postgres\"; host = \"db\";\n"
                    "password_file = \"secret\"; };");
    ck_assert_str_eq(config->failed.password, "s3cret");
    source_is(config, SECTION_FAILED, "password", 0, "drover.conf:2");
    config_free(config);
}
END_TEST

static const struct {
    const char *dsn, *masked;
    bool has_password;
} masks[] = {
    {"host=db dbname=app", "host=db dbname=app", false},
    {" host = 'd b'  dbname=app ", "host='d b' dbname=app", false},
    {"host=db password=canary user=u", "host=db password=(secret) user=u", true},
    {"password='can\\'ary x' host=db", "password=(secret) host=db", true},
    {"PASSWORD = canary host=db", "PASSWORD=(secret) host=db", true},
    {"host=db sslpassword=canary", "host=db sslpassword=(secret)", true},
    {"host=db password=can\\ ary", "host=db password=(secret)", true},
    {"host=db 'canary", "(secret)", false},
    {"postgresql://db/app", "postgresql://db/app", false},
    {"postgres://u@db:5/app", "postgres://u@db:5/app", false},
    {"postgresql://u:canary@db/app", "postgresql://u:(secret)@db/app", true},
    {"postgresql://u:can@ary@db/app", "postgresql://u:(secret)@db/app", true},
    {"postgresql://u:can?ary@db/app", "postgresql://u:(secret)@db/app", true},
    {"postgresql://u:can/ary@db/app?x=1", "postgresql://u:(secret)@db/app?x=1", true},
    {"postgresql://db/app?user=u&password=canary", "postgresql://db/app?user=u&(secret)",
     true},
    {"postgresql://db/app?pass%77ord=canary", "postgresql://db/app?(secret)", true},
    /* an '@' of a parameter's */
    {"postgresql://db/app?password=canary&user=a@b",
     "postgresql://db/app?(secret)&user=a@b", true},
    {"postgresql://db/app?password=can:ary&user=a@b",
     "postgresql://db/app?(secret)&user=a@b", true},
    {"postgresql://a:1,[::1]:2/app?user=a@b", "postgresql://a:1,[::1]:2/app?user=a@b",
     false},
    {"postgresql://db?password=canary&user=a@b", "postgresql://(secret)@b", false},
    {"postgresql://u:can/a?r=y@db/app", "postgresql://u:(secret)@db/app", true},
};

START_TEST(passwords_in_a_dsn_are_masked)
{
    struct buf shown;

    buf_init(&shown, 0);
    postgres_dsn_mask(masks[_i].dsn, &shown);
    ck_assert_str_eq(shown.data, masks[_i].masked);
    ck_assert_int_eq(postgres_dsn_has_password(masks[_i].dsn), masks[_i].has_password);
    buf_free(&shown);
}
END_TEST

static void add_tests(TCase *tc)
{
    tcase_add_checked_fixture(tc, clear_environment, NULL);
    tcase_add_loop_test(tc, file_then_environment_say_which_database, 0,
                        ARRAY_CT(databases));
    tcase_add_test(tc, the_environment_is_nobodys_where_redis_is_the_store);
    tcase_add_test(tc, each_value_names_its_source);
    tcase_add_test(tc, a_password_file_gives_the_password);
    tcase_add_loop_test(tc, passwords_in_a_dsn_are_masked, 0, ARRAY_CT(masks));
}

int main(void)
{
    return run_suite("config database", 60, add_tests);
}
