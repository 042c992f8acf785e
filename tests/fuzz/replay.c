/* Runs a fuzz target over its corpus without a fuzzer, and over every beginning of each
 * small seed: a plain test that any compiler can build.
 *
 * Arguments are files or directories; without any, the target's corpus in the source
 * tree.
 */
#include "tests/fuzz/fuzz.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/must.h"

enum { SEED_BYTES_MAX = 1 << 20, PREFIXES_BELOW_BYTES = 2048 };

/* In a block of its exact size, so that the sanitizers see any read beyond it. */
static void run_exactly(const uint8_t *data, size_t size)
{
    uint8_t *copy = malloc(size ? size : 1);

    MUST(copy != NULL);
    memcpy(copy, data, size);
    (void)LLVMFuzzerTestOneInput(copy, size);
    free(copy);
}

static int run_file(const char *path)
{
    static uint8_t data[SEED_BYTES_MAX];
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    ssize_t got = fd < 0 ? -1 : read(fd, data, sizeof(data));

    if (fd >= 0)
        (void)close(fd);
    if (got < 0) {
        (void)fprintf(stderr, "%s: %s\n", path, strerror(errno));
        return -1;
    }
    for (size_t size = 0; size < (size_t)got && got < PREFIXES_BELOW_BYTES; size++)
        run_exactly(data, size);
    run_exactly(data, (size_t)got);
    return 1;
}

static int run_path(const char *path);

static int run_directory(DIR *dir, const char *path)
{
    struct dirent *entry;
    int ct = 0;

    while ((entry = readdir(dir)) != NULL) {
        char *below = must_format("%s/%s", path, entry->d_name);
        int ran = entry->d_name[0] == '.' ? 0 : run_path(below);

        free(below);
        if (ran < 0)
            return -1;
        ct += ran;
    }
    return ct;
}

/* Returns how many seeds were run, -1. */
static int run_path(const char *path)
{
    DIR *dir = opendir(path);
    int ct;

    if (dir == NULL)
        return run_file(path);
    ct = run_directory(dir, path);
    (void)closedir(dir);
    return ct;
}

static int run_own_corpus(void)
{
    const char *srcdir = getenv("srcdir");
    char *path =
        must_format("%s/tests/fuzz/corpus/%s", srcdir ? srcdir : ".", FUZZ_TARGET);
    int ct = run_path(path);

    free(path);
    return ct;
}

int main(int argc, char **argv)
{
    int ct = argc > 1 ? 0 : run_own_corpus();

    for (int i = 1; i < argc && ct >= 0; i++) {
        int ran = run_path(argv[i]);

        ct = ran < 0 ? -1 : ct + ran;
    }
    (void)printf("%s: %d seeds\n", FUZZ_TARGET, ct);
    return ct > 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
