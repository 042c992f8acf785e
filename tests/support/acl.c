/* Reading contrib/drover.acl. For main() too: what goes wrong ends the program. */
#include "tests/support/acl.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/must.h"

static void read_line(struct acl_words *words)
{
    FILE *file = fopen(TOP_SRCDIR "/contrib/drover.acl", "re");

    MUST(file != NULL);
    MUST(fgets(words->line, sizeof(words->line), file) != NULL);
    (void)fclose(file);
}

/* "~queues:*" as "~p:queues:*". */
static const char *add_prefix(struct acl_words *words, const char *prefix,
                              const char *pattern)
{
    char *room = words->prefixed + words->prefixed_len;
    size_t size = sizeof(words->prefixed) - words->prefixed_len;
    int len = snprintf(room, size, "~%s%s", prefix, pattern + 1);

    MUST(len > 0 && (size_t)len < size);
    words->prefixed_len += (size_t)len + 1;
    return room;
}

size_t acl_add_server_args(struct acl_words *words, const char **argv, size_t ct)
{
    static const char *const prefixes[] = {"p:", "laravel_database_"};
    static const char verb[] = "ACL SETUSER ";
    size_t start = ct;
    char *rest;

    *words = (struct acl_words){.prefixed_len = 0};
    read_line(words);
    MUST(strncmp(words->line, verb, strlen(verb)) == 0);
    argv[ct++] = "--user";
    for (char *word = strtok_r(words->line + strlen(verb), " \n", &rest); word;
         word = strtok_r(NULL, " \n", &rest)) {
        MUST(ct - start < ACL_ARGS_MAX - 1);
        argv[ct++] = strcmp(word, ">PASSWORD") == 0 ? ">" ACL_PASSWORD : word;
        for (size_t i = 0; word[0] == '~' && i < ARRAY_CT(prefixes); i++)
            argv[ct++] = add_prefix(words, prefixes[i], word);
    }
    MUST(ct - start > 20);
    return ct;
}

int acl_log_has_denial(const char *log)
{
    static const char *const reasons[] = {"reason\ncommand", "reason\nkey",
                                          "reason\nchannel"};

    for (size_t i = 0; i < ARRAY_CT(reasons); i++)
        if (strstr(log, reasons[i]))
            return 1;
    return 0;
}
