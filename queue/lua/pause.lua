-- pause: lets no drover take jobs from queues, or lets them again.
--
-- KEYS 1 drover:paused
-- ARGV 1 pause or resume, then queues, or * for all there are and will be
-- Reply: places (from 1) of those that were not so already
--
-- The score is when it was paused, in seconds. Workers look with their heartbeats.

local clock = redis.call('TIME')
local changed = {}
for i = 2, #ARGV do
    local n
    if ARGV[1] == 'pause' then
        n = redis.call('ZADD', KEYS[1], 'NX', clock[1], ARGV[i])
    else
        n = redis.call('ZREM', KEYS[1], ARGV[i])
    end
    if n == 1 then
        changed[#changed + 1] = i - 1
    end
end
return changed
