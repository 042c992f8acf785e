/* What doctor says of Redis, of its queues and of drover.conf: each check by itself, over
 * tables. */
#include "tests/unit/doctor_trial.h"
#include "tests/unit/suite.h"

/* ---- Redis ---- */

static const struct {
    const char *version, *mode, *policy;
    enum vital aof;
    int64_t ahead_ms, exact_ms;
    struct expected expected;
} servers[] = {
    {.version = "7.0.15", .expected = {"redis.version", DOCTOR_OK, "7.0.15", NULL}},
    {.version = "6.2.0", .expected = {"redis.version", DOCTOR_OK, NULL, NULL}},
    {.version = "10.0", .expected = {"redis.version", DOCTOR_OK, NULL, NULL}},
    {.version = "6.0.16", .expected = {"redis.version", DOCTOR_PROBLEM, "6.2", "Valkey"}},
    {.version = "5.0.9", .expected = {"redis.version", DOCTOR_PROBLEM, NULL, NULL}},
    {.version = "", .expected = {"redis.version", SILENT, NULL, NULL}},
    {.mode = "cluster", .expected = {"redis.cluster", DOCTOR_PROBLEM, NULL, NULL}},
    {.mode = "standalone", .expected = {"redis.cluster", SILENT, NULL, NULL}},
    {.mode = "", .expected = {"redis.cluster", SILENT, NULL, NULL}},
    {.policy = "noeviction", .expected = {"redis.policy", DOCTOR_OK, NULL, NULL}},
    {.policy = "allkeys-lru",
     .expected = {"redis.policy", DOCTOR_PROBLEM, "allkeys-lru", "noeviction"}},
    {.policy = "volatile-ttl", .expected = {"redis.policy", DOCTOR_PROBLEM, NULL, NULL}},
    {.policy = "", .expected = {"redis.policy", DOCTOR_WARNING, NULL, "INFO"}},
    {.aof = VITAL_YES, .expected = {"redis.aof", DOCTOR_OK, NULL, NULL}},
    {.aof = VITAL_NO, .expected = {"redis.aof", DOCTOR_WARNING, NULL, "appendonly"}},
    {.aof = VITAL_UNKNOWN, .expected = {"redis.aof", SILENT, NULL, NULL}},
    {.ahead_ms = 0, .expected = {"redis.clock", DOCTOR_OK, NULL, NULL}},
    {.ahead_ms = 2000, .expected = {"redis.clock", DOCTOR_OK, NULL, NULL}},
    {.ahead_ms = -2000, .expected = {"redis.clock", DOCTOR_OK, NULL, NULL}},
    {.ahead_ms = 2001, .expected = {"redis.clock", DOCTOR_WARNING, "ahead", "NTP"}},
    {.ahead_ms = -90000,
     .expected = {"redis.clock", DOCTOR_WARNING, "90.0 s behind", NULL}},
    {.ahead_ms = 4000,
     .exact_ms = 3000,
     .expected = {"redis.clock", DOCTOR_OK, NULL, NULL}},
};

START_TEST(a_server_is_judged_by_what_it_says)
{
    struct config *config = loaded(POOL(""));
    struct facts facts = reached(config);
    struct survey *survey = &facts.survey;

    if (servers[_i].version)
        (void)snprintf(survey->version, sizeof(survey->version), "%s",
                       servers[_i].version);
    if (servers[_i].mode)
        (void)snprintf(survey->mode, sizeof(survey->mode), "%s", servers[_i].mode);
    if (servers[_i].policy)
        (void)snprintf(survey->vitals.policy, sizeof(survey->vitals.policy), "%s",
                       servers[_i].policy);
    survey->vitals.aof = servers[_i].aof;
    survey->ahead_ms = servers[_i].ahead_ms;
    survey->exact_ms = servers[_i].exact_ms;
    expect(&facts, &servers[_i].expected);
    config_free(config);
}
END_TEST

START_TEST(a_server_that_is_away_is_the_one_thing_said_of_it)
{
    struct config *config = loaded(POOL(""));
    struct facts facts = reached(config);
    struct findings findings = {0};

    facts.redis_reached = false;
    facts.redis_trouble = T("cannot reach Redis at tcp:h:6379 db 0");
    memset(&facts.survey, 0, sizeof(facts.survey));
    expect(&facts, &(struct expected){"redis.reach", DOCTOR_PROBLEM, "cannot", "REDIS_"});
    doctor_judge(&facts, &findings);
    for (size_t i = 0; i < findings.ct; i++)
        ck_assert_msg(strncmp(findings.items[i].id, "config.", 7) == 0 ||
                          strcmp(findings.items[i].id, "redis.reach") == 0,
                      "%s: %s", findings.items[i].id, findings.items[i].text);
    ck_assert_int_eq(doctor_exit_code(&facts, &findings), EXIT_NO_REDIS);
    findings_free(&findings);
    config_free(config);
}
END_TEST

