-- reserve: acks what is done, then takes jobs under a lease, queues in the order given.
--
-- KEYS 1 index of failed records (see fail)  2 drover:failed:<spare uuid>
--      3 drover:open  4 drover:crashes  5 drover:twins  6 drover:beats,
--      then per queue: ready, delayed, reserved, notify
-- ARGV 1 tag  2 lease, seconds  3 free slots  4 max_payload, bytes  5 horizon, seconds
--      6 spare uuid  7 bytes of a payload, as the caller knows them; 0: it does not
--      8 number of queues n  9 number of groups of acks, then n names ('' for
--      a queue that is paused: nothing is taken from it),
--      then the groups of acks: queue (from 1), then as ack has them,
--      then, to the end, verdicts that were sent before and are not answered, in groups:
--      queue, number of jobs, their payloads
-- Reply 1 gate: 1 open, 0 closed (only the first three elements then)
--       2 Redis time, ms  3 acks (from 1) that were not ours
--       4 jobs: queue, list of payloads, ...
--       5 whose drover lease had expired: queue, payload, 1 if its tag has no heartbeat, ...
--       6 moved to the failed store for their size: queue, bytes
--       7 problems: queue, text, ...  8 per queue: ready, delayed, reserved (-1 unknown)
--       9 ms until something falls due within the horizon, 0 now, -1 nothing (asked only
--         while slots are left)  10 number of jobs with crashes
--
-- What is acked here, or has a verdict that may have been executed without the worker
-- knowing, may be settled once more after a lost answer. So other jobs of these bytes get a
-- pad as they are taken: no verdict can meet them.
--
-- Redis does not roll back: what can raise comes before the first removal. No payload is
-- looked into.
--@ begin

local BATCH, ROOM = 100, 4194304
local STEP, STEP_ROOM = 64, 134217728 -- jobs that are taken at one blow, and their bytes
local LEFT = 60 -- seconds that a job which drover left to others is theirs alone

local tag, lease, slots = tonumber(ARGV[1]), tonumber(ARGV[2]), tonumber(ARGV[3])
local max_payload, horizon = tonumber(ARGV[4]), tonumber(ARGV[5])
local queue_ct = tonumber(ARGV[8])

begin_writing(KEYS[1])
local clock = redis.call('TIME')
local now = clock[1] + clock[2] / 1000000
local now_ms = clock[1] * 1000 + math.floor(clock[2] / 1000)

--@ fence

--@ acks

-- ---- verdicts ----

-- Per queue: bytes that a verdict of ours may meet again.
local settling = {}

local function note_settling(q, first, last)
    local bytes = settling[q] or {}
    for i = first, last do
        bytes[ARGV[i]] = true
    end
    settling[q] = bytes
end

-- Returns what was lost, and where the other verdicts begin.
local function ack_all()
    local lost, place, at = {}, 1, 10 + queue_ct
    for _ = 1, tonumber(ARGV[9]) do
        local q, ct, keyed = tonumber(ARGV[at]), tonumber(ARGV[at + 2]), ARGV[at + 3] == '1'
        local first, last = at + 4, at + 3 + ct
        ack(KEYS[4 * q + 5], KEYS[4], tonumber(ARGV[at + 1]), first, last, keyed, place, lost)
        note_settling(q, first, last)
        place, at = place + ct, last + 1 + (keyed and ct or 0)
    end
    return lost, at
end

local function note_verdicts(at)
    local argc = #ARGV
    while at < argc do
        local ct = tonumber(ARGV[at + 1])
        note_settling(tonumber(ARGV[at]), at + 2, at + 1 + ct)
        at = at + 2 + ct
    end
end

-- Who is turned away may have popped a token for it, which somebody else needs then.
local function return_tokens()
    for q = 1, queue_ct do
        local k = 4 * q + 3
        local ready = redis.pcall('LLEN', KEYS[k])
        local soon = redis.pcall('ZCOUNT', KEYS[k + 1], '-inf', now + horizon)
        local some = ready ~= 0 and type(ready) == 'number'
            or soon ~= 0 and type(soon) == 'number'
        if some and redis.pcall('LLEN', KEYS[k + 3]) == 0 then
            redis.pcall('RPUSH', KEYS[k + 3], '1')
        end
    end
