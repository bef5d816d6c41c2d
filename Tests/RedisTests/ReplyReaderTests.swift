// The forms of RESP2 and RESP3, one by one, and what is near them.

import Bytes
import Testing

@testable import Redis

@Suite("Replies of Redis")
struct ReplyReaderTests {
  @Test(
    "Every form of both versions is read",
    arguments: [
      ("+OK\r\n", "\"OK\""), ("+\r\n", "\"\""), ("-ERR no\r\n", "error(ERR no)"), (":0\r\n", "0"), (":-7\r\n", "-7"),
      (":+7\r\n", "7"), (":9223372036854775807\r\n", "9223372036854775807"),
      (":-9223372036854775808\r\n", "-9223372036854775808"), ("$0\r\n\r\n", "\"\""), ("$2\r\n\r\n\r\n", "\"\r\n\""),
      ("$-1\r\n", "null"), ("*-1\r\n", "null"), ("_\r\n", "null"), ("*0\r\n", "[]"), ("%0\r\n", "{}"),
      ("~0\r\n", "[]"), ("#t\r\n", "true"), ("#f\r\n", "false"), (",1.5\r\n", "1.5"), (",inf\r\n", "inf"),
      ("(123456789012345678901\r\n", "123456789012345678901"), ("=5\r\ntxt:a\r\n", "\"a\""), ("=4\r\nmkd:\r\n", "\"\""),
      ("!6\r\nERR no\r\n", "error(ERR no)"), ("*2\r\n:1\r\n*2\r\n:2\r\n*0\r\n", "[1, [2, []]]"),
      ("~2\r\n+a\r\n+b\r\n", "[\"a\", \"b\"]"), ("%1\r\n+a\r\n*1\r\n_\r\n", "{\"a\", [null]}"),
      (">2\r\n+invalidate\r\n*1\r\n$1\r\nk\r\n", "push[\"invalidate\", [\"k\"]]"), (">0\r\n", "push[]"),
    ])
  func forms(_ text: String, _ expected: String) { #expect(reading(text) == expected) }

  @Test("Attributes are left out wherever they are")
  func attributes() {
    #expect(reading("|1\r\n+ttl\r\n:5\r\n$1\r\na\r\n") == "\"a\"")
    #expect(reading("|0\r\n:1\r\n") == "1")
    #expect(reading("*2\r\n:1\r\n|1\r\n+ttl\r\n*2\r\n:5\r\n:6\r\n:2\r\n") == "[1, 2]")
    #expect(reading("*1\r\n|1\r\n|1\r\n+a\r\n+b\r\n+c\r\n+d\r\n+e\r\n") == "[\"e\"]")
    #expect(reading("|1\r\n+ttl\r\n:5\r\n") == "incomplete")
  }

  @Test(
    "What is no reply is refused",
    arguments: [
      "\r\n", "OK\r\n", "+a\rb\r\n", ":\r\n", ":1a\r\n", ":--1\r\n", ":9223372036854775808\r\n", "$\r\n", "$-2\r\n",
      "$1\r\nab\r\n", "$1\r\na\r\r", "$a\r\n", "$?\r\n", "*?\r\n", "*-2\r\n", "%-1\r\n", "~a\r\n", "_x\r\n", "#x\r\n",
      "#\r\n", "#tt\r\n", ",\r\n", "(\r\n", "=3\r\ntxt\r\n", "=4\r\ntxt.\r\n", "=-1\r\n", "!-1\r\n", "*1\r\n>0\r\n",
      "*1\r\n\r\n", "\0\r\n",
    ])
  func malformed(_ text: String) { #expect(reading(text) == "malformed") }

  @Test("T110 A reply goes no further than its limits, and is refused before its bytes come")
  func limits() {
    #expect(reading("$2147483648\r\n") == "too large")
    #expect(reading("*2147483648\r\n") == "too large")
    #expect(reading("*1\r\n*1\r\n%2000000000\r\n") == "too large")
    #expect(reading("$9223372036854775807\r\n") == "too large")
    var limits = ReplyLimits()
    limits.byteCountMax = 16
    #expect(reading("$10\r\n1234567890\r\n", limits: limits) == "too large")
    #expect(reading("$6\r\n123456\r\n", limits: limits) == "\"123456\"")
    #expect(reading("+12345678901234567\r\n", limits: limits) == "too large")
    #expect(reading("+1234567890123456", limits: limits) == "too large")
    #expect(reading("*9\r\n:1\r\n:2\r\n:3\r\n:4", limits: limits) == "too large")
    limits = ReplyLimits()
    limits.valueCountMax = 3
    #expect(reading("*2\r\n:1\r\n:2\r\n", limits: limits) == "[1, 2]")
    #expect(reading("*3\r\n:1\r\n:2\r\n:3\r\n", limits: limits) == "too large")
    limits.valueCountMax = 100
    limits.depthMax = 2
    #expect(reading("*1\r\n*1\r\n:1\r\n", limits: limits) == "[[1]]")
    #expect(reading("*1\r\n*1\r\n*1\r\n:1\r\n", limits: limits) == "too large")
    #expect(reading("*1\r\n*1\r\n*0\r\n", limits: limits) == "[[[]]]")
  }

  @Test("Replies that are cut at any byte wait for the rest, and bytes behind a reply are the next one's")
  func pieces() {
    let text = list(bulk("a\r\nb"), ":12\r\n", "|1\r\n+x\r\n:1\r\n" + list(), "%1\r\n+k\r\n$-1\r\n")
    let whole = reading(text)
    #expect(whole != "malformed" && whole != "incomplete")
    let bytes = Array(text.utf8)
    var reader = ReplyReader()
    for count in 0..<bytes.count { #expect(reader.read(bytes.span.extracting(0..<count)) == .incomplete) }
    #expect(reader.read(bytes.span) == .complete(byteCount: bytes.count))
    #expect(written(reader.reply(in: bytes.span), 0) == whole)
    reader.reset()
    #expect(reading(text + "+OK\r\n") == whole + " and 5 bytes")
  }

  @Test("Values of names are found in maps and in lists of pairs")
  func names() throws {
    for text in ["%2\r\n+server\r\n+redis\r\n+proto\r\n:3\r\n", "*4\r\n+server\r\n+redis\r\n+proto\r\n:3\r\n"] {
      let version = try with(text) { reply in
        reply.value(of: Array("proto".utf8), in: reply.root).flatMap { reply.integer($0) }
      }
      #expect(version == 3)
      let other = try with(text) { reply in reply.value(of: Array("redis".utf8), in: reply.root) }
      #expect(other == .some(nil))
    }
  }
}
