/* Command lines, points in time and envelopes: what the command line reads and makes. */
#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/args.h"
#include "cli/envelope.h"
#include "cli/when.h"
#include "tests/unit/suite.h"

static const struct cli_option options[] = {
    {"--queue", "NAME", ""}, {"--all", NULL, ""}, {"-n", "N", ""}, {NULL, NULL, NULL}};
static const struct cli_command command = {.words = "failed list",
                                           .operands = "ID..",
                                           .operand_min = 0,
                                           .operand_max = 3,
                                           .options = options};

enum { WORDS_MAX = 16 };

/* Splits at spaces; "_" stands for an empty word. */
static size_t split(char *line, char *words[WORDS_MAX])
{
    size_t ct = 0;

    while (line && *line) {
        char *word = strsep(&line, " ");

        words[ct++] = strcmp(word, "_") == 0 ? word + 1 : word;
    }
    return ct;
}

/* What was understood, as one text. */
static void describe(const struct cli_args *args, char *text, size_t size)
{
    const char *queue = cli_value(args, "--queue"), *n = cli_value(args, "-n");
    int len =
        snprintf(text, size,
                 "c=%s j=%d q=%s n=%s a=%d:", args->config_path ? args->config_path : "",
                 args->json, queue ? queue : "", n ? n : "", cli_flag(args, "--all"));

    for (size_t i = 0; i < args->operand_ct; i++)
        len += snprintf(text + len, size - (size_t)len, " %s", args->operands[i]);
}

START_TEST(options_and_operands_mix)
{
    static const struct {
        const char *line, *expected;
    } cases[] = {
        {"", "c= j=0 q= n= a=0:"},
        {"a b", "c= j=0 q= n= a=0: a b"},
        {"a --queue high b", "c= j=0 q=high n= a=0: a b"},
        {"--queue=high a", "c= j=0 q=high n= a=0: a"},
        {"--queue= a", "c= j=0 q= n= a=0: a"},
        {"--queue=a=b", "c= j=0 q=a=b n= a=0:"},
        {"--queue x --queue y", "c= j=0 q=y n= a=0:"},
        {"--queue --all", "c= j=0 q=--all n= a=0:"},
        {"-c F --json", "c=F j=1 q= n= a=0:"},
        {"a --json -c F b", "c=F j=1 q= n= a=0: a b"},
        {"-cF", "c=F j=0 q= n= a=0:"},
        {"-n 3 -n4", "c= j=0 q= n=4 a=0:"},
        {"--all -- --all -c", "c= j=0 q= n= a=1: --all -c"},
        {"-- --", "c= j=0 q= n= a=0: --"},
        {"- x -", "c= j=0 q= n= a=0: - x -"},
        {"_", "c= j=0 q= n= a=0: "},
    };

    for (size_t i = 0; i < ARRAY_CT(cases); i++) {
        char *line = must_strdup(cases[i].line), *words[WORDS_MAX], text[256];
        struct err err = {0};
        struct cli_args args;
        enum args_verdict verdict =
            args_parse(&args, &command, split(line, words), words, &err);

        ck_assert_msg(verdict == ARGS_RUN, "%s: %s", cases[i].line, err.text);
        describe(&args, text, sizeof(text));
        ck_assert_str_eq(text, cases[i].expected);
        args_free(&args);
        free(line);
    }
}
END_TEST

START_TEST(bad_lines_are_refused_with_a_reason)
{
    static const struct {
        const char *line, *reason;
    } cases[] = {
        {"--quue x", "unknown option --quue: did you mean --queue?"},
        {"--quue=x", "unknown option --quue: did you mean --queue?"},
        {"--jsn", "unknown option --jsn: did you mean --json?"},
        {"--xyzzy", "unknown option --xyzzy"},
        {"-x", "unknown option -x"},
        {"a -1", "unknown option -1"},
        {"--queue", "--queue needs a value: --queue NAME"},
        {"a -c", "-c needs a value: -c FILE"},
        {"--all=yes", "--all takes no value"},
        {"a b c d", "failed list: one operand too many: d"},
    };

    for (size_t i = 0; i < ARRAY_CT(cases); i++) {
        char *line = must_strdup(cases[i].line), *words[WORDS_MAX];
        struct err err = {0};
        struct cli_args args;

        ck_assert_int_eq(args_parse(&args, &command, split(line, words), words, &err),
                         ARGS_BAD);
        ck_assert_int_eq(err.code, ERR_USAGE);
        ck_assert_str_eq(err.text, cases[i].reason);
        args_free(&args);
        free(line);
    }
}
END_TEST

