-- Each request with a body of 1 MiB.
function init()
  wrk.method = "POST"
  wrk.body = string.rep("x", 1048576)
  wrk.headers["Content-Type"] = "application/octet-stream"
end
