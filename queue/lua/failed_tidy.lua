-- Takes members out of the index of failed records whose records are gone.
--
-- KEYS index, then one record each
-- ARGV their uuids, in the same order
-- Reply: how many were taken out.
local removed = 0
for i, uuid in ipairs(ARGV) do
    if redis.call('EXISTS', KEYS[i + 1]) == 0 then
        removed = removed + redis.call('ZREM', KEYS[1], uuid)
    end
end
return removed
