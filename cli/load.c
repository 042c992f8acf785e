/* Joins the configuration and the layer that expands placeholders, neither of which may
 * know the other. */
#include "cli/load.h"

#include "config/check.h"
#include "jobs/template.h"

struct config *cli_load_config(const char *path, struct err *err)
{
    struct config *config = config_load(path, err);

    if (config && config_check_templates(config, template_check, err) != 0) {
        config_free(config);
        return NULL;
    }
    return config;
}
