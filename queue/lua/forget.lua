-- Drops failed records.
--
-- KEYS index, then one record each
-- ARGV their uuids, in the same order
-- Reply: how many records were there; -1, and all stay: one of them is in a worker's hands on
--        the way to PostgreSQL.
--@ begin
--@ moving

for i = 2, #KEYS do
    if is_moving(KEYS[1], KEYS[i]) then
        return -1
    end
end
redis.call('ZREM', KEYS[1], '') -- removes nothing: is refused here, or not at all
local removed = 0
for i, uuid in ipairs(ARGV) do
    removed = removed + redis.call('DEL', KEYS[i + 1])
    redis.call('ZREM', KEYS[1], uuid)
end
return removed
