-- KEYS: meta. ARGV: identity, buckets, token, the new generation. The first step of building: readers see nothing from
-- here on. Returns OK and how many buckets there may be to erase, which outlives a build that was given up half-way.
local erase = math.max(tonumber(redis.call('HGET', KEYS[1], 'erase') or 0), tonumber(ARGV[2]))
if generation ~= ARGV[4] then
  redis.call('HSET', KEYS[1], 'identity', ARGV[1], 'token', ARGV[3], 'buckets', ARGV[2],
    'ready', '0', 'generation', ARGV[4], 'position', '0', 'erase', erase)
end
return {'OK', erase}
