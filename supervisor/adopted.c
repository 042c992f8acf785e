/* Finding inherited children: only the kernel knows them, and tells in /proc. */
#include "supervisor/adopted.h"

#include <signal.h>
#include <stdio.h>
#include <sys/types.h>
#include <unistd.h>

enum { PATH_BYTES = 64 };

size_t adopted_kill(void)
{
    char path[PATH_BYTES];
    FILE *file;
    size_t ct = 0;
    int pid;

    (void)snprintf(path, sizeof(path), "/proc/self/task/%d/children", (int)getpid());
    file = fopen(path, "re");
    if (file == NULL)
        return 0; /* a kernel without it: they outlive us, as any daemon does */
    while (fscanf(file, "%d", &pid) == 1)
        if (pid > 1 && kill((pid_t)pid, SIGKILL) == 0)
            ct++;
    (void)fclose(file);
    return ct;
}
