/* Output for people and for programs.
 *
 * Whatever may hold bytes from outside passes text_escape() before a terminal can see it;
 * JSON strings are UTF-8 or say so. Nothing here knows jobs or queues.
 */
#include "cli/output.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "base/base64.h"
#include "base/clock.h"
#include "base/text.h"
#include "cli/cli.h"

static void write_buf(FILE *out, const struct buf *buf)
{
    if (buf->len > 0)
        fwrite(buf->data, 1, buf->len, out);
}

void output_note(const char *fmt, ...)
{
    va_list ap;
    char *text = NULL;
    struct buf safe;

    va_start(ap, fmt);
    MUST(vasprintf(&text, fmt, ap) >= 0);
    va_end(ap);
    buf_init(&safe, 0);
    buf_add_text(&safe, "drover: ");
    text_escape(&safe, slice_text(text));
    buf_add_char(&safe, '\n');
    write_buf(stderr, &safe);
    buf_free(&safe);
    free(text);
}

void output_text(struct slice text, size_t max_bytes)
{
    struct buf safe;

    buf_init(&safe, max_bytes);
    text_escape(&safe, text);
    write_buf(stdout, &safe);
    if (safe.over)
        fputs("...", stdout);
    buf_free(&safe);
}

/* A tab in a line is what it looks like. */
static void print_line(struct slice line)
{
    const char *tab;

    while (line.len > 0 && (tab = memchr(line.ptr, '\t', line.len)) != NULL) {
        output_text(slice_of(line.ptr, (size_t)(tab - line.ptr)), 0);
        putchar('\t');
        line.len -= (size_t)(tab + 1 - line.ptr);
        line.ptr = tab + 1;
    }
    output_text(line, 0);
    putchar('\n');
}

void output_lines(struct slice text)
{
    while (text.len > 0) {
        const char *end = memchr(text.ptr, '\n', text.len);
        size_t len = end ? (size_t)(end - text.ptr) : text.len;

        print_line(slice_of(text.ptr, len));
        len += end != NULL;
        text = slice_of(text.ptr + len, text.len - len);
    }
}

bool output_ok(void)
{
    return !ferror(stdout);
}

bool cli_colour(void)
{
    const char *no_colour = getenv("NO_COLOR");

    return isatty(STDOUT_FILENO) && (no_colour == NULL || no_colour[0] == '\0');
}

/* ---- JSON ---- */

json_t *output_json_text(struct slice text)
{
    struct buf safe;
    json_t *string;

    if (text.ptr == NULL)
        return json_null();
    if (text_is_utf8(text))
        return json_stringn(text.ptr, text.len);
    buf_init(&safe, 0);
    text_escape(&safe, text);
    string = json_stringn(safe.data, safe.len);
    buf_free(&safe);
    return string;
}

static json_t *base64_json(struct slice bytes)
{
    json_t *string;
    struct buf out;

    buf_init(&out, 0);
    base64_write(&out, bytes);
    string = json_stringn(out.data ? out.data : "", out.len);
    buf_free(&out);
    return string;
}

void output_json_bytes(json_t *object, const char *key, struct slice bytes)
{
    char *other;

    if (bytes.ptr == NULL || text_is_utf8(bytes)) {
        json_object_set_new(object, key,
                            bytes.ptr ? json_stringn(bytes.ptr, bytes.len) : json_null());
        return;
    }
    other = must_format("%s_base64", key);
    json_object_set_new(object, other, base64_json(bytes));
    free(other);
}

enum { REAL_DIGITS = 15 }; /* 0.1 stays 0.1 */

void output_json(json_t *value)
{
    json_dumpf(value, stdout,
               JSON_COMPACT | JSON_ENCODE_ANY | JSON_REAL_PRECISION(REAL_DIGITS));
    putchar('\n');
    json_decref(value);
}

void output_array_begin(struct output_array *array)
{
    array->ct = 0;
    putchar('[');
}

