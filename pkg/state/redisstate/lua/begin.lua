-- KEYS: meta. ARGV: identity, buckets, token, the new generation, the names of the lists, the generation that it takes the
-- place of, '' for none. The first step of building: readers see nothing from here on. One that arrives when the mirror has
-- been built anew meanwhile does nothing: the token is the same. Returns OK, and how many buckets and which lists there may be to erase, which outlive
-- a build that was given up half-way.
if generation ~= ARGV[4] and (generation or '') ~= ARGV[6] then
  return {'MISMATCH', 'it is being built anew already'}
end
local erase = math.max(tonumber(redis.call('HGET', KEYS[1], 'erase') or 0), tonumber(ARGV[2]))
local lists = redis.call('HGET', KEYS[1], 'lists') or ''
if generation ~= ARGV[4] then
  for name in string.gmatch(ARGV[5], '[^\n]+') do
    if not string.find('\n' .. lists .. '\n', '\n' .. name .. '\n', 1, true) then
      lists = lists == '' and name or lists .. '\n' .. name
    end
  end
  redis.call('HSET', KEYS[1], 'identity', ARGV[1], 'token', ARGV[3], 'buckets', ARGV[2],
    'ready', '0', 'generation', ARGV[4], 'position', '0', 'erase', erase, 'lists', lists)
end
return {'OK', erase, lists}
