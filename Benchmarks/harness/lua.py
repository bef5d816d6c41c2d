"""nginx with Lua as people write it: a session's cookie is looked up in Redis, or a limit counted there, over kept
connections. It is what those do who have no gateway that does."""

import os

import peers
from task import IDLE_SECONDS, UPSTREAM_CONNECTIONS

MODULES = "/usr/lib/nginx/modules"
# What both do first, and last.
ASK = """
        local redis = require("nginx.redis"):new()
        redis:set_timeout(2000)
        if not redis:connect("127.0.0.1", {redis}) then return ngx.exit(503) end
"""
KEEP = """
        redis:set_keepalive(60000, 256)
"""
SESSION = """
        local cookie = ngx.var["cookie___Host-session"]
        if not cookie then return ngx.exit(401) end
""" + ASK + """
        local value = redis:get("nginx:session:" .. ngx.md5(cookie))
""" + KEEP + """
        if not value or value == ngx.null then return ngx.exit(401) end
        local claims = require("cjson").decode(value)
        if not string.find(" " .. claims.scope .. " ", " {scope} ", 1, true) then return ngx.exit(403) end
        ngx.req.set_header("X-User-Id", claims.sub)
        ngx.req.set_header("X-User-Email", claims.email)
        ngx.req.set_header("X-Org", claims.org.id)
"""
# The arithmetic of Catraca's limits, so that Redis has the same work.
SCRIPT = """
local time = redis.call('TIME')
local now = (time[1] - 1600000000) * 8000000 + time[2] * 8
local interval, capacity = tonumber(ARGV[1]), tonumber(ARGV[2])
local full = tonumber(redis.call('GET', KEYS[1]) or 0) or 0
if full < now then full = now end
if full + interval > now + capacity then return {{0, full - now}} end
full = full + interval
redis.call('SET', KEYS[1], string.format('%.0f', full), 'PX', math.ceil((full - now) / 8000))
return {{1, full - now}}
"""
LIMIT = ASK + """
        local answer = redis:evalsha(digest, 1, "nginx:limit:" .. ngx.md5(ngx.var.remote_addr), 8, 8000000)
        if not answer then answer = redis:eval(script, 1, "nginx:limit:" .. ngx.md5(ngx.var.remote_addr), 8, 8000000) end
""" + KEEP + """
        if not answer then return ngx.exit(503) end
        if answer[1] == 0 then return ngx.exit(429) end
        ngx.header["RateLimit"] = '"exact";r=' .. math.floor((8000000 - answer[2]) / 8) .. ";t=1"
"""
LOCATIONS = """
    location / {{ proxy_pass http://backend; }}
    location = /exact {{
      access_by_lua_block {{""" + LIMIT + """      }}
      proxy_pass http://backend;
    }}
    location /asked/ {{
      access_by_lua_block {{""" + SESSION + """      }}
      proxy_pass http://backend;
    }}
"""
START = """
  init_by_lua_block {{
    script = [[{script}]]
    local bytes = ngx.sha1_bin(script)
    digest = bytes:gsub(".", function(byte) return string.format("%02x", byte:byte()) end)
  }}
"""


def nginx_lua(setup, folder, port, descriptors):
    if not os.path.exists(f"{MODULES}/ngx_http_lua_module.so"):
        return None
    http = START.format(script=SCRIPT.format()) + peers.NGINX_PROXY.format(
        port=port, servers=f"server 127.0.0.1:{setup.backend};", listen="", secure="", kind="proxy", plain=peers.NGINX_PLAIN, idle=IDLE_SECONDS,
        upstream_connections=UPSTREAM_CONNECTIONS, log="off", gzip="",
        locations=LOCATIONS.format(redis=setup.store.port, scope=setup.tokens.scope if setup.tokens else ""))
    modules = "".join(f"load_module {MODULES}/{name}_module.so;\n" for name in ("ndk_http", "ngx_http_lua"))
    return modules + peers.nginx_frame(folder, "nginx-lua", http, setup.workers, descriptors)
