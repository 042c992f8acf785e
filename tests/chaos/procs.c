/* Reading /proc. A process may go at any moment: what cannot be read is not there. */
#include "tests/chaos/procs.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/must.h"

enum { ENVIRON_MAX = 65536 };

static ssize_t read_of(pid_t pid, const char *name, char *text, size_t size)
{
    char path[64];
    ssize_t len;
    int fd;

    (void)snprintf(path, sizeof(path), "/proc/%d/%s", (int)pid, name);
    fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return -1;
    len = read(fd, text, size - 1);
    (void)close(fd);
    if (len >= 0)
        text[len] = '\0';
    return len;
}

static int read_proc(pid_t pid, struct proc *proc)
{
    char text[1024];
    const char *end;
    int parent;

    if (read_of(pid, "stat", text, sizeof(text)) <= 0)
        return -1;
    end = strrchr(text, ')');
    if (end == NULL || sscanf(end + 1, " %c %d", &proc->state, &parent) != 2)
        return -1;
    proc->pid = pid;
    proc->parent = parent;
    return 0;
}

void procs_read(struct procs *procs)
{
    DIR *dir = opendir("/proc");
    struct dirent *entry;
    struct proc proc;
    size_t room = 0;

    *procs = (struct procs){0};
    MUST(dir != NULL);
    while ((entry = readdir(dir)) != NULL) {
        long pid = strtol(entry->d_name, NULL, 10);

        if (pid <= 0 || read_proc((pid_t)pid, &proc) != 0)
            continue;
        if (procs->ct == room) {
            room = room ? room * 2 : 256;
            procs->list = must_realloc(procs->list, room, sizeof(procs->list[0]));
        }
        procs->list[procs->ct++] = proc;
    }
    (void)closedir(dir);
}

void procs_free(struct procs *procs)
{
    free(procs->list);
    *procs = (struct procs){0};
}

const struct proc *procs_find(const struct procs *procs, pid_t pid)
{
    for (size_t i = 0; i < procs->ct; i++)
        if (procs->list[i].pid == pid)
            return &procs->list[i];
    return NULL;
}

void proc_describe(pid_t pid, char *text, size_t size)
{
    ssize_t len = read_of(pid, "cmdline", text, size);

    if (len < 0)
        (void)snprintf(text, size, "gone");
    for (ssize_t i = 0; i + 1 < len; i++)
        if (text[i] == '\0')
            text[i] = ' ';
}

static bool is_worker(pid_t pid)
{
    static const char title[] = "drover: worker";
    char text[64];

    proc_describe(pid, text, sizeof(text));
    return strncmp(text, title, sizeof(title) - 1) == 0;
}

size_t procs_workers(const struct procs *procs, pid_t supervisor, pid_t *pids, size_t max)
{
    size_t ct = 0;

    for (size_t i = 0; i < procs->ct && ct < max; i++)
        if (procs->list[i].parent == supervisor && procs->list[i].state != 'Z' &&
            is_worker(procs->list[i].pid))
            pids[ct++] = procs->list[i].pid;
    return ct;
}

static bool descends_from(const struct procs *procs, pid_t pid, pid_t root)
{
    for (int depth = 0; depth < 64 && pid > 1; depth++) {
        const struct proc *proc = procs_find(procs, pid);

        if (proc == NULL)
            return false;
        if (proc->parent == root)
            return true;
        pid = proc->parent;
    }
    return false;
}

size_t procs_descendants(const struct procs *procs, pid_t root, pid_t *pids, size_t max)
{
    size_t ct = 0;

    for (size_t i = 0; i < procs->ct && ct < max; i++)
        if (descends_from(procs, procs->list[i].pid, root))
            pids[ct++] = procs->list[i].pid;
    return ct;
}

static bool is_marked(pid_t pid, const char *text, char *space)
{
    ssize_t len = read_of(pid, "environ", space, ENVIRON_MAX);

    return len > 0 && memmem(space, (size_t)len, text, strlen(text)) != NULL;
}

size_t procs_marked(const struct procs *procs, const char *text, pid_t *pids, size_t max)
{
    char *space = must_alloc(ENVIRON_MAX);
    size_t ct = 0;

    for (size_t i = 0; i < procs->ct && ct < max; i++)
        if (procs->list[i].pid != getpid() && procs->list[i].state != 'Z' &&
            is_marked(procs->list[i].pid, text, space))
            pids[ct++] = procs->list[i].pid;
    free(space);
    return ct;
}

long proc_fd_ct(pid_t pid)
{
    char path[64];
    long ct = 0;
    DIR *dir;

    (void)snprintf(path, sizeof(path), "/proc/%d/fd", (int)pid);
    dir = opendir(path);
    if (dir == NULL)
        return -1;
    while (readdir(dir) != NULL)
        ct++;
    (void)closedir(dir);
    return ct - 2; /* . and .. */
}

long proc_rss_kib(pid_t pid)
{
    char text[256];
    long size, resident, shared;

    if (read_of(pid, "statm", text, sizeof(text)) <= 0 ||
        sscanf(text, "%ld %ld %ld", &size, &resident, &shared) != 3)
        return -1;
    return (resident - shared) * (sysconf(_SC_PAGESIZE) / 1024);
}
