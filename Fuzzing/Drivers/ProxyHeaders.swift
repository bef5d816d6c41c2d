// PROXY headers: the same answer for every piece of the input that is long enough, and addresses that are the header's.

import Bytes
import Proxy

@_cdecl("fuzz_proxy_headers")
func libFuzzProxyHeaders(_ bytes: UnsafePointer<UInt8>?, _ count: Int) -> Int32 {
  unsafe libFuzzer(bytes, count, fuzzProxyHeaders)
}

func fuzzProxyHeaders(_ input: [UInt8]) throws {
  let whole = ProxyHeader.read(input.span)
  var first: ProxyHeader.Reading?
  for count in 0...min(input.count, ProxyHeader.byteCountMax) {
    let reading = ProxyHeader.read(input.span.extracting(0..<count))
    if let first { try expect(reading == first, "at \(count) bytes: \(reading), which was \(first)") }
    if reading != .incomplete { first = first ?? reading }
  }
  if input.count >= ProxyHeader.byteCountMax { try expect(whole != .incomplete, "a header without an end") }
  guard case .complete(let byteCount, let source) = whole else { return }
  try expect(byteCount > 0 && byteCount <= input.count, "\(byteCount) bytes of \(input.count)")
  guard let source else { return }
  try checkAddress(source)
  let family = source.isIPv4 ? "TCP4" : "TCP6"
  let local = source.isIPv4 ? "192.0.2.1" : "2001:db8::1"
  let line = Array("PROXY \(family) \(source.text) \(local) 1 2\r\n".utf8)
  // An IPv4 address in the form of IPv6 is one of IPv4.
  try expect(
    ProxyHeader.read(line.span) == .complete(byteCount: line.count, source: source), "not the same as version 1")
}

/// An address is what its text says.
func checkAddress(_ address: PeerAddress) throws {
  if address.isUnix { return }
  let text = Array(address.text.utf8)
  try expect(PeerAddress(text.span) == address, "\(address.text) is another address")
}
