-- condemn: shuts the gate for a dead worker's tag, before its jobs are given back.
--
-- KEYS 1 drover:open  2 drover:owners
-- ARGV 1 tag
-- Reply: {1 if this call shut it, 0 if it was shut, queue names one a line ('' unknown)}
local shut = redis.call('SREM', KEYS[1], ARGV[1])
return {shut, redis.call('HGET', KEYS[2], ARGV[1]) or ''}
