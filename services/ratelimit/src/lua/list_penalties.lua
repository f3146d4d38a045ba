-- Lists the penalties that hold, the longest first, and forgets those that have ended.
--
-- KEYS: as in note_penalty.lua. ARGV: now in ms, how many. Returns end and details of each.
for _, ended in ipairs(redis.call('ZRANGEBYSCORE', KEYS[1], '-inf', ARGV[1])) do
  redis.call('ZREM', KEYS[1], ended)
  redis.call('HDEL', KEYS[2], ended)
end
local rows = {}
local found = redis.call('ZREVRANGE', KEYS[1], 0, ARGV[2] - 1, 'WITHSCORES')
for i = 1, #found, 2 do
  local details = redis.call('HGET', KEYS[2], found[i])
  if details then
    rows[#rows + 1] = string.format('%.0f', tonumber(found[i + 1]))
    rows[#rows + 1] = details
  end
end
return rows
