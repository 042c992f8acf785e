/* What a wrong file is told: exactly, with its line and the path of the setting. */
#include "tests/unit/configs.h"

#include <sys/un.h>

#include "config/check.h"
#include "tests/unit/suite.h"

/* libconfig 1.5 loses a text that stands where its grammar has none. */
const char *__lsan_default_suppressions(void);
const char *__lsan_default_suppressions(void)
{
    return "leak:libconfig.so";
}

#define SHELL "name = \"a\"; type = \"shell\"; command = [ \"true\" ]; "

#define CODE(words)                                                                      \
    "jobs: ( { name = \"a\"; type = \"shell\"; command = [ " words " ]; } );"
#define CODE_AT(index)                                                                   \
    "drover.conf:1: jobs[0].command[" index                                              \
    "]: a placeholder in code would let a payload run anything: give the value as an "   \
    "argument of its own behind it, like \"sh\", \"-c\", \"wc \\\"$1\\\"\", \"sh\", "    \
    "\"{data.file}\""

static const struct {
    const char *text, *message;
} wrong[] = {
    /* bounds, with lines */
    {"\n\npools: (\n  { name = \"main\";\n    lease = 0; } );",
     "drover.conf:5: pools[0].lease: 0 is below the minimum of 1 s"},
    {"pools: ( { },\n{ name = \"b\"; workers = 257; } );",
     "drover.conf:2: pools[1].workers: 257 is above the maximum of 256"},
    {"pools: ( { backoff = [ 1,\n -1 ]; } );",
     "drover.conf:2: pools[0].backoff[1]: -1 is below the minimum of 0 s"},
    {"pools: ( { poll_interval = 0.009; } );",
     "drover.conf:1: pools[0].poll_interval: 0.009 is below the minimum of 0.01 s"},
    {"pools: ( { timeout = 0.0001; } );",
     "drover.conf:1: pools[0].timeout: 0.0001 is below the least step of 0.001 s"},
    {"pools: ( { timeout = -0.0001; } );",
     "drover.conf:1: pools[0].timeout: -0.0001 is below the minimum of 0 s"},
    {"pools: ( { timeout = +1e999; } );",
     "drover.conf:1: pools[0].timeout: inf is above the maximum of 31536000 s"},
    {"max_payload = 513;",
     "drover.conf:1: max_payload: 513 is above the maximum of 512 MiB"},

    /* names */
    {"pools: ( {\n worker = 3; } );", "drover.conf:2: pools[0].worker: unknown setting, "
                                      "did you mean \"workers\"?"},
    {"pool: ( );", "drover.conf:1: pool: unknown setting, did you mean \"pools\"?"},
    {"redis: { Prefix = \"x\"; };",
     "drover.conf:1: redis.Prefix: unknown setting, did you mean \"prefix\"?"},
    {"pools: ( { retry_after = 90; } );", "drover.conf:1: pools[0].retry_after: unknown "
                                          "setting, did you mean \"lease\"?"},
    {"frobnicate = 1;", "drover.conf:1: frobnicate: unknown setting"},
    {"workers = 3;", "drover.conf:1: workers: unknown here: it is a setting of pools[]"},
    {"pools: ( { state_dir = \"/x\"; } );",
     "drover.conf:1: pools[0].state_dir: unknown here: it is a setting of the top"},

    /* webhooks */
    {"jobs: ( { name = \"a\"; type = \"http\"; url = \"ftp://h/\"; } );",
     "drover.conf:1: jobs[0].url: expects http:// or https:// at its start, or one "
     "placeholder and nothing else"},
    {"jobs: ( { name = \"a\"; type = \"http\"; url = \"{data.scheme}://h/\"; } );",
     "drover.conf:1: jobs[0].url: expects http:// or https:// at its start, or one "
     "placeholder and nothing else"},
    {"jobs: ( { name = \"a\"; type = \"http\"; url = \"https://u:canary@h/\"; } );",
     "drover.conf:1: jobs[0].url: holds a user or password: put them into headers"},
    {"jobs: ( { name = \"a\"; type = \"http\"; url = \"https://h:65536/x:1\"; } );",
     "drover.conf:1: jobs[0].url: the port is no number from 1 to 65535"},
    {"jobs: ( { name = \"a\"; type = \"http\"; url = \"http://[::1]:99999999999\"; } );",
     "drover.conf:1: jobs[0].url: the port is no number from 1 to 65535"},
    {"jobs: ( { name = \"a\"; type = \"http\"; url = \"\"; } );",
     "drover.conf:1: jobs[0].url: is empty"},
    {"jobs: ( { name = \"a\"; type = \"http\";  } );",
     "drover.conf:1: jobs[0].url: is missing"},
    {"jobs: ( { name = \"a\"; type = \"http\"; url = \"https://h/\"; method = \"post\"; "
     "} );",
     "drover.conf:1: jobs[0].method: expects a method in capital letters, like \"PUT\""},
    {"jobs: ( { name = \"a\"; type = \"http\"; url = \"https://h/\"; method = \"GET\"; "
     "body = \"x\"; } );",
     "drover.conf:1: jobs[0].body: a GET is sent without a body"},
    {"jobs: ( { name = \"a\"; type = \"http\"; url = \"https://h/\"; headers = [ \"A: "
     "b\", \"no colon\" ]; } );",
     "drover.conf:1: jobs[0].headers[1]: expects \"Name: value\""},
    {"jobs: ( { name = \"a\"; type = \"http\"; url = \"https://h/\"; headers = [ \"A b: "
     "c\" ]; } );",
     "drover.conf:1: jobs[0].headers[0]: expects \"Name: value\""},
    {"jobs: ( { name = \"a\"; type = \"http\"; url = \"https://h/\"; headers = [ "
     "\"webhook-ID: c\" ]; } );",
     "drover.conf:1: jobs[0].headers[0]: webhook-ID is written by drover"},
    {"jobs: ( { name = \"a\"; type = \"http\"; url = \"https://h/\"; headers = [ \"Host: "
     "c\" ]; } );",
     "drover.conf:1: jobs[0].headers[0]: Host is written by drover"},
    {"jobs: ( { name = \"a\"; type = \"http\"; url = \"https://h/\"; ca_file = "
     "\"ca.pem\"; } );",
     "drover.conf:1: jobs[0].ca_file: expects an absolute path"},
    {"jobs: ( { name = \"a\"; type = \"http\"; url = \"https://h/\"; key_file = "
     "\"/k.pem\"; } );",
     "drover.conf:1: jobs[0].key_file: needs a cert_file"},
    {"jobs: ( { name = \"a\"; type = \"http\"; url = \"https://h/\"; allow_networks = [ "
     "\"10.0.0.0/8\", \"10.0.0.1/8\" ]; } );",
     "drover.conf:1: jobs[0].allow_networks[1]: 10.0.0.1 has bits set behind the first "
     "8"},
    {"jobs: ( { name = \"a\"; type = \"http\"; url = \"https://h/\"; secret_file = "
     "\"/nowhere/x\"; } );",
     "drover.conf:1: jobs[0].secret_file: \"/nowhere/x\": No such file or "
     "directory"},
    {"jobs: ( { name = \"a\"; type = \"http\"; url = \"https://h/\"; secret = "
     "\"canary\"; secret_file = \"/x\"; } );",
     "drover.conf:1: jobs[0].secret: secret_file is given too: leave one of them out"},
    {"jobs: ( { name = \"a\"; type = \"http\"; url = \"https://h/\"; permanent_4xx = 1; "
     "} );",
     "drover.conf:1: jobs[0].permanent_4xx: expects true or false"},
    {"jobs: ( { name = \"a\"; type = \"http\"; url = \"https://h/\"; command = [ \"x\" "
     "]; } );",
     "drover.conf:1: jobs[0].command: belongs to jobs of type \"shell\", this one is of "
     "\"http\""},

    /* shapes */
    {"redis = \"embedded\";", "drover.conf:1: redis: expects a group: { ... }"},
    {"pools: { name = \"main\"; };",
     "drover.conf:1: pools: expects a list of groups: ( { ... }, { ... } )"},
    {"pools = [ 1 ];",
     "drover.conf:1: pools: expects a list of groups: ( { ... }, { ... } )"},
    {"pools: ( { },\n 5 );", "drover.conf:2: pools[1]: expects a group: { ... }"},
    {"pools: ( );", "drover.conf:1: pools: is empty: at least one pool is needed"},
    {"pools: ( { workers = \"2\"; } );",
     "drover.conf:1: pools[0].workers: expects a whole number, without quotes"},
    {"pools: ( { workers = 2.0; } );",
     "drover.conf:1: pools[0].workers: expects a whole number"},
    {"pools: ( { lease = \"90\"; } );", "drover.conf:1: pools[0].lease: expects seconds "
                                        "as a number, like 90 or 0.5, without "
                                        "quotes"},
    {"pools: ( { queues = \"default\"; } );",
     "drover.conf:1: pools[0].queues: expects a list of texts, like [ \"a\", \"b\" ]"},
    {"pools: ( { queues = ( \"a\",\n 5 ); } );",
     "drover.conf:2: pools[0].queues[1]: expects a list of texts, like [ \"a\", \"b\" ]"},
    {"pools: ( { backoff = 5; } );",
     "drover.conf:1: pools[0].backoff: expects a list of seconds, like [ 1, 5, 30 ]"},

    /* words */
    {"log: { format = \"xml\"; };",
     "drover.conf:1: log.format: \"xml\" is none of: logfmt, json"},
    {"failed: { store = \"mysql\"; };",
     "drover.conf:1: failed.store: \"mysql\" is none of: redis, postgres"},
    {"failed: { store = \"postgres\"; };",
     "drover.conf:1: failed.store: \"postgres\" needs failed.dsn, or DB_HOST and "
     "DB_DATABASE (or DB_URL) in the environment"},
    {"failed: { store = \"postgres\"; dsn = \"canary\"; };",
     "drover.conf:1: failed.dsn: is neither \"host=db dbname=app user=drover\" nor "
     "postgresql://user@host/database"},
    {"failed: { store = \"postgres\"; dsn = \"host=db password='canary\"; };",
     "drover.conf:1: failed.dsn: is neither \"host=db dbname=app user=drover\" nor "
     "postgresql://user@host/database"},
    {"failed: { store = \"postgres\";\ndsn = \"host=db password=canary\";\n"
     "password = \"canary\"; };",
     "drover.conf:3: failed.password: failed.dsn holds it already: leave one of them "
     "out"},
    {"failed: { table = \"failed jobs\"; };",
     "drover.conf:1: failed.table: \"failed jobs\" holds a space"},
    {"failed: { table = \"a.b.c\"; };",
     "drover.conf:1: failed.table: \"a.b.c\" is no name of a table: letters, digits "
     "and _, at most 63, and a schema before a dot"},
    {"failed: { table = \"jobs;drop\"; };",
     "drover.conf:1: failed.table: \"jobs;drop\" is no name of a table: letters, digits "
     "and _, at most 63, and a schema before a dot"},

    /* texts */
    {"jobs: ( { name = \"App\\notify\"; type = \"noop\"; } );",
     "drover.conf:1: jobs[0].name: \"App\\notify\" holds a newline: write "
     "\"App\\\\notify\""},
    {"jobs: ( { name = \"App\\Jobs\\test\"; type = \"noop\"; } );",
     "drover.conf:1: jobs[0].name: \"App\\Jobs\\test\" holds a tab: write "
     "\"App\\\\Jobs\\\\test\""},
    {"jobs: ( { name = \"App\\ready\"; type = \"noop\"; } );",
     "drover.conf:1: jobs[0].name: \"App\\ready\" holds a carriage return: write "
     "\"App\\\\ready\""},
    {"jobs: ( { name = \"App\\fail\"; type = \"noop\"; } );",
     "drover.conf:1: jobs[0].name: \"App\\fail\" holds a form feed: write "
     "\"App\\\\fail\""},
    {"jobs: ( { name = \"App\\x07\"; type = \"noop\"; } );",
     "drover.conf:1: jobs[0].name: \"App\\x07\" holds a control byte"},
    {"state_dir = \"/x\\x00y\";", "drover.conf:1: a text cannot hold \\x00"},
    {"jobs: ( { " SHELL "cwd = \"/a\\nb\"; } );",
     "drover.conf:1: jobs[0].cwd: \"/a\\nb\" holds a newline: write \"/a\\\\nb\""},
    {"jobs: ( { name = \"a\"; type = \"shell\"; command = [ \"a\\fb\" ]; } );",
     "drover.conf:1: jobs[0].command[0]: \"a\\fb\" holds a form feed: write \"a\\\\fb\""},
    {"pools: ( { name = \"a b\"; } );",
     "drover.conf:1: pools[0].name: \"a b\" holds a space"},
    {"pools: ( { name = \"a/b\"; } );",
     "drover.conf:1: pools[0].name: \"a/b\" holds a slash"},
    {"pools: ( { queues = [ \"high,low\" ]; } );",
     "drover.conf:1: pools[0].queues[0]: \"high,low\" holds a comma"},
    {"pools: ( { queues = [ \"a\", \"\" ]; } );",
     "drover.conf:1: pools[0].queues[1]: is empty"},

    /* jobs */
    {"jobs: ( {\n type = \"noop\"; } );", "drover.conf:1: jobs[0].name: is missing"},
    {"jobs: ( { name = \"a\"; } );", "drover.conf:1: jobs[0].type: is missing"},
    {"jobs: ( { name = \"a\"; command = [ \"b\" ]; } );",
     "drover.conf:1: jobs[0].type: is missing"},
    {"jobs: ( { name = \"a\"; type = \"shell\"; } );",
     "drover.conf:1: jobs[0].command: is missing"},
    {"jobs: ( { name = \"a\"; type = 5; } );",
     "drover.conf:1: jobs[0].type: expects a word between quotes"},
    {"jobs: ( { name = \"a\"; type = \"laravel\"; } );",
     "drover.conf:1: jobs[0].app: is missing"},
    {"jobs: ( { name = \"a\"; type = \"laravel\"; app = \"www\"; } );",
     "drover.conf:1: jobs[0].app: expects an absolute path"},
    {"jobs: ( { name = \"a\"; type = \"laravel\"; app = \"/www\"; bridge = \"b.php\"; } "
     ");",
     "drover.conf:1: jobs[0].bridge: expects an absolute path"},
    {"jobs: ( { name = \"a\"; type = \"noop\"; app = \"/www\"; } );",
     "drover.conf:1: jobs[0].app: belongs to jobs of type \"laravel\", this one is of "
     "\"noop\""},
    {"jobs: ( { name = \"a\"; type = \"Shell\"; } );",
     "drover.conf:1: jobs[0].type: \"Shell\" is none of: shell, noop, http, laravel, "
     "sql"},
    {"jobs: ( {\n command = [ \"x\" ]; name = \"a\";\n type = \"noop\"; } );",
     "drover.conf:2: jobs[0].command: belongs to jobs of type \"shell\", this one is of "
     "\"noop\""},
    {"jobs: ( { name = \"a\"; type = \"noop\"; kill_grace = 1; } );",
     "drover.conf:1: jobs[0].kill_grace: belongs to jobs of type \"shell or laravel\", "
     "this one is "
     "of \"noop\""},
    {CODE("\"sh\", \"-c\", \"wc {data.x}\""), CODE_AT("2")},
    {CODE("\"php\", \"{data.x}\""),
     "drover.conf:1: jobs[0].command[1]: a placeholder for the script would let a "
     "payload "
     "run any file: name the script and give the value as an argument of its own behind "
     "it, like \"sh\", \"/opt/run.sh\", \"{data.file}\""},
    {"jobs: ( { name = \"a\"; type = \"shell\"; command = [ \"{data.x}\" ]; } );",
     "drover.conf:1: jobs[0].command[0]: the program takes no placeholder, only its "
     "arguments do"},
    {"jobs: ( { name = \"a\"; type = \"shell\"; command = [ ]; } );",
     "drover.conf:1: jobs[0].command: is empty"},
    {"jobs: ( { name = \"a\"; type = \"shell\"; command = [ \"\" ]; } );",
     "drover.conf:1: jobs[0].command[0]: is empty"},
    {"jobs: ( { " SHELL "env = [ \"A=b\", \"C\" ]; } );",
     "drover.conf:1: jobs[0].env[1]: expects \"NAME=value\""},
    {"jobs: ( { " SHELL "env = [ \"=b\" ]; } );",
     "drover.conf:1: jobs[0].env[0]: expects \"NAME=value\""},
    {"jobs: ( { " SHELL "cwd = \"tmp\"; } );",
     "drover.conf:1: jobs[0].cwd: expects an absolute path"},
    {"jobs: ( { name = \"a\"; type = \"noop\"; },\n{ name = \"a\"; type = \"noop\"; } );",
     "drover.conf:2: jobs[1].name: \"a\" is the name of jobs[0] too"},

    /* across settings */
    {"pools: ( { name = \"a\"; }, { name = \"b\"; },\n{ name = \"a\"; } );",
     "drover.conf:2: pools[2].name: \"a\" is the name of pools[0] too"},
    {"pools: ( { queues = [ \"x\", \"y\", \"x\" ]; } );",
     "drover.conf:1: pools[0].queues[2]: \"x\" is there twice"},
    {"pools: ( { queues = [ \"x\", \"y:delayed\" ]; } );",
     "drover.conf:1: pools[0].queues[1]: \"y:delayed\" cannot be a queue: queue \"y\" "
     "keeps its jobs there"},
    {"pools: ( { queues = [ \"a:b:notify\" ]; } );",
     "drover.conf:1: pools[0].queues[0]: \"a:b:notify\" cannot be a queue: queue "
     "\"a:b\" keeps its wake-up tokens there"},
    {"hang_timeout = 10;\npools: ( { }, { name = \"b\"; lease = 10; } );",
     "drover.conf:1: hang_timeout: 10 s is not less than pools[1].lease (10 s): a hung "
     "worker would lose its jobs before it is replaced"},
    {"console: { listen = \"9310\"; };",
     "drover.conf:1: console.listen: expects an address and a port, like "
     "\"127.0.0.1:9310\""},
    {"failed: { dsn = \"host=a dbname=b\";\nhost = \"x\"; };",
     "drover.conf:2: failed.host: failed.dsn says where PostgreSQL is: leave one of them "
     "out"},
    {"redis: { db = 16; };",
     "drover.conf:1: redis.db: 16 is above the maximum of 15: the "
     "embedded Redis has no more databases"},
    {"redis: { url = \"redis://h\";\nhost = \"x\"; };",
     "drover.conf:2: redis.host: redis.url holds it already: leave one of them out"},
    {"redis: { url = \"embedded\"; port = 1; };",
     "drover.conf:1: redis.port: redis.url holds it already: leave one of them out"},
    {"redis: { url = \"redis://u:p@h/2\"; db = 3; };",
     "drover.conf:1: redis.db: redis.url holds it already: leave one of them out"},
    {"redis: { url = \"redis://u:p@h\"; username = \"x\"; };",
     "drover.conf:1: redis.username: redis.url holds it already: leave one of them out"},
    {"redis: { url = \"redis://u:p@h\"; password = \"x\"; };",
     "drover.conf:1: redis.password: redis.url holds it already: leave one of them out"},
    {"redis: { host = \"h\"; port = 0; };",
     "drover.conf:1: redis.port: 0 is below the minimum of 1"},
    {"redis: { host = \"tls://h\"; };",
     "drover.conf:1: redis.host: is a URL: give it as redis.url (REDIS_URL)"},

    /* syntax: libconfig's own words */
    {"pools: (\n { name = ; } );", "drover.conf:2: syntax error, here or just before"},
    {"\nstate_dir = \"/x;\nuser = 5;\n",
     "drover.conf:2: the text that begins here has no end"},
    {"user = \"a\";\nuser = \"b\";", "drover.conf:2: duplicate setting name"},
    {"pools: ( { backoff = [ 0.5, 1 ]; } );",
     "drover.conf:1: mismatched element type in array (texts and numbers do not mix; "
     "numbers with and without a fraction go between parentheses: ( 0.5, 1 ))"},
    {"pools: ( { queues = [ \"a\", 3 ]; } );",
     "drover.conf:1: mismatched element type in array (texts and numbers do not mix; "
     "numbers with and without a fraction go between parentheses: ( 0.5, 1 ))"},
    {"@include \"no/such/file\"",
     "drover.conf:1: @include \"no/such/file\": No such file or directory"},
    {"\n@include \"/tmp\"", "drover.conf:2: @include \"/tmp\": is a directory"},
    {"@include \"x", "drover.conf:1: the name behind @include has no end"},
    {"a = ((((((((((((((((( 1 )))))))))))))))));",
     "drover.conf:1: groups and lists are nested too deep"},
};

