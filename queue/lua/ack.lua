-- ack: removes jobs that are done, where the lease is still ours.
--
-- KEYS 1 drover:failed  2 reserved  3 drover:crashes
-- ARGV groups: tag, number of jobs n (1000 at most), 1 if crash keys follow or 0, n
--      payloads, then n crash keys ('' for none) or nothing
-- Reply: places (from 1) of those that were not ours
--@ begin

begin_writing(KEYS[1])

--@ fence
--@ acks

local lost, place, at = {}, 1, 1
while at < #ARGV do
    local ct, keyed = tonumber(ARGV[at + 1]), ARGV[at + 2] == '1'
    local first, last = at + 3, at + 2 + ct
    ack(KEYS[2], KEYS[3], tonumber(ARGV[at]), first, last, keyed, place, lost)
    place, at = place + ct, last + 1 + (keyed and ct or 0)
end
return lost
