-- outbox_drop: ends records that PostgreSQL has now.
--
-- KEYS 1 drover:outbox, then one record each
-- ARGV per record, in the same order: uuid, failed_at_ms as it was read
-- Reply: places (from 1) of those that are no longer what was read: retried or forgotten
--        meanwhile, or failed again. They stay as they are.
--@ begin
--@ length

local _, wrong = length_of('ZCARD', KEYS[1], 'zset')
if wrong then return wrong end
redis.call('ZREM', KEYS[1], '') -- removes nothing: is refused here, or not at all
local kept = {}
for i = 2, #KEYS do
    local uuid, failed_at_ms = ARGV[2 * i - 3], ARGV[2 * i - 2]
    local found = redis.pcall('HGET', KEYS[i], 'failed_at_ms')
    if not is_wrong_type(found) and found == failed_at_ms then
        redis.call('UNLINK', KEYS[i])
        redis.call('ZREM', KEYS[1], uuid)
    else
        kept[#kept + 1] = i - 1
    end
end
return kept
