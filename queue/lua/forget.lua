-- Drops failed records.
--
-- KEYS index, then one record each
-- ARGV their uuids, in the same order
-- Reply: how many records were there.
local removed = 0
for i, uuid in ipairs(ARGV) do
    removed = removed + redis.call('DEL', KEYS[i + 1])
    redis.call('ZREM', KEYS[1], uuid)
end
return removed
