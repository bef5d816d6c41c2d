-- Every request with a bearer token that nobody has seen before.
local count = 0
local start

function init()
  math.randomseed(os.time())
  start = "GET " .. wrk.path .. " HTTP/1.1\r\nHost: " .. wrk.host .. ":" .. wrk.port ..
    "\r\nAuthorization: Bearer random-" .. math.random(1, 2 ^ 30) .. "-"
end

function request()
  count = count + 1
  return start .. count .. "\r\n\r\n"
end
