-- Whether a record of the outbox may be in PostgreSQL by now: a worker has marked it
-- (outbox_claim), and it is PostgreSQL's from then on. The mark means nothing elsewhere.
-- Needs begin.
local function is_moving(index, record)
    local mark = string.sub(index, -13) == 'drover:outbox' and
                 redis.pcall('HGET', record, 'moving')
    return not is_wrong_type(mark) and type(mark) == 'string'
end
