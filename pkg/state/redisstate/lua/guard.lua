-- Goes before every other script. KEYS[1] is the partition's meta hash; ARGV[1] the identity, ARGV[2] the number of
-- buckets. Nothing is read or written in a mirror that belongs to somebody else.
local meta = redis.call('HMGET', KEYS[1], 'identity', 'token', 'buckets', 'ready', 'generation', 'position', 'updated')
local identity, token, buckets, ready = meta[1], meta[2], meta[3], meta[4]
local generation, position, updated = meta[5], meta[6], meta[7]
if identity and identity ~= ARGV[1] then
  return {'FOREIGN', identity}
end
