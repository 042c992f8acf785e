/* What ps shows: the room that the kernel reads as the command line, which is the memory
 * behind argv[0] up to the end of the last argument. What comes behind it is environ's,
 * which stays. The arguments themselves are moved out of that room first. */
#include "base/proctitle.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

/* Fixed by the kernel for the life of the process. */
static struct {
    char *start;
    size_t size; /* 0: no room, or proctitle_init() was not called */
} room;

void proctitle_init(int argc, char **argv)
{
    char *end;

    if (room.size > 0 || argc < 1 || argv[0] == NULL)
        return;
    room.start = end = argv[0];
    for (int i = 0; i < argc && argv[i] == end; i++)
        end += strlen(argv[i]) + 1;
    for (int i = 0; i < argc; i++)
        argv[i] = must_strdup(argv[i]);
    program_invocation_name = argv[0];
    program_invocation_short_name =
        strrchr(argv[0], '/') ? strrchr(argv[0], '/') + 1 : argv[0];
    room.size = (size_t)(end - room.start);
}

void proctitle_set(const char *fmt, ...)
{
    char title[256];
    size_t len;
    va_list ap;

    if (room.size == 0)
        return;
    len = (size_t)snprintf(title, sizeof(title), "drover: ");
    va_start(ap, fmt);
    (void)vsnprintf(title + len, sizeof(title) - len, fmt, ap);
    va_end(ap);
    /* The last byte stays NUL: else the kernel reads on into environ. */
    memset(room.start, 0, room.size);
    (void)snprintf(room.start, room.size, "%s", title);
}
