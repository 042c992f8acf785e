/* A scanner that follows libconfig's own rules for tokens as far as they matter here:
 * comments, strings, names, numbers, brackets, @include. It checks no grammar. */
#include "config/source.h"

#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/must.h"

/* ---- files ---- */

/* Reads at most `size` bytes. -1: errno says why. */
static ssize_t read_bytes(int fd, char *bytes, size_t size)
{
    size_t len = 0;

    while (len < size) {
        ssize_t got = read(fd, bytes + len, size - len);

        if (got == 0)
            break;
        if (got < 0 && errno != EINTR)
            return -1;
        len += got > 0 ? (size_t)got : 0;
    }
    return (ssize_t)len;
}

/* There may be a password in it: no copies are left behind. */
static int read_all(int fd, size_t max, struct buf *text, struct err *err)
{
    char *bytes = must_alloc(max + 1);
    ssize_t len = read_bytes(fd, bytes, max + 1);
    int rc = -1;

    if (len < 0)
        (void)err_set(err, ERR_CONFIG, "%s", strerror(errno));
    else if (memchr(bytes, '\0', (size_t)len))
        (void)err_set(err, ERR_CONFIG, "holds a NUL byte: is it a text file?");
    else if ((size_t)len > max)
        (void)err_set(err, ERR_CONFIG, "is larger than %zu KiB", max / 1024);
    else
        rc = buf_add(text, bytes, (size_t)len);
    if (len > 0)
        explicit_bzero(bytes, (size_t)len);
    free(bytes);
    return rc;
}

int source_read_file(const char *path, size_t max, struct buf *text, struct err *err)
{
    struct stat st;
    int rc = -1, fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);

    if (fd < 0)
        return err_set(err,
                       errno == ENOENT || errno == ENOTDIR ? ERR_NOT_FOUND : ERR_CONFIG,
                       "%s", strerror(errno));
    if (fstat(fd, &st) != 0)
        (void)err_set(err, ERR_CONFIG, "%s", strerror(errno));
    else if (S_ISDIR(st.st_mode))
        (void)err_set(err, ERR_CONFIG, "is a directory");
    else if (!S_ISREG(st.st_mode) && !S_ISCHR(st.st_mode))
        (void)err_set(err, ERR_CONFIG, "is not a regular file");
    else
        rc = read_all(fd, max, text, err);
    (void)close(fd);
    return rc;
}

/* ---- tokens ---- */

struct scan {
    struct source *source;
    const char *name;
    const char *at;
    unsigned line;
    int depth;   /* of includes */
    int nesting; /* of brackets */
    struct err *err;
};

static int scan_file(struct source *source, const char *name, const char *text, int depth,
                     struct err *err);

static int fail(const struct scan *scan, const char *what)
{
    return err_set(scan->err, ERR_CONFIG, "%s:%u: %s", scan->name, scan->line, what);
}

static void skip(struct scan *scan, size_t len)
{
    for (size_t i = 0; i < len && *scan->at; i++)
        if (*scan->at++ == '\n')
            scan->line++;
}

static bool is_hex(const char *at)
{
    return isxdigit((unsigned char)at[0]) && isxdigit((unsigned char)at[1]);
}

/* A text without its end makes libconfig report a line far below, and leak. */
static int scan_string(struct scan *scan)
{
    unsigned begin = scan->line;

    skip(scan, 1);
    while (*scan->at && *scan->at != '"') {
        const char *at = scan->at;

        if (at[0] == '\\' && (at[1] == '\\' || at[1] == '"')) {
            skip(scan, 2);
        } else if (at[0] == '\\' && (at[1] == 'x' || at[1] == 'X') && is_hex(at + 2)) {
            if (at[2] == '0' && at[3] == '0')
                return fail(scan, "a text cannot hold \\x00");
            skip(scan, 4);
        } else {
            skip(scan, 1);
        }
    }
    if (*scan->at == '\0') {
        scan->line = begin;
        return fail(scan, "the text that begins here has no end");
    }
    skip(scan, 1);
    return 0;
}

