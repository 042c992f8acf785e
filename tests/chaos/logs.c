/* Following drover's logs. */
#include "tests/chaos/logs.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define NS_PER_S INT64_C(1000000000)

/* A window, and the lines of one event from one process that are a storm in it: more than
 * twice one a second. Events of jobs come with the jobs. */
enum { WINDOW_S = 10, STORM_CT = 20 };

void logs_open(struct logs *logs, const char *const *paths, size_t job_ct)
{
    *logs = (struct logs){.mark_ct = job_ct};
    logs->marks = must_alloc((job_ct + 1) * sizeof(logs->marks[0]));
    for (int host = 0; host < PLAN_HOSTS; host++) {
        logs->fds[host] = open(paths[host], O_RDONLY | O_CREAT | O_CLOEXEC, 0600);
        MUST(logs->fds[host] >= 0);
        buf_init(&logs->parts[host], 0);
    }
}

/* The value of a field of a logfmt line, without quotes; "" where there is none. */
static void read_field(const char *line, const char *name, char *text, size_t size)
{
    char key[32];
    const char *at;
    size_t len;

    (void)snprintf(key, sizeof(key), " %s=", name);
    at = strstr(line, key);
    text[0] = '\0';
    if (at == NULL)
        return;
    at += strlen(key);
    at += *at == '"';
    len = strcspn(at, " \"\n");
    if (len >= size)
        len = size - 1;
    memcpy(text, at, len);
    text[len] = '\0';
}

static bool is_of_a_job(const char *event)
{
    return strncmp(event, "job.", 4) == 0 || strncmp(event, "worker.", 7) == 0 ||
           strncmp(event, "lease.", 6) == 0 || strcmp(event, "queue.lost") == 0 ||
           strcmp(event, "queue.settled_before") == 0 ||
           strcmp(event, "queue.regained") == 0;
}

static void count_rate(struct logs *logs, const char *key)
{
    for (size_t i = 0; i < LOG_RATES; i++) {
        struct log_rate *rate = &logs->rates[i];

        if (rate->key[0] == '\0')
            (void)snprintf(rate->key, sizeof(rate->key), "%s", key);
        if (strcmp(rate->key, key) != 0)
            continue;
        rate->ct++;
        logs->storm_ct += rate->ct == STORM_CT + 1;
        if (rate->ct > logs->worst_ct) {
            logs->worst_ct = rate->ct;
            (void)snprintf(logs->worst, sizeof(logs->worst), "%s", key);
        }
        return;
    }
}

static void mark_job(struct logs *logs, const char *event, const char *line)
{
    char uuid[64];
    long n;

    read_field(line, "uuid", uuid, sizeof(uuid));
    n = plan_find_number(slice_text(uuid));
    if (n < 0 || (size_t)n >= logs->mark_ct)
        return;
    logs->marks[n].done += strcmp(event, "job.done") == 0;
    logs->marks[n].failed += strcmp(event, "job.failed") == 0;
    logs->marks[n].alone += strcmp(event, "job.alone") == 0;
    logs->marks[n].returned += strcmp(event, "job.returned") == 0;
}

static bool is_report(const char *line)
{
    return strstr(line, "Sanitizer") || strstr(line, "runtime error:") ||
           strstr(line, "drover: bug");
}

void logs_line(struct logs *logs, int host, const char *line)
{
    char event[40], who[LOG_WHO], key[96];

    logs->line_ct++;
    if (is_report(line)) {
        if (logs->report_ct++ == 0)
            (void)snprintf(logs->report, sizeof(logs->report), "%s", line);
        return;
    }
    read_field(line, "event", event, sizeof(event));
    if (strncmp(event, "job.", 4) == 0)
        mark_job(logs, event, line);
    logs->hung_ct += strcmp(event, "worker.hung") == 0;
    if (event[0] == '\0' || is_of_a_job(event))
        return;
    read_field(line, "who", who, sizeof(who));
    (void)snprintf(key, sizeof(key), "%d %.40s %.40s", host, who, event);
    count_rate(logs, key);
}

static void read_lines(struct logs *logs, int host)
{
    struct buf *part = &logs->parts[host];
    char block[16384], *end;
    size_t used = 0;
    ssize_t n;

    while ((n = read(logs->fds[host], block, sizeof(block))) > 0)
        (void)buf_add(part, block, (size_t)n);
    if (part->len == 0)
        return;
    while ((end = memchr(part->data + used, '\n', part->len - used)) != NULL) {
        *end = '\0';
        logs_line(logs, host, part->data + used);
        used = (size_t)(end + 1 - part->data);
    }
    buf_drop_front(part, used);
}

void logs_tick(struct logs *logs, int64_t now_ns)
{
    if (now_ns > logs->window_ends_ns) {
        memset(logs->rates, 0, sizeof(logs->rates));
        logs->window_ends_ns = now_ns + WINDOW_S * NS_PER_S;
    }
    for (int host = 0; host < PLAN_HOSTS; host++)
        read_lines(logs, host);
}

void logs_close(struct logs *logs)
{
    for (int host = 0; host < PLAN_HOSTS; host++) {
        (void)close(logs->fds[host]);
        buf_free(&logs->parts[host]);
    }
    free(logs->marks);
}
