-- Twins: two payloads of equal bytes would be one member of a zset. The later one gets a
-- pad of spaces and tabs, which JSON allows: PAD_MAGIC, then 32 bits of a counter, the
-- highest first, tab for 1. jobs/payload.h tells C the same.
local PAD_MAGIC = '1011010010110100'

local function without_pad(payload)
    local pad = string.sub(payload, -48)
    if #pad < 48 or string.find(pad, '[^ \t]') then
        return payload
    end
    local magic = string.gsub(string.sub(pad, 1, 16), '.', {[' '] = '0', ['\t'] = '1'})
    return magic == PAD_MAGIC and string.sub(payload, 1, -49) or payload
end

local function padded(payload, counter)
    local number = redis.pcall('INCR', counter)
    if type(number) == 'table' then
        number = redis.call('TIME')[2] * 4096 + math.random(0, 4095)
    end
    local pad = PAD_MAGIC
    for bit = 31, 0, -1 do
        pad = pad .. math.floor(number / 2 ^ bit) % 2
    end
    pad = string.gsub(pad, '.', {['0'] = ' ', ['1'] = '\t'})
    return without_pad(payload) .. pad
end

-- Returns the bytes that are in the zset now; nil: none are, there is no end of twins.
-- `avoid`, may be nil: a set of bytes that it must not be.
local function add_distinct(zset, score, payload, counter, avoid)
    for _ = 1, 16 do
        if not (avoid and avoid[payload]) and
            redis.call('ZADD', zset, 'NX', score, payload) == 1 then
            return payload
        end
        payload = padded(payload, counter)
    end
    return nil
end
