-- Lists a penalty.
--
-- KEYS: ends by principal, details by principal; one hash tag. ARGV: the principal, the end in ms, the details, how many are listed at most.
redis.call('ZADD', KEYS[1], ARGV[2], ARGV[1])
redis.call('HSET', KEYS[2], ARGV[1], ARGV[3])
for _, forgotten in ipairs(redis.call('ZRANGE', KEYS[1], 0, -1 - ARGV[4])) do
  redis.call('ZREM', KEYS[1], forgotten)
  redis.call('HDEL', KEYS[2], forgotten)
end
-- The longest penalty is a day, so nothing listed now matters later.
for _, key in ipairs(KEYS) do redis.call('PEXPIRE', key, 2 * 86400000) end
return 1
