/* Why something failed: a class for programs, a sentence for people.
 *
 * A function that can fail for reasons outside takes `struct err *err` last and
 * returns -1 (or NULL) after filling it; the caller that handles the failure logs
 * it, once. `err` may be NULL where the reason does not matter. The sentence names
 * the thing, the place and, where there is something to do, what to do; it has no
 * newline and no final stop. It never holds a payload or a secret.
 */
#ifndef BASE_ERR_H
#define BASE_ERR_H

#include "base/must.h"

enum err_code {
    ERR_NONE = 0,
    ERR_SYSTEM,    /* a system call failed */
    ERR_USAGE,     /* the command line is wrong */
    ERR_CONFIG,    /* the configuration is wrong */
    ERR_CONN,      /* a server cannot be reached, or the connection broke */
    ERR_DATABASE,  /* PostgreSQL cannot be reached, or refused */
    ERR_NO_TABLE,  /* the table of failed jobs is not there */
    ERR_REPLY,     /* a server answered with an error or something unexpected */
    ERR_BAD_INPUT, /* a payload or another outside input is not what it must be */
    ERR_NOT_FOUND, /* no such thing */
    ERR_NOT_RUNNING,
    ERR_LIMIT /* a bound was reached */
};

struct err {
    enum err_code code;
    char text[512];
    int errnum; /* of the system call that failed; 0: it was something else */
};

/* Fills `err` (cut to fit) and returns -1, for `return err_set(err, ...)`. */
int err_set(struct err *err, enum err_code code, const char *fmt, ...) PRINTF_LIKE(3, 4);

/* As err_set() with ERR_SYSTEM; keeps `errnum`, and adds ": " and the text of `errnum`.
 */
int err_set_errno(struct err *err, int errnum, const char *fmt, ...) PRINTF_LIKE(3, 4);

/* Puts "context: " in front of the sentence that `err` holds; returns -1. */
int err_prefix(struct err *err, const char *fmt, ...) PRINTF_LIKE(2, 3);

#endif
