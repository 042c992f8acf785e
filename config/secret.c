/* Passwords from files. A file that others may read is refused, as ssh does: the mistake
 * is found at start, not by someone else. The password never appears in an error. */
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/must.h"
#include "config/build.h"
#include "config/origin.h"
#include "config/source.h"
#include "config/value.h"

enum { SECRET_BYTES_MAX = 4096, SECRET_MODE_MOST = 0640 };

static int check_access(const char *path, struct err *err)
{
    struct stat st;

    if (stat(path, &st) != 0)
        return 0; /* reading says why */
    if (S_ISREG(st.st_mode) && (st.st_mode & 07777 & ~(mode_t)SECRET_MODE_MOST) != 0)
        return err_set(err, ERR_CONFIG,
                       "has mode %04o: others may read or change it; do chmod 0640 or "
                       "stricter",
                       (unsigned)(st.st_mode & 07777));
    if (st.st_uid != 0 && geteuid() != 0 && st.st_uid != geteuid())
        return err_set(err, ERR_CONFIG, "belongs to another user");
    return 0;
}

static void cut_newline(struct buf *text)
{
    if (text->len && text->data[text->len - 1] == '\n')
        text->data[--text->len] = '\0';
    if (text->len && text->data[text->len - 1] == '\r')
        text->data[--text->len] = '\0';
}

/* Relative to the directory of the configuration file. */
static char *path_of(const struct config *config, const char *file)
{
    const char *slash = config->path ? strrchr(config->path, '/') : NULL;

    if (file[0] == '/' || slash == NULL)
        return must_strdup(file);
    return must_format("%.*s/%s", (int)(slash - config->path), config->path, file);
}

static int read_secret(const char *path, const struct setting *setting, void *field,
                       struct err *err)
{
    struct buf text;
    int rc;

    buf_init(&text, 0);
    rc = check_access(path, err);
    if (rc == 0)
        rc = source_read_file(path, SECRET_BYTES_MAX, &text, err);
    if (rc == 0) {
        cut_newline(&text);
        rc = value_set_text(setting, field, text.data ? text.data : "", err);
    }
    buf_wipe(&text);
    return rc;
}

/* `name` of the section (of its item `index`) from `file_name`, where that is given. */
static int read_from_file(struct config *config, enum section_id section, size_t index,
                          const char *setting_name, const char *file_name,
                          struct err *err)
{
    const struct setting *setting = setting_find(section, setting_name);
    struct config_value secret = config_value_of(config, setting, index), file;
    struct err why = {0};
    const char *name;
    char *path;
    int rc;

    file = config_value_named(config, section, file_name, index);
    name = *(char *const *)file.base;
    if (name == NULL)
        return 0;
    if (secret.origin->kind == ORIGIN_FILE)
        return config_value_fail(config, &secret, -1, err,
                                 "%s is given too: leave one of them out", file_name);
    path = path_of(config, name);
    rc = read_secret(path, setting, secret.base, &why);
    if (rc != 0)
        (void)config_value_fail(config, &file, -1, err, "\"%s\": %s", path, why.text);
    free(path);
    secret.origin->kind = file.origin->kind;
    secret.origin->line = file.origin->line;
    secret.origin->file = must_strdup(file.origin->file);
    return rc;
}

int config_read_secrets(struct config *config, struct err *err)
{
    if (read_from_file(config, SECTION_REDIS, 0, "password", "password_file", err) != 0 ||
        read_from_file(config, SECTION_FAILED, 0, "password", "password_file", err) != 0)
        return -1;
    for (size_t i = 0; i < config->job_ct; i++)
        if (read_from_file(config, SECTION_JOBS, i, "secret", "secret_file", err) != 0)
            return -1;
    for (size_t i = 0; i < config->database_ct; i++)
        if (read_from_file(config, SECTION_DATABASES, i, "password", "password_file",
                           err) != 0)
            return -1;
    return 0;
}
