/* Which commands would let a payload choose what is run, and which would not. */
#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "config/code.h"
#include "tests/unit/suite.h"

enum { WORDS_MAX = 16 };

/* How what is said begins. */
#define IN_CODE "a placeholder in code would"
#define IN_SCRIPT "a placeholder for the script would"
#define IN_OPTION "a placeholder before the script"
#define LIKE_OPTION "a value that begins with \"-\" would"
#define IN_PROGRAM "the program takes no placeholder"
#define ON_STDIN "without a script it would run"
#define IN_REMOTE "a placeholder would be code: ssh"

static const struct {
    const char *command; /* with '|' between its words */
    size_t at;
    const char *risk;
} risky[] = {
    /* code */
    {"sh|-c|wc {data.x}", 2, IN_CODE},
    {"/bin/bash|-euo|pipefail|-c|wc {data.x}", 4, IN_CODE},
    {"bash|-ce|wc {data.x}", 2, IN_CODE},
    {"bash|-c|-e|--|wc {data.x}", 4, IN_CODE},
    {"bash|+o|posix|-co|pipefail|wc {data.x}", 5, IN_CODE},
    {"fish|-c|wc {data.x}", 2, IN_CODE},
    {"python3.11|-c|print({data.x})", 2, IN_CODE},
    {"python3|-m|{data.x}", 2, IN_CODE},
    {"python3|-m{data.x}", 1, IN_CODE},
    {"php8.2|-r|echo {data.x};", 2, IN_CODE},
    {"php|-d|memory_limit=1G|-r|echo {data.x};", 4, IN_CODE},
    {"php|-recho {data.x};", 1, IN_CODE},
    {"php|-q{data.x}", 1, IN_CODE},
    {"php|-B|$i = 0;|-R|echo {data.x};", 4, IN_CODE},
    {"php|-f|{data.x}", 2, IN_CODE},
    {"perl|-I|lib|-MFoo=e|-lane|print {data.x}", 5, IN_CODE},
    {"ruby|-rjson|-e|puts {data.x}", 3, IN_CODE},
    {"node|--eval=f({data.x})", 1, IN_CODE},
    {"node|-pe|f({data.x})", 2, IN_CODE},
    {"nodejs|-p|{data.x}", 2, IN_CODE},

    /* scripts */
    {"sh|{data.x}", 1, IN_SCRIPT},
    {"/usr/bin/dash|-e|{data.x}|a", 2, IN_SCRIPT},
    {"bash|-o|pipefail|-e|{data.x}", 4, IN_SCRIPT},
    {"bash|--rcfile|/etc/rc|--|{data.x}", 4, IN_SCRIPT},
    {"sh|-|{data.x}", 2, IN_SCRIPT},
    {"sh|/opt/{data.x}.sh", 1, IN_SCRIPT},
    {"php|{data.x}", 1, IN_SCRIPT},
    {"php|-d|memory_limit=1G|{data.x}", 3, IN_SCRIPT},
    {"php|-dmemory_limit=1G|-q|--|{data.x}", 4, IN_SCRIPT},
    {"python3|-u|{data.x}", 2, IN_SCRIPT},
    {"python3|-W|ignore|-Xdev|{data.x}", 4, IN_SCRIPT},
    {"perl|-I|lib|-w|{data.x}", 4, IN_SCRIPT},
    {"ruby|-I|lib|-rjson|/srv/{data.x}", 4, IN_SCRIPT},
    {"node|--require|x|{data.x}", 3, IN_SCRIPT},

    /* options, and what could be one */
    {"php|-d|{data.x}|artisan", 2, IN_OPTION},
    {"php|-dmemory_limit={data.x}|artisan", 1, IN_OPTION}, /* a newline in it: any */
    {"python3|-W|{data.x}|report.py", 2, IN_OPTION},
    {"bash|-o|{data.x}|report.sh", 2, IN_OPTION},
    {"bash|--rcfile={data.x}|report.sh", 1, IN_OPTION},
    {"node|--require={data.x}|report.js", 1, IN_OPTION},
    {"perl|-e|f(@ARGV)|{data.x}", 3, LIKE_OPTION},
    {"php|-r|f($argv);|{data.x}", 3, LIKE_OPTION},
    {"php|-f|report.php|{data.x}", 3, LIKE_OPTION},
    {"node|-e|f()|{data.x}", 3, LIKE_OPTION},
    {"ruby|-e|f|{data.x}|a", 3, LIKE_OPTION},
    {"fish|-c|wc|{data.x}", 3, LIKE_OPTION},

    /* standard input */
    {"sh", 0, ON_STDIN},
    {"bash|-eu", 0, ON_STDIN},
    {"bash|-s|--", 0, ON_STDIN},
    {"bash|-es|a", 0, ON_STDIN},
    {"sh|-", 0, ON_STDIN},
    {"php", 0, ON_STDIN},
    {"python3|-", 0, ON_STDIN},
    {"perl|-w|-|{data.x}", 0, ON_STDIN},
    {"nice|-n|5|node", 3, ON_STDIN},
    {"su|-|www-data", 0, ON_STDIN},

    /* behind other programs */
    {"env|A=b|/usr/bin/bash|-lc|{{}} {data.x}", 4, IN_CODE},
    {"env|-i|-u|A|B=c|php|{data.x}", 6, IN_SCRIPT},
    {"env|-|{data.x}", 2, IN_PROGRAM},
    {"env|{data.x}|true", 1, IN_PROGRAM},
    {"env|{data.x}=b|true", 1, IN_PROGRAM},
    {"env|-S|sh -c {data.x}", 2, IN_CODE},
    {"env|-iS{data.x}", 1, IN_CODE},
    {"env|--split-string=a {data.x}", 1, IN_CODE},
    {"nice|-n|5|{data.x}|a", 3, IN_PROGRAM},
    {"nice|-5|/opt/{data.x}", 2, IN_PROGRAM},
    {"nice|node|--require|x|--eval|f({data.x})", 5, IN_CODE},
    {"ionice|-c|3|sh|-c|{data.x}", 5, IN_CODE},
    {"nohup|{data.x}", 1, IN_PROGRAM},
    {"setsid|-w|{data.x}", 2, IN_PROGRAM},
    {"stdbuf|-o|L|{data.x}", 3, IN_PROGRAM},
    {"timeout|-k|5|60|{data.x}", 4, IN_PROGRAM},
    {"timeout|--signal|KILL|60|php|{data.x}", 5, IN_SCRIPT},
    {"timeout|{data.t}|sleep|1", 1, LIKE_OPTION},
    {"time|-f|%e|{data.x}", 3, IN_PROGRAM},
    {"taskset|-c|0|{data.x}", 3, IN_PROGRAM},
    {"chrt|-f|10|{data.x}", 3, IN_PROGRAM},
    {"chroot|/srv|{data.x}", 2, IN_PROGRAM},
    {"chroot|--userspec|1:1|/srv|sh|-c|{data.x}", 6, IN_CODE},
    {"setpriv|--reuid|33|--clear-groups|{data.x}", 4, IN_PROGRAM},
    {"sudo|-nu|www-data|A=b|{data.x}", 4, IN_PROGRAM},
    {"sudo|--user|www-data|--|sh|-c|{data.x}", 6, IN_CODE},
    {"doas|-u|www|{data.x}", 3, IN_PROGRAM},
    {"gosu|www-data|{data.x}", 2, IN_PROGRAM},
    {"busybox|sh|-c|{data.x}", 3, IN_CODE},
    {"busybox|{data.x}", 1, IN_PROGRAM},
    {"flock|-w|5|/run/lock/a|{data.x}", 4, IN_PROGRAM},
    {"flock|-n|/run/lock/a|-c|wc {data.x}", 4, IN_CODE},
    {"flock|{data.x}|true", 1, LIKE_OPTION},
    {"xargs|-n|1|sh|-c|{data.x}", 5, IN_CODE},
    {"xargs|-0|{data.x}", 2, IN_PROGRAM},
    {"docker|exec|-i|-u|www|app|{data.x}", 6, IN_PROGRAM},
    {"podman|exec|app|sh|-c|{data.x}", 5, IN_CODE},
    {"sudo|timeout|5|env|A=b|nice|php|{data.x}", 7, IN_SCRIPT},

    /* another user, another host */
    {"su|www-data|-c|wc {data.x}", 3, IN_CODE},
    {"su|-|www-data|--command=wc {data.x}", 3, IN_CODE},
    {"su|-s|{data.x}|www-data|-c|true", 2, IN_OPTION},
    {"su|www-data|-c|wc \"$1\"|sh|{data.x}", 5, LIKE_OPTION},
    {"su|www-data|--|{data.x}", 3, IN_SCRIPT},
    {"su|www-data|/opt/run.sh|{data.x}", 3, LIKE_OPTION},
    {"runuser|www-data|-c|wc {data.x}", 3, IN_CODE},
    {"runuser|-u|www-data|{data.x}", 3, IN_PROGRAM},
    {"runuser|-u|www-data|--|php|{data.x}", 5, IN_SCRIPT},
    {"ssh|-p|22|host|wc|{data.x}", 5, IN_REMOTE},
    {"ssh|{data.x}|uptime", 1, IN_REMOTE},
    {"nice|ssh|host|wc '{data.x}'", 3, IN_REMOTE},
};

