local CRASHED_MAX = 100000 -- keys remembered; who floods them loses the counts, not jobs

-- Counts a crash under the key, as "count note" ("count alone; note" where the job was
-- marked by alone); false where there is no room for it, or
-- the hash is none.
local function count_crash(crashes, key, note)
    local before, known = redis.pcall('HGET', crashes, key), redis.pcall('HLEN', crashes)
    local count = type(before) == 'string' and tonumber(string.match(before, '^%d+')) or 0
    if type(before) == 'table' or type(known) ~= 'number' or
        (count == 0 and known >= CRASHED_MAX) then
        return false
    end
    local mark = count > 0 and string.match(before, '^%d+ (alone; )') or ''
    redis.pcall('HSET', crashes, key, string.format('%d %s%s', count + 1, mark, note))
    return true
end

-- The run that alone announced ended without a death.
local function forget_alone(crashes, key)
    local before = redis.pcall('HGET', crashes, key)
    local text = type(before) == 'string' and before or ''
    local count, note = string.match(text, '^(%d+) alone; (.*)$')
    if count then
        redis.pcall('HSET', crashes, key, count .. ' ' .. note)
    end
end
