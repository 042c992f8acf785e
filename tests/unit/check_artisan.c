/* Artisan's spellings, translated: each line as one would find it in a crontab, and what
 * drover is to be given. Pure.
 */
#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "cli/artisan.h"
#include "tests/unit/suite.h"

enum { WORDS_MAX = 16 };

/* Words are split at spaces; the alias' own words stand for the table in commands.c. */
static const struct {
    const char *words, *from, *to;
} lines[] = {
    {"failed list", "queue:failed", "failed list"},
    {"failed list", "queue:failed --json", "failed list --json"},
    {"failed retry", "queue:retry all", "failed retry --all"},
    {"failed retry", "queue:retry 9f3a 77b0 -v", "failed retry 9f3a 77b0"},
    {"failed retry", "queue:retry --queue=mail", "failed retry --all --queue mail"},
    {"failed retry", "queue:retry --queue mail -n", "failed retry --all --queue mail"},
    {"failed retry", "queue:retry all -c f.conf --json",
     "failed retry --all -c f.conf --json"},
    {"failed retry", "queue:retry -- all", "failed retry --all"},
    {"failed forget", "queue:forget 9f3a", "failed forget 9f3a"},
    {"failed flush", "queue:flush", "failed flush --yes"},
    {"failed flush", "queue:flush --hours=0", "failed flush --yes"},
    {"failed flush", "queue:flush --hours=48", "failed prune --before 48h"},
    {"failed prune", "queue:prune-failed", "failed prune --before 24h"},
    {"failed prune", "queue:prune-failed --hours 0", "failed prune --before 0h"},
    {"failed prune", "queue:prune-failed --env=production --hours=72 --no-interaction",
     "failed prune --before 72h"},
    {"queue clear", "queue:clear", "queue clear default"},
    {"queue clear", "queue:clear redis --queue=low --force", "queue clear low --yes"},
    {"queue clear", "queue:clear --queue=high,low", "queue clear high low"},
    {"queue monitor", "queue:monitor redis:default,redis:high --max=100",
     "queue monitor default high --max 100"},
    {"queue monitor", "queue:monitor default --json", "queue monitor default --json"},
    {"pause", "queue:pause redis:mail", "pause mail"},
    {"pause", "queue:pause mail --quiet", "pause mail"},
    {"pause", "queue:pause --all", "pause --all"},
    {"resume", "queue:continue mail", "resume mail"},
    {"resume", "queue:resume redis:mail", "resume mail"},
    {"reload", "queue:restart", "reload"},
    {"reload", "queue:restart --nosuch", "reload --nosuch"},
};

static size_t split(char *text, char **words)
{
    char *save = NULL;
    size_t ct = 0;

    for (char *word = strtok_r(text, " ", &save); word;
         word = strtok_r(NULL, " ", &save)) {
        ck_assert_uint_lt(ct, WORDS_MAX);
        words[ct++] = word;
    }
    return ct;
}

static int translate(const char *words, const char *from, struct artisan_line *line,
                     struct err *err)
{
    char *text = must_strdup(from), *split_words[WORDS_MAX];
    size_t ct = split(text, split_words);
    struct cli_alias alias = {.name = split_words[0], .words = words};
    int rc = artisan_translate(&alias, ct - 1, split_words + 1, line, err);

    free(text);
    return rc;
}

START_TEST(each_line_has_its_counterpart)
{
    char *text = must_strdup(lines[_i].to), *expected[WORDS_MAX];
    size_t ct = split(text, expected);
    struct artisan_line line;
    struct err err = {0};

    ck_assert_msg(translate(lines[_i].words, lines[_i].from, &line, &err) == 0, "%s",
                  err.text);
    for (size_t i = 0; i < ct && i < line.ct; i++)
        ck_assert_str_eq(line.words[i], expected[i]);
    ck_assert_uint_eq(line.ct, ct);
    artisan_free(&line);
    free(text);
}
END_TEST

static const struct {
    const char *words, *from, *error;
} bad[] = {
    {"failed retry", "queue:retry --range=1-5", "drover's have uuids"},
    {"failed prune", "queue:prune-failed --hours=soon", "--hours"},
    {"failed prune", "queue:prune-failed --hours", "--hours needs a value"},
    {"failed flush", "queue:flush --hours=-1", "--hours"},
};

START_TEST(what_has_no_counterpart_is_refused_with_the_reason)
{
    struct artisan_line line;
    struct err err = {0};

    ck_assert_int_eq(translate(bad[_i].words, bad[_i].from, &line, &err), -1);
    ck_assert_int_eq(err.code, ERR_USAGE);
    ck_assert_ptr_nonnull(strstr(err.text, bad[_i].error));
    artisan_free(&line);
}
END_TEST

static void add(TCase *tc)
{
    tcase_add_loop_test(tc, each_line_has_its_counterpart, 0, ARRAY_CT(lines));
    tcase_add_loop_test(tc, what_has_no_counterpart_is_refused_with_the_reason, 0,
                        ARRAY_CT(bad));
}

int main(void)
{
    return run_suite("artisan", 10, add);
}
