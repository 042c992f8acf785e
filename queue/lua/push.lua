-- Adds jobs to a queue, now or later, and wakes a worker.
--
-- KEYS ready, delayed, notify, twins
-- ARGV delay in milliseconds (0: now), then 1 to 1000 payloads
-- Reply: the number of payloads.
--
-- The first command that writes is the one that needs memory: where Redis is full it is
-- refused and nothing has changed. Both keys are looked at before that, so a key of a
-- wrong type cannot stop it half way. Nor can a token that is refused: the jobs are there,
-- and who was told otherwise would push them again.
--@ length

local ready, ready_error = length_of('LLEN', KEYS[1], 'list')
if not ready then return ready_error end
local delayed, delayed_error = length_of('ZCARD', KEYS[2], 'sorted set')
if not delayed then return delayed_error end
-- A spoilt :notify costs latency, not jobs: workers then poll.
local tokens = length_of('LLEN', KEYS[3], 'list')
local job_ct = #ARGV - 1

--@ twins

if ARGV[1] ~= '0' then
    local now = redis.call('TIME')
    local due = now[1] + now[2] / 1000000 + ARGV[1] / 1000
    for i = 2, #ARGV do
        if not add_distinct(KEYS[2], due, ARGV[i], KEYS[4]) then
            redis.call('RPUSH', KEYS[1], ARGV[i])
        end
    end
    -- One token makes a waiting worker ask again when the next job falls due.
    if tokens == 0 then redis.pcall('RPUSH', KEYS[3], '1') end
    return job_ct
end

redis.call('RPUSH', KEYS[1], unpack(ARGV, 2))
if tokens then
    -- One each, but never more tokens than ready jobs.
    local missing = math.min(job_ct, ready + job_ct - tokens)
    local ones = {}
    for i = 1, missing do ones[i] = '1' end
    if missing > 0 then redis.pcall('RPUSH', KEYS[3], unpack(ones)) end
end
return job_ct
