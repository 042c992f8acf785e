-- ack: removes jobs that are done, where the lease is still ours.
--
-- KEYS 1 drover:failed  2 reserved  3 drover:crashes
-- ARGV per job: tag, payload, crash key ('' for none)
-- Reply: places (from 1) of those that were not ours
--@ begin

local UNPACK = 1000

begin_writing(KEYS[1])

--@ fence

local lost = {}
for first = 1, #ARGV, 3 * UNPACK do
    local members, ours, crashes = {}, {}, {}
    for at = first, math.min(#ARGV, first + 3 * UNPACK - 3), 3 do
        members[#members + 1] = ARGV[at + 1]
    end
    local scores = redis.pcall('ZMSCORE', KEYS[2], unpack(members))
    scores = is_wrong_type(scores) and {} or scores
    for i, member in ipairs(members) do
        local at = first + 3 * (i - 1)
        if tag_of(scores[i]) == tonumber(ARGV[at]) then
            ours[#ours + 1] = member
            if ARGV[at + 2] ~= '' then
                crashes[#crashes + 1] = ARGV[at + 2]
            end
        else
            lost[#lost + 1] = (at + 2) / 3
        end
    end
    if #ours > 0 then
        redis.call('ZREM', KEYS[2], unpack(ours))
    end
    if #crashes > 0 then
        redis.pcall('HDEL', KEYS[3], unpack(crashes))
    end
end
return lost
