-- One pod's sign of life, and what it counted since the last one.
--
-- KEYS: the pods, the shadow counts of this hour; one hash tag. ARGV: the pod, how long it counts as living in ms, how long shadow counts are
-- kept in ms; then pairs of a shadow count's name and its increase.
-- Returns how many pods live.
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
redis.call('ZADD', KEYS[1], now, ARGV[1])
redis.call('ZREMRANGEBYSCORE', KEYS[1], '-inf', now - ARGV[2])
redis.call('PEXPIRE', KEYS[1], ARGV[2])
for i = 4, #ARGV, 2 do redis.call('HINCRBY', KEYS[2], ARGV[i], ARGV[i + 1]) end
if #ARGV > 3 then redis.call('PEXPIRE', KEYS[2], ARGV[3]) end
return redis.call('ZCARD', KEYS[1])
