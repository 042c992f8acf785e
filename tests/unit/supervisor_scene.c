/* What the tests of the whole supervisor share. */
#include "tests/unit/supervisor_scene.h"

#include <check.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/prctl.h>
#include <sys/wait.h>

#include "supervisor/control.h"
#include "supervisor/notify.h"
#include "tests/support/wait.h"

enum { ASK_MS = 20000 };

struct stage *stage;
struct notes *notes;
char dir[64];
char conf[96];
char state_dir[96];
char control_path[128];
char log_path[96];
pid_t supervisor;
int64_t repeat_ms;

int note_state(int unset_environment UNUSED, const char *state)
{
    unsigned ct = notes->ct;

    if (ct < NOTES_MAX) {
        (void)snprintf(notes->text[ct], NOTE_BYTES, "%s", state);
        notes->ct = ct + 1;
    }
    return 1;
}

unsigned count_notes(const char *part)
{
    unsigned ct = 0;

    for (unsigned i = 0; i < notes->ct; i++)
        ct += strstr(notes->text[i], part) != NULL;
    return ct;
}

/* ---- files ---- */

void write_file(const char *path, const char *text)
{
    FILE *file = fopen(path, "we");

    ck_assert_ptr_nonnull(file);
    ck_assert_int_ge(fputs(text, file), 0);
    ck_assert_int_eq(fclose(file), 0);
}

void configure(const char *more)
{
    char *text =
        must_format("state_dir = \"%s\";\nredis: { url = \"unix://%s/none\"; };\n%s",
                    state_dir, dir, more);

    write_file(conf, text);
    free(text);
}

bool log_has(const char *part)
{
    static char text[1 << 18];
    FILE *file = fopen(log_path, "re");
    size_t n = file ? fread(text, 1, sizeof(text) - 1, file) : 0;

    text[n] = '\0';
    if (file)
        (void)fclose(file);
    return strstr(text, part) != NULL;
}

/* ---- the scene ---- */

void open_scene(void)
{
    stage_open();
    notes = mmap(NULL, sizeof(*notes), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS,
                 -1, 0);
    ck_assert_ptr_ne(notes, MAP_FAILED);
    (void)snprintf(dir, sizeof(dir), "/tmp/drover-supervisor-XXXXXX");
    ck_assert_ptr_nonnull(mkdtemp(dir));
    (void)snprintf(conf, sizeof(conf), "%s/drover.conf", dir);
    (void)snprintf(state_dir, sizeof(state_dir), "%s/state", dir);
    (void)snprintf(control_path, sizeof(control_path), "%s/control.sock", state_dir);
    (void)snprintf(log_path, sizeof(log_path), "%s/log", dir);
    ck_assert_int_eq(unsetenv("REDIS_URL"), 0);
    /* Whoever the supervisor leaves behind comes to this process. */
    ck_assert_int_eq(prctl(PR_SET_CHILD_SUBREAPER, 1), 0);
}

int remove_tree(const char *path)
{
    char *command = must_format("exec rm -rf -- %s", path);
    int status = system(command);

    free(command);
    return status;
}

void close_scene(void)
{
    stage_all(ACT_WORK);
    if (supervisor > 0) {
        ck_assert_int_eq(kill(supervisor, SIGKILL), 0);
        ck_assert_int_eq(waitpid(supervisor, NULL, 0), supervisor);
        supervisor = 0;
        while (waitpid(-1, NULL, 0) > 0) /* its workers end with it */
            continue;
    }
    ck_assert_int_eq(remove_tree(dir), 0);
    stage_close();
}

/* In the child. Signals stay blocked until the supervisor is ready for them. */
static int live(void)
{
    struct supervisor_options options = {.config_path = conf,
                                         .load = config_load,
                                         .worker = fake_worker,
                                         .repeat_ms = repeat_ms};
    struct err err = {0};
    int log_fd = open(log_path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);

    (void)prctl(PR_SET_PDEATHSIG, SIGKILL); /* ends with the test */
    (void)dup2(log_fd, STDERR_FILENO);
    (void)close(log_fd);
    notify_send_hook = note_state;
    options.config = config_load(conf, &err);
    if (options.config == NULL) {
        (void)fprintf(stderr, "%s\n", err.text);
        return 99;
    }
    return supervisor_run(&options);
}

void begin(void)
{
    sigset_t all, old;

    (void)sigfillset(&all);
    (void)sigprocmask(SIG_BLOCK, &all, &old);
    supervisor = fork();
    ck_assert_int_ge(supervisor, 0);
    if (supervisor == 0)
        _exit(live());
    (void)sigprocmask(SIG_SETMASK, &old, NULL);
}

void await_ready(void)
{
    int status;

    WAIT_FOR(count_notes("READY=1") >= 1 || waitpid(supervisor, &status, WNOHANG) != 0);
    ck_assert_msg(count_notes("READY=1") >= 1, "the supervisor ended with wait status %d",
                  status);
}

void start(const char *pools)
{
    configure(pools);
    begin();
    await_ready();
}

int await_exit(void)
{
    int status;

    ck_assert_int_eq(waitpid(supervisor, &status, 0), supervisor);
    supervisor = 0;
    ck_assert(WIFEXITED(status));
    return WEXITSTATUS(status);
}

void nothing_is_left(void)
{
    ck_assert_int_eq(waitpid(-1, NULL, WNOHANG), -1); /* no process */
    ck_assert_int_eq(errno, ECHILD);
    ck_assert_int_eq(access(control_path, F_OK), -1);
}

void stop(int signum)
{
    ck_assert_int_eq(kill(supervisor, signum), 0);
    ck_assert_int_eq(await_exit(), 0);
    nothing_is_left();
}

/* ---- asking ---- */

json_t *ask(json_t *request)
{
    struct err err = {0};
    json_t *answer = control_ask(control_path, request, ASK_MS, &err);

    ck_assert_msg(answer != NULL, "%s", err.text);
    return answer;
}

void ask_in_vain(json_t *request, const char *part)
{
    struct err err = {0};

    ck_assert_ptr_null(control_ask(control_path, request, ASK_MS, &err));
    ck_assert_int_eq(err.code, ERR_REPLY);
    ck_assert_msg(strstr(err.text, part) != NULL, "%s", err.text);
}

json_t *status(void)
{
    return ask(json_pack("{s:s}", "cmd", "status"));
}

json_int_t worker_number(size_t pool, size_t slot, const char *what)
{
    json_t *answer = status();
    json_t *workers = json_object_get(
        json_array_get(json_object_get(answer, "pools"), pool), "workers");
    json_int_t number =
        json_integer_value(json_object_get(json_array_get(workers, slot), what));

    json_decref(answer);
    return number;
}

pid_t worker_pid(size_t pool, size_t slot)
{
    return (pid_t)worker_number(pool, slot, "pid");
}

size_t count_running(size_t pool)
{
    json_t *answer = status();
    json_t *workers = json_object_get(
        json_array_get(json_object_get(answer, "pools"), pool), "workers");
    size_t ct = 0;

    for (size_t i = 0; i < json_array_size(workers); i++) {
        const char *state =
            json_string_value(json_object_get(json_array_get(workers, i), "state"));

        ct += state && strcmp(state, "running") == 0;
    }
    json_decref(answer);
    return ct;
}
