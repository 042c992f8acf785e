/* Filling struct err. Knows nothing of who reads it. */
#include "base/err.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

int err_set(struct err *err, enum err_code code, const char *fmt, ...)
{
    va_list ap;

    if (err == NULL)
        return -1;
    err->code = code;
    err->errnum = 0;
    va_start(ap, fmt);
    (void)vsnprintf(err->text, sizeof(err->text), fmt, ap);
    va_end(ap);
    return -1;
}

int err_set_errno(struct err *err, int errnum, const char *fmt, ...)
{
    va_list ap;
    size_t len;

    if (err == NULL)
        return -1;
    err->code = ERR_SYSTEM;
    err->errnum = errnum;
    va_start(ap, fmt);
    (void)vsnprintf(err->text, sizeof(err->text), fmt, ap);
    va_end(ap);
    len = strlen(err->text);
    (void)snprintf(err->text + len, sizeof(err->text) - len, ": %s", strerror(errnum));
    return -1;
}

int err_prefix(struct err *err, const char *fmt, ...)
{
    va_list ap;
    char was[sizeof(err->text)];
    size_t len;

    if (err == NULL)
        return -1;
    memcpy(was, err->text, sizeof(was));
    va_start(ap, fmt);
    (void)vsnprintf(err->text, sizeof(err->text), fmt, ap);
    va_end(ap);
    len = strlen(err->text);
    (void)snprintf(err->text + len, sizeof(err->text) - len, ": %s", was);
    return -1;
}
