// Methods are recognised by their exact bytes.

import Bytes
import HTTPWire
import Testing

struct MethodTests {
  @Test("Each method is found by its name and by no other")
  func names() {
    for method in Method.allCases where method != .other {
      let name = "\(method)".uppercased()
      #expect(Method(name) == method)
      #expect(Method(name.lowercased()) == .other)
      #expect(Method((name + "X")) == .other)
      #expect(Method(String(name.dropLast())) == .other)
      if method != .connect {
        #expect(readRequest(request("\(name) / HTTP/1.1")).method == method)
        #expect(readRequest(request("XXXXX\(name) / HTTP/1.1")).method == .other)
      }
    }
    #expect(readRequest(request("get / HTTP/1.1")).method == .other)
  }

  @Test("T47 Safe and idempotent methods are those of RFC 9110")
  func properties() {
    #expect(Method.allCases.filter(\.isSafe) == [.get, .head, .options, .trace])
    #expect(Method.allCases.filter(\.isIdempotent) == [.get, .head, .put, .delete, .options, .trace])
  }
}
