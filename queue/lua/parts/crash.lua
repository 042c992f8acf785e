local CRASHED_MAX = 100000 -- keys remembered; who floods them loses the counts, not jobs

-- Counts a crash under the key, as "count note"; false where there is no room for it, or
-- the hash is none.
local function count_crash(crashes, key, note)
    local before, known = redis.pcall('HGET', crashes, key), redis.pcall('HLEN', crashes)
    local count = type(before) == 'string' and tonumber(string.match(before, '^%d+')) or 0
    if type(known) ~= 'number' or (count == 0 and known >= CRASHED_MAX) then
        return false
    end
    redis.pcall('HSET', crashes, key, string.format('%d %s', count + 1, note))
    return true
end
