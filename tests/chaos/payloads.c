/* The bytes of a planned job, and finding its number in bytes again. Pure.
 *
 * A good job carries its number in its uuid; a bad payload, which has no fields to speak
 * of, between two marks. */
#include <stdlib.h>
#include <string.h>

#include "tests/chaos/plan.h"

#define UUID_HEAD "c4a05000-0000-4000-8000-"
#define MARK "#chaos:"

enum { BAD_DEEP = 1200 };

void plan_uuid(uint32_t n, char text[37])
{
    (void)snprintf(text, 37, UUID_HEAD "%012x", n);
}

static void add_mark(struct buf *out, uint32_t n)
{
    (void)buf_addf(out, MARK "%08x#", n);
}

static void add_bad(const struct planned_job *job, struct buf *out)
{
    static const char nul[] = "{\"job\":\"quick\"\0,";

    switch (job->fails) {
    case 0:
        (void)buf_add(out, "\xff\xfe\x00\x01", 4);
        break;
    case 1:
        (void)buf_add(out, nul, sizeof(nul) - 1);
        break;
    case 2:
        (void)buf_add_text(out, "[1, 2, ");
        break;
    case 3:
        for (int i = 0; i < BAD_DEEP; i++)
            (void)buf_add_char(out, '[');
        break;
    case 4:
        (void)buf_add_text(out, "\"a text ");
        add_mark(out, job->n);
        (void)buf_add_char(out, '"');
        return;
    case 5:
        (void)buf_add_text(out, "{\"job\":17,\"data\":\"");
        add_mark(out, job->n);
        (void)buf_add_text(out, "\"}");
        return;
    case 6:
        (void)buf_add_text(out, "{\"job\":\"quick\"");
        break;
    default:
        (void)buf_add_text(out, "O:8:\"stdClass\":0:{}");
        break;
    }
    add_mark(out, job->n);
}

static void add_policy(const struct planned_job *job, struct buf *out)
{
    if (job->kind == JOB_STUBBORN)
        (void)buf_add_text(out, "\"maxTries\":1,\"timeout\":1,");
}

void plan_payload(const struct planned_job *job, uint64_t seed, struct buf *out)
{
    const char *name = job_kind_names[job->kind];
    char uuid[37];

    if (job->kind == JOB_BAD) {
        add_bad(job, out);
        return;
    }
    plan_uuid(job->n, uuid);
    (void)buf_addf(out, "{\"uuid\":\"%s\",\"displayName\":\"%s\",\"job\":\"%s\",%s", uuid,
                   name, name, job->kind == JOB_TWIN ? "" : "\"attempts\":0,");
    add_policy(job, out);
    (void)buf_addf(out,
                   "\"data\":{\"seed\":%llu,\"n\":%u,\"ms\":%u,\"fails\":%u,\"[]\":[]}}",
                   (unsigned long long)seed, job->n, job->run_ms, job->fails);
}

static long number_after(struct slice payload, const char *head)
{
    const char *at = memmem(payload.ptr, payload.len, head, strlen(head));
    char digits[13] = "";
    size_t len = 0;

    if (at == NULL)
        return -1;
    at += strlen(head);
    while (len < sizeof(digits) - 1 && at + len < payload.ptr + payload.len &&
           strchr("0123456789abcdef", at[len]) && at[len] != '\0') {
        digits[len] = at[len];
        len++;
    }
    return len == 0 ? -1 : strtol(digits, NULL, 16);
}

long plan_find_number(struct slice payload)
{
    long n = number_after(payload, UUID_HEAD);

    return n >= 0 ? n : number_after(payload, MARK);
}
