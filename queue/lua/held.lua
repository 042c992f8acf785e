-- held: a page of what a tag holds in a queue. Reads only.
--
-- KEYS 1 reserved
-- ARGV 1 tag  2 cursor  3 about how many members to look at
-- Reply: {next cursor ('0': was the last page), {payload, ...}}; a payload may come twice
--@ begin
--@ fence

local tag, held = tonumber(ARGV[1]), {}

if is_wrong_type(redis.pcall('ZCARD', KEYS[1])) then
    return {'0', held}
end
local page = redis.call('ZSCAN', KEYS[1], ARGV[2], 'COUNT', ARGV[3])
for i = 1, #page[2], 2 do
    if tag_of(page[2][i + 1]) == tag then
        held[#held + 1] = page[2][i]
    end
end
return {page[1], held}
