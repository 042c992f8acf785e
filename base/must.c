/* The check for bugs, and allocation that cannot fail quietly. */
#include "base/must.h"

#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

void must_fail(const char *expr, const char *file, int line)
{
    fprintf(stderr, "drover: bug: %s does not hold at %s:%d\n", expr, file, line);
    abort();
}

void must_have_memory(const void *ptr)
{
    static const char words[] = "drover: out of memory\n";

    if (ptr)
        return;
    (void)!write(STDERR_FILENO, words, sizeof(words) - 1); /* stdio might allocate */
    abort();
}

void *must_alloc(size_t bytes)
{
    void *ptr = calloc(1, bytes ? bytes : 1);

    must_have_memory(ptr);
    return ptr;
}

void *must_realloc(void *ptr, size_t ct, size_t size)
{
    void *grown;

    MUST(size > 0 && ct <= SIZE_MAX / size);
    grown = realloc(ptr, ct > 0 ? ct * size : 1);
    must_have_memory(grown);
    return grown;
}

char *must_strdup(const char *text)
{
    return text ? must_strndup(text, strlen(text)) : NULL;
}

char *must_strndup(const char *text, size_t len)
{
    char *copy = must_alloc(len + 1);

    memcpy(copy, text, len);
    return copy;
}

void must_wipe(char *secret)
{
    if (secret)
        explicit_bzero(secret, strlen(secret));
    free(secret);
}

char *must_format(const char *fmt, ...)
{
    va_list ap;
    char *text = NULL;

    va_start(ap, fmt);
    MUST(vasprintf(&text, fmt, ap) >= 0);
    va_end(ap);
    return text;
}
