#!lua flags=allow-cross-slot-keys
-- Admits acts of many principals of one server in one step: plain ones, whose limits are all rings (see check.lua, which decides over whatever is
-- not admitted here).
--
-- KEYS: any key of the server. The others are not declared: they are in many slots, and only this server's count.
-- ARGV: how many limits; for each TWO values: the end of its counters' keys, and cost, limit and window in ms (`>I4I4I8`); then for each ask TWO
--   values: the principal, and the numbers of its limits, one byte each.
-- Returns one text: for each limit `>I4I4`: ms until a counter is as without any act, and the stamp that takes an act back; then for each ask a
--   byte: 1 admitted, and for each of its limits `>I4`, what remains; or 0, nothing counted: beyond a limit, a penalty, or another server's.
local SLOTS, COUNTS, TURN = 21, '>I4I4I4I4I4I4I4I4I4I4I4I4I4I4I4I4I4I4I4I4I4', 4294967296
local pack, unpack_struct, call, floor, byte = struct.pack, struct.unpack, redis.call, math.floor, string.byte

local time = call('TIME')
local now = floor((time[1] * 1000000 + time[2]) / 1000)

local limits, endings, costs, maxima, currents, lives = tonumber(ARGV[1]), {}, {}, {}, {}, {}
local replies, said = {}, limits
for i = 1, limits do
  local cost, limit, window = unpack_struct('>I4I4I8', ARGV[2 * i + 1])
  local width = math.max(1, math.ceil(window / (SLOTS - 1)))
  local current = floor(now / width) % TURN
  endings[i], costs[i], maxima[i], currents[i], lives[i] = ARGV[2 * i], cost, limit, current, width * (SLOTS + 1)
  replies[i] = pack('>I4I4', SLOTS * width - now % width, current)
end

-- A ring that the time has turned, or that isn't there yet: what is left of its total, and of its older counts as text.
local function turned(raw, current)
  if not raw then return 0, string.rep('\0', 4 * (SLOTS - 1)) end
  local shift = (current - unpack_struct('>I4', raw)) % TURN
  -- The clock of a new master is behind the one that wrote.
  if shift > TURN / 2 then return end
  shift = math.min(shift, SLOTS)
  local total, counts = 0, {unpack_struct(COUNTS, raw, 9)}
  for i = 1, SLOTS - shift do total = total + counts[i] end
  return total, string.rep('\0', 4 * (shift - 1)) .. string.sub(raw, 9, 8 + 4 * (SLOTS - shift))
end

local keys, totals, counts, older = {}, {}, {}, {}

local function admits(principal, numbers)
  local prefix, count = 'limit:{' .. principal .. '}:', #numbers
  keys[1] = prefix .. 'penalty'
  for i = 1, count do keys[i + 1] = prefix .. endings[byte(numbers, i)] end
  local values = redis.pcall('MGET', unpack(keys, 1, count + 1))
  if values.err or values[1] then return false end
  for i = 1, count do
    local raw, number, newest, total, newest_count, rest = values[i + 1], byte(numbers, i)
    if raw then newest, total, newest_count = unpack_struct('>I4I4I4', raw) end
    if newest ~= currents[number] then
      newest_count = 0
      total, rest = turned(raw, currents[number])
    end
    if not total or total + costs[number] > maxima[number] then return false end
    totals[i], counts[i], older[i] = total + costs[number], newest_count + costs[number], rest
  end
  return true
end

for at = 2 + 2 * limits, #ARGV, 2 do
  local numbers = ARGV[at + 1]
  said = said + 1
  if admits(ARGV[at], numbers) then
    replies[said] = '\1'
    for i = 1, #numbers do
      local number = byte(numbers, i)
      -- Within a sub-bucket it is counted in place: its beginning was written with a life that covers it.
      if older[i] then
        call('SET', keys[i + 1], pack('>I4I4I4', currents[number], totals[i], counts[i]) .. older[i], 'PX', lives[number])
      else
        call('SETRANGE', keys[i + 1], 4, pack('>I4I4', totals[i], counts[i]))
      end
      said = said + 1
      replies[said] = pack('>I4', maxima[number] - totals[i])
    end
  else
    replies[said] = '\0'
  end
end
return table.concat(replies)
