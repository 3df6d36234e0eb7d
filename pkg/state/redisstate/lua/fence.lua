-- Goes after the guard in every script of an owner. ARGV[3] is the owner's token: smaller than one that was seen, the
-- caller is a former owner.
if token and tonumber(token) > tonumber(ARGV[3]) then
  return {'FENCED', token}
end
