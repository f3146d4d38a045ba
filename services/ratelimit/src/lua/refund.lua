-- Takes admitted acts of one principal back.
--
-- KEYS: counters with one hash tag. ARGV: for each counter kind, cost, span and the stamp that its admission gave (see check.lua).
-- Returns how many acts were taken back: none where the window has passed.
local SLOTS, TURN = 21, 4294967296
local COUNTS = 'I4I4I4I4I4I4I4I4I4I4I4I4I4I4I4I4I4I4I4I4I4'
local kinds = {}

function kinds.w(key, raw, cost, _, stamp)
  local counts = {struct.unpack('>I4xxxx' .. COUNTS, raw)}
  local shift = (counts[1] - stamp) % TURN
  if shift >= SLOTS then return 0 end
  local taken = math.min(cost, counts[2 + shift])
  counts[2 + shift] = counts[2 + shift] - taken
  local total = 0
  for i = 2, SLOTS + 1 do total = total + counts[i] end
  redis.call('SET', key, struct.pack('>I4I4' .. COUNTS, counts[1], total, unpack(counts, 2, SLOTS + 1)), 'KEEPTTL')
  return taken
end

function kinds.e(key, raw, cost, _, stamp)
  local kept, taken = {}, 0
  for at = 1, #raw, 8 do
    if taken < cost and struct.unpack('>d', raw, at) == stamp then taken = taken + 1
    else kept[#kept + 1] = string.sub(raw, at, at + 7) end
  end
  if #kept == 0 then redis.call('DEL', key)
  elseif taken > 0 then redis.call('SET', key, table.concat(kept), 'KEEPTTL') end
  return taken
end

function kinds.g(key, raw, cost, interval)
  redis.call('SET', key, struct.pack('>d', struct.unpack('>d', raw) - cost * interval), 'KEEPTTL')
  return cost
end

local total = 0
for k = 1, #KEYS do
  local at = (k - 1) * 4 + 1
  local raw = redis.call('GET', KEYS[k])
  if raw then
    total = total + kinds[ARGV[at]](KEYS[k], raw, tonumber(ARGV[at + 1]), tonumber(ARGV[at + 2]), tonumber(ARGV[at + 3]))
  end
end
return total
