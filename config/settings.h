/* The one table of settings. Parser, bounds, environment, defaults, `config show`, the
 * sample file and the manual page are all read off it; adding a row adds a setting.
 *
 * Rows of one section stand together, in the order in which they are shown.
 */
#ifndef CONFIG_SETTINGS_H
#define CONFIG_SETTINGS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "config/config.h"

enum setting_type {
    SETTING_TEXT,
    SETTING_SECRET,  /* a text that is never shown */
    SETTING_URL,     /* a text that may hold a password, which is never shown */
    SETTING_INTEGER, /* int64_t */
    SETTING_SECONDS, /* int64_t milliseconds; seconds in the file */
    SETTING_MIB,     /* int64_t MiB */
    SETTING_KIB,     /* int64_t KiB */
    SETTING_BOOL,    /* bool */
    SETTING_ENUM,    /* int: the place of the word in `words` */
    SETTING_TEXTS,   /* struct text_list */
    SETTING_TIMES    /* struct time_list */
};

enum section_id {
    SECTION_TOP,
    SECTION_REDIS,
    SECTION_LOG,
    SECTION_FAILED,
    SECTION_CONSOLE,
    SECTION_POOLS,
    SECTION_JOBS,
    SECTION_CT
};

struct section {
    const char *name; /* "": the top of the file */
    const char *doc;
    bool is_list; /* ( { … }, { … } ): `offset` and `ct_offset` say where in the config */
    size_t offset;
    size_t ct_offset;
    size_t item_bytes;
    size_t item_max;
};

enum setting_flags {
    SETTING_RELOADS = 1,   /* a reload takes a change of it */
    SETTING_REQUIRED = 2,  /* every item must give it */
    SETTING_RAW = 4,       /* newlines and tabs are fine in it */
    SETTING_NAME = 8,      /* no spaces and commas in it (or its elements) */
    SETTING_TEMPLATE = 16, /* may hold placeholders */
    SETTING_MAY_BE_EMPTY = 32
};

enum {
    JOB_ANY = -1,    /* a setting of all job types */
    JOB_PROCESS = -2 /* of those that run a program: shell and laravel */
};

struct setting {
    enum section_id section;
    const char *name;
    enum setting_type type;
    unsigned flags;   /* enum setting_flags */
    size_t offset;    /* in struct config, or in the item where the section is a list */
    int64_t min, max; /* of numbers; texts: bytes; lists: number of elements */
    int64_t item_max; /* SETTING_TIMES: of each element, ms; SETTING_TEXTS: bytes */
    const char *const *words; /* SETTING_ENUM: NULL ends it */
    const char *const *later; /* words that a later version will know; may be NULL */
    const char *initial;      /* default, lists by commas; NULL: none */
    const char *env;          /* variable for what the file leaves out; NULL: none */
    const char *example;      /* for the sample, in the file's syntax, where no default */
    int job_type;             /* SECTION_JOBS: enum job_type, JOB_ANY or JOB_PROCESS */
    const char *doc;          /* one line: a sentence or two */
};

extern const struct section sections[SECTION_CT];
extern const struct setting settings[];
extern const size_t setting_ct;

/* The rows of a section: settings[*first] and the *ct - 1 behind it. */
void settings_of(enum section_id section, size_t *first, size_t *ct);

/* NULL: no such setting, no such section. */
const struct setting *setting_find(enum section_id section, const char *name);
const struct section *section_find(const char *name);

/* Nearest name of a setting in the section (at the top, of a section too); NULL: none. */
const char *setting_nearest(enum section_id section, const char *name);

/* Where a setting of this name belongs: "pools[]", "the top"; NULL: nowhere. */
const char *setting_section_of(const char *name);

/* Whether jobs of that type (enum job_type) have the setting, one of SECTION_JOBS. */
bool setting_is_of_type(const struct setting *setting, int type);

/* The types that have it, for people: "shell", "shell or laravel". */
const char *setting_types_text(const struct setting *setting);

bool section_is_later(const char *name); /* of a later version */

#endif
