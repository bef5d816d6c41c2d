-- Every request with the next token of a file (TOKENS, one a line), from the one numbered FIRST. Again from the top
-- when the file ends. FIELD is what goes before it in the head, a bearer's unless it says otherwise.
local tokens = {}
local nextToken = tonumber(os.getenv("FIRST") or "0")
local before, after

function init()
  for line in io.lines(os.getenv("TOKENS")) do tokens[#tokens + 1] = line end
  before = "GET " .. wrk.path .. " HTTP/1.1\r\nHost: " .. wrk.host .. ":" .. wrk.port .. "\r\n" .. (os.getenv("FIELD") or "Authorization: Bearer ")
  after = "\r\n\r\n"
end

function request()
  nextToken = nextToken % #tokens + 1
  return before .. tokens[nextToken] .. after
end