static const char *const innocent[] = {
    /* behind the code or the script is data */
    "sh|-c|wc \"$1\"|sh|{data.x}",
    "sh|-c|f() {{ wc; }}|{data.x}",
    "sh|-c",
    "sh|/opt/run.sh|{data.x}",
    "sh|--|-c|{data.x}",
    "bash|-o|pipefail|report.sh|-c|{data.x}",
    "bash|--version",
    "php|artisan|{data.x}",
    "php|artisan|report|-r|{data.x}",
    "php|-d|memory_limit=1G|artisan|{data.x}",
    "php|-dx=r|report.php|{data.x}",
    "php|-r|f($argv);|--|-r|{data.x}",
    "php|-f|report.php|--|{data.x}",
    "php|-v",
    "perl|-MFoo=e|report.pl|{data.x}",
    "perl|-I|lib|report.pl|{data.x}",
    "perl|-e|f(@ARGV)|--|{data.x}",
    "perl|-e|f(@ARGV)|file={data.x}",
    "python3|-c|f()|-c|{data.x}",
    "python3|-m|report|-c|{data.x}",
    "python3|-mreport|{data.x}",
    "python3|-u|-W|ignore|report.py|{data.x}",
    "ruby|-I|lib|report.rb|{data.x}",
    "node|-e|f()|--|{data.x}",
    "node|report.js|{data.x}",

    /* other programs, whatever their arguments look like */
    "grep|php|-r|{data.x}",
    "push|-c|{data.x}",
    "/opt/php.sh|{data.x}",
    "/opt/python3-report|{data.x}",
    "ssh-keygen|-f|{data.x}",
    "docker|tag|app|{data.x}",

    /* what wrappers are given for themselves */
    "nice|tar|-c|{data.x}",
    "nice|-n|{data.n}|tar|{data.x}",
    "env|A={data.x}|B=c|report|{data.x}",
    "env|A={data.x}|php|artisan|{data.x}",
    "timeout|--|{data.t}|report|{data.x}",
    "timeout|60|php|artisan|{data.x}",
    "flock|/run/lock/{data.x}|report|{data.x}",
    "flock|-n|/run/lock/a|-c|report",
    "flock|/run/lock/a|sh|-c|wc \"$1\"|sh|{data.x}",
    "sudo|-u|php|/opt/run|-c|{data.x}",
    "sudo|-u|{data.user}|/opt/run|{data.x}",
    "setpriv|--reuid|33|--clear-groups|php|artisan|{data.x}",
    "chroot|/srv/{data.x}|report|{data.x}",
    "docker|exec|-e|A={data.x}|php|php|artisan|{data.x}",
    "xargs|-n|1|rm",
    "su|www-data|-c|wc \"$1\"|--|sh|{data.x}",
    "su|www-data|--|/opt/run.sh|{data.x}",
    "runuser|-u|www-data|php|artisan|{data.x}",
    "runuser|-u|www-data|--|php|artisan|{data.x}",
    "ssh|-o|BatchMode=yes|host|/opt/run.sh",
    "env",
    "sudo",
};

