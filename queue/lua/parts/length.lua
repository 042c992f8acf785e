-- Returns the length of a list or zset; or nil and an error to reply with, where the key
-- holds something else, or may not be asked. `what` is what it ought to be.
local function length_of(command, key, what)
    local length = redis.pcall(command, key)
    if type(length) ~= 'table' then
        return length
    end
    if string.find(length.err, 'WRONGTYPE', 1, true) then
        return nil, redis.error_reply('ERR ' .. key .. ' is not a ' .. what)
    end
    return nil, redis.error_reply(length.err)
end
