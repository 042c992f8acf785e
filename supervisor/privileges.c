/* Dropping root. Runs once, before anything is opened or forked: what comes later never
 * had more. */
#include "supervisor/privileges.h"

#include <errno.h>
#include <grp.h>
#include <pwd.h>
#include <sys/prctl.h>
#include <unistd.h>

#include "base/log.h"
#include "supervisor/statedir.h"

static const struct passwd *find_user(const char *user, struct err *err)
{
    const struct passwd *entry;

    errno = 0;
    entry = getpwnam(user);
    if (entry == NULL && errno != 0)
        (void)err_set_errno(err, errno, "cannot look up user \"%s\"", user);
    else if (entry == NULL)
        (void)err_set(err, ERR_CONFIG, "user: there is no user \"%s\"", user);
    return entry;
}

/* In this order: without root neither the groups nor the gid could be set. */
static int become(const char *user, uid_t uid, gid_t gid, struct err *err)
{
    if (initgroups(user, gid) != 0 || setgid(gid) != 0 || setuid(uid) != 0)
        return err_set_errno(err, errno, "cannot become user \"%s\"", user);
    if (uid != 0 && setuid(0) == 0)
        return err_set(err, ERR_SYSTEM, "could become root again after becoming \"%s\"",
                       user);
    /* The change of uid has cleared this; a process started as that user has it, and
     * needs it for core files and for reading its own /proc. */
    (void)prctl(PR_SET_DUMPABLE, 1);
    return 0;
}

static int settle_as(const char *user, const char *state_dir, struct err *err)
{
    const struct passwd *entry = find_user(user, err);
    uid_t uid;
    gid_t gid;

    if (entry == NULL)
        return -1;
    uid = entry->pw_uid;
    gid = entry->pw_gid;
    if (geteuid() != 0 && uid != geteuid())
        return err_set(err, ERR_CONFIG,
                       "user: only root can become \"%s\" (this is uid %u)", user,
                       (unsigned)geteuid());
    if (statedir_make(state_dir, uid, gid, err) != 0)
        return -1;
    return geteuid() == 0 ? become(user, uid, gid, err) : 0;
}

int privileges_settle(const char *user, const char *state_dir, struct err *err)
{
    if (user)
        return settle_as(user, state_dir, err);
    if (geteuid() == 0)
        log_warning("supervisor.root",
                    log_str("advice", "jobs run as root: set user = \"...\""));
    return statedir_make(state_dir, geteuid(), getegid(), err);
}
