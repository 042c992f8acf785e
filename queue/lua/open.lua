-- open: checks the layout and gives a worker its owner tag.
--
-- KEYS 1 drover:failed  2 drover:version  3 drover:tag  4 drover:open  5 drover:beats
--      6 drover:owners
-- ARGV 1 our layout version  2 the worker's queues, one name a line
-- Reply: {tag}, or {0, version} where a newer drover has laid this Redis out
--
-- A Redis that has lost its memory does not begin at 1 again: a successor may be about to
-- give back what a tag of before held. Where beats or owners has a wrong type the tag is
-- given all the same: nobody sees it live, its jobs come back when their leases end.
--@ begin

local LAST = 1048575

begin_writing(KEYS[1])
local version = redis.call('GET', KEYS[2])
if version and tonumber(version) and tonumber(version) > tonumber(ARGV[1]) then
    return {0, version}
end
if not version then
    redis.call('SET', KEYS[2], ARGV[1])
end
if redis.call('EXISTS', KEYS[3]) == 0 then
    local clock = redis.call('TIME')
    redis.call('SET', KEYS[3], (clock[1] * 7919 + clock[2]) % LAST)
end

local tag
for _ = 1, 10000 do
    tag = string.format('%d', redis.call('INCR', KEYS[3]) % LAST + 1)
    local lives = redis.pcall('HEXISTS', KEYS[5], tag)
    if is_wrong_type(lives) or lives == 0 then
        -- Open last: were the others refused after it, nobody would ever shut it again.
        is_wrong_type(redis.pcall('HSET', KEYS[6], tag, ARGV[2]))
        is_wrong_type(redis.pcall('HSET', KEYS[5], tag, 0))
        redis.call('SADD', KEYS[4], tag)
        return {tonumber(tag)}
    end
end
return redis.error_reply('DROVERFULL no free owner tag')
