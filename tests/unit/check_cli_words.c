/* What completion and the manual know of the commands: the built drover, a shell. */
#include <stdlib.h>

#include "tests/support/shell_fixture.h"

/* ---- completion ---- */

START_TEST(completion_knows_words_and_options)
{
    static const char *const offers[][2] = {
        {"pu", "push"},
        {"f", "failed"},
        {"failed f", "forget\nflush"},
        {"push --t", "--tries\n--timeout"},
        {"queue peek default --st", "--state"},
        {"queue peek ''", ""},
        {"push --queue ''", ""},
        {"", ""},
    };

    for (size_t i = 0; i < ARRAY_CT(offers); i++) {
        char *line = must_format("$D --complete %s", offers[i][0]);

        expect_out(line, offers[i][1]);
        free(line);
    }
}
END_TEST

/* What bash offers for words of which the one at `at`, from 0, is being typed. */
static void complete(const char *words, int at)
{
    ck_assert_int_eq(
        shell_run(sh,
                  "bash -c '. $0/contrib/drover.bash; COMP_WORDS=(%s); COMP_CWORD=%d; "
                  "_drover $D; echo \"${COMPREPLY[*]}\"' " TOP_SRCDIR,
                  words, at),
        0);
}

START_TEST(completion_works_in_bash)
{
    complete("drover failed f", 2);
    ck_assert_str_eq(sh->out.data, "forget flush");
    complete("drover queue peek x --st", 4);
    ck_assert_str_eq(sh->out.data, "--state");
    complete("drover push -c $T/drover.c", 3);
    IN_OUT("/drover.conf");
}
END_TEST

START_TEST(artisans_names_are_completed_once_they_are_begun)
{
    expect_out("$D --complete queue", "queue");
    expect_out("$D --complete queue:re", "queue:retry\nqueue:resume\nqueue:restart");
    complete("drover queue : ret", 3);
    ck_assert_str_eq(sh->out.data, "retry"); /* bash has the rest */
    complete("drover queue :", 2);
    IN_OUT("failed retry forget");
}
END_TEST

/* ---- the manual ---- */

/* The lines of the last output, one by one. */
static char *next_line(char **at)
{
    char *line = strsep(at, "\n");

    return line && *line ? line : NULL;
}

static void check_options_of(const char *words, const char *page)
{
    char *list, *at, *option;

    ck_assert_int_eq(shell_run(sh, "$D --complete %s -", words), 0);
    ck_assert_msg(sh->out.len > 0, "no option of drover %s is known", words);
    list = at = must_strdup(sh->out.data);
    while ((option = next_line(&at))) {
        char *macro = must_format("Fl %s", option + 1);
        const char *found = strstr(page, macro);

        while (found && !strchr(" \n", found[strlen(macro)]))
            found = strstr(found + 1, macro);
        ck_assert_msg(found != NULL, "drover(1) lacks %s of drover %s", option, words);
        free(macro);
    }
    free(list);
}

/* Every command, a line each; the caller frees. */
static char *list_commands(void)
{
    expect(0, "for first in $($D --complete ''); do rest=$($D --complete $first '');"
              " case $rest in ''|-*) echo $first;;"
              " *) for second in $rest; do echo $first $second; done;; esac; done");
    return must_strdup(sh->out.data);
}

START_TEST(the_manual_has_every_command_and_option)
{
    char *page, *list, *at, *words;
    size_t ct = 0;

    expect(0, "cat " TOP_SRCDIR "/docs/drover.1");
    page = must_strdup(sh->out.data);
    list = at = list_commands();
    while ((words = next_line(&at))) {
        char *item = must_format(".It Cm %s", words);

        ck_assert_msg(strstr(page, item) != NULL, "drover(1) lacks `%s`", item);
        check_options_of(words, page);
        free(item);
        ct++;
    }
    ck_assert_uint_ge(ct, 17);
    free(list);
    free(page);
}
END_TEST

START_TEST(the_manual_lists_all_of_artisans_names)
{
    expect_out("for n in $($D --complete queue:) $($D --complete horizon:); do"
               " grep -qE \"(Ql|,) ?$n|$n ,\" " TOP_SRCDIR
               "/docs/drover.1 || echo $n; done",
               "");
}
END_TEST

/* ---- complaints ---- */

static void refuse(const char *words, const char *rest, const char *why)
{
    char *line = must_format("$D %s %s", words, rest);
    char *start = must_format("drover: %s", why);

    expect(2, line);
    ck_assert_msg(strncmp(sh->err.data, start, strlen(start)) == 0, "%s: %s", line,
                  sh->err.data);
    free(start);
    free(line);
}

/* From its usage: "failed show ID.. [OPTIONS]". */
static bool needs_operands(const char *words)
{
    char *line = must_format("$D %s --help", words);
    size_t at = strlen("usage: drover ") + strlen(words) + 1;
    bool needs;

    expect(0, line);
    needs = sh->out.data[at] != '[';
    free(line);
    return needs;
}

START_TEST(every_complaint_begins_with_drover_once)
{
    char *list = list_commands(), *at = list, *words, *needs;
    size_t needing_ct = 0;

    while ((words = next_line(&at))) {
        refuse(words, "--no-such-option", "unknown option");
        refuse(words, "-c", "-c needs a value");
        if (!needs_operands(words))
            continue;
        needs = must_format("%s needs ", words);
        refuse(words, "", needs);
        free(needs);
        needing_ct++;
    }
    ck_assert_uint_ge(needing_ct, 5);
    refuse("failed prune", "", "failed prune needs --before");
    refuse("import database", "", "import database needs --dsn");
    refuse("doctor", "x", "doctor takes no operands: x");
    refuse("queue peek", "a b", "queue peek: one operand too many: b");
    free(list);
}
END_TEST

static void add_tests(TCase *tc)
{
    tcase_add_test(tc, every_complaint_begins_with_drover_once);
    tcase_add_test(tc, completion_knows_words_and_options);
    tcase_add_test(tc, completion_works_in_bash);
    tcase_add_test(tc, artisans_names_are_completed_once_they_are_begun);
    tcase_add_test(tc, the_manual_has_every_command_and_option);
    tcase_add_test(tc, the_manual_lists_all_of_artisans_names);
}

int main(void)
{
    return run_shell_suite("cli_words", "", 60, add_tests);
}
