/* Log lines: rendering, escaping, bounds, and that writing them never blocks. */
#include <check.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/log.h"
#include "tests/unit/suite.h"

static const int64_t wall_ms = 1795261449123;
#define TS "2026-11-21T11:44:09.123Z"

static void render(struct buf *out, enum log_format format, const char *who,
                   const struct log_field *fields, size_t field_ct)
{
    buf_init(out, 0);
    log_render(out, format, wall_ms, LOG_INFO, who, "job.done", fields, field_ct);
}

static void assert_lines(const struct log_field *fields, size_t field_ct,
                         const char *logfmt, const char *json)
{
    struct buf out;

    render(&out, LOG_LOGFMT, "main/0", fields, field_ct);
    ck_assert_str_eq(out.data, logfmt);
    buf_free(&out);
    render(&out, LOG_JSON, "main/0", fields, field_ct);
    ck_assert_str_eq(out.data, json);
    buf_free(&out);
}

START_TEST(a_line_has_all_its_fields)
{
    const struct log_field fields[] = {
        log_str("queue", "high"), log_int("exit", 3),     log_int("delta", -5),
        log_opt("cpu_ms", -1),    log_opt("run_ms", 0),   log_str("none", NULL),
        log_bool("last", true),   log_bool("old", false), log_str("empty", "")};

    assert_lines(fields, ARRAY_CT(fields),
                 "ts=" TS " level=info event=job.done who=main/0 queue=high exit=3 "
                 "delta=-5 run_ms=0 last=true old=false empty=\"\"\n",
                 "{\"ts\":\"" TS "\",\"level\":\"info\",\"event\":\"job.done\","
                 "\"who\":\"main/0\",\"queue\":\"high\",\"exit\":3,\"delta\":-5,"
                 "\"run_ms\":0,\"last\":true,\"old\":false,\"empty\":\"\"}\n");
}
END_TEST

START_TEST(an_unnamed_process_leaves_who_out)
{
    struct buf out;

    render(&out, LOG_LOGFMT, "", NULL, 0);
    ck_assert_str_eq(out.data, "ts=" TS " level=info event=job.done\n");
    buf_free(&out);
}
END_TEST

static const struct {
    const char *value, *logfmt, *json;
} values[] = {
    {"two words", "\"two words\"", "\"two words\""},
    {"say \"hi\"", "\"say \\\"hi\\\"\"", "\"say \\\"hi\\\"\""},
    {"App\\Jobs\\X", "\"App\\\\Jobs\\\\X\"", "\"App\\\\Jobs\\\\X\""},
    {"a=b", "\"a=b\"", "\"a=b\""},
    {"x\nlevel=error", "\"x\\\\x0alevel=error\"", "\"x\\\\x0alevel=error\""},
    {"\x1b[31mred", "\"\\\\x1b[31mred\"", "\"\\\\x1b[31mred\""},
    {"\xe2\x80\xae", "\"\\\\xe2\\\\x80\\\\xae\"", "\"\\\\xe2\\\\x80\\\\xae\""},
    {"\xff", "\"\\\\xff\"", "\"\\\\xff\""},
    {"caf\xc3\xa9", "\"caf\xc3\xa9\"", "\"caf\xc3\xa9\""},
    {"{plain:[1,2]}", "{plain:[1,2]}", "\"{plain:[1,2]}\""},
};

START_TEST(values_cannot_forge_lines_or_fields)
{
    const struct log_field field = log_str("name", values[_i].value);
    char *logfmt = must_format("ts=" TS " level=info event=job.done who=main/0 name=%s\n",
                               values[_i].logfmt);
    char *json = must_format("{\"ts\":\"" TS "\",\"level\":\"info\",\"event\":"
                             "\"job.done\",\"who\":\"main/0\",\"name\":%s}\n",
                             values[_i].json);

    assert_lines(&field, 1, logfmt, json);
    free(logfmt);
    free(json);
}
END_TEST