START_TEST(each_mistake_is_named_with_its_place)
{
    refused(wrong[_i].text, wrong[_i].message);
}
END_TEST

START_TEST(a_control_socket_path_that_is_too_long_says_by_how_much)
{
    char *dir = must_alloc(200), *text;
    struct config *config;

    memset(dir, 'd', 120);
    dir[0] = '/';
    text = must_format("\nstate_dir = \"%s\";", dir);
    refused(text, "drover.conf:2: state_dir: makes the path of the control socket 133 "
                  "bytes long, at most 107 fit: shorten state_dir by 26");
    free(text);
    dir[120 - 26] = '\0';
    text = must_format("state_dir = \"%s\";", dir);
    config = loaded(text);
    free(text);
    text = config_control_path(config);
    ck_assert_uint_eq(strlen(text), sizeof(((struct sockaddr_un *)0)->sun_path) - 1);
    ck_assert_str_eq(text + strlen(dir), "/control.sock");
    free(text);
    config_free(config);
    free(dir);
}
END_TEST

START_TEST(a_redis_socket_path_that_is_too_long_is_refused)
{
    char path[140], *text;

    memset(path, 'p', sizeof(path));
    path[0] = '/';
    path[120] = '\0';
    text = must_format("redis: { url = \"%s\"; };", path);
    refused(text, "drover.conf:1: redis.url: the path of the socket has 120 bytes, at "
                  "most 107 fit");
    free(text);
}
END_TEST

