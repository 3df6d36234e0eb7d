-- KEYS: meta. ARGV: identity, buckets, token, the new generation, the names of the lists. The first step of building:
-- readers see nothing from here on. Returns OK, and how many buckets and which lists there may be to erase, which outlive
-- a build that was given up half-way.
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
