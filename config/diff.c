/* Comparing two configurations by the table. Names only: values may be secret. */
#include "config/diff.h"

#include "base/must.h"
#include "config/field.h"
#include "config/origin.h"

size_t config_diff(const struct config *old, const struct config *new, struct buf *names)
{
    size_t ct = 0;

    for (struct config_value was = {0}; config_next(old, &was);) {
        const struct setting *setting = was.setting;
        struct config_value is;

        if (setting->flags & SETTING_RELOADS)
            continue;
        MUST(!sections[setting->section].is_list);
        is = config_value_of(new, setting, 0);
        if (field_equal(setting, was.base, is.base))
            continue;
        (void)buf_add_text(names, ct++ ? ", " : "");
        config_value_path(&was, names);
    }
    return ct;
}
