/* From a record to the values of a row. Pure. */
#include "failed/parcel.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/hash.h"
#include "failed/raw.h"

/* Version 8 (RFC 9562): of the maker's own devising. */
static void make_spare_uuid(char text[UUID_TEXT_BYTES], struct slice uuid,
                            struct slice payload)
{
    struct hash hash;

    hash_init(&hash);
    hash_add(&hash, uuid);
    hash_add(&hash, slice_of("", 1));
    hash_add(&hash, payload);
    hash.high = (hash.high & ~0xf000ULL) | 0x8000;
    hash.low = (hash.low & ~(3ULL << 62)) | 2ULL << 62;
    (void)snprintf(text, UUID_TEXT_BYTES,
                   "%08" PRIx64 "-%04" PRIx64 "-%04" PRIx64 "-%04" PRIx64 "-%012" PRIx64,
                   hash.high >> 32, hash.high >> 16 & 0xffff, hash.high & 0xffff,
                   hash.low >> 48, hash.low & 0xffffffffffff);
}

static void add_payload(struct parcel *parcel, const struct fail_record *record)
{
    if (failed_raw_is_text(record->payload))
        (void)buf_add(&parcel->payload, record->payload.ptr, record->payload.len);
    else
        failed_raw_encode(&parcel->payload, record->uuid, record->payload);
}

static void add_note(struct buf *exception, const char *uuid)
{
    (void)buf_addf(
        exception, "%suuid of the job: %s, which another record has\n",
        exception->len && exception->data[exception->len - 1] != '\n' ? "\n" : "", uuid);
}

static void add_exceptions(struct parcel *parcel, const struct fail_record *record)
{
    failed_raw_clean(&parcel->exception, record->exception);
    if (record->was_uuid)
        add_note(&parcel->exception, record->was_uuid);
    (void)buf_add(&parcel->spare_exception, parcel->exception.data,
                  parcel->exception.len);
    add_note(&parcel->spare_exception, parcel->uuid);
}

static struct pg_param text_param(const struct buf *text)
{
    return (struct pg_param){.value = slice_of(text->data ? text->data : "", text->len),
                             .binary = true}; /* a text's bytes, without a copy */
}

static void set_params(struct parcel *parcel)
{
    const struct pg_param payload = text_param(&parcel->payload);
    const struct pg_param insert[PARCEL_INSERT_CT] = {
        {.value = slice_text(parcel->uuid)}, text_param(&parcel->connection),
        text_param(&parcel->queue),          payload,
        text_param(&parcel->exception),      {.value = slice_text(parcel->failed_at)},
    };

    memcpy(parcel->insert, insert, sizeof(insert));
    memcpy(parcel->spare, insert, sizeof(insert));
    parcel->spare[0].value = slice_text(parcel->spare_uuid);
    parcel->spare[4] = text_param(&parcel->spare_exception);
    parcel->spare[6].value = slice_text(parcel->uuid);
    parcel->find[0].value = slice_text(parcel->uuid);
    parcel->find[1].value = slice_text(parcel->spare_uuid);
    parcel->find[2] = payload;
}

bool parcel_fill(struct parcel *parcel, const struct fail_record *record)
{
    char at[CLOCK_TEXT_BYTES];

    memset(parcel, 0, sizeof(*parcel));
    if (record->payload.len > PARCEL_MAX_BYTES ||
        record->exception.len > PARCEL_MAX_BYTES)
        return false;
    memcpy(parcel->uuid, record->uuid, sizeof(parcel->uuid));
    parcel->failed_at_ms = record->failed_at_ms;
    make_spare_uuid(parcel->spare_uuid, slice_text(parcel->uuid), record->payload);
    clock_format(record->failed_at_ms, at, sizeof(at));
    (void)snprintf(parcel->failed_at, sizeof(parcel->failed_at), "%.10s %.8s", at,
                   at + 11);
    failed_raw_clean(&parcel->connection, slice_text(record->connection));
    failed_raw_clean(&parcel->queue, slice_text(record->queue));
    add_payload(parcel, record);
    add_exceptions(parcel, record);
    set_params(parcel);
    return true;
}

void parcel_free(struct parcel *parcel)
{
    buf_free(&parcel->connection);
    buf_free(&parcel->queue);
    buf_free(&parcel->payload);
    buf_free(&parcel->exception);
    buf_free(&parcel->spare_exception);
}

/* ---- statements ---- */

#define COLUMNS "(uuid, connection, queue, payload, exception, failed_at)"

char *parcel_insert_sql(const char *table)
{
    return must_format("INSERT INTO %s " COLUMNS " VALUES ($1::text, $2::text, $3::text, "
                       "$4::text, $5::text, $6::timestamp) ON CONFLICT (uuid) DO NOTHING",
                       table);
}

char *parcel_spare_sql(const char *table)
{
    return must_format("INSERT INTO %s " COLUMNS " SELECT $1::text, $2::text, $3::text, "
                       "$4::text, $5::text, $6::timestamp FROM %s WHERE uuid = $7::text "
                       "AND payload IS DISTINCT FROM $4::text "
                       "ON CONFLICT (uuid) DO NOTHING",
                       table, table);
}

char *parcel_find_sql(const char *table)
{
    return must_format("SELECT 1 FROM %s WHERE (uuid = $1::text AND payload = $3::text) "
                       "OR uuid = $2::text",
                       table);
}
