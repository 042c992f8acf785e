/* Fuzz target: a template (the first line of the input) and a payload (the rest). */
#include "tests/fuzz/fuzz.h"

#include <stdlib.h>
#include <string.h>

#include "jobs/template.h"

enum { BOUND_BYTES = 64 };

/* A template the check refuses never expands, one it takes fails for the payload only. */
static void check_agreement(const char *text, int rc, const struct err *err)
{
    struct err own = {0};

    if (template_check(text, &own) != 0)
        MUST(rc != 0 && own.code == ERR_CONFIG);
    else if (rc != 0)
        MUST(err->code == ERR_BAD_INPUT && err->text[0] == '{');
}

static void check_bound(const char *text, const struct payload *p,
                        const struct buf *whole)
{
    struct err err = {0};
    struct buf out;

    buf_init(&out, BOUND_BYTES);
    MUST(buf_add_text(&out, "kept") == 0);
    if (template_expand(text, TEMPLATE_ARG, p, &out, &err) == 0) {
        MUST(out.len <= BOUND_BYTES && out.len == 4 + whole->len);
        MUST(memcmp(out.data + 4, buf_slice(whole).ptr, whole->len) == 0);
    } else {
        MUST(err.code == ERR_LIMIT && 4 + whole->len > BOUND_BYTES);
        MUST(strcmp(out.data, "kept") == 0);
    }
    buf_free(&out);
}

static void check_template(const char *text, const struct payload *p)
{
    struct err err = {0};
    struct buf out;
    int rc;

    buf_init(&out, 0);
    rc = template_expand(text, TEMPLATE_ARG, p, &out, &err);
    check_agreement(text, rc, &err);
    if (rc == 0) {
        MUST(strlen(buf_slice(&out).ptr) == out.len);
        if (strpbrk(text, "{}") == NULL)
            MUST(strcmp(buf_slice(&out).ptr, text) == 0);
        check_bound(text, p, &out);
    } else {
        MUST(out.len == 0);
    }
    buf_free(&out);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const char *input = (const char *)data;
    const char *line = size ? memchr(input, '\n', size) : NULL;
    struct payload p;
    char *text;

    if (line == NULL)
        return 0;
    text = slice_dup(slice_of(input, (size_t)(line - input)));
    line++;
    if (payload_scan(&p, slice_of(line, size - (size_t)(line - input)), NULL) == 0)
        check_template(text, &p);
    free(text);
    return 0;
}
