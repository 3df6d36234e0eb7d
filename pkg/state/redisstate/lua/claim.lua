-- KEYS: meta, timers, every bucket. ARGV: identity, buckets, token.
-- The token is taken even where there is no mirror: the rebuild that follows must not meet the former owner's.
redis.call('HSET', KEYS[1], 'identity', ARGV[1], 'token', ARGV[3])
if ready ~= '1' or buckets ~= ARGV[2] then
  return {'OK'}
end
if not redis.call('ZSCORE', KEYS[2], '\255' .. generation) then
  return {'OK'}
end
for k = 3, #KEYS do
  if redis.call('HGET', KEYS[k], '') ~= generation then
    return {'OK'}
  end
end
local now = redis.call('TIME')
local age = now[1] * 1000 + math.floor(now[2] / 1000) - updated
return {'OK', position, string.format('%.0f', age)}
