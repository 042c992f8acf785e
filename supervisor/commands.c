/* The requests of the control socket: read, carried out, answered. Knows the fleet, but
 * neither sockets nor signals. */
#include "supervisor/commands.h"

#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/text.h"
#include "supervisor/control.h"

enum { MS_PER_S = 1000 };

/* ---- reading ---- */

static int parse_scale(const json_t *request, struct command *command, struct err *err)
{
    const json_t *pool = json_object_get(request, "pool");
    const json_t *workers = json_object_get(request, "workers");

    if (!json_is_string(pool) || !json_is_integer(workers))
        return err_set(err, ERR_BAD_INPUT,
                       "scale needs \"pool\", a text, and \"workers\", a whole number");
    command->pool = json_string_value(pool);
    command->workers = json_integer_value(workers);
    return 0;
}

int command_parse(const json_t *request, struct command *command, struct err *err)
{
    static const char *const verbs[] = {
        [COMMAND_STATUS] = "status", [COMMAND_SCALE] = "scale",
        [COMMAND_STOP] = "stop",     [COMMAND_RELOAD] = "reload",
        [COMMAND_PAUSE] = "pause",   [COMMAND_RESUME] = "resume",
        [COMMAND_DRAIN] = "drain"};
    const char *cmd = json_string_value(json_object_get(request, "cmd"));

    *command = (struct command){.verb = COMMAND_STATUS};
    for (unsigned verb = 0; cmd && verb < ARRAY_CT(verbs); verb++) {
        if (strcmp(cmd, verbs[verb]) != 0)
            continue;
        command->verb = verb;
        return verb == COMMAND_SCALE ? parse_scale(request, command, err) : 0;
    }
    return err_set(
        err, ERR_BAD_INPUT,
        "\"cmd\" must be one of status, scale, stop, reload, pause, resume, drain");
}

/* ---- answering ---- */

static json_t *whole(json_t *value)
{
    MUST(value != NULL);
    return value;
}

/* The worker may be writing it: numbers and texts are taken as they are found. */
static json_t *away_status(const struct worker_slot *ws)
{
    json_t *array = whole(json_array());
    char name[BOARD_NAME_BYTES];

    for (size_t i = 0; child_is_alive(&ws->child) && ws->board && i < BOARD_AWAY; i++) {
        const struct board_away *away = &ws->board->away[i];
        int64_t failures = away->failures;

        board_text(away->name, sizeof(away->name), name, sizeof(name));
        if (failures > 0 && text_is_utf8(slice_text(name)))
            MUST(json_array_append_new(
                     array, whole(json_pack("{s:s, s:I}", "endpoint", name, "failures",
                                            (json_int_t)failures))) == 0);
    }
    return array;
}

/* Nothing where what is found is no text. */
static void add_database(json_t *array, const struct board_database *database)
{
    char name[BOARD_NAME_BYTES], why[BOARD_NOTE_BYTES];
    int64_t put_off_ct = database->put_off_ct;
    json_t *row;

    board_text(database->name, sizeof(database->name), name, sizeof(name));
    board_text(database->why, sizeof(database->why), why, sizeof(why));
    if (put_off_ct <= 0 || !text_is_utf8(slice_text(name)))
        return;
    row = whole(json_pack("{s:s, s:I, s:s}", "database", name, "postponed",
                          (json_int_t)put_off_ct, "reason",
                          text_is_utf8(slice_text(why)) ? why : ""));
    MUST(json_array_append_new(array, row) == 0);
}

static json_t *databases_status(const struct worker_slot *ws)
{
    json_t *array = whole(json_array());

    for (size_t i = 0; child_is_alive(&ws->child) && ws->board && i < BOARD_DATABASES;
         i++)
        add_database(array, &ws->board->databases[i]);
    return array;
}

/* Why it takes no jobs; null: it does. */
static json_t *paused_status(const struct worker_slot *ws)
{
    if (ws->board == NULL || !child_is_alive(&ws->child))
        return json_null();
    if (atomic_load(&ws->board->paused))
        return json_string("supervisor");
    return atomic_load(&ws->board->held) ? json_string("application") : json_null();
}

/* Queues that the application lets it take no jobs from. */
static json_t *held_queues_status(const struct worker_slot *ws)
{
    json_t *array = whole(json_array());
    char name[BOARD_NAME_BYTES];

    for (size_t i = 0; child_is_alive(&ws->child) && ws->board && i < BOARD_HELD_QUEUES;
         i++) {
        const struct board_held_queue *queue = &ws->board->held_queues[i];

        board_text(queue->name, sizeof(queue->name), name, sizeof(name));
        if (queue->on && text_is_utf8(slice_text(name)))
            MUST(json_array_append_new(array, whole(json_string(name))) == 0);
    }
    return array;
}

