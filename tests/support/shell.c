/* Running shell lines for tests: fork, exec /bin/sh, read what it says. Used outside of
 * tests too (in main()), where Check's own assertions cannot be. */
#include "tests/support/shell.h"

#include <errno.h>
#include <fcntl.h>
#include <pty.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/support/acl.h"

static const char *find_drover(void)
{
    const char *binary = getenv("DROVER_BINARY");

    return binary ? binary : "./drover";
}

static void write_config(const struct shell *shell, const char *settings)
{
    char path[96];
    FILE *file;

    snprintf(path, sizeof(path), "%s/drover.conf", shell->dir);
    file = fopen(path, "we");
    MUST(file != NULL);
    fprintf(file,
            "redis: { url = \"unix://%s?username=" ACL_USER "&password=" ACL_PASSWORD
            "\"; };\nstate_dir = \"%s/state\";\n%s\n",
            shell->redis.socket, shell->dir, settings);
    fclose(file);
    setenv("DROVER_CONFIG", path, 1);
}

struct shell *shell_open(const char *settings)
{
    static const char *const laravel[] = {"REDIS_URL", "REDIS_HOST",    "REDIS_PORT",
                                          "REDIS_DB",  "REDIS_PREFIX",  "REDIS_QUEUE",
                                          "NO_COLOR",  "REDIS_PASSWORD"};
    struct shell *shell = must_alloc(sizeof(*shell));
    char *binary = realpath(find_drover(), NULL);

    MUST(binary != NULL);
    snprintf(shell->dir, sizeof(shell->dir), "/tmp/drover-test-XXXXXX");
    MUST(mkdtemp(shell->dir) != NULL);
    redis_process_begin(&shell->redis, REDIS_IN_MEMORY);
    for (size_t i = 0; i < ARRAY_CT(laravel); i++)
        unsetenv(laravel[i]);
    write_config(shell, settings);
    setenv("D", binary, 1);
    setenv("S", shell->redis.socket, 1);
    setenv("T", shell->dir, 1);
    free(binary);
    buf_init(&shell->out, 0);
    buf_init(&shell->err, 0);
    return shell;
}

void shell_close(struct shell *shell)
{
    shell_run(shell, "rm -rf \"$T\"");
    redis_process_end(&shell->redis);
    buf_free(&shell->out);
    buf_free(&shell->err);
    free(shell);
}

static void read_file(const struct shell *shell, const char *name, struct buf *text)
{
    char path[96], bytes[4096];
    FILE *file;
    size_t n;

    snprintf(path, sizeof(path), "%s/%s", shell->dir, name);
    file = fopen(path, "re");
    buf_clear(text);
    buf_add_text(text, "");
    while (file && (n = fread(bytes, 1, sizeof(bytes), file)) > 0)
        buf_add(text, bytes, n);
    if (file)
        fclose(file);
}

static void trim(struct buf *text)
{
    if (text->len > 0 && text->data[text->len - 1] == '\n')
        text->data[--text->len] = '\0';
}

/* In the child. Programs in a pipe are to end when nobody reads them any more, whatever
 * the test has been started with. */
__attribute__((noreturn)) static void exec_line(const char *line)
{
    (void)signal(SIGPIPE, SIG_DFL);
    execl("/bin/sh", "sh", "-c", line, (char *)NULL);
    _exit(127);
}

/* Between fork and exec in the child. */
static void redirect(const struct shell *shell)
{
    static const char *const names[] = {"out", "err"};
    int null = open("/dev/null", O_RDONLY);
    char path[96];

    dup2(null, STDIN_FILENO);
    for (int i = 0; i < 2; i++) {
        int fd;

        snprintf(path, sizeof(path), "%s/%s", shell->dir, names[i]);
        fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
        dup2(fd, i + 1);
    }
}

static int wait_for(struct shell *shell, pid_t pid)
{
    int status;

    while (waitpid(pid, &status, 0) < 0)
        MUST(errno == EINTR);
    shell->exit_code = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
    return shell->exit_code;
}

int shell_run(struct shell *shell, const char *fmt, ...)
{
    va_list ap;
    char *line = NULL, *whole;
    pid_t pid;

    va_start(ap, fmt);
    MUST(vasprintf(&line, fmt, ap) >= 0);
    va_end(ap);
    whole = must_format("%s%s", shell->prelude ? shell->prelude : "", line);
    free(line);
    pid = fork();
    MUST(pid >= 0);
    if (pid == 0) {
        redirect(shell);
        exec_line(whole);
    }
    free(whole);
    wait_for(shell, pid);
    read_file(shell, "out", &shell->out);
    read_file(shell, "err", &shell->err);
    trim(&shell->out);
    trim(&shell->err);
    return shell->exit_code;
}

int shell_run_tty(struct shell *shell, const char *input, const char *line)
{
    char bytes[4096];
    ssize_t n;
    int terminal;
    pid_t pid = forkpty(&terminal, NULL, NULL, NULL);

    MUST(pid >= 0);
    if (pid == 0)
        exec_line(line);
    n = write(terminal, input, strlen(input));
    MUST(n == (ssize_t)strlen(input));
    buf_clear(&shell->out);
    buf_clear(&shell->err);
    /* The other end's last close is an EIO here. */
    while ((n = read(terminal, bytes, sizeof(bytes))) > 0)
        buf_add(&shell->out, bytes, (size_t)n);
    close(terminal);
    return wait_for(shell, pid);
}
