-- wrk's script: posts distinct signed callbacks, read one by one from a file of fixed-width lines
-- (bench/signed.py). Arguments: file, first line, timestamp, access key, pause_ms, bad.
-- The body of each holds an order id of its own, so none is a duplicate of another.
local WIDTH = 32 + 32 + 19 + 1
local threads = {}

function setup(thread)
  table.insert(threads, thread)
end

function init(args)
  file = assert(io.open(args[1], "rb"))
  file:seek("set", tonumber(args[2]) * WIDTH)
  sent = 0
  exhausted = 0
  pause_ms = tonumber(args[5])
  bad = args[6] == "bad"
  if pause_ms == 0 then delay = nil end
  head = "POST " .. wrk.path .. " HTTP/1.1\r\nHost: " .. wrk.host ..
    "\r\nContent-Type: application/json\r\naccess-key: " .. args[4] ..
    "\r\ntimestamp: " .. args[3] .. "\r\nuser-id: 1\r\n"
  body_head = '{"messageType":"ORDER_PAY_SUCCESS","messagePlatform":1,"timestamp":"' .. args[3] ..
    '","messageBody":"{\\"orderId\\":\\"'
  body_middle = '\\",\\"orderNo\\":\\"PO'
  body_tail = '\\",\\"orderStatus\\":\\"WAITING_FOR_SENT\\",\\"payStatus\\":2,\\"totalAmount\\":1200,' ..
    '\\"shippingFee\\":200,\\"productAmount\\":1000,\\"refundAmount\\":0,\\"refundStatus\\":null,' ..
    '\\"closeReason\\":null,\\"tbCreateTime\\":\\"2026-01-31 07:55:00\\",' ..
    '\\"payTime\\":\\"2026-01-31 08:00:00\\"}"}'
  head = head .. "Content-Length: " .. (#body_head + #body_middle + #body_tail + 38) .. "\r\n"
end

function delay()
  return math.random(0, 2 * pause_ms)
end

function request()
  local line = file:read(WIDTH)
  if not line then
    exhausted = 1
    file:seek("set", 0)
    line = file:read(WIDTH)
  end
  sent = sent + 1
  local nonce, signature, order = line:sub(1, 32), line:sub(33, 64), line:sub(65, 83)
  if bad then signature = signature:reverse() end
  return head .. "nonce-str: " .. nonce .. "\r\nsignature: " .. signature .. "\r\n\r\n" ..
    body_head .. order .. body_middle .. order .. body_tail
end

function done(summary, latency, requests)
  local sent_all, exhausted_any = 0, 0
  for _, thread in ipairs(threads) do
    sent_all = sent_all + thread:get("sent")
    exhausted_any = exhausted_any + thread:get("exhausted")
  end
  local e = summary.errors
  io.write(string.format(
    'RESULT {"requests":%d,"duration_us":%d,"p50_us":%d,"p99_us":%d,"max_us":%d,' ..
    '"not_2xx":%d,"socket_errors":%d,"sent":%d,"exhausted":%d}\n',
    summary.requests, summary.duration, latency:percentile(50), latency:percentile(99),
    latency.max, e.status, e.connect + e.read + e.write + e.timeout, sent_all, exhausted_any))
end
