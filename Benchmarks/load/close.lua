-- Each request on a connection of its own.
function init()
  wrk.headers["Connection"] = "close"
end
