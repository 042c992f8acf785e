/* Laravel's own producers and workers: the scripts of tests/php, run by php.
 *
 * Needs TOP_SRCDIR as a macro, the top of the sources. Where php or Debian's
 * php-illuminate packages are missing a test fails.
 */
#ifndef SUPPORT_PHP_PROCESS_H
#define SUPPORT_PHP_PROCESS_H

#include <stdbool.h>
#include <sys/types.h>

struct php_process {
    char name[32];
    char dir[64];
    pid_t pid; /* 0: not running */
};

/* Starts tests/php/SCRIPT with options, each "--name=value", NULL behind the last.
 * DIR/NAME.in is its stdin where there is such a file, and DIR/NAME.out and DIR/NAME.err
 * take what it writes. It dies with the test. */
void php_start(struct php_process *php, const char *dir, const char *name,
               const char *script, const char *const *options);

/* Waits until it has ended by itself; it must have exited with 0 and said nothing on
 * stderr. */
void php_finish(struct php_process *php);

/* Waits likewise, however it ends; its wait status. */
int php_wait(struct php_process *php);

/* TERM, as one stops a queue:work; then as php_finish(). */
void php_stop(struct php_process *php);

/* SIGKILL, waited for; nothing is asked of what it wrote. */
void php_kill(struct php_process *php);

#endif