end

local lost, verdicts_at = ack_all()
if redis.call('SISMEMBER', KEYS[3], ARGV[1]) == 0 then
    return_tokens()
    return {0, now_ms, lost}
end
note_verdicts(verdicts_at)

-- ---- the state of the queues ----

local problems = {}

local function size(q, command, key, what)
    local n = redis.pcall(command, key)
    if is_wrong_type(n) then
        problems[#problems + 1] = q
        problems[#problems + 1] = what .. ': ' .. n.err
        return -1
    end
    return n
end

local function look_at(q)
    local k = 4 * q + 3
    local queue = {
        ready_key = KEYS[k], delayed_key = KEYS[k + 1], reserved_key = KEYS[k + 2],
        notify_key = KEYS[k + 3], name = ARGV[9 + q], taken = {},
        ready = size(q, 'LLEN', KEYS[k], 'ready'),
        delayed = size(q, 'ZCARD', KEYS[k + 1], 'delayed'),
        reserved = size(q, 'ZCARD', KEYS[k + 2], 'reserved'),
        tokens = size(q, 'LLEN', KEYS[k + 3], 'notify'),
    }
    queue.good = queue.ready >= 0 and queue.delayed >= 0 and queue.reserved >= 0
    return queue
end

-- ---- reclaim and promote ----

local batch, room = BATCH, ROOM
local reclaimed = {}

-- 1 where nobody answers for the tag any more. Who lives beats again as soon as Redis
-- answers: a lease that ran out while Redis was away says nothing of its worker.
local function is_dead(tag)
    local beat = redis.pcall('HEXISTS', KEYS[6], string.format('%d', tag))
    return beat == 0 and 1 or 0
end

-- A score below 0 is when a job was left to others: it is due from the lower bound on. What
-- is below even that can be none of ours (a clock was put back, a producer's whim).
local lowest, strange = LEFT - now, -now - LEFT

-- Moves what is due from a zset to the tail of ready; returns how many. Payloads may be
-- big: the first is fetched alone, then as many as fit if all are as big as the biggest.
local function move_due(from, ready, first, last, expired_of)
    local moved, step, biggest = 0, 1, 1
    while step > 0 do
        local due = redis.call('ZRANGEBYSCORE', from, first, last, 'WITHSCORES', 'LIMIT', 0, step)
        local members = {}
        for i = 1, #due, 2 do
            members[#members + 1] = due[i]
            room = room - #due[i]
            biggest = math.max(biggest, #due[i])
            local holder = expired_of and tag_of(due[i + 1]) or 0
            if holder > 0 then
                reclaimed[#reclaimed + 1] = expired_of
                reclaimed[#reclaimed + 1] = due[i]
                reclaimed[#reclaimed + 1] = is_dead(holder)
            end
        end
        if #members > 0 then
            redis.call('RPUSH', ready, unpack(members)) -- may be refused; ZREM was not
            redis.call('ZREM', from, unpack(members))
        end
        moved, batch = moved + #members, batch - #members
        if #members < step then
            break
        end
        step = math.min(batch, math.floor(room / biggest))
    end
    return moved
end

local function collect_due(q, queue)
    if queue.reserved > 0 and batch > 0 and room > 0 then
        local n = move_due(queue.reserved_key, queue.ready_key, '-inf', now, q)
        queue.reserved, queue.ready = queue.reserved - n, queue.ready + n
    end
    if queue.delayed > 0 and batch > 0 and room > 0 then
        local n = move_due(queue.delayed_key, queue.ready_key, lowest, now)
        if batch > 0 and room > 0 then
            n = n + move_due(queue.delayed_key, queue.ready_key, '-inf', strange)
        end
        queue.delayed, queue.ready = queue.delayed - n, queue.ready + n
    end
end

--@ twins

-- ---- taking ----

local score = string.format('%.17g', math.ceil(now + lease) + tag / TAGS)
local jobs, oversize, taken_bytes, biggest = {}, {}, 0, tonumber(ARGV[7])

-- Why the store does not take the record of a payload of so many bytes; nil: it has.
local function refusal_of_store(queue, payload)
    if is_wrong_type(redis.pcall('ZCARD', KEYS[1])) then
        return KEYS[1] .. ' has a wrong type'
    end
    local reason = string.format('payload of %d bytes is above max_payload (%d bytes)',
                                 #payload, max_payload)
    local stored = redis.pcall('HSET', KEYS[2], 'uuid', ARGV[6], 'connection', 'redis',
                               'queue', queue.name, 'job', '', 'attempts', 0,
                               'reason', reason, 'exception', reason,
                               'failed_at_ms', now_ms, 'payload', without_pad(payload))
    if type(stored) == 'number' then
        redis.call('ZADD', KEYS[1], now_ms, ARGV[6])
    end
    return type(stored) == 'table' and stored.err or nil
end

-- False: there is no store to move it to; it stays, and its queue with it.
local function store_oversize(q, queue, payload)
    local refusal = refusal_of_store(queue, payload)
    if refusal then
        problems[#problems + 1] = q
        problems[#problems + 1] = 'ready: a payload above max_payload is first, and ' .. refusal
        queue.good = false
        return false
    end
    oversize = {q, #payload}
    queue.ready = queue.ready - 1
    return true
end

-- False: it has found no place.
local function take_one(q, queue, payload)
    if #payload > max_payload and #without_pad(payload) > max_payload then
        return #oversize == 0 and store_oversize(q, queue, payload) -- one spare uuid a call
    end
    local bytes = add_distinct(queue.reserved_key, score, payload, KEYS[5], settling[q])
    if not bytes then
        return false
    end
    queue.ready, queue.reserved, slots = queue.ready - 1, queue.reserved + 1, slots - 1
    taken_bytes = taken_bytes + #bytes
    queue.taken[#queue.taken + 1] = bytes
    return true
end

-- How many bytes they are; nil where one of them cannot be added just as it is.
local function measure_plain(q, queue, payloads)
    local avoid, bytes, ct = settling[q], 0, #payloads
    for i = 1, ct do
        local size = #payloads[i]
        bytes = bytes + size
        if size > biggest then
            biggest = size
        end
        if size > max_payload or avoid and avoid[payloads[i]] then
            return nil
        end
    end
    local scores = redis.call('ZMSCORE', queue.reserved_key, unpack(payloads))
    for i = 1, ct do
        if scores[i] then
            return nil
        end
    end
    return bytes
end

-- Those of them that come a second time; the others are noted as taken.
local function note_taken(queue, payloads, added, bytes)
    local again, taken = {}, payloads
    if added < #payloads then
        local seen = {}
        taken = {}
        for _, payload in ipairs(payloads) do
            local list = seen[payload] and again or taken
            list[#list + 1] = payload
            seen[payload] = true
        end
    end
    queue.ready, queue.reserved, slots = queue.ready - added, queue.reserved + added, slots - added
    taken_bytes = taken_bytes + bytes
    if #queue.taken == 0 then
        queue.taken = taken
    else
        for i = 1, #taken do
            queue.taken[#queue.taken + 1] = taken[i]
        end
    end
    return again
end

-- Adds them at one blow, and takes them off the list; false: they have to be looked at one
-- by one. A twin that finds no place goes to the tail.
local function take_plain(q, queue, payloads)
    local bytes, args = measure_plain(q, queue, payloads), {}
    if not bytes then
        return false
    end
    for i = 1, #payloads do
        args[2 * i - 1], args[2 * i] = score, payloads[i]
    end
    local added = redis.call('ZADD', queue.reserved_key, 'NX', unpack(args))
    local again = note_taken(queue, payloads, added, bytes)
    for i = 1, #again do
        if not take_one(q, queue, again[i]) then
            redis.call('RPUSH', queue.ready_key, again[i])
        end
    end
    redis.call('LTRIM', queue.ready_key, #payloads, -1)
    return true
end

-- Payloads may be big: as many as fit if all are as big as the biggest; where nothing is
-- known of them, the first one alone.
local function step(room)
    if biggest == 0 then
        return 1
    end
    return math.max(1, math.floor(math.min(room / biggest, STEP_ROOM / max_payload)))
end

-- The head of the list, as far as it is taken at one blow.
local function look_at_head(queue)
    local payloads, most, room = {}, math.min(slots, STEP, queue.ready), ROOM - taken_bytes
    repeat
        local from = #payloads
        local last = math.min(most, from + step(room)) - 1
        local some = redis.call('LRANGE', queue.ready_key, from, last)
        for i = 1, #some do
            payloads[from + i] = some[i]
            room, biggest = room - #some[i], math.max(biggest, #some[i])
        end
    until #some == 0 or #payloads == most or room <= 0
    return payloads
end

-- What is looked at leaves the list only when it is elsewhere: whatever is refused in
-- between, the job is there. False: this call ends here.
local function take_some(q, queue)
    local payloads = look_at_head(queue)
    if #payloads == 0 then
        queue.ready = 0
        return true
    end
    if take_plain(q, queue, payloads) then
        return true
    end
    for i = 1, #payloads do
        if not take_one(q, queue, payloads[i]) then
            return not queue.good -- a bad queue stops no other
        end
        redis.call('LTRIM', queue.ready_key, 1, -1)
    end
    return true
end

-- Tokens: none if nothing is ready, never more than is ready, one at least if something is.
local function set_tokens(queue)
    if queue.tokens < 0 then
        return
    end
    if queue.ready == 0 and queue.tokens > 0 then
        redis.call('DEL', queue.notify_key)
    elseif queue.ready > 0 and queue.tokens == 0 then
        redis.call('RPUSH', queue.notify_key, '1')
    elseif queue.tokens > queue.ready then
        redis.call('LTRIM', queue.notify_key, 0, queue.ready - 1)
    end
end

-- Milliseconds until the zset's first score is reached, by halving ZCOUNT's bound: asking
-- for the member would fetch its payload.
local function due_in(key, best)
    local low, high = 0, best
    if redis.call('ZCOUNT', key, lowest, now + best / 1000) == 0 then
        return best
    end
    if redis.call('ZCOUNT', key, lowest, now) > 0 then
        return 0
    end
    while high - low > 1 do
        local middle = math.floor((low + high) / 2)
        if redis.call('ZCOUNT', key, lowest, now + middle / 1000) > 0 then
            high = middle
        else
            low = middle
        end
    end
    return high
end

local queues, going = {}, slots > 0
for q = 1, queue_ct do
    queues[q] = look_at(q)
    if queues[q].good then
        collect_due(q, queues[q])
        if going and queues[q].ready > 0 then
            may_add(queues[q].reserved_key)
            redis.call('ZMSCORE', queues[q].reserved_key, '') -- as may_add: to be refused here
            redis.call('LTRIM', queues[q].ready_key, 0, -1) -- likewise: what is added must go
        end
        while going and queues[q].good and queues[q].ready > 0 and queues[q].name ~= '' do
            going = take_some(q, queues[q]) and slots > 0 and taken_bytes < ROOM
        end
        if #queues[q].taken > 0 then
            jobs[#jobs + 1] = q
            jobs[#jobs + 1] = queues[q].taken
        end
        set_tokens(queues[q])
    end
end

local depths, none = {}, math.ceil(horizon * 1000) + 1
local soonest = none
for _, queue in ipairs(queues) do
    depths[#depths + 1] = queue.ready
    depths[#depths + 1] = queue.delayed
    depths[#depths + 1] = queue.reserved
    if slots > 0 and queue.good then
        if queue.delayed > 0 then
            soonest = due_in(queue.delayed_key, soonest)
        end
        if queue.reserved > 0 then
            soonest = due_in(queue.reserved_key, soonest)
        end
    end
end
local crashed = redis.pcall('HLEN', KEYS[4])
return {1, now_ms, lost, jobs, reclaimed, oversize, problems, depths,
        soonest < none and soonest or -1, type(crashed) == 'number' and crashed or 0}
