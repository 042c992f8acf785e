-- Moves a failed job back to its queue.
--
-- KEYS index, record, ready, notify, the record of no uuid, which is never there
-- ARGV uuid, payload
-- Reply: 1 done, 0 the record was gone (and so nothing is pushed), -1 it is in a worker's
--        hands on the way to PostgreSQL.
--
-- Whatever takes the record away is tried on nothing first: were it refused once the job is
-- on its queue, the record would stay, and who asks again would have the job run twice.
--@ begin
--@ length
--@ moving

local ready, wrong = length_of('LLEN', KEYS[3], 'list')
if not ready then return wrong end
if redis.call('EXISTS', KEYS[2]) == 0 then
    redis.call('ZREM', KEYS[1], ARGV[1])
    return 0
end
if is_moving(KEYS[1], KEYS[2]) then
    return -1
end
-- A script that has written may go on where Redis is full; the record that leaves makes
-- more room than the job takes.
redis.call('ZREM', KEYS[1], '')
redis.call('DEL', KEYS[5])
redis.call('RPUSH', KEYS[3], ARGV[2])
redis.call('DEL', KEYS[2])
redis.call('ZREM', KEYS[1], ARGV[1])
local tokens = redis.pcall('LLEN', KEYS[4])
if type(tokens) == 'number' and tokens <= ready then redis.pcall('RPUSH', KEYS[4], '1') end
return 1
