-- Adds jobs to a queue, now or later, and wakes a worker.
--
-- KEYS ready, delayed, notify, twins
-- ARGV delay in milliseconds (0: now), then 1 to 1000 payloads
-- Reply: the number of payloads.
--
-- The first command that writes is the one that needs memory: where Redis is full it is
-- refused and nothing has changed. Both keys are looked at before that, so a key of a
-- wrong type cannot stop it half way.
local function length_of(command, key, what)
    local length = redis.pcall(command, key)
    if type(length) == 'table' then
        return nil, redis.error_reply('ERR ' .. key .. ' is not a ' .. what)
    end
    return length
end

local ready, ready_error = length_of('LLEN', KEYS[1], 'list')
if not ready then return ready_error end
local delayed, delayed_error = length_of('ZCARD', KEYS[2], 'sorted set')
if not delayed then return delayed_error end
-- A spoilt :notify costs latency, not jobs: workers then poll.
local tokens = length_of('LLEN', KEYS[3], 'list')
local job_ct = #ARGV - 1

-- Two payloads of equal bytes would be one member: the later one gets a pad of spaces
-- and tabs, PAYLOAD_PAD_MAGIC and 32 bits of a counter, tab for 1.
local function padded(payload)
    local count = redis.call('INCR', KEYS[4])
    local bits = {}
    for i = 32, 1, -1 do
        bits[i] = count % 2 == 1 and '\t' or ' '
        count = math.floor(count / 2)
    end
    return payload .. '\t \t\t \t  \t \t\t \t  ' .. table.concat(bits)
end

if ARGV[1] ~= '0' then
    local now = redis.call('TIME')
    local due = now[1] + now[2] / 1000000 + ARGV[1] / 1000
    for i = 2, #ARGV do
        if redis.call('ZADD', KEYS[2], 'NX', due, ARGV[i]) == 0 then
            redis.call('ZADD', KEYS[2], 'NX', due, padded(ARGV[i]))
        end
    end
    -- One token makes a waiting worker ask again when the next job falls due.
    if tokens == 0 then redis.call('RPUSH', KEYS[3], '1') end
    return job_ct
end

redis.call('RPUSH', KEYS[1], unpack(ARGV, 2))
if tokens then
    -- One each, but never more tokens than ready jobs.
    local missing = math.min(job_ct, ready + job_ct - tokens)
    local ones = {}
    for i = 1, missing do ones[i] = '1' end
    if missing > 0 then redis.call('RPUSH', KEYS[3], unpack(ones)) end
end
return job_ct