START_TEST(a_long_value_is_cut_between_characters)
{
    struct buf out, text;
    struct log_field field;

    buf_init(&text, 0);
    for (int i = 0; i < 1000; i++)
        (void)buf_add_text(&text, "\xe2\x82\xac");
    field = log_slice("v", buf_slice(&text));
    render(&out, LOG_LOGFMT, "", &field, 1);
    ck_assert_uint_eq(out.len, strlen("ts=" TS " level=info event=job.done v=\"\"\n") +
                                   LOG_FIELD_BYTES / 3 * 3);
    buf_free(&out);
    buf_free(&text);
}
END_TEST

/* Every size of fields: the line stays within what a pipe takes whole, ends with its
 * newline, and says so where something was left out. */
START_TEST(a_line_fits_a_pipe_write)
{
    static const char *const fills[] = {"x", "\x01", "\\", "\""};
    enum log_format format = _i % 2 ? LOG_JSON : LOG_LOGFMT;
    char value[600];
    bool was_cut = false;

    for (size_t i = 0; i < sizeof(value) - 1; i++)
        value[i] = fills[_i / 2][0];
    for (size_t len = 0; len < sizeof(value); len++) {
        struct log_field field = log_slice("value", slice_of(value, len));
        const struct log_field fields[] = {field, field, field, field,
                                           field, field, field, field};
        struct buf out;
        bool cut;

        render(&out, format, "main/0", fields, ARRAY_CT(fields));
        cut = strstr(out.data, "cut") != NULL;
        ck_assert_uint_le(out.len, PIPE_BUF);
        ck_assert_int_eq(out.data[out.len - 1], '\n');
        ck_assert_ptr_eq(strchr(out.data, '\n'), out.data + out.len - 1);
        ck_assert(cut || !was_cut);
        was_cut = cut;
        buf_free(&out);
    }
    ck_assert(was_cut);
}
END_TEST

/* stderr becomes the write end; returns the read end. The test runs in its own process.
 */
static int catch_stderr(bool socket)
{
    int fds[2];

    if (socket)
        ck_assert_int_eq(socketpair(AF_UNIX, SOCK_STREAM, 0, fds), 0);
    else
        ck_assert_int_eq(pipe(fds), 0);
    ck_assert_int_eq(dup2(fds[1], STDERR_FILENO), STDERR_FILENO);
    (void)close(fds[1]);
    ck_assert_int_eq(fcntl(fds[0], F_SETFL, O_NONBLOCK), 0);
    return fds[0];
}

static void read_all(int fd, struct buf *out)
{
    char bytes[4096];
    ssize_t n;

    buf_clear(out);
    while ((n = read(fd, bytes, sizeof(bytes))) > 0)
        ck_assert_int_eq(buf_add(out, bytes, (size_t)n), 0);
}

static unsigned count_lines(const struct buf *text)
{
    unsigned ct = 0;

    for (size_t i = 0; i < text->len; i++)
        ct += text->data[i] == '\n';
    return ct;
}

START_TEST(lines_below_the_level_are_not_written)
{
    struct buf text;
    int fd = catch_stderr(false);

    buf_init(&text, 0);
    log_setup(LOG_WARNING, LOG_LOGFMT);
    log_identity("main/7");
    log_debug("a");
    log_info("b");
    log_warning("c", log_int("n", 1));
    log_error("d");
    read_all(fd, &text);
    ck_assert_uint_eq(count_lines(&text), 2);
    ck_assert_ptr_nonnull(strstr(text.data, " level=warning event=c who=main/7 n=1\n"));
    ck_assert_ptr_nonnull(strstr(text.data, " level=error event=d who=main/7\n"));
    buf_free(&text);
}
END_TEST

/* Were a write to block, alarm() would end the test. */
START_TEST(a_full_pipe_drops_lines_and_counts_them)
{
    enum { LINE_CT = 20000 };
    char padding[200];
    struct buf text;
    int fd = catch_stderr(_i == 1);
    unsigned written;
    char *counted;

    (void)alarm(30);
    memset(padding, 'p', sizeof(padding) - 1);
    padding[sizeof(padding) - 1] = '\0';
    for (int i = 0; i < LINE_CT; i++)
        log_info("fill", log_str("padding", padding));
    buf_init(&text, 0);
    read_all(fd, &text);
    written = count_lines(&text);
    ck_assert_uint_gt(written, 10);
    ck_assert_uint_lt(written, LINE_CT);
    ck_assert_int_eq(text.data[text.len - 1], '\n');
    log_info("after");
    read_all(fd, &text);
    ck_assert_uint_eq(count_lines(&text), 2);
    counted =
        must_format(" level=warning event=log.dropped lines=%u\n", LINE_CT - written);
    ck_assert_ptr_nonnull(strstr(text.data, counted));
    ck_assert_ptr_nonnull(strstr(text.data, "event=after"));
    log_info("once");
    read_all(fd, &text);
    ck_assert_uint_eq(count_lines(&text), 1);
    free(counted);
    buf_free(&text);
}
END_TEST

