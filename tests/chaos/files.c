/* Reading and replacing small files. */
#include "tests/chaos/files.h"

#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/buf.h"

char *file_read(const char *path)
{
    char block[8192];
    struct buf text;
    ssize_t n;
    int fd = open(path, O_RDONLY | O_CLOEXEC);

    if (fd < 0)
        return NULL;
    buf_init(&text, 0);
    while ((n = read(fd, block, sizeof(block))) > 0)
        (void)buf_add(&text, block, (size_t)n);
    (void)close(fd);
    return buf_take(&text);
}

void file_write(const char *path, const char *fmt, ...)
{
    char *temporary = must_format("%s.new", path);
    FILE *file = fopen(temporary, "we");
    va_list ap;

    MUST(file != NULL);
    va_start(ap, fmt);
    (void)vfprintf(file, fmt, ap);
    va_end(ap);
    MUST(fclose(file) == 0);
    MUST(rename(temporary, path) == 0);
    free(temporary);
}

void file_write_at(const char *path, int64_t number)
{
    int fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);

    MUST(fd >= 0);
    MUST(pwrite(fd, &number, sizeof(number), 0) == (ssize_t)sizeof(number));
    (void)close(fd);
}