static const struct {
    struct survey_queue queue;
    struct expected expected;
} queues[] = {
    {{T("a"), {5, 0, 0}, 0, 0}, {"queues.unread", DOCTOR_OK, NULL, NULL}},
    {{T("mail"), {0, 0, 0}, 0, 0}, {"queues.unread", DOCTOR_OK, NULL, NULL}},
    {{T("mail"), {5, 2, 1}, 0, 0}, {"queues.unread", DOCTOR_WARNING, "mail (8)", "pool"}},
    {{T("mail"), {-1, 2, -1}, 0, 0}, {"queues.unread", DOCTOR_WARNING, "mail (2)", NULL}},
    {{T("a"), {0, 0, 3}, 0, 0}, {"queues.reserved", DOCTOR_OK, NULL, NULL}},
    {{T("a"), {0, 0, 3}, 2, 0}, {"queues.reserved", DOCTOR_WARNING, "a: 2 jobs", NULL}},
    {{T("a"), {0, 9, 0}, 0, 0}, {"queues.delayed", SILENT, NULL, NULL}},
    {{T("a"), {0, 9, 0}, 0, 1},
     {"queues.delayed", DOCTOR_PROBLEM, "serializer", "queue peek a --state delayed"}},
    {{T("a"), {-1, 0, 0}, 0, 0},
     {"queues.type", DOCTOR_PROBLEM, "its key is no list", NULL}},
    {{T("a"), {0, -1, 0}, 0, 0},
     {"queues.type", DOCTOR_PROBLEM, ":delayed is no sorted set", NULL}},
    {{T("a"), {0, 0, 0}, 0, 0}, {"queues.type", SILENT, NULL, NULL}},
};

START_TEST(a_queue_is_judged_by_what_is_in_it)
{
    struct config *config = loaded(POOL(""));
    struct facts facts = reached(config);
    struct survey_queue queue = queues[_i].queue;

    facts.survey.queues = &queue;
    facts.survey.queue_ct = 1;
    expect(&facts, &queues[_i].expected);
    config_free(config);
}
END_TEST

START_TEST(other_prefixes_matter_where_there_is_nothing_under_ours)
{
    struct config *config = loaded(POOL(""));
    struct facts facts = reached(config);
    struct survey_queue queue = {.name = T("a")};

    expect(&facts, &(struct expected){"redis.prefix", SILENT, NULL, NULL});
    facts.survey.prefixes[facts.survey.prefix_ct++] = T("laravel-database-");
    expect(&facts, &(struct expected){"redis.prefix", DOCTOR_WARNING, "laravel-database-",
                                      "redis: { prefix = \"laravel-database-\"; };"});
    facts.survey.queues = &queue;
    facts.survey.queue_ct = 1;
    expect(&facts, &(struct expected){"redis.prefix", DOCTOR_OK, NULL, NULL});
    config_free(config);
}
END_TEST

START_TEST(what_was_not_looked_at_and_what_is_paused_is_said)
{
    struct config *config = loaded(POOL(""));
    struct facts facts = reached(config);

    expect(&facts, &(struct expected){"queues.seen", SILENT, NULL, NULL});
    expect(&facts, &(struct expected){"queues.paused", SILENT, NULL, NULL});
    facts.paused = T("mail, low");
    expect(&facts,
           &(struct expected){"queues.paused", DOCTOR_WARNING, "mail, low", "resume"});
    facts.survey.cut = true;
    expect(&facts, &(struct expected){"queues.seen", DOCTOR_WARNING, NULL, "--all"});
    config_free(config);
}
END_TEST

/* ---- drover.conf ---- */

