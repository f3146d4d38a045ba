-- Adds up shadow counts. KEYS: hashes with one hash tag. Returns names and sums in turn.
local sums, reply = {}, {}
for _, key in ipairs(KEYS) do
  local pairs_of = redis.call('HGETALL', key)
  -- A client of RESP3 still gets a flat list inside a script.
  for i = 1, #pairs_of, 2 do sums[pairs_of[i]] = (sums[pairs_of[i]] or 0) + pairs_of[i + 1] end
end
for name, sum in pairs(sums) do
  reply[#reply + 1] = name
  reply[#reply + 1] = string.format('%.0f', sum)
end
return reply
