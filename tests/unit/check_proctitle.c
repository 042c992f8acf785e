/* The title takes argv's room and nothing else. The test starts itself as a child that
 * sets a title and then says what the kernel and its own argv and environ show. */
#include <check.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/proctitle.h"
#include "base/spawn.h"
#include "tests/unit/suite.h"

static void say_file(const char *path)
{
    FILE *file = fopen(path, "re");
    int c;

    while (file && (c = fgetc(file)) != EOF)
        (void)putchar(c == '\0' ? '|' : c);
    (void)putchar('\n');
    if (file)
        (void)fclose(file);
}

static int be_child(int argc, char **argv)
{
    extern char **environ;
    char **environ_before = environ, *variable = getenv("KEPT");

    proctitle_set("%s", "ignored before proctitle_init()");
    proctitle_init(argc, argv);
    proctitle_set("a first, very long title for worker %s/%d", "main", 1);
    proctitle_set("worker %s/%d", argv[2], 0);
    say_file("/proc/self/cmdline");
    say_file("/proc/self/environ");
    for (int i = 1; i < argc; i++)
        (void)printf("%s|", argv[i]);
    (void)printf("%s|%d\n", program_invocation_short_name,
                 environ == environ_before && getenv("KEPT") == variable);
    return 0;
}

static const struct {
    const char *argv[6];
    const char *cmdline; /* its padding of NULs aside */
    size_t room;         /* all the arguments with their NULs */
    const char *arguments;
} titles[] = {
    {{"drover", "child", "main", "with", "room"},
     "drover: worker main/0",
     28,
     "child|main|with|room|drover|1"},
    {{"drover", "child", "main"}, "drover: worker ma", 18, "child|main|drover|1"},
    {{"/x/drover", "child", ""}, "drover: worker /", 17, "child||drover|1"},
};

static void read_child(const char *const *argv, struct buf *out)
{
    static const char *const env[] = {"KEPT=value of it", "OTHER=x", NULL};
    struct spawn spec = {
        .file = "/proc/self/exe", .argv = argv, .envp = env, .fds = {-1, -1, 2}};
    char bytes[1024];
    int fds[2], status;
    ssize_t n;
    pid_t pid;

    ck_assert_int_eq(pipe2(fds, O_CLOEXEC), 0);
    spec.fds[1] = fds[1];
    pid = spawn_hook(&spec, NULL, NULL);
    ck_assert_int_gt(pid, 0);
    (void)close(fds[1]);
    buf_init(out, 0);
    while ((n = read(fds[0], bytes, sizeof(bytes))) > 0)
        ck_assert_int_eq(buf_add(out, bytes, (size_t)n), 0);
    ck_assert_int_eq(waitpid(pid, &status, 0), pid);
    ck_assert_int_eq(status, 0);
}

START_TEST(the_title_stays_within_argv)
{
    struct buf out, want;
    size_t len = strlen(titles[_i].cmdline);

    read_child(titles[_i].argv, &out);
    buf_init(&want, 0);
    (void)buf_add_text(&want, titles[_i].cmdline);
    for (; len < titles[_i].room; len++)
        (void)buf_add_char(&want, '|');
    (void)buf_addf(&want, "\nKEPT=value of it|OTHER=x|\n%s\n", titles[_i].arguments);
    ck_assert_str_eq(out.data, want.data);
    buf_free(&out);
    buf_free(&want);
}
END_TEST

static void add_tests(TCase *tc)
{
    tcase_add_loop_test(tc, the_title_stays_within_argv, 0, ARRAY_CT(titles));
}

int main(int argc, char **argv)
{
    if (argc > 1 && strcmp(argv[1], "child") == 0)
        return be_child(argc, argv);
    return run_suite("proctitle", 60, add_tests);
}
