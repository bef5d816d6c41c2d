// Readers that are asked automatically: heads of HTTP/2, frames of WebSockets, PROXY headers. And work that is known to
// be quadratic, which the judge must find.

import Bytes
import HTTP2
import HTTPWire
import Proxy

private let limits = HeadLimits(byteCountMax: 1 << 20, fieldCountMax: 1000)

private func block(_ make: @escaping (Int) -> [(String, String)]) -> (Int) -> () -> String {
  { size in
    let fields = make(size).map { (Array($0.0.utf8), Array($0.1.utf8)) }
    return {
      var builder = RequestHeadBuilder()
      builder.begin()
      for (name, value) in fields { builder.add(name.span, value.span, limits: limits) }
      return builder.complete(isEnd: true) == nil ? "read" : "refused"
    }
  }
}

private let pseudo = [(":method", "GET"), (":scheme", "https"), (":authority", "h"), (":path", "/")]

var parserCases: [WorkCase] {
  [
    WorkCase("fields of HTTP/2", block { size in pseudo + (0..<size).map { ("x-\($0)", "value") } }),
    WorkCase("crumbs of a cookie in HTTP/2", block { size in pseudo + (0..<size).map { ("cookie", "c\($0)=1") } }),
    WorkCase("hosts in HTTP/2", block { size in pseudo + (0..<size).map { _ in ("host", "h") } }),
    WorkCase("trailers of HTTP/2") { size in
      let fields = (0..<size).map { (Array("x-\($0)".utf8), Array("value".utf8)) }
      return {
        var builder = FieldSectionBuilder()
        builder.begin()
        for (name, value) in fields { builder.add(name.span, value.span, limits: limits) }
        return builder.complete() == nil ? "read" : "refused"
      }
    },
    WorkCase("a head on its way to HTTP/2") { size in
      let bytes = get((0..<size).map { "X-\($0): value" })
      return {
        var list = HeaderList()
        return list.setRequest(head: bytes.span, scheme: "https") ? "read" : "refused"
      }
    },
    WorkCase("frames of a WebSocket", from: 400) { size in
      let frames = Array(repeating: [0x82, 0x81, 1, 2, 3, 4, 5] as [UInt8], count: size).flatMap { $0 }
      return {
        var scanner = FrameScanner(isMasked: true)
        if case .success = scanner.scan(frames.span) { return "read" }
        return "refused"
      }
    },
    WorkCase("values of a PROXY header", from: 200) { size in
      var bytes: [UInt8] = [13, 10, 13, 10, 0, 13, 10, 81, 85, 73, 84, 10, 0x21, 0x11]
      let count = 12 + size * 5
      bytes += [UInt8(count >> 8), UInt8(count & 255), 192, 0, 2, 1, 192, 0, 2, 2, 0, 80, 0, 80]
      for _ in 0..<size { bytes += [0xE0, 0, 2, 1, 2] }
      let whole = bytes
      return {
        if case .complete = ProxyHeader.read(whole.span) { return "read" }
        return "refused"
      }
    },
    WorkCase("a PROXY header that comes a byte at a time", from: 200) { size in
      var bytes: [UInt8] = [13, 10, 13, 10, 0, 13, 10, 81, 85, 73, 84, 10, 0x21, 0x11]
      let count = 12 + size * 5
      bytes += [UInt8(count >> 8), UInt8(count & 255), 192, 0, 2, 1, 192, 0, 2, 2, 0, 80, 0, 80]
      for _ in 0..<size { bytes += [0xE0, 0, 2, 1, 2] }
      let whole = bytes
      return {
        var reading = ProxyHeader.Reading.incomplete
        for end in 1...whole.count { reading = ProxyHeader.read(whole.span.extracting(0..<end)) }
        if case .complete = reading { return "read" }
        return "refused"
      }
    },
  ]
}

/// Each of a list compared with each.
var canary: WorkCase {
  WorkCase("canary") { size in
    let numbers = (0..<size).map { $0 * 7 % 1_000_003 }
    return {
      var count = 0
      for first in numbers {
        for second in numbers where first == second { count += 1 }
      }
      return "\(count == size)"
    }
  }
}
