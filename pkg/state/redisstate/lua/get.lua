-- KEYS: meta, the key's bucket. ARGV: identity, buckets, key. Follows the guard; a reader has no token.
if ready ~= '1' or buckets ~= ARGV[2] then
  return {'MISMATCH', 'it is not ready'}
end
local values = redis.call('HMGET', KEYS[2], '', ARGV[3])
if values[1] ~= generation then
  return {'MISMATCH', 'a bucket is lost'}
end
return {'OK', values[2]}
