/* Reading the settings of a webhook job into what its requests need. */
#include "jobs/http_target.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

static int read_networks(struct http_target *target, struct err *err)
{
    const struct text_list *texts = &target->config->allow_networks;

    target->networks = must_realloc(NULL, texts->ct + 1, sizeof(*target->networks));
    for (size_t i = 0; i < texts->ct; i++)
        if (network_parse(texts->items[i], &target->networks[target->network_ct++],
                          err) != 0)
            return err_prefix(err, "allow_networks");
    return 0;
}

static bool has_content_type(const struct text_list *headers)
{
    for (size_t i = 0; i < headers->ct; i++)
        if (strncasecmp(headers->items[i], "content-type:", 13) == 0)
            return true;
    return false;
}

int http_target_init(struct http_target *target, const struct http_config *config,
                     struct err *err)
{
    *target = (struct http_target){
        .config = config,
        .rules = {.max_in_flight = config->max_in_flight,
                  .breaker_failures = config->breaker_failures},
        .typed = has_content_type(&config->headers),
    };
    if (read_networks(target, err) != 0)
        return -1;
    if (config->secret != NULL &&
        webhook_keys_parse(slice_text(config->secret), &target->keys, err) != 0)
        return err_prefix(err, "secret");
    return 0;
}

void http_target_free(struct http_target *target)
{
    webhook_keys_wipe(&target->keys);
    free(target->networks);
    target->networks = NULL;
    target->network_ct = 0;
}

const char *http_target_refuses(const struct http_target *target,
                                const struct sockaddr *address)
{
    const char *why = address_not_public(address);

    for (size_t i = 0; why != NULL && i < target->network_ct; i++)
        if (network_holds(&target->networks[i], address))
            return NULL;
    return why;
}
