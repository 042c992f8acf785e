-- release: puts a job that is ours back into delayed, as the bytes given.
--
-- KEYS 1 drover:failed  2 ready  3 delayed  4 reserved  5 notify  6 drover:crashes
--      7 drover:twins  8 drover:notes:<uuid>
-- ARGV 1 tag  2 payload as it lies in reserved  3 payload to come back  4 delay, seconds;
--      below 0: left to others than drover
--      5 horizon, seconds  6 crash key ('' for none)
--      7 a line about this attempt ('' for none)
-- Reply: 1 done, 2 done but for the notes, whose key has a wrong type, 0 the lease was not
--        ours
--
-- What is left to others is due for them at once: its score is below 0. Drover's reserve
-- lets it lie for a while (see there), and no token wakes anybody for it.
--
-- Where delayed has a wrong type the job waits in reserved, as a lease of nobody that ends
-- when the delay does: nothing is lost and nobody runs it early.
--@ begin

local NOTES_BYTES, NOTES_KEEP = 8192, 7 * 86400

begin_writing(KEYS[1])
local clock = redis.call('TIME')
local now = clock[1] + clock[2] / 1000000

--@ fence

local function is_ours()
    return tag_of(redis.call('ZSCORE', KEYS[4], ARGV[2])) == tonumber(ARGV[1])
end

--@ twins

if is_wrong_type(redis.pcall('ZCARD', KEYS[4])) or not is_ours() then
    return 0
end
local delay = tonumber(ARGV[4])
local due, target = delay < 0 and -now or now + delay, KEYS[3]
if is_wrong_type(redis.pcall('ZCARD', target)) then
    due, target = math.ceil(now + math.abs(delay)), KEYS[4]
end

may_add(target)
redis.call('ZREM', KEYS[4], ARGV[2])
if not add_distinct(target, due, ARGV[3], KEYS[7]) then
    redis.pcall('RPUSH', KEYS[2], ARGV[3])
end
if ARGV[6] ~= '' then
    redis.pcall('HDEL', KEYS[6], ARGV[6])
end
local noted = ARGV[7] ~= '' and redis.pcall('STRLEN', KEYS[8])
if type(noted) == 'number' and noted < NOTES_BYTES then
    redis.pcall('APPEND', KEYS[8], ARGV[7])
    redis.pcall('EXPIRE', KEYS[8], math.ceil(delay) + NOTES_KEEP)
end
-- Who waits must reckon with the new due time: a token wakes one, and the next reserve
-- sets the tokens right again.
if delay >= 0 and delay < tonumber(ARGV[5]) and redis.pcall('LLEN', KEYS[5]) == 0 then
    redis.pcall('RPUSH', KEYS[5], '1')
end
local is_spoilt = type(noted) == 'table' and string.find(noted.err, 'WRONGTYPE', 1, true)
return is_spoilt and 2 or 1
