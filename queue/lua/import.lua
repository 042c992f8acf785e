-- Adds rows of a database's table of jobs to their queues, each once.
--
-- KEYS marks, token, twins, then per queue ready, delayed, notify
-- ARGV token, then per row (1 to 500): queue (from 1), id, mark, unix second when it is
--      due, payload
-- Reply: [1, places of the rows that were added before, [place, why, ...] of those that
--        cannot be]; [0]: another token counts by now, and nothing has changed.
--
-- A job and its mark come together. So whatever may be refused is tried on something that
-- changes nothing, before the first of them; and no payload is looked into.
--@ length
--@ twins

if redis.call('GET', KEYS[2]) ~= ARGV[1] then return {0} end
-- No room, no right, read only, a wrong type: refused here, or not at all.
redis.call('ZADD', KEYS[1], 'XX', 1, '')
local now = tonumber(redis.call('TIME')[1])
local before, refused = {}, {}

-- Why nothing can be added to a queue; nil: it can.
local function obstacle(ready, delayed)
    local length, wrong = length_of('LLEN', ready, 'list')
    if not length then return wrong.err end
    length, wrong = length_of('ZCARD', delayed, 'sorted set')
    if not length then return wrong.err end
    local allowed = redis.pcall('ZADD', delayed, 'XX', 1, '')
    return type(allowed) == 'table' and allowed.err or nil
end

-- One token for each job that is ready now, never more than jobs; where all are to wait,
-- one that makes a waiting worker ask when the next falls due.
local function wake(ready, notify, ready_ct)
    local tokens = length_of('LLEN', notify, 'list')
    if not tokens then return end
    local missing = math.min(ready_ct, redis.call('LLEN', ready) - tokens)
    if ready_ct == 0 and tokens == 0 then missing = 1 end
    local ones = {}
    for i = 1, missing do ones[i] = '1' end
    if missing > 0 then redis.pcall('RPUSH', notify, unpack(ones)) end
end

local function place_of(at) return (at + 3) / 5 end

-- `rows`: where in ARGV each begins.
local function add(queue, rows)
    local ready, delayed = KEYS[3 * queue + 1], KEYS[3 * queue + 2]
    local why = obstacle(ready, delayed)
    local payloads, marks, later = {}, {}, {}
    for _, at in ipairs(rows) do
        if tonumber(ARGV[at + 3]) > now then
            later[#later + 1] = at
        else
            payloads[#payloads + 1] = ARGV[at + 4]
            marks[#marks + 1] = ARGV[at + 1]
            marks[#marks + 1] = ARGV[at + 2]
        end
    end
    if not why and #payloads > 0 then
        local reply = redis.pcall('RPUSH', ready, unpack(payloads))
        why = type(reply) == 'table' and reply.err or nil
        if not why then redis.call('ZADD', KEYS[1], unpack(marks)) end
    end
    if why then
        for _, at in ipairs(rows) do
            refused[#refused + 1] = place_of(at)
            refused[#refused + 1] = why
        end
        return
    end
    for _, at in ipairs(later) do
        if add_distinct(delayed, tonumber(ARGV[at + 3]), ARGV[at + 4], KEYS[3]) then
            redis.call('ZADD', KEYS[1], ARGV[at + 1], ARGV[at + 2])
        else
            refused[#refused + 1] = place_of(at)
            refused[#refused + 1] = 'ERR there is no end of jobs of equal bytes'
        end
    end
    wake(ready, KEYS[3 * queue + 3], #payloads)
end

local queues = {}
for at = 2, #ARGV, 5 do
    local queue = tonumber(ARGV[at])
    queues[queue] = queues[queue] or {}
    if redis.call('ZSCORE', KEYS[1], ARGV[at + 2]) then
        before[#before + 1] = place_of(at)
    else
        table.insert(queues[queue], at)
    end
end
for queue = 1, (#KEYS - 3) / 3 do
    if queues[queue] and #queues[queue] > 0 then add(queue, queues[queue]) end
end
return {1, before, refused}
