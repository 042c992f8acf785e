-- Acks: jobs that are done leave reserved, where the lease is still the worker's.

-- The jobs are ARGV[first] to ARGV[last], 1000 at most, all of them under one tag; their
-- crash keys ('' for none) follow where `keyed`. The places of those that were not ours,
-- counted from `place` on, go into `lost`.
local function ack(reserved, crashes, tag, first, last, keyed, place, lost)
    local scores = redis.pcall('ZMSCORE', reserved, unpack(ARGV, first, last))
    scores = is_wrong_type(scores) and {} or scores
    local ours, done, before, is_ours = nil, {}, nil, false
    for i = first, last do
        local score = scores[i - first + 1]
        if score ~= before then -- most are alike
            before, is_ours = score, tag_of(score) == tag
        end
        if not is_ours then
            lost[#lost + 1] = place + i - first
            ours = ours or {unpack(ARGV, first, i - 1)}
        elseif ours then
            ours[#ours + 1] = ARGV[i]
        end
        if is_ours and keyed and ARGV[i - first + last + 1] ~= '' then
            done[#done + 1] = ARGV[i - first + last + 1]
        end
    end
    if not ours then
        redis.call('ZREM', reserved, unpack(ARGV, first, last))
    elseif #ours > 0 then
        redis.call('ZREM', reserved, unpack(ours))
    end
    if #done > 0 then
        redis.pcall('HDEL', crashes, unpack(done))
    end
end