static void skip_comment(struct scan *scan)
{
    const char *end;

    if (scan->at[1] != '*' || scan->at[0] == '#') {
        skip(scan, strcspn(scan->at, "\n"));
        return;
    }
    end = strstr(scan->at + 2, "*/");
    skip(scan, end ? (size_t)(end + 2 - scan->at) : strlen(scan->at));
}

static bool is_name_byte(char c)
{
    return isalnum((unsigned char)c) || c == '-' || c == '_' || c == '*';
}

static size_t digits_of(const char *at)
{
    return strspn(at, "0123456789");
}

/* Length of .5, 1.5e-3, 1e5 at `at` (behind a sign); 0: no such number. */
static size_t float_len(const char *at)
{
    size_t digits = digits_of(at), len = digits;
    bool point = at[len] == '.';

    if (point)
        len += 1 + digits_of(at + len + 1);
    if ((point || digits) && (at[len] == 'e' || at[len] == 'E')) {
        size_t sign = at[len + 1] == '-' || at[len + 1] == '+';
        size_t power = digits_of(at + len + 1 + sign);

        if (power)
            return len + 1 + sign + power;
    }
    return point ? len : 0;
}

/* Length of 12, 0xff, 12L at `at` (behind a sign); 0: no such number. */
static size_t integer_len(const char *at, bool *hex, bool *wide)
{
    size_t len;

    *hex =
        at[0] == '0' && (at[1] == 'x' || at[1] == 'X') && isxdigit((unsigned char)at[2]);
    len = *hex ? 2 + strspn(at + 2, "0123456789abcdefABCDEF") : digits_of(at);
    *wide = len && at[len] == 'L';
    return len + *wide + (*wide && at[len + 1] == 'L');
}

static bool fits(const char *literal, bool hex, bool wide)
{
    long long number;

    errno = 0;
    number = strtoll(literal, NULL, hex ? 16 : 10);
    return errno == 0 && (wide || (number >= INT_MIN && number <= INT_MAX));
}

static void record(struct scan *scan, size_t len, bool hex, bool wide)
{
    struct source *source = scan->source;
    struct source_literal *literal;

    if (!fits(scan->at, hex, wide)) {
        source->large =
            must_realloc(source->large, source->large_ct + 1, sizeof(*source->large));
        literal = &source->large[source->large_ct++];
        *literal = (struct source_literal){.ordinal = source->integer_ct,
                                           .file = must_strdup(scan->name),
                                           .line = scan->line};
        if (len >= sizeof(literal->text))
            len = sizeof(literal->text) - 1;
        memcpy(literal->text, scan->at, len);
    }
    source->integer_ct++;
}

static void scan_number(struct scan *scan)
{
    size_t sign = *scan->at == '-' || *scan->at == '+';
    bool hex, wide;
    size_t integer = integer_len(scan->at + sign, &hex, &wide);
    size_t broken = float_len(scan->at + sign);

    if (sign && hex) { /* libconfig reads -0xff as -0 and a name */
        integer = 1;
        hex = wide = false;
    }
    if (integer > broken)
        record(scan, sign + integer, hex, wide);
    skip(scan, sign + (integer > broken ? integer : broken));
    if (integer == 0 && broken == 0 && sign == 0)
        skip(scan, 1);
}

/* ---- @include ---- */

/* Length of `@include "` with blanks around where it stands at the line's begin. */
static size_t include_len(const char *at)
{
    size_t blanks = strspn(at, " \t"), gap;

    if (strncmp(at + blanks, "@include", strlen("@include")) != 0)
        return 0;
    blanks += strlen("@include");
    gap = strspn(at + blanks, " \t");
    return gap && at[blanks + gap] == '"' ? blanks + gap + 1 : 0;
}

/* As libconfig finds the file. */
static char *join(const char *directory, const char *file)
{
    if (*file == '/' || directory == NULL)
        return must_strdup(file);
    return must_format("%s/%s", directory, file);
}

