-- KEYS: meta, timers, every list, every bucket. ARGV: identity, buckets, token, how many sorted sets there are, the names of
-- the lists.
-- Returns OK, and of a mirror that is whole its position, age and definition.
-- The token is taken even where there is no mirror: the rebuild that follows must not meet the former owner's.
redis.call('HSET', KEYS[1], 'identity', ARGV[1], 'token', ARGV[3])
if ready ~= '1' or buckets ~= ARGV[2] then
  return {'OK'}
end
local built = redis.call('HMGET', KEYS[1], 'lists', 'definition')
if (built[1] or '') ~= ARGV[5] or lost(tonumber(ARGV[4])) then
  return {'OK'}
end
return {'OK', position, string.format('%.0f', now() - updated), built[2] or ''}
