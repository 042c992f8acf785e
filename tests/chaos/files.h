/* Whole small files, and directories of a run. */
#ifndef CHAOS_FILES_H
#define CHAOS_FILES_H

#include <stdint.h>

#include "base/must.h"

char *file_read(const char *path); /* its text, free() it; NULL: cannot be read */
/* Replaces the file by a rename; what goes wrong ends the program. */
void file_write(const char *path, const char *fmt, ...) PRINTF_LIKE(2, 3);

/* Puts a number, as 8 bytes, into a file that others have mapped. */
void file_write_at(const char *path, int64_t number);

#endif