static const struct {
    const char *conf;
    struct expected expected;
} confs[] = {
    {POOL(""), {"config.timeout", DOCTOR_OK, "longer than 60 s", NULL}},
    {POOL("timeout = 0;"), {"config.timeout", DOCTOR_WARNING, NULL, "timeout"}},
    {POOL("") "jobs: ( { name = \"j\"; type = \"noop\"; timeout = 0; } );",
     {"config.timeout", DOCTOR_WARNING, NULL, NULL}},
    {POOL("") "jobs: ( { name = \"j\"; type = \"noop\"; timeout = 300; } );",
     {"config.timeout", DOCTOR_OK, "longer than 300 s", NULL}},
    {POOL(""), {"config.lease", DOCTOR_OK, "lease of 90 s, a timeout of 60 s", NULL}},
    {POOL("timeout = 300;"), {"config.lease", DOCTOR_OK, "may outlive", NULL}},
    {POOL("timeout = 60; lease = 20;") "hang_timeout = 5;",
     {"config.lease", DOCTOR_WARNING, "lease of 20 s", "30 or more"}},
    {POOL("timeout = 0; lease = 20;") "hang_timeout = 5;",
     {"config.lease", DOCTOR_WARNING, NULL, NULL}},
    {POOL("timeout = 5; lease = 20;") "hang_timeout = 5;",
     {"config.lease", DOCTOR_OK, NULL, NULL}},
    {POOL(""), {"config.stop_grace", DOCTOR_WARNING, "30 s", "stop_grace = 60"}},
    {POOL("timeout = 30;"), {"config.stop_grace", DOCTOR_OK, NULL, NULL}},
    {"stop_grace = 90;\n" POOL(""), {"config.stop_grace", DOCTOR_OK, "90 s", NULL}},
    {POOL("timeout = 0;"), {"config.stop_grace", DOCTOR_WARNING, NULL, NULL}},
    {POOL(""), {"config.machine", SILENT, NULL, NULL}},
    {POOL(""), {"config.file", DOCTOR_OK, NULL, NULL}},
    {POOL(""), {"config.databases", SILENT, NULL, NULL}},
    {POOL(""), {"config.failed", SILENT, NULL, NULL}},
};

START_TEST(a_configuration_is_judged_by_its_numbers)
{
    struct config *config = loaded(confs[_i].conf);
    struct facts facts = reached(config);

    expect(&facts, &confs[_i].expected);
    config_free(config);
}
END_TEST

START_TEST(defaults_are_not_judged_but_that_there_is_no_file)
{
    struct config *config = loaded("");
    struct facts facts = {.config = config, .redis_reached = true};

    expect(&facts, &(struct expected){"config.file", DOCTOR_WARNING, NULL, "--sample"});
    expect(&facts, &(struct expected){"config.stop_grace", SILENT, NULL, NULL});
    facts.app.dir = T("/app");
    expect(&facts, &(struct expected){"config.file", SILENT, NULL, NULL});
    config_free(config);
}
END_TEST

START_TEST(mistakes_and_missing_things_are_problems_each)
{
    struct config *config = loaded(POOL(""));
    struct facts facts = reached(config);
    struct findings findings = {.id = "config.machine"};

    facts.config_trouble = T("drover.conf:3: pools: no");
    expect(&facts, &(struct expected){"config.file", DOCTOR_PROBLEM, "drover.conf:3",
                                      "config check"});
    facts.machine = T("jobs[0].cwd: /a: none\njobs[1].php: php9: none\n");
    doctor_check_named("config.machine")->judge(&facts, &findings);
    ck_assert_uint_eq(findings.ct, 2);
    ck_assert_str_eq(findings.items[0].text, "jobs[0].cwd: /a: none");
    ck_assert_str_eq(findings.items[1].text, "jobs[1].php: php9: none");
    ck_assert_uint_eq(findings_count(&findings, DOCTOR_PROBLEM), 2);
    ck_assert_int_eq(doctor_exit_code(&facts, &findings), EXIT_ERROR);
    findings_free(&findings);
    config_free(config);
}
END_TEST

static const struct {
    struct table_facts table;
    int level;
    const char *text, *todo;
} tables[] = {
    {{T("main"), TABLE_UNASKED, true, T("t"), NULL}, SILENT, NULL, NULL},
    {{T("main"), TABLE_THERE, false, NULL, NULL}, DOCTOR_OK, "main: it answers", NULL},
    {{T("main"), TABLE_THERE, true, T("t"), NULL}, DOCTOR_OK, "as it should be", NULL},
    {{T("main"), TABLE_MISSING, true, T("t"), NULL},
     DOCTOR_PROBLEM,
     "not there",
     "migrate` makes"},
    {{T("main"), TABLE_BAD, true, T("t"), T("no key")},
     DOCTOR_PROBLEM,
     "no key",
     "migrate`"},
    {{T("main"), TABLE_UNREACHED, true, T("t"), T("no route")},
     DOCTOR_PROBLEM,
     "no route",
     "address"},
};

