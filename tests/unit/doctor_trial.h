/* Asking one of doctor's checks what it says of some facts. */
#ifndef TESTS_DOCTOR_TRIAL_H
#define TESTS_DOCTOR_TRIAL_H

#include "tests/unit/configs.h"

#include "cli/cli.h"
#include "cli/doctor.h"

/* Of a facts' text, which the checks only read. */
#define T(text) ((char *)(text))

enum { SILENT = -1 }; /* as a level: the check has nothing to say */

#define FILE_WITH(settings) "redis: { url = \"redis://h\"; };\n" settings
#define POOL(settings)                                                                   \
    FILE_WITH("pools: ( { name = \"main\"; queues = [ \"a\", \"b\" ]; " settings         \
              " } );\n")

struct expected {
    const char *id;
    int level;               /* enum doctor_level, or SILENT */
    const char *text, *todo; /* words of them; NULL: whatever */
};

static inline const struct finding *worst(const struct findings *findings)
{
    const struct finding *found = NULL;

    for (size_t i = 0; i < findings->ct; i++)
        if (found == NULL || findings->items[i].level > found->level)
            found = &findings->items[i];
    return found;
}

static inline void assert_words(const char *what, const char *words, const char *text)
{
    ck_assert_msg(words == NULL || (text && strstr(text, words)), "%s: no \"%s\" in: %s",
                  what, words, text ? text : "nothing");
}

/* The worst that the check says is that; advice comes with what is not well, only. */
static inline void expect(const struct facts *facts, const struct expected *expected)
{
    const struct doctor_check *check = doctor_check_named(expected->id);
    struct findings findings = {.id = expected->id};
    const struct finding *found;

    ck_assert_msg(check != NULL, "no check %s", expected->id);
    check->judge(facts, &findings);
    found = worst(&findings);
    ck_assert_msg((found ? (int)found->level : SILENT) == expected->level,
                  "%s: level %d, not %d: %s", expected->id,
                  found ? (int)found->level : SILENT, expected->level,
                  found ? found->text : "silent");
    if (found) {
        ck_assert_str_eq(found->id, expected->id);
        ck_assert_int_eq(found->todo != NULL, found->level != DOCTOR_OK);
        assert_words(expected->id, expected->text, found->text);
        assert_words(expected->id, expected->todo, found->todo);
    }
    findings_free(&findings);
}

/* Facts of which nothing is to be said but that all is well. */
static inline struct facts reached(const struct config *config)
{
    struct facts facts = {.config = config,
                          .has_file = true,
                          .redis = T("tcp:h:6379 db 0"),
                          .redis_reached = true};

    vitals_init(&facts.survey.vitals);
    (void)snprintf(facts.survey.vitals.policy, sizeof(facts.survey.vitals.policy),
                   "noeviction");
    facts.survey.vitals.aof = VITAL_YES;
    (void)snprintf(facts.survey.version, sizeof(facts.survey.version), "7.0.15");
    (void)snprintf(facts.survey.mode, sizeof(facts.survey.mode), "standalone");
    return facts;
}

#define LOOP(test, table) tcase_add_loop_test(tc, test, 0, (int)ARRAY_CT(table))

#endif
