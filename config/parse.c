/* From a text to libconfig's tree: scanned first, then parsed, then its integers checked
 * against the text.
 *
 * libconfig reads from memory here, so that what was scanned is what is parsed; it opens
 * included files itself.
 */
#include <libconfig.h>
#include <stdlib.h>
#include <string.h>

#include "base/must.h"
#include "config/build.h"
#include "config/read.h"
#include "config/source.h"

/* ---- integers that did not fit ---- */

struct marker {
    const struct source *source;
    size_t ordinal; /* of the next integer in the tree */
    size_t next;    /* of the literals */
};

/* Hangs each literal on its setting. The tree stands in the order of the text, so the
 * n-th integer of one is the n-th of the other. */
static void mark_large(struct marker *marker, config_setting_t *setting)
{
    const struct source *source = marker->source;
    int type = config_setting_type(setting);

    for (int i = 0;
         config_setting_is_aggregate(setting) && i < config_setting_length(setting); i++)
        mark_large(marker, config_setting_get_elem(setting, (unsigned)i));
    if (type != CONFIG_TYPE_INT && type != CONFIG_TYPE_INT64)
        return;
    if (marker->next < source->large_ct &&
        source->large[marker->next].ordinal == marker->ordinal)
        config_setting_set_hook(setting, source->large[marker->next++].text);
    marker->ordinal++;
}

static int refuse_large(const struct source *source, struct err *err)
{
    const struct source_literal *literal = &source->large[0];

    return err_set(err, ERR_CONFIG, "%s:%u: %s is too large a number", literal->file,
                   literal->line, literal->text);
}

/* ---- parsing ---- */

static int fail_syntax(const config_t *tree, const char *name, const char *directory,
                       struct err *err)
{
    const char *what = config_error_text(tree), *in = config_error_file(tree);
    char *file = in ? source_path(directory, in) : NULL;
    const char *hint = "";

    if (what && strcmp(what, "mismatched element type in array") == 0)
        hint =
            " (numbers with and without a fraction go between parentheses: ( 0.5, 1 ))";
    (void)err_set(err, ERR_CONFIG, "%s:%d: %s%s", file ? file : name,
                  config_error_line(tree), what ? what : "cannot be read", hint);
    free(file);
    return -1;
}

static struct config *read_tree(config_t *tree, const char *name,
                                const struct source *source, struct err *err)
{
    struct marker marker = {.source = source};
    struct config *config;

    mark_large(&marker, config_root_setting(tree));
    if (source->large_ct && marker.ordinal != source->integer_ct) {
        (void)refuse_large(source, err); /* no telling whose it is */
        return NULL;
    }
    config = config_read_tree(config_root_setting(tree), name, source->include_dir, err);
    if (config && source->large_ct) {
        (void)refuse_large(source, err);
        config_free(config);
        return NULL;
    }
    return config;
}

/* The directory of the file, for what it includes; NULL: the working directory. */
static char *directory_of(const char *name)
{
    const char *slash = strrchr(name, '/');

    if (slash == NULL)
        return NULL;
    return must_strndup(name, slash == name ? 1 : (size_t)(slash - name));
}

/* libconfig takes a comment only with its newline. */
static char *with_newline(const char *text)
{
    size_t len = strlen(text);
    char *whole = must_alloc(len + 2);

    memcpy(whole, text, len);
    whole[len] = '\n';
    return whole;
}

struct config *config_parse(const char *name, const char *text, struct err *err)
{
    char *directory = directory_of(name), *whole = with_newline(text);
    struct source source = {.include_dir = directory};
    struct config *config = NULL;
    config_t tree;

    config_init(&tree);
    if (directory)
        config_set_include_dir(&tree, directory);
    if (source_scan(&source, name, whole, err) == 0) {
        if (config_read_string(&tree, whole) != CONFIG_TRUE)
            (void)fail_syntax(&tree, name, directory, err);
        else
            config = read_tree(&tree, name, &source, err);
    }
    config_destroy(&tree);
    source_free(&source);
    must_wipe(whole);
    free(directory);
    return config;
}
