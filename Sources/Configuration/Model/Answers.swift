// What the gateway does to answers, and what it answers itself, as a route or the whole file says.

/// `compress:`. Off where there is none.
package struct CompressionRules: Sendable, Equatable {
  package enum Algorithm: String, Sendable, CaseIterable {
    case brotli = "br"
    case gzip
  }

  /// Those that may be used, the most wanted first where a client takes several equally well.
  package var algorithms: [Algorithm] = [.brotli, .gzip]
  /// Media types in lower case; `text/*` takes all of one family.
  package var types = Self.defaultTypes
  /// Answers that are known to be shorter go as they are.
  package var minimumSize: UInt64 = 1024
  /// 1…9.
  package var gzipLevel = 5
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

  /// In any order; the narrower entry counts.
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
