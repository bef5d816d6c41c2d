-- Each request with the same 2 KB document of GraphQL.
function init()
  local fields = {}
  for number = 1, 60 do
    fields[number] = string.format("item%02d(first: 10) { id name price }", number)
  end
  wrk.method = "POST"
  wrk.body = '{"query":"query Report { catalog { ' .. table.concat(fields, " ") .. ' } }"}'
  wrk.headers["Content-Type"] = "application/json"
end
