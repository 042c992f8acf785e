-- Empties a queue.
--
-- KEYS ready, delayed, notify, and reserved where running jobs are to go too
-- Reply: the number of jobs removed.
--
-- All keys are looked at before the first removal; deleting needs no memory.
--@ length

local removed, wrong = length_of('LLEN', KEYS[1], 'list')
if not removed then return wrong end
for i, key in ipairs(KEYS) do
    if i == 2 or i == 4 then
        local length
        length, wrong = length_of('ZCARD', key, 'sorted set')
        if not length then return wrong end
        removed = removed + length
    end
end
redis.call('UNLINK', unpack(KEYS))
return removed
