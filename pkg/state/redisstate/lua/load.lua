-- KEYS: meta, then the bucket of each group. ARGV: identity, buckets, token, position, then for each group the number
-- of its fields and the fields. Returns OK and for each group the sentinel and the values.
if ready ~= '1' or buckets ~= ARGV[2] then
  return {'MISMATCH', 'it is not ready'}
end
if tonumber(position) < tonumber(ARGV[4]) then
  return {'MISMATCH', 'it stands at ' .. position}
end
local reply = {'OK'}
local a = 5
for k = 2, #KEYS do
  local n = tonumber(ARGV[a])
  local values = redis.call('HMGET', KEYS[k], '', unpack(ARGV, a + 1, a + n))
  if values[1] ~= generation then
    return {'MISMATCH', 'a bucket is lost'}
  end
  reply[k] = values
  a = a + n + 1
end
return reply
