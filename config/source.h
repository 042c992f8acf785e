/* The text of a configuration, before libconfig reads it: what libconfig would take
 * silently for something else, or end the process over, is found here.
 *
 *   - integers that do not fit: libconfig 1.5 keeps their low 32 bits. They are recorded
 *     by their place among all integers, so that their settings can be told;
 *   - NUL bytes and "\x00", at which a text would end early: refused;
 *   - @include of a directory or of itself, at which its scanner exits or runs wild:
 *     refused, as is a file larger than SOURCE_BYTES_MAX.
 */
#ifndef CONFIG_SOURCE_H
#define CONFIG_SOURCE_H

#include "base/buf.h"
#include "base/err.h"

enum {
    SOURCE_BYTES_MAX = 1 << 20,
    SOURCE_FILES_MAX = 64,  /* with all includes */
    SOURCE_DEPTH_MAX = 10,  /* of includes; libconfig's own */
    SOURCE_NESTING_MAX = 16 /* of groups and lists */
};

/* An integer beyond what libconfig keeps. */
struct source_literal {
    size_t ordinal; /* among all integers of the text and its includes, in order */
    char *file;
    unsigned line;
    char text[32]; /* as written; cut */
};

struct source {
    const char *include_dir; /* NULL: the working directory */
    struct source_literal *large;
    size_t large_ct;
    size_t integer_ct;
    size_t file_ct;
};

/* Reads a whole file of at most `max` bytes and without NUL bytes into `text`. Never
 * blocks: only regular files and character devices are read. The error has the reason
 * only ("No such file or directory"), with ERR_NOT_FOUND where there is no such file. */
int source_read_file(const char *path, size_t max, struct buf *text,
                     struct err *err) MUSTCHECK;

/* The path of a file that libconfig names: some of its versions give it as @include has
 * it. `directory` is the include_dir, NULL: none. Caller frees. */
char *source_path(const char *directory, const char *file) MUSTCHECK;

/* Scans `text` and all that it includes. `name` is the file as messages name it. Must be
 * freed in any case; errors are complete ("drover.conf:3: …"). */
int source_scan(struct source *source, const char *name, const char *text,
                struct err *err) MUSTCHECK;
void source_free(struct source *source);

#endif
