-- crashed: counts a crash for each job given, as "count note".
--
-- KEYS 1 drover:failed  2 drover:crashes
-- ARGV 1 note, then crash keys
-- Reply: number of keys counted
local CRASHED_MAX = 100000

redis.call('ZREM', KEYS[1], '') -- removes nothing: lets a full Redis take what follows
local known, counted = redis.call('HLEN', KEYS[2]), 0
for i = 2, #ARGV do
    local before = redis.call('HGET', KEYS[2], ARGV[i])
    local count = tonumber(string.match(before or '', '^%d+')) or 0
    if count > 0 or known < CRASHED_MAX then
        redis.call('HSET', KEYS[2], ARGV[i], string.format('%d %s', count + 1, ARGV[1]))
        counted = counted + 1
    end
end
return counted
