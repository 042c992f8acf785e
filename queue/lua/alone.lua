-- alone: notes that a job is about to run alone, so that a death from now on is its own.
--
-- KEYS 1 drover:failed  2 drover:crashes
-- ARGV 1 crash key
-- Reply: 1, or 0: no crash of it is known (any more)
--
-- give_back takes the mark off again where nobody died, the other verdicts with the count.
-- "count note" becomes "count alone; note". Twice does no harm.
redis.call('ZREM', KEYS[1], '') -- removes nothing: lets a full Redis take what follows

local before = redis.pcall('HGET', KEYS[2], ARGV[1])
if type(before) ~= 'string' then
    return 0
end
local count, note = string.match(before, '^(%d+) ?(.*)$')
if count and string.sub(note, 1, 7) ~= 'alone; ' then
    redis.pcall('HSET', KEYS[2], ARGV[1], count .. ' alone; ' .. note)
end
return 1
