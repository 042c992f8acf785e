/* Writing and reading the ledger's lines. Must not know what they mean. */
#include "tests/chaos/ledger.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/buf.h"
#include "tests/chaos/files.h"

int64_t ledger_now_ns(void)
{
    struct timespec now;

    (void)clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
}

int ledger_write(int fd, const struct record *record)
{
    char line[128];
    int len = snprintf(line, sizeof(line), "%c %u %d %d %d %d %lld %d\n", record->what,
                       record->n, record->host, (int)record->worker, (int)record->pid,
                       record->attempt, (long long)record->at_ns, record->ok);

    return write(fd, line, (size_t)len) == len ? 0 : -1;
}

static int parse_line(const char *line, struct record *record)
{
    int worker, pid;
    long long at_ns;

    *record = (struct record){0};
    if (sscanf(line, "%c %u %d %d %d %d %lld %d", &record->what, &record->n,
               &record->host, &worker, &pid, &record->attempt, &at_ns,
               &record->ok) != 8 ||
        strchr("SEO", record->what) == NULL)
        return -1;
    record->worker = worker;
    record->pid = pid;
    record->at_ns = at_ns;
    return 0;
}

static int by_time(const void *a, const void *b)
{
    const struct record *x = a, *y = b;

    return (x->at_ns > y->at_ns) - (x->at_ns < y->at_ns);
}

static void add_record(struct ledger *ledger, const struct record *record)
{
    if ((ledger->ct & (ledger->ct - 1)) == 0) /* full at every power of two */
        ledger->records = must_realloc(ledger->records, ledger->ct ? ledger->ct * 2 : 1,
                                       sizeof(ledger->records[0]));
    ledger->records[ledger->ct++] = *record;
}

void ledger_parse(struct ledger *ledger, const char *text)
{
    struct record record;

    *ledger = (struct ledger){0};
    while (*text) {
        if (parse_line(text, &record) == 0)
            add_record(ledger, &record);
        else
            ledger->bad_ct++;
        text += strcspn(text, "\n");
        text += *text == '\n';
    }
    if (ledger->ct > 0)
        qsort(ledger->records, ledger->ct, sizeof(ledger->records[0]), by_time);
}

int ledger_read(struct ledger *ledger, const char *path)
{
    char *text = file_read(path);

    *ledger = (struct ledger){0};
    if (text == NULL)
        return -1;
    ledger_parse(ledger, text);
    free(text);
    return 0;
}

void ledger_free(struct ledger *ledger)
{
    free(ledger->records);
    *ledger = (struct ledger){0};
}
