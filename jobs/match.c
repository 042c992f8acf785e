/* Which entry of the configuration runs a job of a given name.
 *
 * Knows names and globs only. Linear in the number of entries: there are as many as one
 * writes by hand.
 */
#include "jobs/match.h"

#include <string.h>

#include "base/text.h"

static const struct job_config *match_exactly(const struct config *config,
                                              const char *name)
{
    for (size_t i = 0; i < config->job_ct; i++)
        if (strcmp(config->jobs[i].name, name) == 0)
            return &config->jobs[i];
    return NULL;
}

const struct job_config *job_match(const struct config *config, const char *name)
{
    const struct job_config *found = match_exactly(config, name);
    size_t longest = 0;

    if (found != NULL)
        return found;
    for (size_t i = 0; i < config->job_ct; i++) {
        const struct job_config *job = &config->jobs[i];
        size_t len = strlen(job->name);

        if (len > longest && text_glob(job->name, name)) {
            found = job;
            longest = len;
        }
    }
    return found;
}
