-- outbox_read: failed records that wait for PostgreSQL, as many as fit. Only reads.
--
-- KEYS records, one each
-- ARGV 1 bytes of payloads and exceptions that the answer may have; the first record is
--        in it however big it is
-- Reply 1 how many of the records were looked at, from the first on
--       2 places (from 1) of those that are gone
--       3 the others: place, {connection, queue, job, attempts, reason, failed_at_ms,
--         payload, exception, was_uuid}, ...
--
-- A key that is no hash is nobody's record: it is in neither list.
local room, looked, gone, records = tonumber(ARGV[1]), 0, {}, {}

for place, key in ipairs(KEYS) do
    local payload, exception = redis.pcall('HSTRLEN', key, 'payload'), 0
    if type(payload) == 'number' then
        exception = redis.call('HSTRLEN', key, 'exception')
        if #records > 0 and payload + exception > room then
            break
        end
        local fields = redis.call('HMGET', key, 'connection', 'queue', 'job', 'attempts',
                                  'reason', 'failed_at_ms', 'payload', 'exception',
                                  'was_uuid')
        if fields[6] or fields[7] then
            room = room - payload - exception
            records[#records + 1] = place
            records[#records + 1] = fields
        else
            gone[#gone + 1] = place
        end
    end
    looked = place
end
return {looked, gone, records}
