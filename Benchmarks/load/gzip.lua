-- What clients that take gzip alone send.
function init()
  wrk.headers["Accept-Encoding"] = "gzip"
end
