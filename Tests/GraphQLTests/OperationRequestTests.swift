// What requests carry in JSON.

import JSON
import Testing

@testable import GraphQL

@Suite("Requests of GraphQL")
struct OperationRequestTests {
  private func read(_ text: String, batch: Int = 1) -> Result<OperationRequests, OperationRequestError> {
    do throws(OperationRequestError) {
      return .success(try OperationRequests(Array(text.utf8), batchCountMax: batch))
    } catch {
      return .failure(error)
    }
  }

  @Test("A request has a document, the name of an operation and a hash, or some of them")
  func members() throws {
    let text = #"""
      {"query":"{ a }","operationName":null,"variables":{"query":"no"},
       "extensions":{"persistedQuery":{"version":1,"sha256Hash":"ab"},"other":1}}
      """#
    let requests = try read(text).get()
    let members = try #require(requests.requests.first)
    #expect(members.query.flatMap { requests.json.string(at: $0) } == "{ a }")
    #expect(members.operationName == nil)
    #expect(members.hash.flatMap { requests.json.string(at: $0) } == "ab")
    let none = try read(#"{"variables":null,"extensions":null,"query":null}"#).get()
    #expect(none.requests == [RequestMembers()])
  }

  @Test("A list has at least one request, and at most as many as it may")
  func batches() throws {
    #expect(try read(#"[{"query":"{ a }"},{"query":"{ b }"}]"#, batch: 2).get().requests.count == 2)
    #expect(try read(#"[{"query":"{ a }"}]"#).get().isBatch)
    guard case .failure(.batchTooLarge) = read(#"[{"query":"a"},{"query":"b"},{"query":"c"}]"#, batch: 2) else {
      Issue.record("three of two")
      return
    }
    guard case .failure(.invalid) = read("[]") else {
      Issue.record("none")
      return
    }
  }

  @Test(
    "What another reader could understand in another way is refused",
    arguments: [
      #"{"query":"{ a }","query":"{ b }"}"#, #"{"query":"{ a }","Query":"{ b }"}"#,
      #"{"query":"{ a }","\u0071uery":"{ b }"}"#, #"{"query":"{ a }","id":"b"}"#, #"{"query":["a"]}"#,
      #"{"query":"{ a }","operationName":1}"#, #"{"query":"{ a }","variables":"{}"}"#,
      #"{"query":"{ a }","extensions":1}"#,
      #"{"query":"a","extensions":{"PersistedQuery":{"sha256Hash":"b"}}}"#,
      #"{"query":"a","extensions":{"persistedQuery":{"sha256hash":"b"}}}"#,
      #"{"query":"a","extensions":{"persistedQuery":1}}"#, #"[[{"query":"a"}]]"#, #"["a"]"#, #""{ a }""#, "", "{",
      #"{"query":"{ a }""#, #"{"query":"{ a }"} x"#,
    ])
  func refused(_ text: String) {
    if case .success = read(text, batch: 10) { Issue.record("\(text) was read") }
  }

  @Test("A body that is not UTF-8 is refused, and so is one that nests without an end")
  func hostile() {
    let broken = Array(#"{"query":"{ a("#.utf8) + [0xFF] + Array(#") }"}"#.utf8)
    #expect(throws: OperationRequestError.malformed) { try OperationRequests(broken, batchCountMax: 1) }
    let deep = #"{"variables":"# + String(repeating: "[", count: 1_000_000)
    if case .success = read(deep) { Issue.record("it nests") }
  }
}
