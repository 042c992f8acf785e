/* Cutting a configuration with mistakes into its top-level settings. Must not know what
 * they mean: whether a piece is well is for the parser to say. */
#include "config/salvage.h"

#include <ctype.h>
#include <string.h>

#include "config/settings.h"

enum { NAME_BYTES = 32 };

struct walk {
    const char *at;
    int depth;
    bool line_begins;
};

static bool is_word(char c)
{
    return isalnum((unsigned char)c) || c == '_' || c == '-' || c == '*';
}

/* Whether a name and its = or : stand at `at`: any name, or one of ours. */
static bool is_setting(const char *at, bool any)
{
    char name[NAME_BYTES];
    size_t len = 0;

    while (len < sizeof(name) - 1 && is_word(at[len]))
        len++;
    memcpy(name, at, len);
    name[len] = '\0';
    at += len + strspn(at + len, " \t\r\n");
    if (len == 0 || (*at != '=' && *at != ':'))
        return false;
    return any || section_find(name) || setting_find(SECTION_TOP, name);
}

/* The end of a text in quotes: behind the closing one, or where a line begins with a
 * setting, which few texts do. */
static const char *skip_text(const char *at)
{
    for (at++; *at && *at != '"'; at++) {
        if (*at == '\n' && is_setting(at + 1, false))
            return at;
        if (*at == '\\' && at[1])
            at++;
    }
    return *at ? at + 1 : at;
}

static const char *skip_comment(const char *at)
{
    const char *end;

    if (at[0] == '/' && at[1] == '*') {
        end = strstr(at + 2, "*/");
        return end ? end + 2 : at + strlen(at);
    }
    return at + strcspn(at, "\n");
}

static bool is_comment(const char *at)
{
    return *at == '#' || (*at == '/' && (at[1] == '/' || at[1] == '*'));
}

/* One token further. */
static void step(struct walk *walk)
{
    const char *from = walk->at;

    if (*from == '"')
        walk->at = skip_text(from);
    else if (is_comment(from))
        walk->at = skip_comment(from);
    else if (is_word(*from))
        while (is_word(*walk->at))
            walk->at++;
    else
        walk->at++;
    if (strchr("({[", *from))
        walk->depth++;
    else if (strchr(")}]", *from) && walk->depth > 0)
        walk->depth--;
    walk->line_begins = walk->at[-1] == '\n';
}

static bool begins(const struct walk *walk)
{
    return (walk->depth == 0 && is_setting(walk->at, true)) ||
           (walk->line_begins && is_setting(walk->at, false));
}

bool salvage_next(const char **text, struct slice *setting)
{
    struct walk walk = {.at = *text, .line_begins = true};
    const char *from;

    while (*walk.at && !begins(&walk))
        step(&walk);
    from = walk.at;
    if (*from == '\0')
        return false;
    walk.depth = 0;
    do
        step(&walk);
    while (*walk.at && !begins(&walk) && (walk.depth > 0 || walk.at[-1] != ';'));
    *setting = (struct slice){.ptr = from, .len = (size_t)(walk.at - from)};
    *text = walk.at;
    return true;
}