START_TEST(a_reader_that_went_away_harms_nobody)
{
    int fd = catch_stderr(_i == 1);

    (void)close(fd);
    ck_assert_ptr_eq(signal(SIGPIPE, SIG_DFL), SIG_DFL);
    log_error("nobody.reads");
    log_error("nobody.reads");
}
END_TEST

START_TEST(a_plain_file_takes_every_line)
{
    char path[] = "/tmp/check_log.XXXXXX";
    int fd = mkstemp(path);
    struct buf text;

    ck_assert_int_ge(fd, 0);
    ck_assert_int_eq(dup2(fd, STDERR_FILENO), STDERR_FILENO);
    for (int i = 0; i < 1000; i++)
        log_info("line", log_int("i", i));
    buf_init(&text, 0);
    ck_assert_int_eq(lseek(fd, 0, SEEK_SET), 0);
    read_all(fd, &text);
    ck_assert_uint_eq(count_lines(&text), 1000);
    buf_free(&text);
    (void)unlink(path);
}
END_TEST

START_TEST(a_line_that_a_full_disk_cut_does_not_cut_the_next)
{
    const struct rlimit tight = {.rlim_cur = 100, .rlim_max = RLIM_INFINITY};
    const struct rlimit none = {.rlim_cur = RLIM_INFINITY, .rlim_max = RLIM_INFINITY};
    char path[] = "/tmp/check_log.XXXXXX";
    int fd = mkstemp(path);
    struct buf text;

    ck_assert_int_ge(fd, 0);
    ck_assert_int_eq(dup2(fd, STDERR_FILENO), STDERR_FILENO);
    (void)signal(SIGXFSZ, SIG_IGN);
    ck_assert_int_eq(setrlimit(RLIMIT_FSIZE, &tight), 0);
    log_info("fits");
    log_info("cut", log_str("x", "0123456789012345678901234567890123456789"));
    log_info("lost");
    ck_assert_int_eq(setrlimit(RLIMIT_FSIZE, &none), 0);
    log_info("after");
    buf_init(&text, 0);
    ck_assert_int_eq(lseek(fd, 0, SEEK_SET), 0);
    read_all(fd, &text);
    ck_assert_uint_eq(count_lines(&text), 4);
    ck_assert_ptr_nonnull(strstr(text.data, "\nts="));
    ck_assert_ptr_nonnull(strstr(text.data, "event=log.dropped lines=2\nts="));
    ck_assert_ptr_nonnull(strstr(text.data, "event=after\n"));
    for (const char *at = text.data; *at; at = strchr(at, '\n') + 1)
        ck_assert_int_eq(strncmp(at, "ts=", 3), 0);
    buf_free(&text);
    (void)unlink(path);
}
END_TEST

static void add_tests(TCase *tc)
{
    tcase_add_test(tc, a_line_has_all_its_fields);
    tcase_add_test(tc, an_unnamed_process_leaves_who_out);
    tcase_add_loop_test(tc, values_cannot_forge_lines_or_fields, 0, ARRAY_CT(values));
    tcase_add_test(tc, a_long_value_is_cut_between_characters);
    tcase_add_loop_test(tc, a_line_fits_a_pipe_write, 0, 8);
    tcase_add_test(tc, lines_below_the_level_are_not_written);
    tcase_add_loop_test(tc, a_full_pipe_drops_lines_and_counts_them, 0, 2);
    tcase_add_loop_test(tc, a_reader_that_went_away_harms_nobody, 0, 2);
    tcase_add_test(tc, a_plain_file_takes_every_line);
    tcase_add_test(tc, a_line_that_a_full_disk_cut_does_not_cut_the_next);
}

int main(void)
{
    return run_suite("log", 60, add_tests);
}
