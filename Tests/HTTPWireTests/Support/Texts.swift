// The functions that take spans, for texts: `#expect` takes no span.

import Bytes
import HTTPWire

func isToken(_ text: String) -> Bool { HTTPWire.isToken(text.utf8.span) }
func isFieldValue(_ text: String) -> Bool { HTTPWire.isFieldValue(text.utf8.span) }
func isAuthority(_ text: String) -> Bool { HTTPWire.isAuthority(text.utf8.span) }
func isHostName(_ text: String) -> Bool { HTTPWire.isHostName(text.utf8.span) }
func port(of text: String) -> Int? { HTTPWire.hostAndPort(of: text.utf8.span).port }
func foldedHash(of text: String) -> UInt32 { HTTPWire.foldedHash(of: text.utf8.span) }
func foldedEquals(_ a: String, _ b: String) -> Bool { HTTPWire.foldedEquals(a.utf8.span, b.utf8.span) }
func host(of text: String) -> String { HTTPWireTests.text(text.utf8.span, hostRange(of: text.utf8.span)) }

extension Method {
  init(_ text: String) { self.init(text.utf8.span) }
}