static json_t *worker_status(const struct worker_slot *ws)
{
    struct tally tally = worker_slot_tally(ws);

    return whole(json_pack(
        "{s:I, s:I, s:s, s:I, s:I, s:I, s:I, s:I, s:o, s:o, s:o, s:o}", "slot",
        (json_int_t)ws->index, "pid", (json_int_t)ws->child.pid, "state",
        slot_state_name(ws->child.slot.state), "running",
        (json_int_t)worker_slot_running(ws), "done", (json_int_t)tally.done, "failed",
        (json_int_t)tally.failed, "restarts", (json_int_t)ws->child.slot.restarts,
        "postponed", (json_int_t)tally.postponed, "away", away_status(ws), "databases",
        databases_status(ws), "paused", paused_status(ws), "paused_queues",
        held_queues_status(ws)));
}

static json_t *pool_status(const struct pool *pool)
{
    json_t *workers = whole(json_array());

    for (size_t i = 0; i < pool->slot_ct; i++)
        MUST(json_array_append_new(workers, worker_status(pool->slots[i])) == 0);
    return whole(json_pack("{s:s, s:o}", "name", pool->name, "workers", workers));
}

static json_t *redis_status(const struct fleet *fleet, int64_t now_ms)
{
    struct fleet_redis redis = fleet_redis_link(fleet);

    if (redis.link == FLEET_LINK_UNKNOWN)
        return whole(json_pack("{s:n, s:n}", "up", "since_s"));
    return whole(json_pack("{s:b, s:I}", "up", redis.link == FLEET_LINK_UP, "since_s",
                           (json_int_t)((now_ms - redis.since_ms) / MS_PER_S)));
}

static json_t *answer_status(const struct commands *commands)
{
    enum supervisor_pausing pausing = commands->pausing(commands->arg);
    int64_t now_ms = clock_mono_ms();
    json_t *pools = whole(json_array());

    for (size_t i = 0; i < fleet_pool_ct(commands->fleet); i++)
        MUST(json_array_append_new(pools, pool_status(fleet_pool(commands->fleet, i))) ==
             0);
    return whole(json_pack("{s:b, s:{s:I, s:s, s:I, s:b, s:b}, s:o, s:I, s:o}", "ok", 1,
                           "supervisor", "pid", (json_int_t)getpid(), "state",
                           supervisor_phase_name(commands->phase(commands->arg)),
                           "uptime_s",
                           (json_int_t)((now_ms - commands->started_at_ms) / MS_PER_S),
                           "paused", (int)(pausing != SUPERVISOR_WORKS), "draining",
                           (int)(pausing == SUPERVISOR_DRAINING), "pools", pools, "stale",
                           (json_int_t)fleet_count(commands->fleet).stale, "redis",
                           redis_status(commands->fleet, now_ms)));
}

static json_t *answer_scale(const struct commands *commands,
                            const struct command *command)
{
    struct err err = {0};
    int64_t was = 0;

    if (fleet_scale(commands->fleet, command->pool, command->workers, &was, &err) != 0)
        return control_error(err.text);
    log_info("supervisor.scale", log_str("pool", command->pool), log_int("was", was),
             log_int("now", command->workers), log_str("why", "command"));
    return whole(json_pack("{s:b, s:I, s:I}", "ok", 1, "was", (json_int_t)was, "now",
                           (json_int_t)command->workers));
}

static json_t *answer_stop(const struct commands *commands)
{
    commands->stop(commands->arg);
    return whole(json_pack("{s:b, s:I}", "ok", 1, "pid", (json_int_t)getpid()));
}

static json_t *answer_pause(const struct commands *commands, enum supervisor_pausing to)
{
    struct err err = {0};

    if (commands->pause(commands->arg, to, &err) != 0)
        return control_error(err.text);
    return whole(json_pack("{s:b, s:I}", "ok", 1, "pid", (json_int_t)getpid()));
}

static json_t *answer_reload(const struct commands *commands)
{
    struct err err = {0};
    struct buf waiting;
    json_t *answer;

    buf_init(&waiting, 0);
    if (commands->reload(commands->arg, &waiting, &err) != 0)
        answer = control_error(err.text);
    else
        answer = whole(json_pack("{s:b, s:s}", "ok", 1, "needs_restart",
                                 waiting.data ? waiting.data : ""));
    buf_free(&waiting);
    return answer;
}

json_t *commands_answer(void *arg, const json_t *request)
{
    const struct commands *commands = arg;
    struct command command;
    struct err err = {0};

    if (command_parse(request, &command, &err) != 0)
        return control_error(err.text);
    switch (command.verb) {
    case COMMAND_SCALE:
        return answer_scale(commands, &command);
    case COMMAND_STOP:
        return answer_stop(commands);
    case COMMAND_RELOAD:
        return answer_reload(commands);
    case COMMAND_PAUSE:
        return answer_pause(commands, SUPERVISOR_PAUSED);
    case COMMAND_RESUME:
        return answer_pause(commands, SUPERVISOR_WORKS);
    case COMMAND_DRAIN:
        return answer_pause(commands, SUPERVISOR_DRAINING);
    case COMMAND_STATUS:
    default:
        return answer_status(commands);
    }
}