void output_array_add(struct output_array *array, json_t *element)
{
    fputs(array->ct++ > 0 ? ",\n" : "\n", stdout);
    json_dumpf(element, stdout, JSON_COMPACT | JSON_ENCODE_ANY);
    json_decref(element);
}

void output_array_end(struct output_array *array)
{
    fputs(array->ct > 0 ? "\n]" : "]", stdout);
}

/* ---- tables ---- */

struct table *output_table_begin(const struct table_column *columns, size_t ct)
{
    return table_create(columns, ct, cli_colour() ? TABLE_COLOURED : TABLE_PLAIN);
}

void output_table_fit(struct table *table, const struct table_give *gives)
{
    struct winsize size;

    if (ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == 0)
        table_fit(table, size.ws_col, gives);
}

static void print_rows(struct table *table)
{
    struct buf out;

    buf_init(&out, 0);
    table_render(table, &out);
    write_buf(stdout, &out);
    buf_free(&out);
}

enum { BLOCK_ROWS = 500 };

void output_table_row(struct table *table)
{
    if (table_rows(table) >= BLOCK_ROWS)
        print_rows(table);
}

void output_table_end(struct table *table, const char *if_empty)
{
    if (table_rows(table) > 0)
        print_rows(table);
    else if (if_empty && !table_is_begun(table))
        output_note("%s", if_empty);
    table_destroy(table);
}

/* ---- progress ---- */

enum { DRAW_EVERY_MS = 100, BAR_WIDTH = 30 };

void progress_begin(struct progress *progress, const char *verb, int64_t total)
{
    *progress = (struct progress){.verb = verb, .total = total};
    progress->shown = isatty(STDERR_FILENO);
}

static void draw(const struct progress *progress, int64_t done)
{
    int64_t filled;

    fprintf(stderr, "\r\033[K%s %" PRId64, progress->verb, done);
    if (progress->total > 0) {
        filled = done < progress->total ? done * BAR_WIDTH / progress->total : BAR_WIDTH;
        fprintf(stderr, " of %" PRId64 " [", progress->total);
        for (int64_t i = 0; i < BAR_WIDTH; i++)
            fputc(i < filled ? '=' : ' ', stderr);
        fputc(']', stderr);
    }
    fflush(stderr);
}

void progress_update(struct progress *progress, int64_t done)
{
    int64_t now_ms;

    if (!progress->shown)
        return;
    now_ms = clock_mono_ms();
    if (progress->drawn && now_ms - progress->drawn_at_ms < DRAW_EVERY_MS)
        return;
    progress->drawn = true;
    progress->drawn_at_ms = now_ms;
    draw(progress, done);
}

void progress_end(struct progress *progress)
{
    if (progress->drawn)
        fputs("\r\033[K", stderr);
    progress->drawn = false;
}

/* ---- questions ---- */

bool output_can_ask(void)
{
    return isatty(STDIN_FILENO) && isatty(STDERR_FILENO);
}

bool output_agreed(const char *question, bool yes, struct err *err)
{
    char answer[16] = "";
    struct buf safe;

    if (yes)
        return true;
    if (!output_can_ask()) {
        err_set(err, ERR_USAGE, "there is no terminal to ask at: give --yes");
        return false;
    }
    buf_init(&safe, 0);
    text_escape(&safe, slice_text(question));
    write_buf(stderr, &safe);
    buf_free(&safe);
    fputs(" [y/N] ", stderr);
    fflush(stderr);
    if (fgets(answer, sizeof(answer), stdin))
        answer[strcspn(answer, "\n")] = '\0';
    if (strcmp(answer, "y") == 0 || strcmp(answer, "yes") == 0)
        return true;
    err_set(err, ERR_SYSTEM, "nothing was changed");
    return false;
}

void output_change(const struct output_change *change, int64_t ct)
{
    if (change->json)
        output_json(json_pack("{s:I, s:b}", change->verb, (json_int_t)ct, "dry_run",
                              (int)change->dry_run));
    else
        printf("%" PRId64 " job%s %s%s\n", ct, ct == 1 ? "" : "s",
               change->dry_run ? "would be " : "", change->verb);
}