static const char *find_risk(const char *command, size_t *at)
{
    char *copy = must_strdup(command), *items[WORDS_MAX], *save = NULL;
    struct text_list list = {.items = items};
    const char *risk;

    for (char *word = strtok_r(copy, "|", &save); word;
         word = strtok_r(NULL, "|", &save)) {
        ck_assert_uint_lt(list.ct, WORDS_MAX);
        items[list.ct++] = word;
    }
    risk = code_find_risk(&list, at);
    free(copy);
    return risk;
}

START_TEST(a_payload_chooses_neither_program_nor_code)
{
    size_t at = 99;
    const char *risk = find_risk(risky[_i].command, &at);

    ck_assert_msg(risk && strncmp(risk, risky[_i].risk, strlen(risky[_i].risk)) == 0,
                  "%s: %s", risky[_i].command, risk ? risk : "taken");
    ck_assert_msg(at == risky[_i].at, "%s: at %zu", risky[_i].command, at);
}
END_TEST

START_TEST(a_payload_chooses_data)
{
    size_t at;
    const char *risk = find_risk(innocent[_i], &at);

    ck_assert_msg(risk == NULL, "%s: %s", innocent[_i], risk);
}
END_TEST

static void add_tests(TCase *tc)
{
    tcase_add_loop_test(tc, a_payload_chooses_neither_program_nor_code, 0,
                        ARRAY_CT(risky));
    tcase_add_loop_test(tc, a_payload_chooses_data, 0, ARRAY_CT(innocent));
}

int main(void)
{
    return run_suite("config code", 30, add_tests);
}
