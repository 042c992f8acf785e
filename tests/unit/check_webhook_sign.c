/* Webhook signatures: the specification's own vector, rotation, and secrets that are
 * none. */
#include <stdlib.h>
#include <string.h>

#include "jobs/webhook_sign.h"
#include "tests/unit/suite.h"

/* The example of Standard Webhooks 1.0 and of its reference libraries' tests. */
#define SPEC_SECRET "MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
#define SPEC_ID "msg_p5jXN8AQM9LWM0D4loKWxJek"
#define SPEC_TIMESTAMP 1614265330
#define SPEC_BODY "{\"test\": 2432232314}"
#define SPEC_SIGNATURE "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="

#define OTHER_SECRET "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8="

static struct webhook_keys keys_of(const char *text)
{
    struct webhook_keys keys;
    struct err err;

    ck_assert_msg(webhook_keys_parse(slice_text(text), &keys, &err) == 0, "%s: %s", text,
                  err.text);
    return keys;
}

static char *sign(const char *secrets, const char *body)
{
    struct webhook_keys keys = keys_of(secrets);
    struct buf out;

    buf_init(&out, 0);
    ck_assert_int_eq(
        webhook_sign(&keys, SPEC_ID, SPEC_TIMESTAMP, slice_text(body), &out, NULL), 0);
    webhook_keys_wipe(&keys);
    return buf_take(&out);
}

START_TEST(the_specifications_vector_holds)
{
    static const char *const secrets[] = {SPEC_SECRET, "whsec_" SPEC_SECRET,
                                          "whsec_" SPEC_SECRET "\n",
                                          "\n  whsec_" SPEC_SECRET " \r\n\n"};

    for (size_t i = 0; i < ARRAY_CT(secrets); i++) {
        char *signature = sign(secrets[i], SPEC_BODY);

        ck_assert_str_eq(signature, SPEC_SIGNATURE);
        free(signature);
    }
}
END_TEST

START_TEST(any_other_body_has_another_signature)
{
    static const char *const bodies[] = {"", "{\"test\":2432232314}", SPEC_BODY "\n"};

    for (size_t i = 0; i < ARRAY_CT(bodies); i++) {
        char *signature = sign(SPEC_SECRET, bodies[i]);

        ck_assert_str_ne(signature, SPEC_SIGNATURE);
        ck_assert_uint_eq(strlen(signature), strlen(SPEC_SIGNATURE));
        free(signature);
    }
}
END_TEST

START_TEST(two_secrets_give_two_signatures_in_order)
{
    char *both = sign("whsec_" OTHER_SECRET "\nwhsec_" SPEC_SECRET "\n", SPEC_BODY);
    char *other = sign(OTHER_SECRET, SPEC_BODY);
    size_t len = strlen(other);

    ck_assert_int_eq(strncmp(both, other, len), 0);
    ck_assert_str_eq(both + len, " " SPEC_SIGNATURE);
    free(both);
    free(other);
}
END_TEST

START_TEST(what_is_no_secret_is_refused_unshown)
{
    static const struct {
        const char *text, *words;
    } rows[] = {
        {"", "no secret"},
        {"\n \n", "no secret"},
        {"whsec_", "line 1"},
        {"hunter2", "line 1"},
        {"c2hvcnQ=", "24 to 64"},                                   /* 5 bytes */
        {"\nwhsec_" SPEC_SECRET SPEC_SECRET SPEC_SECRET, "line 2"}, /* 72 bytes */
        {SPEC_SECRET "\n" OTHER_SECRET "\n" SPEC_SECRET, "line 3: more than 2"},
        {"MfKQ9r8GKYqrTwjUPD8ILPZIo2Lat*Sw", "line 1"},
    };

    for (size_t i = 0; i < ARRAY_CT(rows); i++) {
        struct webhook_keys keys;
        struct err err;

        ck_assert_int_eq(webhook_keys_parse(slice_text(rows[i].text), &keys, &err), -1);
        ck_assert_uint_eq(keys.ct, 0);
        ck_assert_msg(strstr(err.text, rows[i].words), "%s", err.text);
        ck_assert_ptr_null(strstr(err.text, "MfKQ"));
        ck_assert_ptr_null(strstr(err.text, "hunter2"));
    }
}
END_TEST

START_TEST(keys_are_read_to_the_byte)
{
    struct webhook_keys keys = keys_of(OTHER_SECRET);

    ck_assert_uint_eq(keys.ct, 1);
    ck_assert_uint_eq(keys.keys[0].len, 32);
    for (unsigned i = 0; i < 32; i++)
        ck_assert_uint_eq(keys.keys[0].bytes[i], i);
    webhook_keys_wipe(&keys);
    ck_assert_uint_eq(keys.keys[0].bytes[1], 0);
}
END_TEST

static void add_tests(TCase *tc)
{
    tcase_add_test(tc, the_specifications_vector_holds);
    tcase_add_test(tc, any_other_body_has_another_signature);
    tcase_add_test(tc, two_secrets_give_two_signatures_in_order);
    tcase_add_test(tc, what_is_no_secret_is_refused_unshown);
    tcase_add_test(tc, keys_are_read_to_the_byte);
}

int main(void)
{
    return run_suite("webhook_sign", 60, add_tests);
}
