/* drover: one binary, many commands. Finds the command, reads its arguments, runs it.
 *
 * What a command does is its own file's; what all share is in cli.h and output.h. Here
 * are only the process's own affairs: its title, SIGPIPE, and whether stdout took all.
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/proctitle.h"
#include "cli/args.h"
#include "cli/artisan.h"
#include "cli/commands.h"
#include "cli/help.h"
#include "cli/output.h"

static int fail_usage(const struct err *err, const char *words)
{
    int exit_code = cli_fail(err);

    output_note("`drover %s%s--help` tells more", words, words[0] ? " " : "");
    return exit_code;
}

/* `config_path` is what stood before the command; -c behind it counts more. */
static int run_command(const struct cli_command *command, size_t argc, char *const *argv,
                       const char *config_path)
{
    struct cli_args args;
    struct err err = {0};
    int exit_code = EXIT_DONE;

    switch (args_parse(&args, command, argc, argv, &err)) {
    case ARGS_HELP:
        help_command(stdout, command);
        break;
    case ARGS_BAD:
        exit_code = fail_usage(&err, command->words);
        break;
    case ARGS_RUN:
        if (args.config_path == NULL)
            args.config_path = config_path;
        exit_code = command->run(&args);
        break;
    }
    args_free(&args);
    return exit_code;
}

static int fail_unknown(size_t ct, char *const *words)
{
    struct err err = {0};

    commands_set_unknown(ct, words, &err);
    return fail_usage(&err, commands_is_group(words[0]) ? words[0] : "");
}

/* `drover failed`: what could stand behind it is said, but nothing was done. */
static int fail_bare_group(const char *group)
{
    output_note("`drover %s` needs a command behind it", group);
    help_group(stderr, group);
    return EXIT_BAD_USAGE;
}

static bool is_help_option(const char *word)
{
    return strcmp(word, "--help") == 0 || strcmp(word, "-h") == 0;
}

/* `drover help`, `drover help failed`, `drover help failed list`. */
static int show_help(size_t ct, char *const *words)
{
    size_t taken;
    const struct cli_command *command = commands_find(ct, words, &taken);

    if (ct == 0)
        help_overview(stdout);
    else if (command && taken == ct)
        help_command(stdout, command);
    else if (ct == 1 && commands_is_group(words[0]))
        help_group(stdout, words[0]);
    else
        return fail_unknown(ct, words);
    return EXIT_DONE;
}

/* Of a command by Artisan's name; `words` are what stands behind it. */
static int run_alias(const struct cli_alias *alias, size_t ct, char *const *words,
                     const char *config_path)
{
    const struct cli_command *command;
    struct artisan_line line;
    struct err err = {0};
    size_t taken;
    int exit_code;

    if (artisan_translate(alias, ct, words, &line, &err) == 0) {
        command = commands_find(line.ct, line.words, &taken);
        MUST(command != NULL);
        exit_code =
            run_command(command, line.ct - taken, line.words + taken, config_path);
    } else {
        exit_code = cli_fail(&err);
    }
    artisan_free(&line);
    return exit_code;
}

/* `work` reads queue:work's options itself. */
static bool is_to_translate(const char *word)
{
    const struct cli_alias *alias = commands_find_alias(word);

    return alias && strcmp(alias->words, "work") != 0;
}

/* `ct` words behind the program's name. */
static int dispatch(size_t ct, char *const *words)
{
    const char *config_path = NULL;
    size_t before = args_skip_config(ct, words, &config_path), taken;
    const struct cli_command *command;

    ct -= before;
    words += before;
    command = commands_find(ct, words, &taken);
    if (command && is_to_translate(words[0]))
        return run_alias(commands_find_alias(words[0]), ct - 1, words + 1, config_path);
    if (command)
        return run_command(command, ct - taken, words + taken, config_path);
    if (ct == 0 || is_help_option(words[0]))
        return show_help(0, NULL);
    if (strcmp(words[0], "help") == 0)
        return show_help(ct - 1, words + 1);
    if (strcmp(words[0], "--version") == 0) {
        puts("drover " PACKAGE_VERSION);
        return EXIT_DONE;
    }
    if (strcmp(words[0], "--complete") == 0) {
        help_complete(ct - 1, words + 1);
        return EXIT_DONE;
    }
    if (commands_is_group(words[0]) && ct == 1)
        return fail_bare_group(words[0]);
    if (commands_is_group(words[0]) && is_help_option(words[1]))
        return show_help(1, words);
    return fail_unknown(ct, words);
}

/* Whether it is a pipe or socket whose reader has gone. */
static bool is_unread(int fd)
{
    struct pollfd pfd = {.fd = fd, .events = POLLOUT};

    return poll(&pfd, 1, 0) == 1 && (pfd.revents & (POLLERR | POLLHUP)) != 0;
}

/* Lost output is a failure, even where the command went well. Nobody needs to hear of a
 * reader that had enough (`drover failed list | head`). */
static int flush_output(int exit_code)
{
    bool failed = ferror(stdout) != 0;

    errno = 0;
    if (fflush(stdout) == 0 && !failed)
        return exit_code;
    if (errno == 0 && !is_unread(STDOUT_FILENO)) /* an earlier write's, and forgotten */
        output_note("cannot write the output: not all of it went");
    else if (errno != EPIPE && errno != 0)
        output_note("cannot write the output: %s", strerror(errno));
    return exit_code == EXIT_DONE ? EXIT_ERROR : exit_code;
}

/* Else the first socket or file that is opened would be taken for stdin or stdout. What
 * takes their place refuses to be read or written, so that lost output is noticed. */
static void hold_standard_fds(void)
{
    static const int modes[] = {O_WRONLY, O_RDONLY, O_RDWR};

    for (int fd = STDIN_FILENO; fd <= STDERR_FILENO; fd++)
        if (fcntl(fd, F_GETFD) < 0 && open("/dev/null", modes[fd]) < 0)
            return;
}

int main(int argc, char **argv)
{
    hold_standard_fds();
    signal(SIGPIPE, SIG_IGN);
    proctitle_init(argc, argv);
    if (argc < 1)
        return EXIT_BAD_USAGE;
    return flush_output(dispatch((size_t)argc - 1, argv + 1));
}
