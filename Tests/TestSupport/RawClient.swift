// A client that sends exactly the given bytes, and reads answers strictly.

/// A client connection. All of ``ByteStream`` is there: `send`, `receiveResponse`, `receiveToEnd`, `expectClosed`,
/// `shutdownOutput`, `reset`.
package typealias RawClient = ByteStream

extension ByteStream {
  /// Sends a request and reads its response on this connection.
  package func exchange(_ request: String, method: String? = nil) async throws -> RawResponse {
    try await send(request)
    return try await receiveResponse(to: method ?? String(request.prefix { $0 != " " }))
  }

  /// A request without a body, HTTP/1.1, `Host: test`.
  package func get(_ path: String, method: String = "GET", _ fields: [String] = []) async throws -> RawResponse {
    let lines = (["\(method) \(path) HTTP/1.1", "Host: test"] + fields).joined(separator: "\r\n")
    return try await exchange(lines + "\r\n\r\n", method: method)
  }
}
