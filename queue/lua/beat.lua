-- beat: shows that a worker lives, and tells it of the others.
--
-- KEYS 1 drover:failed  2 drover:open  3 drover:beats
-- ARGV 1 tag
-- Reply: {1 if the tag may reserve, else 0, {tag, counter, ...}}
--
-- A tag that somebody has taken back is gone from beats and is not put there again.
redis.call('ZREM', KEYS[1], '') -- removes nothing: lets a full Redis take what follows
if redis.call('HEXISTS', KEYS[3], ARGV[1]) == 1 then
    redis.call('HINCRBY', KEYS[3], ARGV[1], 1)
end
return {redis.call('SISMEMBER', KEYS[2], ARGV[1]), redis.call('HGETALL', KEYS[3])}
