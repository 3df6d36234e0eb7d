-- KEYS: meta, a list. ARGV: identity, buckets, from, to, reverse (1 or 0), limit, and where a place is to go on after its
-- score and its key. Follows the guard; a reader has no token.
-- Returns OK, some of the list with scores, in its order, and how many are within the bounds in all.
local list = KEYS[2]
if ready ~= '1' or buckets ~= ARGV[2] then
  return {'MISMATCH', 'it is not ready'}
end
if not redis.call('ZSCORE', list, '\255' .. generation) then
  return {'MISMATCH', 'a list is lost'}
end
-- Redis orders members by their bytes; Lua's own comparison would go by the server's locale.
local function less(a, b)
  for i = 1, math.min(#a, #b) do
    local x, y = string.byte(a, i), string.byte(b, i)
    if x ~= y then
      return x < y
    end
  end
  return #a < #b
end
-- How many places come before one, or with it: those of equal score are halved until it is found.
local function count(score, key, with)
  local low = redis.call('ZCOUNT', list, '-inf', '(' .. score)
  local high = redis.call('ZCOUNT', list, '-inf', score)
  while low < high do
    local middle = math.floor((low + high) / 2)
    local member = redis.call('ZRANGE', list, middle, middle)[1]
    if less(member, key) or with and member == key then
      low = middle + 1
    else
      high = middle
    end
  end
  return low
end
local low = redis.call('ZCOUNT', list, '-inf', '(' .. ARGV[3])
local high = redis.call('ZCOUNT', list, '-inf', ARGV[4]) -- the sentinel lies beyond
local total = math.max(high - low, 0)
local reverse, limit = ARGV[5] == '1', tonumber(ARGV[6])
if ARGV[7] and reverse then
  high = math.min(high, count(ARGV[7], ARGV[8], false))
elseif ARGV[7] then
  low = math.max(low, count(ARGV[7], ARGV[8], true))
end
if reverse then
  low = math.max(low, high - limit)
else
  high = math.min(high, low + limit)
end
if low >= high then
  return {'OK', {}, total}
end
return {'OK', redis.call('ZRANGE', list, low, high - 1, 'WITHSCORES'), total}