START_TEST(help_is_understood_anywhere_and_needs_no_operands)
{
    static const char *const lines[] = {"--help", "-h", "a b c d e --help",
                                        "--queue x -h"};
    struct cli_command strict = command;

    strict.operand_min = 1;
    for (size_t i = 0; i < ARRAY_CT(lines); i++) {
        char *line = must_strdup(lines[i]), *words[WORDS_MAX];
        struct cli_args args;

        ck_assert_int_eq(args_parse(&args, &strict, split(line, words), words, NULL),
                         ARGS_HELP);
        args_free(&args);
        free(line);
    }
}
END_TEST

START_TEST(missing_operands_are_named)
{
    struct cli_command strict = command;
    struct cli_args args;
    struct err err = {0};

    strict.operand_min = 1;
    ck_assert_int_eq(args_parse(&args, &strict, 0, NULL, &err), ARGS_BAD);
    ck_assert_str_eq(err.text, "failed list needs ID..");
    args_free(&args);
}
END_TEST

/* ---- points in time ---- */

START_TEST(times_are_durations_ago_or_instants)
{
    static const struct {
        const char *text;
        int64_t at_ms;
    } cases[] = {
        {"90", 1700000000123 - 90000},
        {"0.5", 1700000000123 - 500},
        {"2h", 1700000000123 - 7200000},
        {"7d", 1700000000123 - 604800000},
        {"1970-01-01", 0},
        {"2023-11-14T22:13:20Z", 1700000000000},
        {"2023-11-14t22:13:20.123z", 1700000000123},
        {"2023-11-14 22:13:20.5Z", 1700000000500},
        {"2023-11-14T22:13:20.1239Z", 1700000000123},
        {"2023-11-15T00:13:20+02:00", 1700000000000},
        {"2023-11-14T20:43:20-01:30", 1700000000000},
        {"2024-02-29", 1709164800000},
    };

    for (size_t i = 0; i < ARRAY_CT(cases); i++) {
        struct err err = {0};
        int64_t at_ms = -1;

        ck_assert_msg(when_parse(cases[i].text, 1700000000123, &at_ms, &err) == 0, "%s",
                      err.text);
        ck_assert_msg(at_ms == cases[i].at_ms, "%s", cases[i].text);
    }
}
END_TEST

START_TEST(what_is_no_time_is_refused)
{
    static const char *const texts[] = {"",
                                        "x",
                                        "2h3",
                                        "-5",
                                        "2023-11",
                                        "2023-13-01",
                                        "2023-00-01",
                                        "2023-02-30",
                                        "2023-11-14T",
                                        "2023-11-14T22:13:20",
                                        "2023-11-14T22:13Z",
                                        "2023-11-14T24:00:00Z",
                                        "2023-11-14T22:13:20.Z",
                                        "2023-11-14T22:13:20+02",
                                        "2023-11-14T22:13:20+02:00x",
                                        "23-11-14",
                                        "2023-11-14T22:60:00Z",
                                        "yesterday"};

    for (size_t i = 0; i < ARRAY_CT(texts); i++) {
        struct err err = {0};
        int64_t at_ms;

        ck_assert_msg(when_parse(texts[i], 1700000000123, &at_ms, &err) != 0, "%s",
                      texts[i]);
        ck_assert_int_eq(err.code, ERR_USAGE);
    }
}
END_TEST

/* ---- envelopes ---- */