char *source_path(const char *directory, const char *file)
{
    size_t len = directory ? strlen(directory) : 0;
    bool joined = len && strncmp(file, directory, len) == 0 && file[len] == '/';

    return joined ? must_strdup(file) : join(directory, file);
}

static char *included_path(const struct scan *scan, const char *name, size_t len)
{
    struct buf path;
    char *joined;

    buf_init(&path, 0);
    for (size_t i = 0; i < len; i++) {
        if (name[i] == '\\' && i + 1 < len && (name[i + 1] == '\\' || name[i + 1] == '"'))
            i++;
        (void)buf_add_char(&path, name[i]);
    }
    joined = join(scan->source->include_dir, buf_slice(&path).ptr);
    buf_free(&path);
    return joined;
}

static int scan_included(struct scan *scan, const char *path)
{
    struct buf text;
    struct err why = {0};
    int rc;

    if (scan->depth + 1 >= SOURCE_DEPTH_MAX)
        return fail(scan, "files include each other too deep");
    buf_init(&text, 0);
    if (source_read_file(path, SOURCE_BYTES_MAX, &text, &why) != 0)
        rc = err_set(scan->err, ERR_CONFIG, "%s:%u: @include \"%s\": %s", scan->name,
                     scan->line, path, why.text);
    else
        rc = scan_file(scan->source, path, text.data ? text.data : "", scan->depth + 1,
                       scan->err);
    buf_wipe(&text);
    return rc;
}

static int scan_include(struct scan *scan, size_t open_len)
{
    const char *name = scan->at + open_len, *end = name;
    char *path;
    int rc;

    while (*end && *end != '"')
        end += end[0] == '\\' && (end[1] == '\\' || end[1] == '"') ? 2 : 1;
    if (*end == '\0')
        return fail(scan, "the name behind @include has no end");
    path = included_path(scan, name, (size_t)(end - name));
    rc = scan_included(scan, path);
    free(path);
    skip(scan, (size_t)(end + 1 - scan->at));
    return rc;
}

/* ---- all of it ---- */

static int scan_bracket(struct scan *scan)
{
    scan->nesting += strchr("([{", *scan->at) ? 1 : -1;
    if (scan->nesting > SOURCE_NESTING_MAX)
        return fail(scan, "groups and lists are nested too deep");
    skip(scan, 1);
    return 0;
}

static int scan_token(struct scan *scan)
{
    const char *at = scan->at;

    if (*at == '"')
        return scan_string(scan);
    if (*at == '#' || (*at == '/' && (at[1] == '/' || at[1] == '*')))
        skip_comment(scan);
    else if (isalpha((unsigned char)*at) || *at == '*')
        while (is_name_byte(*scan->at))
            skip(scan, 1);
    else if (isdigit((unsigned char)*at) || *at == '-' || *at == '+' || *at == '.')
        scan_number(scan);
    else if (strchr("()[]{}", *at))
        return scan_bracket(scan);
    else
        skip(scan, 1);
    return 0;
}

static int scan_file(struct source *source, const char *name, const char *text, int depth,
                     struct err *err)
{
    struct scan scan = {.source = source,
                        .name = name,
                        .at = text,
                        .line = 1,
                        .depth = depth,
                        .err = err};

    if (++source->file_ct > SOURCE_FILES_MAX)
        return fail(&scan, "too many files are included");
    while (*scan.at) {
        bool line_begins = scan.at == text || scan.at[-1] == '\n';
        size_t open_len = line_begins ? include_len(scan.at) : 0;

        if ((open_len ? scan_include(&scan, open_len) : scan_token(&scan)) != 0)
            return -1;
    }
    return 0;
}

int source_scan(struct source *source, const char *name, const char *text,
                struct err *err)
{
    return scan_file(source, name, text, 0, err);
}

void source_free(struct source *source)
{
    for (size_t i = 0; i < source->large_ct; i++)
        free(source->large[i].file);
    free(source->large);
    *source = (struct source){.include_dir = source->include_dir};
}
