-- beat: shows that a worker lives, and tells it of the others.
--
-- KEYS 1 drover:failed  2 drover:open  3 drover:beats  4 drover:outbox  5 drover:paused
-- ARGV 1 tag, then the worker's queues
-- Reply: {1 if the tag may reserve, else 0, {tag, counter, ...}, failed records that wait
--         for PostgreSQL, -1 where that cannot be told, places (from 1) of its queues
--         that are paused}
--
-- A tag that somebody has taken back is gone from beats and is not put there again. Where
-- beats has a wrong type nobody is seen to live or to die, and the work goes on.
--@ begin

begin_writing(KEYS[1])
local waiting = redis.pcall('ZCARD', KEYS[4])
waiting = type(waiting) == 'number' and waiting or -1

local function is_paused(name)
    local since = redis.pcall('ZSCORE', KEYS[5], name)
    return not is_wrong_type(since) and type(since) == 'string'
end

local paused = {}
if redis.call('EXISTS', KEYS[5]) == 1 then
    local all = is_paused('*')
    for i = 2, #ARGV do
        if all or is_paused(ARGV[i]) then
            paused[#paused + 1] = i - 1
        end
    end
end

local known = redis.pcall('HEXISTS', KEYS[3], ARGV[1])
local open = redis.call('SISMEMBER', KEYS[2], ARGV[1])
if is_wrong_type(known) then
    return {open, {}, waiting, paused}
end
if known == 1 or open == 1 then -- open: nobody took it back, the hash was lost
    redis.call('HINCRBY', KEYS[3], ARGV[1], 1)
end
return {open, redis.call('HGETALL', KEYS[3]), waiting, paused}