START_TEST(a_table_is_judged_by_what_was_found)
{
    struct config *config = loaded(POOL(""));
    struct facts facts = reached(config);
    struct table_facts table = tables[_i].table;
    struct expected expected = {"config.databases", tables[_i].level, tables[_i].text,
                                tables[_i].todo};

    facts.databases = &table;
    facts.database_ct = 1;
    expect(&facts, &expected);
    facts.failed = table;
    expected.id = "config.failed";
    expect(&facts, &expected);
    config_free(config);
}
END_TEST

/* ---- the table, and the parts under it ---- */

START_TEST(each_check_is_in_the_manual_as_the_table_has_it)
{
    static const struct doctor_check *const all[] = {
        doctor_app_checks, doctor_redis_checks, doctor_config_checks};
    static char manual[1 << 17];
    FILE *file = fopen(TOP_SRCDIR "/docs/drover.1", "re");

    ck_assert_ptr_nonnull(file);
    ck_assert_uint_gt(fread(manual, 1, sizeof(manual) - 1, file), 0);
    ck_assert_int_eq(fclose(file), 0);
    for (size_t i = 0; i < ARRAY_CT(all); i++)
        for (const struct doctor_check *check = all[i]; check->id; check++) {
            char *entry = must_format("\n.It %s\n%s.\n", check->id, check->what);

            ck_assert_ptr_eq(doctor_check_named(check->id), check);
            ck_assert_msg(strstr(manual, entry) != NULL, "docs/drover.1 lacks%s", entry);
            free(entry);
        }
}
END_TEST

static const struct {
    const char *key, *own;
    bool is_queue;
    size_t prefix_len;
    const char *name;
} keys[] = {
    {"queues:a", "", true, 0, "a"},
    {"queues:a:delayed", "", true, 0, "a"},
    {"queues:a:b:notify", "", true, 0, "a:b"},
    {"queues::delayed", "", true, 0, ":delayed"},
    {"queues:", "", false, 0, NULL},
    {"p_queues:a:reserved", "p_", true, 2, "a"},
    {"other_queues:a", "p_", true, 6, "a"},
    {"queues:a", "p_", true, 0, "a"},
    {"x:queues:queues:a", "x:queues:", true, 9, "a"},
    {"laravel-cache-illuminate:queues:paused", "", false, 0, NULL},
    {"drover:failed", "", false, 0, NULL},
};

START_TEST(a_key_is_split_into_prefix_and_queue)
{
    struct slice name;
    size_t prefix_len = 99;
    bool is_queue =
        survey_split(slice_text(keys[_i].key), keys[_i].own, &prefix_len, &name);

    ck_assert_int_eq(is_queue, keys[_i].is_queue);
    if (!is_queue)
        return;
    ck_assert_uint_eq(prefix_len, keys[_i].prefix_len);
    ck_assert_msg(slice_is(name, keys[_i].name), "%.*s", (int)name.len, name.ptr);
}
END_TEST

START_TEST(only_an_object_is_what_laravel_writes)
{
    ck_assert(survey_is_object(slice_text("{\"uuid\":1}")));
    ck_assert(survey_is_object(slice_text(" \n{}")));
    ck_assert(!survey_is_object(slice_text("s:9:\"{\"uuid\":1}\";")));
    ck_assert(!survey_is_object(slice_text("")));
    ck_assert(!survey_is_object(slice_text("   ")));
    ck_assert(!survey_is_object(slice_of("\0{", 2)));
    ck_assert(!survey_is_object(slice_text("(\xb5/\xfd")));
}
END_TEST

static void add(TCase *tc)
{
    tcase_add_checked_fixture(tc, clear_environment, NULL);
    LOOP(a_server_is_judged_by_what_it_says, servers);
    tcase_add_test(tc, a_server_that_is_away_is_the_one_thing_said_of_it);
    LOOP(a_queue_is_judged_by_what_is_in_it, queues);
    tcase_add_test(tc, other_prefixes_matter_where_there_is_nothing_under_ours);
    tcase_add_test(tc, what_was_not_looked_at_and_what_is_paused_is_said);
    LOOP(a_configuration_is_judged_by_its_numbers, confs);
    tcase_add_test(tc, defaults_are_not_judged_but_that_there_is_no_file);
    tcase_add_test(tc, mistakes_and_missing_things_are_problems_each);
    LOOP(a_table_is_judged_by_what_was_found, tables);
    tcase_add_test(tc, each_check_is_in_the_manual_as_the_table_has_it);
    LOOP(a_key_is_split_into_prefix_and_queue, keys);
    tcase_add_test(tc, only_an_object_is_what_laravel_writes);
}

int main(void)
{
    return run_suite("doctor", 60, add);
}
