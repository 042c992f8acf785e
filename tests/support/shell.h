/* Shell lines against the built drover and a redis-server of the test's own.
 *
 * In the lines, $D is drover, $S the server's socket, $T a directory of the test's own;
 * drover finds its configuration by DROVER_CONFIG.
 */
#ifndef TESTS_SHELL_H
#define TESTS_SHELL_H

#include "base/buf.h"
#include "tests/support/redis_process.h"

struct shell {
    char dir[64];
    struct redis_process redis;
    const char *prelude; /* what each line of shell_run() begins with; NULL: nothing */
    int exit_code;       /* of the last line; 128 + n: signal n */
    struct buf out; /* its stdout, without the last newline; NUL-terminated, never NULL */
    struct buf err; /* its stderr likewise */
};

/* `settings` follows "redis" and "state_dir" in drover.conf. */
struct shell *shell_open(const char *settings);
void shell_close(struct shell *shell); /* stops the server, removes the directory */

/* Runs a line with stdin at /dev/null; returns its exit code. */
int shell_run(struct shell *shell, const char *fmt, ...) PRINTF_LIKE(2, 3);

/* Runs a line on a terminal of its own, typing `input`; what the terminal shows is `out`.
 */
int shell_run_tty(struct shell *shell, const char *input, const char *line);

#endif
