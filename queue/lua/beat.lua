-- beat: shows that a worker lives, and tells it of the others.
--
-- KEYS 1 drover:failed  2 drover:open  3 drover:beats  4 drover:outbox
-- ARGV 1 tag
-- Reply: {1 if the tag may reserve, else 0, {tag, counter, ...}, failed records that wait
--         for PostgreSQL, -1 where that cannot be told}
--
-- A tag that somebody has taken back is gone from beats and is not put there again.
redis.call('ZREM', KEYS[1], '') -- removes nothing: lets a full Redis take what follows
if redis.call('HEXISTS', KEYS[3], ARGV[1]) == 1 then
    redis.call('HINCRBY', KEYS[3], ARGV[1], 1)
end
local waiting = redis.pcall('ZCARD', KEYS[4])
return {redis.call('SISMEMBER', KEYS[2], ARGV[1]), redis.call('HGETALL', KEYS[3]),
        type(waiting) == 'number' and waiting or -1}
