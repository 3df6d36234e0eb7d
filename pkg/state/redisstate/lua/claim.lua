-- KEYS: meta, timers, every bucket. ARGV: identity, buckets, token.
-- The token is taken even where there is no mirror: the rebuild that follows must not meet the former owner's.
redis.call('HSET', KEYS[1], 'identity', ARGV[1], 'token', ARGV[3])
if ready ~= '1' or buckets ~= ARGV[2] then
  return {'OK'}
end
if lost() then
  return {'OK'}
end
return {'OK', position, string.format('%.0f', now() - updated)}
