/* A co-process for tests, which does what it should not: how it boots stands in its first
 * argument; what it answers when it is asked for its application's state in the file that
 * the second names (the header of a frame; nothing: it falls silent); what it does with a
 * job in the first word of the payload's data, and what when it is asked about a job that
 * another has died of in the second: boot: good, states, silent, dies, garbage, old
 * job: see deeds[] then: after-fail, after-release, after-crash, after-hang
 */
#include <arpa/inet.h>
#include <signal.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/must.h"

enum { IN = 3, OUT = 4 };

static void put(const void *bytes, size_t len)
{
    const char *at = bytes;
    ssize_t n;

    for (; len > 0; at += n, len -= (size_t)n)
        if ((n = write(OUT, at, len)) <= 0)
            _exit(9);
}

static void put_length(size_t len)
{
    uint32_t wire = htonl((uint32_t)len);

    put(&wire, sizeof(wire));
}

static void say(const char *body, const char *fmt, ...)
    __attribute__((format(printf, 2, 3)));

static void say(const char *body, const char *fmt, ...)
{
    char header[512];
    va_list ap;
    int len;

    va_start(ap, fmt);
    len = vsnprintf(header, sizeof(header), fmt, ap);
    va_end(ap);
    put_length((size_t)len);
    put_length(strlen(body));
    put(header, (size_t)len);
    put(body, strlen(body));
}

/* All of `len` bytes, or the end of this process with that of its input. */
static char *get(size_t len)
{
    char *bytes = must_alloc(len + 1);
    ssize_t n;

    for (size_t at = 0; at < len; at += (size_t)n)
        if ((n = read(IN, bytes + at, len - at)) <= 0)
            _exit(0);
    return bytes;
}

static size_t get_length(void)
{
    char *bytes = get(4);
    uint32_t wire;

    memcpy(&wire, bytes, sizeof(wire));
    free(bytes);
    return ntohl(wire);
}

struct job {
    long long id;
    unsigned nth; /* of this process, from 1 */
    const char *header;
};

static void verdict(const struct job *job, const char *word)
{
    say("", "{\"type\":\"verdict\",\"id\":%lld,\"verdict\":\"%s\"}", job->id, word);
}

static void done(const struct job *job)
{
    say("", "{\"type\":\"done\",\"id\":%lld,\"memory\":1000,\"new\":[{}]}", job->id);
}

static void fail(const struct job *job)
{
    say("the trace\n",
        "{\"type\":\"verdict\",\"id\":%lld,\"verdict\":\"fail\",\"reason\":"
        "\"Broken: quite\\u0007\"}",
        job->id);
}

static void work(const struct job *job)
{
    verdict(job, "delete");
    done(job);
}

static void release(const struct job *job)
{
    say("", "{\"type\":\"verdict\",\"id\":%lld,\"verdict\":\"release\",\"delay\":7.25}",
        job->id);
    done(job);
}

static void fail_done(const struct job *job)
{
    verdict(job, "delete");
    fail(job);
    verdict(job, "release"); /* too late */
    done(job);
}

static void talk(const struct job *job)
{
    (void)fputs("on stdout\n", stdout);
    (void)fflush(stdout);
    (void)fputs("on stderr\n", stderr);
    fail_done(job);
}

static void fall(const struct job *job UNUSED)
{
    struct sigaction standard = {.sa_handler = SIG_DFL};

    (void)sigaction(SIGSEGV, &standard, NULL); /* a sanitizer has its own */
    (void)fputs("first words\nlast words\n\n", stderr);
    (void)raise(SIGSEGV);
}

static void leave(const struct job *job UNUSED)
{
    _exit(4);
}

static void hang(const struct job *job UNUSED)
{
    (void)signal(SIGTERM, SIG_IGN);
    for (;;)
        (void)pause();
}

static void obey(const struct job *job UNUSED)
{
    for (;;)
        (void)pause();
}

static void rave(const struct job *job UNUSED)
{
    put("xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx", 32);
    hang(job);
}

static void rave_in_json(const struct job *job)
{
    say("", "[\"not\", \"an object\"]");
    hang(job);
}

static void invent(const struct job *job)
{
    say("", "{\"type\":\"surprise\",\"id\":%lld}", job->id);
    hang(job);
}

static void say_half(const struct job *job UNUSED)
{
    put_length(100);
    put_length(0);
    put("{\"type\":", 8);
    _exit(0);
}

static void say_much(const struct job *job)
{
    put_length(2);
    put_length(0x7fffffff);
    put("{}", 2);
    hang(job);
}

/* More than anybody should keep: a frame of the longest kind, and no end. */
static void babble(const struct job *job UNUSED)
{
    static const char bytes[4096];

    put_length(64 * 1024);
    put_length(1024 * 1024);
    for (;;)
        put(bytes, sizeof(bytes));
}

static void mix_up(const struct job *job)
{
    struct job other = {.id = job->id + 1};

    work(&other);
    hang(job);
}

static void fail_and_fall(const struct job *job)
{
    fail(job);
    fall(job);
}

static void delete_and_fall(const struct job *job)
{
    verdict(job, "delete");
    fall(job);
}

