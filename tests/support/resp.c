/* A state machine over bytes: it must not need a value to be in one piece, nor know what
 * the values mean. Invariant: between calls it holds where it is, and no bytes. */
#include "tests/support/resp.h"

#include <string.h>

static const uint64_t number_max = 1 << 30;

/* One value has ended: so do the arrays that it completes. True: all have. */
static bool end_value(struct resp *resp)
{
    while (resp->depth > 0 && --resp->left[resp->depth - 1] == 0)
        resp->depth--;
    resp->at = RESP_TYPE;
    return resp->depth == 0;
}

static int end_line(struct resp *resp, bool *whole)
{
    bool none = resp->negative || resp->number == 0;

    if (resp->type == '$' && !resp->negative) {
        resp->skip = resp->number + 2;
        resp->at = RESP_BYTES;
    } else if (resp->type == '*' && !none) {
        if (resp->depth == RESP_DEPTH_MAX)
            return -1;
        resp->left[resp->depth++] = resp->number;
        resp->at = RESP_TYPE;
    } else {
        *whole = end_value(resp);
    }
    return 0;
}

static int read_type(struct resp *resp, char c)
{
    if (c == '\0' || strchr("+-:$*", c) == NULL)
        return -1;
    resp->type = c;
    resp->negative = false;
    resp->number = 0;
    resp->at = RESP_LINE;
    return 0;
}

static int read_line(struct resp *resp, char c, bool *whole)
{
    if (c == '\n')
        return end_line(resp, whole);
    if ((resp->type != '$' && resp->type != '*') || c == '\r')
        return 0;
    if (c == '-') {
        resp->negative = true;
        return 0;
    }
    if (c < '0' || c > '9')
        return -1;
    resp->number = resp->number * 10 + (uint64_t)(c - '0');
    return resp->number <= number_max ? 0 : -1;
}

static size_t read_bytes(struct resp *resp, size_t available, bool *whole)
{
    size_t n = resp->skip < available ? (size_t)resp->skip : available;

    resp->skip -= n;
    if (resp->skip == 0)
        *whole = end_value(resp);
    return n;
}

ssize_t resp_read(struct resp *resp, struct slice bytes, bool *whole)
{
    size_t at = 0;
    int bad = 0;

    *whole = false;
    while (at < bytes.len && !*whole && bad == 0) {
        if (resp->at == RESP_BYTES)
            at += read_bytes(resp, bytes.len - at, whole);
        else if (resp->at == RESP_TYPE)
            bad = read_type(resp, bytes.ptr[at++]);
        else
            bad = read_line(resp, bytes.ptr[at++], whole);
    }
    return bad ? -1 : (ssize_t)at;
}

/* The number of a line "*3" or "$5" at *at, which moves behind the line. */
static int take_number(struct slice text, size_t *at, char type, size_t *number)
{
    if (*at >= text.len || text.ptr[*at] != type)
        return -1;
    *number = 0;
    for ((*at)++; *at < text.len && text.ptr[*at] != '\r'; (*at)++) {
        if (text.ptr[*at] < '0' || text.ptr[*at] > '9' || *number > text.len)
            return -1;
        *number = *number * 10 + (size_t)(text.ptr[*at] - '0');
    }
    *at += 2;
    return 0;
}

size_t resp_words(struct slice request, struct slice *words, size_t max)
{
    size_t at = 0, ct, len, n = 0;

    if (take_number(request, &at, '*', &ct) != 0)
        return 0;
    for (; n < ct && n < max; n++) {
        if (take_number(request, &at, '$', &len) != 0 || at + len + 2 > request.len)
            return 0;
        words[n] = slice_of(request.ptr + at, len);
        at += len + 2;
    }
    return n;
}