/* ---- what is fine ---- */

START_TEST(commands_may_hold_newlines_tabs_and_empty_arguments)
{
    struct config *config =
        loaded("jobs: ( { name = \"a\"; type = \"shell\"; "
               "command = [ \"sh\", \"-c\", \"echo a\\n\\techo b\", "
               "\"\", \"a, b\" ]; env = [ \"A=\", \"B=c d\\n\" ]; } );");

    ck_assert_uint_eq(config->jobs[0].command.ct, 5);
    ck_assert_str_eq(config->jobs[0].command.items[2], "echo a\n\techo b");
    ck_assert_str_eq(config->jobs[0].command.items[3], "");
    ck_assert_str_eq(config->jobs[0].env.items[1], "B=c d\n");
    config_free(config);
}
END_TEST

START_TEST(a_backslash_before_other_letters_stays)
{
    struct config *config =
        loaded("jobs: ( { name = \"App\\Jobs\\*\"; type = \"noop\"; },"
               " { name = \"App\\\\notify\"; type = \"noop\"; } );");

    ck_assert_str_eq(config->jobs[0].name, "App\\Jobs\\*");
    ck_assert_str_eq(config->jobs[1].name, "App\\notify");
    config_free(config);
}
END_TEST

static int refuse_braces(const char *text, struct err *err)
{
    if (strchr(text, '{') == NULL)
        return 0;
    return err_set(err, ERR_CONFIG, "no end of {");
}

