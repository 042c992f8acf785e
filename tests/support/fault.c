/* The test's end of the faults. */
#include "tests/support/fault.h"

#include <check.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/must.h"

struct fault *fault_open(const char *dir)
{
    char *library = realpath("tests/support/preload.so", NULL);
    char *path = must_format("%s/faults", dir);
    struct fault *fault;
    int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);

    ck_assert_msg(library != NULL, "run in the build directory");
    ck_assert_int_ge(fd, 0);
    ck_assert_int_eq(ftruncate(fd, sizeof(*fault)), 0);
    fault = mmap(NULL, sizeof(*fault), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    ck_assert(fault != MAP_FAILED);
    ck_assert_int_eq(close(fd), 0);
    ck_assert_int_eq(setenv(FAULT_VARIABLE, path, 1), 0);
    ck_assert_int_eq(setenv("LD_PRELOAD", library, 1), 0);
    free(path);
    free(library);
    return fault;
}

void fault_hide(void)
{
    (void)unsetenv("LD_PRELOAD");
    (void)unsetenv(FAULT_VARIABLE);
}

void fault_close(struct fault *fault)
{
    fault_hide();
    ck_assert_int_eq(munmap(fault, sizeof(*fault)), 0);
}
