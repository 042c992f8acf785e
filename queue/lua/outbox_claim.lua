-- outbox_claim: marks records that are about to be sent to PostgreSQL; or takes the mark off
-- those that are known not to have got there.
--
-- KEYS 1 drover:outbox  2 drover:beats, then one record each
-- ARGV 1 tag  2 'claim' or 'let_go', then per record failed_at_ms as it was read
-- Reply: places (from 1) of those that are no longer what was read, or that another worker
--        has in hand, which lives. They stay as they are.
--
-- The mark is "tag", or "tag unsure" where there was one: what was sent then may get there
-- still. That one stays until the record is dropped.
--@ begin

begin_writing(KEYS[1])

local kept = {}

local function lives(tag)
    local beat = redis.pcall('HEXISTS', KEYS[2], tag)
    return not is_wrong_type(beat) and beat == 1
end

local function claim(record)
    local mark = redis.call('HGET', record, 'moving')
    local holder = mark and string.match(mark, '^%d+')
    if holder and holder ~= ARGV[1] and lives(holder) then
        return false
    end
    redis.call('HSET', record, 'moving', ARGV[1] .. (mark and ' unsure' or ''))
    return true
end

local function let_go(record)
    if redis.call('HGET', record, 'moving') == ARGV[1] then
        redis.call('HDEL', record, 'moving')
    end
    return true
end

local act = ARGV[2] == 'claim' and claim or let_go
for i = 3, #KEYS do
    local failed_at_ms = redis.pcall('HGET', KEYS[i], 'failed_at_ms')
    if is_wrong_type(failed_at_ms) or failed_at_ms ~= ARGV[i] or not act(KEYS[i]) then
        kept[#kept + 1] = i - 2
    end
end
return kept