static void chatter(const struct job *job)
{
    work(job);
    verdict(job, "delete");
}

static void grow(const struct job *job)
{
    verdict(job, "delete");
    say("", "{\"type\":\"done\",\"id\":%lld,\"memory\":1073741824}", job->id);
}

static void want_to_go(const struct job *job)
{
    verdict(job, "delete");
    say("", "{\"type\":\"done\",\"id\":%lld,\"leave\":true}", job->id);
}

static void time_out(const struct job *job)
{
    say("", "{\"type\":\"timeout\",\"id\":%lld}", job->id);
    (void)raise(SIGKILL);
}

static void time_out_and_fail(const struct job *job)
{
    say("", "{\"type\":\"timeout\",\"id\":%lld}", job->id);
    fail(job);
    (void)raise(SIGKILL);
}

static void fall_silent(const struct job *job)
{
    (void)close(OUT);
    hang(job);
}

static void volunteer(const struct job *job)
{
    say("", "{\"type\":\"state\"}");
    hang(job);
}

static void explain(const struct job *job UNUSED)
{
    say("", "{\"type\":\"dying\",\"reason\":\"out of something\"}");
    _exit(255);
}

static void show(const struct job *job)
{
    say("",
        "{\"type\":\"verdict\",\"id\":%lld,\"verdict\":\"release\",\"reason\":"
        "\"job %u of its process\"}",
        job->id, job->nth);
    done(job);
}

static void repeat_header(const struct job *job)
{
    (void)fputs(job->header, stderr);
    fail_done(job);
}

static const struct {
    const char *word;
    void (*act)(const struct job *job);
} deeds[] = {
    {"work", work},
    {"release", release},
    {"fail-and-fall", fail_and_fall},
    {"delete-and-fall", delete_and_fall},
    {"fail", fail_done},
    {"none", done},
    {"talk", talk},
    {"segv", fall},
    {"exit", leave},
    {"hang", hang},
    {"obey", obey},
    {"rave-in-json", rave_in_json},
    {"rave", rave},
    {"invent", invent},
    {"half", say_half},
    {"much", say_much},
    {"babble", babble},
    {"mix-up", mix_up},
    {"chatter", chatter},
    {"grow", grow},
    {"want-to-go", want_to_go},
    {"time-out-and-fail", time_out_and_fail},
    {"time-out", time_out},
    {"fall-silent", fall_silent},
    {"explain", explain},
    {"volunteer", volunteer},
    {"show", show},
    {"header", repeat_header},
};

static void act_after(const struct job *job, const char *body)
{
    if (strstr(body, "after-fail"))
        fail_done(job);
    else if (strstr(body, "after-release"))
        release(job);
    else if (strstr(body, "after-crash"))
        fall(job);
    else if (strstr(body, "after-hang"))
        hang(job);
    else
        done(job);
}

static void act(const struct job *job, const char *body)
{
    const char *word;

    if (strstr(job->header, "\"type\":\"after\"")) {
        act_after(job, body);
        return;
    }
    word = strstr(body, "\"data\":\"") + strlen("\"data\":\"");
    for (size_t i = 0; i < ARRAY_CT(deeds); i++)
        if (strcspn(word, " \"") == strlen(deeds[i].word) &&
            strncmp(word, deeds[i].word, strlen(deeds[i].word)) == 0) {
            deeds[i].act(job);
            return;
        }
    _exit(8);
}

/* Reads a frame; the body is the caller's to free, and so is the header. */
static char *get_frame(char **header)
{
    size_t header_len = get_length(), body_len = get_length();

    *header = get(header_len);
    return get(body_len);
}

static void boot(const char *how)
{
    if (strcmp(how, "silent") == 0)
        hang(NULL);
    if (strcmp(how, "dies") == 0) {
        (void)fputs("cannot boot\n", stderr);
        _exit(3);
    }
    if (strcmp(how, "garbage") == 0)
        (void)puts("(stdout is of no concern)"), put("PHP Warning: x\n", 15);
    say("{}", "{\"type\":\"hello\",\"protocol\":%d,\"state\":%s}",
        strcmp(how, "old") == 0 ? 0 : 1, strcmp(how, "states") == 0 ? "true" : "false");
}

static void tell_state(const char *path)
{
    char header[512];
    FILE *file = fopen(path, "re");
    size_t len = file ? fread(header, 1, sizeof(header) - 1, file) : 0;

    if (len == 0)
        hang(NULL);
    header[len] = '\0';
    say("", "%s", header);
    (void)fclose(file);
}

int main(int argc, char **argv)
{
    struct job job = {0};
    char *header, *body = get_frame(&header);

    boot(argc > 1 ? argv[1] : "good");
    for (;;) {
        free(body);
        free(header);
        body = get_frame(&header);
        if (argc > 2 && strstr(header, "\"type\":\"state\"")) {
            tell_state(argv[2]);
            continue;
        }
        job.id = strtoll(strstr(header, "\"id\":") + 5, NULL, 10);
        job.nth++;
        job.header = header;
        act(&job, body);
    }
}
