-- A browser's request: 20 header fields, about 1.1 KB. Host comes from wrk.
local fields = {
  ["User-Agent"] = "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/131.0.0.0 Safari/537.36",
  ["Accept"] = "text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,image/webp,image/apng,*/*;q=0.8",
  ["Accept-Encoding"] = "gzip, deflate, br, zstd",
  ["Accept-Language"] = "en-GB,en;q=0.9,pt;q=0.8,de;q=0.7",
  ["Cache-Control"] = "no-cache",
  ["Pragma"] = "no-cache",
  ["Priority"] = "u=0, i",
  ["Referer"] = "https://shop.example.com/catalogue/shoes?page=3&sort=price",
  ["Sec-Ch-Ua"] = '"Chromium";v="131", "Not_A Brand";v="24"',
  ["Sec-Ch-Ua-Mobile"] = "?0",
  ["Sec-Ch-Ua-Platform"] = '"Linux"',
  ["Sec-Fetch-Dest"] = "document",
  ["Sec-Fetch-Mode"] = "navigate",
  ["Sec-Fetch-Site"] = "same-origin",
  ["Sec-Fetch-User"] = "?1",
  ["Sec-Gpc"] = "1",
  ["Upgrade-Insecure-Requests"] = "1",
  ["If-None-Match"] = 'W/"5f2b-18c0a7f4d20"',
  ["Cookie"] = "_ga=GA1.2.1432904512.1731337200; _gid=GA1.2.915467382.1731337200; theme=dark; consent=all; "
    .. "cart=7b9a2c50-1c6f-4f0e-9a44-0a3d8d6f5b1e; session_hint=returning; locale=en-GB; ab=checkout-b",
}

function init()
  for name, value in pairs(fields) do wrk.headers[name] = value end
end
