-- outbox_read: failed records that wait for PostgreSQL, as many as fit. Only reads.
--
-- KEYS records, one each
-- ARGV 1 bytes of payloads and exceptions that the answer may have; the first record is
--        in it however big it is
--      2 max_payload, bytes: a payload that is longer goes to no worker
-- Reply 1 how many of the records were looked at, from the first on
--       2 places (from 1) of those that are gone
--       3 the others: place, {connection, queue, job, attempts, reason, failed_at_ms,
--         payload, exception, was_uuid}, ...
--       4 those that stay, their payloads being too long: place, bytes, ...
--
-- A key that is no hash is nobody's record: it is in none of the lists.
--@ begin

local room, max_payload = tonumber(ARGV[1]), tonumber(ARGV[2])
local looked, gone, records, too_long = 0, {}, {}, {}

for place, key in ipairs(KEYS) do
    local payload, exception = redis.pcall('HSTRLEN', key, 'payload'), 0
    local is_record = not is_wrong_type(payload)
    if is_record and payload > max_payload then
        too_long[#too_long + 1] = place
        too_long[#too_long + 1] = payload
    elseif is_record then
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
return {looked, gone, records, too_long}
