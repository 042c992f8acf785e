/* What tests share that run shell lines: a shell for the whole program, and what is said
 * of a line's exit code and output.
 */
#ifndef TESTS_SHELL_FIXTURE_H
#define TESTS_SHELL_FIXTURE_H

#include <check.h>
#include <string.h>

#include "tests/support/shell.h"
#include "tests/unit/suite.h"

static struct shell *sh;

static inline void expect(int exit_code, const char *line)
{
    ck_assert_msg(shell_run(sh, "%s", line) == exit_code, "%s: exit %d, not %d: %s%s",
                  line, sh->exit_code, exit_code, sh->out.data, sh->err.data);
}

/* A line that exits with 0 and prints that, and nothing else on stdout. */
static inline void expect_out(const char *line, const char *out)
{
    expect(0, line);
    ck_assert_msg(strcmp(sh->out.data, out) == 0, "%s: %s", line, sh->out.data);
}

/* Of the last line. */
#define IN_OUT(text) ck_assert_msg(strstr(sh->out.data, text) != NULL, "%s", sh->out.data)
#define IN_ERR(text) ck_assert_msg(strstr(sh->err.data, text) != NULL, "%s", sh->err.data)
#define NOT_IN_OUT(text)                                                                 \
    ck_assert_msg(strstr(sh->out.data, text) == NULL, "%s", sh->out.data)

/* The whole of a main() that needs nothing but the shell; `settings` as for shell_open().
 */
static inline int run_shell_suite(const char *name, const char *settings,
                                  double timeout_s, void (*add)(TCase *tc))
{
    int status;

    sh = shell_open(settings);
    status = run_suite(name, timeout_s, add);
    shell_close(sh);
    return status;
}

#endif
