-- Whether a pcall was refused because the key has a wrong type. Any other refusal (READONLY,
-- NOPERM) says nothing about the key: it ends the script.
local function is_wrong_type(reply)
    if type(reply) ~= 'table' or not reply.err then
        return false
    end
    if not string.find(reply.err, 'WRONGTYPE', 1, true) then
        error(reply.err)
    end
    return true
end

-- The first command that writes: it removes nothing, but a script that has written is let
-- go on by a Redis that is out of memory. An index of a wrong type stops no job.
local function begin_writing(index)
    is_wrong_type(redis.pcall('ZREM', index, ''))
end

-- Adds nothing, but ends the script here where adding is refused: a user who may remove
-- jobs and not add them must not get as far as removing one.
local function may_add(zset)
    redis.call('ZADD', zset, 'XX', 1, '')
end
