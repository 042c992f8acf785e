-- The next page of the index of failed records, behind a cursor.
--
-- KEYS index
-- ARGV order ("asc" or "desc"), lowest and highest score as ZCOUNT takes them, size of the
--      page, then the cursor: score and uuid of the record seen last (both "" at the start)
-- Reply: uuid, score, uuid, score ...
--
-- The index is ordered by score, then by the bytes of the uuid, so the cursor names a place
-- in it also when the record that stood there is gone, and however many share its score.
local index, order, lowest, highest = KEYS[1], ARGV[1], ARGV[2], ARGV[3]
local size, cursor_score, cursor_uuid = tonumber(ARGV[4]), ARGV[5], ARGV[6]

-- Lua compares strings by the locale, Redis by bytes.
local function is_before(a, b)
    for i = 1, math.min(#a, #b) do
        local x, y = a:byte(i), b:byte(i)
        if x ~= y then return x < y end
    end
    return #a < #b
end

-- How many stand before the cursor; with `inclusive` also the record of the cursor.
local function rank_of_cursor(inclusive)
    local low = redis.call('ZCOUNT', index, '-inf', '(' .. cursor_score)
    local high = low + redis.call('ZCOUNT', index, cursor_score, cursor_score)
    while low < high do
        local middle = math.floor((low + high) / 2)
        local uuid = redis.call('ZRANGE', index, middle, middle)[1]
        if is_before(uuid, cursor_uuid) or (inclusive and uuid == cursor_uuid) then
            low = middle + 1
        else
            high = middle
        end
    end
    return low
end

-- Ranks [first, last) lie within the bounds.
local total = redis.call('ZCARD', index)
local last = redis.call('ZCOUNT', index, '-inf', highest)
local first = total - redis.call('ZCOUNT', index, lowest, '+inf')
if order == 'asc' then
    if cursor_uuid ~= '' then first = math.max(first, rank_of_cursor(true)) end
    last = math.min(last, first + size)
    if first >= last then return {} end
    return redis.call('ZRANGE', index, first, last - 1, 'WITHSCORES')
end
if cursor_uuid ~= '' then last = math.min(last, rank_of_cursor(false)) end
first = math.max(first, last - size)
if first >= last then return {} end
return redis.call('ZREVRANGE', index, total - last, total - first - 1, 'WITHSCORES')