START_TEST(an_envelope_has_laravels_fields_in_laravels_order)
{
    struct envelope envelope = {.job = "App\\Jobs\\\"x\"\n\xc3\xa9",
                                .tries = 3,
                                .backoff = "1,5",
                                .timeout_ms = 1500};
    struct buf out;

    buf_init(&out, 0);
    envelope_write(&envelope, slice_text(" {\"n\":12345678901234567890, \"e\":[]}\n"),
                   "U", "I", 1700000000123456, &out);
    ck_assert_str_eq(
        out.data,
        "{\"uuid\":\"U\",\"displayName\":\"App\\\\Jobs\\\\\\\"x\\\"\\u000a\xc3\xa9\","
        "\"job\":\"App\\\\Jobs\\\\\\\"x\\\"\\u000a\xc3\xa9\",\"maxTries\":3,"
        "\"maxExceptions\":null,\"failOnTimeout\":false,\"backoff\":\"1,5\","
        "\"timeout\":1.5,\"data\":{\"n\":12345678901234567890, \"e\":[]},"
        "\"createdAt\":1700000000,\"pushedAt\":\"1700000000.1234\",\"id\":\"I\","
        "\"attempts\":0}");
    buf_clear(&out);
    envelope = (struct envelope){.job = "x", .tries = -1, .timeout_ms = -1};
    envelope_write(&envelope, slice_text("null"), "U", "I", 0, &out);
    ck_assert_str_eq(out.data,
                     "{\"uuid\":\"U\",\"displayName\":\"x\",\"job\":\"x\",\"maxTries\":"
                     "null,\"maxExceptions\":null,\"failOnTimeout\":false,\"backoff\":"
                     "null,\"timeout\":null,\"data\":null,\"createdAt\":0,\"pushedAt\":"
                     "\"0.0000\",\"id\":\"I\",\"attempts\":0}");
    buf_free(&out);
}
END_TEST

START_TEST(data_must_be_one_json_value_in_utf8)
{
    static const struct {
        const char *data;
        bool good;
    } cases[] = {{"{}", true},       {" [1, {\"a\":null}] ", true},
                 {"\"x\"", true},    {"1.5e3", true},
                 {"true", true},     {"", false},
                 {"{", false},       {"{} {}", false},
                 {"{'a':1}", false}, {"nul", false},
                 {"[1,]", false},    {"\"\xff\"", false},
                 {"01", false}};

    for (size_t i = 0; i < ARRAY_CT(cases); i++) {
        struct err err = {0};
        int rc = envelope_check_data(slice_text(cases[i].data), &err);

        ck_assert_msg((rc == 0) == cases[i].good, "%s: %s", cases[i].data, err.text);
        if (rc != 0) {
            ck_assert_int_eq(err.code, ERR_USAGE);
            ck_assert_ptr_nonnull(strstr(err.text, "DATA is not"));
        }
    }
}
END_TEST

START_TEST(names_of_jobs_are_checked)
{
    char longest[257];
    struct err err = {0};

    memset(longest, 'x', 256);
    longest[256] = '\0';
    ck_assert_int_ne(envelope_check_job("", &err), 0);
    ck_assert_int_ne(envelope_check_job("\xff", &err), 0);
    ck_assert_int_ne(envelope_check_job(longest, &err), 0);
    ck_assert_int_eq(envelope_check_job(longest + 1, &err), 0);
    ck_assert_int_eq(envelope_check_job("App\\Jobs\\Mail", &err), 0);
}
END_TEST

START_TEST(backoff_lists_become_canonical)
{
    static const struct {
        const char *text, *expected; /* NULL: refused */
    } cases[] = {{"1,5,30", "1,5,30"}, {"0", "0"},    {"1.50,2", "1.5,2"}, {"", NULL},
                 {"1,,2", NULL},       {",", NULL},   {"1,", NULL},        {"x", NULL},
                 {"-1", NULL},         {"1 ,2", NULL}};

    for (size_t i = 0; i < ARRAY_CT(cases); i++) {
        struct err err = {0};
        struct buf out;
        int rc;

        buf_init(&out, 0);
        rc = envelope_read_backoff(cases[i].text, &out, &err);
        ck_assert_msg((rc == 0) == (cases[i].expected != NULL), "%s", cases[i].text);
        if (rc == 0)
            ck_assert_str_eq(out.data, cases[i].expected);
        buf_free(&out);
    }
}
END_TEST

static void add_tests(TCase *tc)
{
    tcase_add_test(tc, options_and_operands_mix);
    tcase_add_test(tc, bad_lines_are_refused_with_a_reason);
    tcase_add_test(tc, help_is_understood_anywhere_and_needs_no_operands);
    tcase_add_test(tc, missing_operands_are_named);
    tcase_add_test(tc, times_are_durations_ago_or_instants);
    tcase_add_test(tc, what_is_no_time_is_refused);
    tcase_add_test(tc, an_envelope_has_laravels_fields_in_laravels_order);
    tcase_add_test(tc, data_must_be_one_json_value_in_utf8);
    tcase_add_test(tc, names_of_jobs_are_checked);
    tcase_add_test(tc, backoff_lists_become_canonical);
}

int main(void)
{
    return run_suite("cli_args", 10, add_tests);
}
