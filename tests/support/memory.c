/* Reading what the kernel counts of a process' memory. */
#include "tests/support/memory.h"

#include <check.h>
#include <stdio.h>
#include <string.h>

static long sum_kib(pid_t pid, const char *start_of_name)
{
    char path[64], line[256];
    long sum = 0, kib;
    FILE *file;

    (void)snprintf(path, sizeof(path), "/proc/%d/smaps_rollup", (int)pid);
    file = fopen(path, "re");
    ck_assert_ptr_nonnull(file);
    while (fgets(line, sizeof(line), file))
        if (strncmp(line, start_of_name, strlen(start_of_name)) == 0 &&
            sscanf(line, "%*[^:]: %ld kB", &kib) == 1)
            sum += kib;
    (void)fclose(file);
    return sum;
}

long memory_private_kib(pid_t pid)
{
    return sum_kib(pid, "Private_");
}

long memory_anonymous_kib(pid_t pid)
{
    return sum_kib(pid, "Anonymous:");
}
