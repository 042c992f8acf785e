/* Whether this build has AddressSanitizer: its memory figures say nothing about ours.
 */
#ifndef TESTS_SANITIZED_H
#define TESTS_SANITIZED_H

#include <stdbool.h>

#ifndef __has_feature
#define __has_feature(feature) 0
#endif

static inline bool is_sanitized(void)
{
#if defined(__SANITIZE_ADDRESS__) || __has_feature(address_sanitizer)
    return true;
#else
    return false;
#endif
}

#endif
