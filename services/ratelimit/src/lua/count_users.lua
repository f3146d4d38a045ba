-- Counts the users of a window.
--
-- KEYS: as in record_users.lua. ARGV: length of a bucket in ms, buckets in the window.
-- Returns the count, or -1 where a bucket is missing or the window began before users were counted; and the server's time in ms.
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local since = tonumber(redis.call('GET', KEYS[1] .. ':since') or now)
if since > now - ARGV[1] * ARGV[2] then return {-1, now} end
local current, buckets = math.floor(now / ARGV[1]), {}
-- The bucket of now has just begun, so a whole window takes one more.
for i = 0, tonumber(ARGV[2]) do
  buckets[i + 1] = KEYS[1] .. ':' .. (current - i)
  -- The newest may wait for its first pulse.
  if i > 0 and redis.call('EXISTS', buckets[i + 1]) == 0 then return {-1, now} end
end
return {redis.call('PFCOUNT', unpack(buckets)), now}
