-- fail: moves a job that is ours from reserved into the failed store.
--
-- KEYS 1 index of the records: drover:failed, or drover:outbox where they are bound for
--        PostgreSQL  2 reserved  3 drover:failed:<uuid>  4 drover:failed:<spare uuid>
--      5 drover:crashes  6 drover:notes:<uuid>, how earlier attempts ended
--      7 the other index, which a record of this uuid leaves
-- ARGV 1 tag  2 payload as it lies in reserved  3 crash key ('' for none)  4 uuid
--      5 spare uuid  6 connection  7 queue  8 job  9 attempts  10 reason  11 exception
--      12 failed_at, ms  13 payload for the record
--      14 bytes of the exception that stand before the earlier attempts
-- Reply: 1 done, 2 done under the spare uuid, 0 the lease was not ours
--
-- Where the index or the record has a wrong type the job stays reserved, and the error says
-- so: what cannot be recorded must not be removed.
--@ begin

--@ fence

begin_writing(KEYS[1])

local function is_ours()
    return tag_of(redis.call('ZSCORE', KEYS[2], ARGV[2])) == tonumber(ARGV[1])
end

if is_wrong_type(redis.pcall('ZCARD', KEYS[2])) or not is_ours() then
    return 0
end
if is_wrong_type(redis.pcall('ZCARD', KEYS[1])) then
    return redis.error_reply('DROVERSTORE ' .. KEYS[1] .. ' has a wrong type')
end
-- The same uuid with another payload is another job: its record must not be overwritten.
local key, uuid, done = KEYS[3], ARGV[4], 1
local there = redis.pcall('HGET', key, 'payload')
if is_wrong_type(there) or (there and there ~= ARGV[13]) then
    key, uuid, done = KEYS[4], ARGV[5], 2
end

-- A record that nobody lists would outlive its job.
may_add(KEYS[1])
redis.call('HDEL', key, '')

local notes = redis.pcall('GET', KEYS[6])
is_wrong_type(notes) -- any other refusal ends here
local before = tonumber(ARGV[14])
local exception = string.sub(ARGV[11], 1, before) ..
                  (type(notes) == 'string' and notes or '') ..
                  string.sub(ARGV[11], before + 1)

redis.call('HSET', key, 'uuid', uuid, 'connection', ARGV[6], 'queue', ARGV[7], 'job', ARGV[8],
           'attempts', ARGV[9], 'reason', ARGV[10], 'exception', exception,
           'failed_at_ms', ARGV[12], 'payload', ARGV[13])
redis.call('HDEL', key, 'moving') -- of a record of before
if done == 2 then
    redis.call('HSET', key, 'was_uuid', ARGV[4])
end
redis.call('ZADD', KEYS[1], ARGV[12], uuid)
redis.pcall('ZREM', KEYS[7], uuid)
redis.call('ZREM', KEYS[2], ARGV[2]) -- last: what cannot be recorded is not removed
if ARGV[3] ~= '' then
    redis.pcall('HDEL', KEYS[5], ARGV[3])
end
if type(notes) == 'string' then
    redis.pcall('UNLINK', KEYS[6])
end
return done
