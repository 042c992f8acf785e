-- give_back: puts jobs that carry a tag back into ready, unchanged and uncounted as attempts.
--
-- KEYS 1 drover:failed  2 ready  3 reserved  4 notify  5 drover:crashes
-- ARGV 1 tag  2 'head' or 'tail'  3 note of the death that is counted ('' for none)
--      then per job: payload, crash key ('' for none): of what the death is counted for,
--      or, where there was none, of what was to run alone and is not to blame
-- Reply: places (from 1) of those that did not carry the tag
--
-- Crashes are counted, as "count note", once the job is back: it is asked for again where
-- pushing it was refused, and one death would count as many.
--@ begin

--@ fence

begin_writing(KEYS[1])

local tag, note = tonumber(ARGV[1]), ARGV[3]
local push = ARGV[2] == 'head' and 'LPUSH' or 'RPUSH'

local function carries_tag(payload)
    return tag_of(redis.call('ZSCORE', KEYS[3], payload)) == tag
end

--@ crash

local ready = redis.pcall('LLEN', KEYS[2])
if is_wrong_type(ready) then -- nowhere to put them: they stay leased, and expire
    return redis.error_reply('DROVERBAD ready: ' .. ready.err)
end
if is_wrong_type(redis.pcall('ZCARD', KEYS[3])) then
    return redis.error_reply('DROVERBAD reserved has a wrong type')
end

local lost, given = {}, 0
for at = 4, #ARGV, 2 do
    if carries_tag(ARGV[at]) then
        redis.call(push, KEYS[2], ARGV[at]) -- may be refused; ZREM was not
        redis.call('ZREM', KEYS[3], ARGV[at])
        if note ~= '' and ARGV[at + 1] ~= '' then
            count_crash(KEYS[5], ARGV[at + 1], note)
        elseif ARGV[at + 1] ~= '' then
            forget_alone(KEYS[5], ARGV[at + 1])
        end
        given = given + 1
    else
        lost[#lost + 1] = (at - 2) / 2
    end
end

local tokens = redis.pcall('LLEN', KEYS[4])
if given > 0 and type(tokens) == 'number' then
    for _ = 1, math.min(given, ready + given - tokens) do
        redis.pcall('RPUSH', KEYS[4], '1')
    end
end
return lost
