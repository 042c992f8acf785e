-- failed_move: moves failed records from one index to another; the records stay.
--
-- KEYS 1 index to take from  2 index to add to
-- ARGV 1 how many at most
-- Reply: how many were moved, the oldest first.
--@ length

local _, wrong = length_of('ZCARD', KEYS[1], 'zset')
if not wrong then
    _, wrong = length_of('ZCARD', KEYS[2], 'zset')
end
if wrong then return wrong end
redis.call('ZREM', KEYS[1], '') -- removes nothing: lets a full Redis take what follows
local page = redis.call('ZRANGE', KEYS[1], 0, tonumber(ARGV[1]) - 1, 'WITHSCORES')
for i = 1, #page, 2 do
    redis.call('ZADD', KEYS[2], page[i + 1], page[i])
    redis.call('ZREM', KEYS[1], page[i])
end
return #page / 2
