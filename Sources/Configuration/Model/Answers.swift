// What the gateway does to answers, and what it answers itself, as a route or the whole file says.

/// `compress:`. Off where there is none.
package struct CompressionRules: Sendable, Equatable {
  package enum Algorithm: String, Sendable, CaseIterable {
    case brotli = "br"
    case gzip
  }

  /// Those that may be used, the preferred one first where a client accepts several equally.
  package var algorithms: [Algorithm] = [.brotli, .gzip]
  /// Media types in lower case. `text/*` takes all of one family.
  package var types = Self.defaultTypes
  /// Answers that are known to be shorter go as they are.
  package var minimumSize: UInt64 = 1024
  /// 1…9.
  package var gzipLevel = 2
  /// 0…11.
  package var brotliLevel = 4

  package init() {}

  /// What gains by it and is not a stream of events.
  package static let defaultTypes = [
    "text/html", "text/css", "text/plain", "text/csv", "text/xml", "text/markdown", "text/calendar", "text/javascript",
    "application/javascript", "application/json", "application/problem+json", "application/ld+json",
    "application/geo+json", "application/vnd.api+json", "application/graphql-response+json",
    "application/manifest+json", "application/xml", "application/xhtml+xml", "application/rss+xml",
    "application/atom+xml", "application/wasm", "image/svg+xml", "font/ttf", "font/otf",
  ]
}

/// `error_pages:`.
package struct ErrorPages: Sendable, Equatable {
  package struct Entry: Sendable, Equatable {
    /// One status, or a class of them.
    package var statuses: ClosedRange<Int>
    package var page: Page

    package init(statuses: ClosedRange<Int>, page: Page) {
      self.statuses = statuses
      self.page = page
    }
  }

  /// In any order. The narrower entry counts.
  package var entries: [Entry] = []

  package init() {}
}

/// A body of the operator's, in which `{code}`, `{status}`, `{reason}` and `{request_id}` are filled in.
package struct Page: Sendable, Equatable {
  package var body: String
  package var contentType: String

  package init(body: String, contentType: String) {
    self.body = body
    self.contentType = contentType
  }
}

/// `maintenance:`, switched on.
package struct Maintenance: Sendable, Equatable {
  /// Nil takes the error page for 503, or the problem document.
  package var page: Page?
  package var retryAfterSeconds: Int64 = 120
  /// Clients that are let through.
  package var allow: [AddressRange] = []

  package init() {}
}

// MARK: Settings

extension CompressionRules {
  static let settings = Settings<CompressionRules>(
    "compress", title: "'compress'", example: "compress: true, or compress: { gzip_level: 6 }",
    blank: CompressionRules(),
    [
      Setting(
        "algorithms", \.algorithms, .algorithms,
        "Those that may be used, the preferred one first where a client accepts several equally."),
      Setting(
        "types", \.types, .mediaTypes, "Media types that are compressed. `text/*` takes a family.",
        otherwise: "text, JSON, XML, scripts, SVG, wasm and fonts"),
      Setting(
        "minimum_size", \.minimumSize, .size(from: 0, to: .gibi(1)),
        "Responses that are known to be shorter are not compressed."),
      Setting(
        "gzip_level", \.gzipLevel, .integer(1...9),
        "1 is the fastest, 9 the smallest. Up to 3 it is igzip, which takes a fifth of the time of 5, for some 8 % more "
          + "bytes."),
      Setting(
        "brotli_level", \.brotliLevel, .integer(0...11),
        "0 is the fastest, 11 the smallest. From 10 on it is too slow for responses that are made on demand."),
    ])
}

extension Page {
  static let settings = Settings<Page>(
    "error_pages{}", title: "an error page", blank: Page(body: "", contentType: ""),
    finish: { page, section in section.reading.checkType(of: page, section["body"]) },
    [
      Setting(
        "body", .page,
        "`{code}`, `{status}`, `{reason}` and `{request_id}` are filled in. Other braces stay.",
        required: "write body: file:pages/5xx.html",
        store: { page, body in page = body }),
      Setting(
        "content_type", \.contentType, .contentType,
        "The media type of the page. The extensions `.html`, `.txt`, `.json` and `.xml` are known. Text that begins with "
          + "`<` is HTML.",
        otherwise: "by the file's extension"),
    ])
}

extension Maintenance {
  static let settings = Settings<Maintenance>(
    "maintenance", title: "'maintenance'", example: "maintenance: true, or maintenance: { retry_after: 10m }",
    blank: Maintenance(), finish: { maintenance, section in section.reading.check(maintenance, section) },
    [
      Setting(
        "body", \.page, .page, "The page, as in `error_pages`.",
        otherwise: "the error page for 503, or a problem document"),
      Setting(
        "content_type", .contentType, "The media type of `body`.", otherwise: "as in `error_pages`",
        store: { maintenance, type in maintenance.page?.contentType = type }),
      Setting(
        "retry_after", \.retryAfterSeconds, .seconds(from: .seconds(1), to: .days(30)),
        "How long clients should wait."),
      Setting(
        "allow", \.allow, .allowedClients,
        "Clients that may still pass, by the peer's address or by the address that a trusted proxy reports."),
    ])
}
