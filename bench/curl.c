/* What libcurl itself can do: a bare curl_multi loop that sends the same POST again and
 * again, so many in flight. The mark that drover's webhooks are held against.
 *
 *     bench/curl URL REQUESTS IN_FLIGHT     prints requests per second, and what one
 *                                           costs of the CPU, in microseconds
 */
#include <curl/curl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>

#include "base/clock.h"
#include "base/must.h"

enum { IN_FLIGHT_MAX = 1024, WAIT_MS = 1000 };

/* What drover sends as the data of one of bench/raw's payloads. */
static const char body[] = "{\"customer\":25000,\"note\":"
                           "\"abcdefghijklmnopqrstuvwxyz abcdefghijklmnopqrstuvwxyz\"}";

static size_t discard(char *bytes UNUSED, size_t size, size_t ct, void *arg UNUSED)
{
    return size * ct;
}

/* Those that drover sends. */
static struct curl_slist *same_headers(void)
{
    static const char *const lines[] = {
        "Content-Type: application/json",
        "webhook-id: 0f34e38b-0b3a-41d4-850c-f93781ac74c3",
        "webhook-timestamp: 1795274058",
        "idempotency-key: 0f34e38b-0b3a-41d4-850c-f93781ac74c3"};
    struct curl_slist *headers = NULL;

    for (size_t i = 0; i < ARRAY_CT(lines); i++)
        headers = curl_slist_append(headers, lines[i]);
    return headers;
}

static CURL *create_request(const char *url, struct curl_slist *headers)
{
    CURL *easy = curl_easy_init();

    MUST(easy != NULL);
    (void)curl_easy_setopt(easy, CURLOPT_URL, url);
    (void)curl_easy_setopt(easy, CURLOPT_HTTPHEADER, headers);
    (void)curl_easy_setopt(easy, CURLOPT_USERAGENT, "drover/" PACKAGE_VERSION);
    (void)curl_easy_setopt(easy, CURLOPT_POSTFIELDSIZE, (long)sizeof(body) - 1);
    (void)curl_easy_setopt(easy, CURLOPT_POSTFIELDS, body);
    (void)curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, discard);
    (void)curl_easy_setopt(easy, CURLOPT_NOSIGNAL, 1L);
    return easy;
}

/* Returns how many ended; each is sent again while there are some to send. */
static long reap(CURLM *multi, long *unsent)
{
    CURLMsg *message;
    long ended = 0;
    int left;

    while ((message = curl_multi_info_read(multi, &left)) != NULL) {
        CURL *easy = message->easy_handle;

        MUST(message->data.result == CURLE_OK);
        (void)curl_multi_remove_handle(multi, easy);
        ended++;
        if (--*unsent >= 0)
            (void)curl_multi_add_handle(multi, easy);
        else
            curl_easy_cleanup(easy);
    }
    return ended;
}

/* Used by this process so far. */
static int64_t cpu_us(void)
{
    struct rusage used;

    MUST(getrusage(RUSAGE_SELF, &used) == 0);
    return (used.ru_utime.tv_sec + used.ru_stime.tv_sec) * INT64_C(1000000) +
           used.ru_utime.tv_usec + used.ru_stime.tv_usec;
}

static void run(const char *url, long requests, long in_flight)
{
    struct curl_slist *headers = same_headers();
    CURLM *multi = curl_multi_init();
    int64_t start_us = clock_mono_us(), start_cpu_us = cpu_us();
    long unsent = requests - in_flight, ended = 0;
    int running;

    (void)curl_multi_setopt(multi, CURLMOPT_MAXCONNECTS, in_flight);
    for (long i = 0; i < in_flight; i++)
        (void)curl_multi_add_handle(multi, create_request(url, headers));
    while (ended < requests) {
        MUST(curl_multi_perform(multi, &running) == CURLM_OK);
        ended += reap(multi, &unsent);
        if (ended < requests)
            (void)curl_multi_poll(multi, NULL, 0, WAIT_MS, NULL);
    }
    printf("%.0f %.2f\n", (double)requests * 1e6 / (double)(clock_mono_us() - start_us),
           (double)(cpu_us() - start_cpu_us) / (double)requests);
    (void)curl_multi_cleanup(multi);
    curl_slist_free_all(headers);
}

int main(int argc, char **argv)
{
    long requests, in_flight;

    if (argc != 4) {
        (void)fputs("usage: curl URL REQUESTS IN_FLIGHT\n", stderr);
        return 2;
    }
    requests = strtol(argv[2], NULL, 10);
    in_flight = strtol(argv[3], NULL, 10);
    MUST(in_flight > 0 && in_flight <= IN_FLIGHT_MAX && requests >= in_flight);
    run(argv[1], requests, in_flight);
    return 0;
}