START_TEST(placeholders_are_checked_by_who_knows_them)
{
    struct config *config =
        loaded("jobs: ( { name = \"{\"; type = \"noop\"; },\n"
               "{ name = \"b\"; type = \"shell\";\n command = [ \"x\", \"{y\" ];\n"
               "env = [ \"A={\" ]; } );");
    struct err err = {0};

    ck_assert_int_eq(config_check_templates(config, refuse_braces, &err), -1);
    ck_assert_str_eq(err.text, "drover.conf:3: jobs[1].command[1]: no end of {");
    config_free(config);
}
END_TEST

START_TEST(any_text_is_taken_or_refused_in_peace)
{
    static const char alphabet[] = "{}()[]=:;,\"\\\n #/*@0x1.eL-+a\t\x01\xff";
    static const char seed[] = "redis: { url = \"redis://u:p@h:1/2?db=3\"; };\npools: ( "
                               "{ name = \"a\"; backoff = "
                               "[ 1, 2 ]; lease = 1.5e1; } );\n@include \"x\"\njobs: ( { "
                               "name = \"b\\\\c\"; type = "
                               "\"shell\"; command = [ \"d\" ]; } );\n";
    unsigned state = 12345;

    for (int i = 0; i < 4000; i++) {
        char text[sizeof(seed)];
        struct err err = {0};
        struct config *config;

        memcpy(text, seed, sizeof(seed));
        for (int j = 0; j < 1 + i % 5; j++) {
            state = state * 1103515245U + 12345U;
            text[(state >> 8) % (sizeof(text) - 1)] =
                alphabet[(state >> 24) % (sizeof(alphabet) - 1)];
        }
        config = config_load_text("drover.conf", text, &err);
        ck_assert_msg(config || strncmp(err.text, "drover.conf:", 12) == 0, "%s\n%s",
                      err.text, text);
        config_free(config);
    }
}
END_TEST

static void add_tests(TCase *tc)
{
    tcase_add_checked_fixture(tc, clear_environment, NULL);
    tcase_add_loop_test(tc, each_mistake_is_named_with_its_place, 0, ARRAY_CT(wrong));
    tcase_add_test(tc, a_control_socket_path_that_is_too_long_says_by_how_much);
    tcase_add_test(tc, a_redis_socket_path_that_is_too_long_is_refused);
    tcase_add_test(tc, commands_may_hold_newlines_tabs_and_empty_arguments);
    tcase_add_test(tc, a_backslash_before_other_letters_stays);
    tcase_add_test(tc, placeholders_are_checked_by_who_knows_them);
    tcase_add_test(tc, any_text_is_taken_or_refused_in_peace);
}

int main(void)
{
    return run_suite("config errors", 60, add_tests);
}
