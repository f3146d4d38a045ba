-- Adds users to the bucket of now, which exists from then on even without any.
--
-- KEYS: the first part of all names, whose hash tag they share. ARGV: length of a bucket in ms, how long it is kept in ms, then the users.
-- Returns the server's time and since when users are counted without a loss, in ms.
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local bucket = KEYS[1] .. ':' .. math.floor(now / ARGV[1])
redis.call('PFADD', bucket, unpack(ARGV, 3))
redis.call('PEXPIRE', bucket, ARGV[2])
-- Never expires, so only a loss of data brings a new one.
redis.call('SET', KEYS[1] .. ':since', now, 'NX')
return {now, tonumber(redis.call('GET', KEYS[1] .. ':since'))}
