-- extend: sets the expiry of leases that are ours anew, under the tag given.
--
-- KEYS 1 drover:failed  2 reserved
-- ARGV 1 tag to carry from now on  2 lease, seconds, then per lease: tag it carries, payload
-- Reply: places (from 1) of those that were not ours
--
-- The answer goes by the tag found, not by what ZADD changed: an equal score changes
-- nothing.
--@ begin

local UNPACK = 1000

--@ fence

begin_writing(KEYS[1])
local clock = redis.call('TIME')
local score = math.ceil(clock[1] + clock[2] / 1000000 + tonumber(ARGV[2])) + ARGV[1] / TAGS

local lost = {}
for first = 3, #ARGV, 2 * UNPACK do
    local members = {}
    for at = first, math.min(#ARGV, first + 2 * UNPACK - 2), 2 do
        members[#members + 1] = ARGV[at + 1]
    end
    local scores = redis.pcall('ZMSCORE', KEYS[2], unpack(members))
    scores = is_wrong_type(scores) and {} or scores
    for i, member in ipairs(members) do
        local at = first + 2 * (i - 1)
        if tag_of(scores[i]) == tonumber(ARGV[at]) then
            redis.call('ZADD', KEYS[2], 'XX', score, member)
        else
            lost[#lost + 1] = (at - 1) / 2
        end
    end
end
return lost
