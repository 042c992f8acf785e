-- Returns the length of a list or zset; or nil and an error to reply with, where the key
-- holds something else. `what` is what it ought to be.
local function length_of(command, key, what)
    local length = redis.pcall(command, key)
    if type(length) == 'table' then
        return nil, redis.error_reply('ERR ' .. key .. ' is not a ' .. what)
    end
    return length
end
