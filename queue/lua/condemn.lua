-- condemn: claims a dead worker's tag for who gives its jobs back, and shuts its gate.
--
-- KEYS 1 drover:open  2 drover:owners  3 drover:beats
-- ARGV 1 tag  2 the heartbeat by which it was judged ('' where its death is known)
-- Reply: {1 claimed, 0 not: it beats, or somebody else is at it; queue names, one a line
--        ('' unknown)}
--
-- The claim is a heartbeat in the dead one's name: all others see it and wait as long
-- again. The gate says nothing here: a worker that drained had shut it before it died.
--@ begin

local beat = redis.pcall('HGET', KEYS[3], ARGV[1])
if is_wrong_type(beat) then
    beat = false
end
if ARGV[2] ~= '' and beat ~= ARGV[2] then
    return {0, ''}
end
redis.call('SREM', KEYS[1], ARGV[1]) -- first: lets a full Redis take what follows
if beat then
    redis.call('HINCRBY', KEYS[3], ARGV[1], 1)
end
local owned = redis.pcall('HGET', KEYS[2], ARGV[1])
return {1, not is_wrong_type(owned) and owned or ''}
