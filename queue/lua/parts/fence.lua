-- The fence: a lease is a worker's where the fraction of its score is the worker's tag.
local TAGS = 1048576

-- Of a score as Redis answers it; of none (false): 0, which is nobody's.
local function tag_of(score)
    local number = tonumber(score or 0)
    return (number - math.floor(number)) * TAGS
end
