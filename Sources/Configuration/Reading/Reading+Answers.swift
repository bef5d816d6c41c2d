// `compress:`, `error_pages:` and `maintenance:`, at the top of the file and on routes.

extension Reading {
  /// A route's own word, or what the file says for all.
  func readAnswers(_ section: Section, into route: inout Route, _ names: Names) {
    route.compress = section["compress"].map { compression($0) } ?? names.compress
    route.maintenance = section["maintenance"].map { maintenance($0) } ?? names.maintenance
    if let node = section["error_pages"] { route.errorPages = errorPages(node) }
  }

  /// `true` for the defaults, `false`, or a mapping; nil compresses nothing.
  func compression(_ node: SourceNode) -> CompressionRules? {
    var result = CompressionRules()
    if case .scalar = node.content { return boolean(node, "'compress'") == true ? result : nil }
    guard let section = Section(node, .compress, self, example: "compress: true, or compress: { gzip_level: 6 }") else {
      return nil
    }
    if let node = section["algorithms"] {
      result.algorithms = (list(node, "'algorithms'") ?? []).compactMap { item in
        choice(item, "an algorithm", among: CompressionRules.Algorithm.allCases.map(\.rawValue))
          .flatMap(CompressionRules.Algorithm.init(rawValue:))
      }
      if Set(result.algorithms).count < result.algorithms.count {
        error(node.place, "an algorithm stands twice in 'algorithms': remove one")
      }
    }
    if let node = section["types"] {
      result.types = (names(node, "'types'", item: "a media type", check: typeProblem) ?? []).map { $0.lowercased() }
    }
    if let node = section["minimum_size"], let size = size(node, "'minimum_size'", from: "0B", to: "1GiB") {
      result.minimumSize = UInt64(clamping: size)
    }
    if let node = section["gzip_level"], let level = integer(node, "'gzip_level'", in: 1...9) {
      result.gzipLevel = level
    }
    if let node = section["brotli_level"], let level = integer(node, "'brotli_level'", in: 0...11) {
      result.brotliLevel = level
    }
    return result
  }

  private func typeProblem(_ type: String) -> String? {
    let parts = type.split(separator: "/", omittingEmptySubsequences: false).map(String.init)
    guard parts.count == 2, FieldRules.isToken(parts[0]), FieldRules.isToken(parts[1]), !parts[0].contains("*"),
      parts[1] == "*" || !parts[1].contains("*")
    else { return "\(type.quoted) is no media type: write one such as application/json, or text/* for a family" }
    return nil
  }

  // MARK: Pages

  func errorPages(_ node: SourceNode) -> ErrorPages {
    var result = ErrorPages()
    for entry in entries(node, "'error_pages'", example: "error_pages: { 404: file:pages/404.html }") ?? [] {
      guard let statuses = Self.statuses(entry.key) else {
        error(entry.keyPlace, "\(entry.key.quoted) is no status of an error: write one from 400 to 599, 4xx or 5xx")
        continue
      }
      if result.entries.contains(where: { $0.statuses == statuses }) {
        error(entry.keyPlace, "\(entry.key.quoted) stands twice in 'error_pages': remove one")
      }
      guard let page = errorPage(entry.value, entry.key) else { continue }
      result.entries.append(ErrorPages.Entry(statuses: statuses, page: page))
    }
    return result
  }

  private static func statuses(_ key: String) -> ClosedRange<Int>? {
    switch key.lowercased() {
    case "4xx": return 400...499
    case "5xx": return 500...599
    default:
      guard key.utf8.count == 3, let status = decimal(key), (400...599).contains(status) else { return nil }
      return status...status
    }
  }

  private func errorPage(_ node: SourceNode, _ status: String) -> Page? {
    if case .scalar = node.content { return page(node, "the page for \(status)", type: nil) }
    guard let section = Section(node, .errorPage, self, example: "\(status): file:pages/\(status).html"),
      let body = section.required("body", "write body: file:pages/\(status).html")
    else { return nil }
    return page(body, "'body'", type: section["content_type"])
  }

  /// Text, or `file:` and a path; its type as given, by the file's ending, or by how the text begins.
  private func page(_ node: SourceNode, _ what: String, type typeNode: SourceNode?) -> Page? {
    guard let text = text(node, what) else { return nil }
    var page = Page(body: text, contentType: "text/plain; charset=utf-8")
    if text.hasPrefix("<") { page.contentType = "text/html; charset=utf-8" }
    if text.hasPrefix("file:") {
      let path = String(text.dropFirst("file:".count))
      guard let bytes = contents(of: path, at: node.place) else { return nil }
      guard let body = String(validating: bytes, as: UTF8.self) else {
        error(node.place, "the file \(path.quoted) is not UTF-8 text")
        return nil
      }
      page.body = body
      if typeNode == nil, let type = Self.type(ofFile: path) {
        page.contentType = type
      } else if typeNode == nil {
        error(node.place, "the ending of \(path.quoted) does not say what it is: write body and content_type")
      }
    }
    // LIMIT: it is held in memory and written whole.
    if page.body.utf8.count > 256 * 1024 { error(node.place, "\(what) has at most 256 KiB") }
    if let typeNode, let type = contentType(typeNode) { page.contentType = type }
    return page
  }

  private static func type(ofFile path: String) -> String? {
    switch path.lowercased().split(separator: ".").last {
    case "html", "htm": "text/html; charset=utf-8"
    case "txt": "text/plain; charset=utf-8"
    case "json": "application/json"
    case "xml": "application/xml"
    default: nil
    }
  }

  /// A media type as Content-Type has it.
  func contentType(_ node: SourceNode) -> String? {
    guard let type = line(node, "'content_type'") else { return nil }
    if !FieldRules.isValue(type) || !type.contains("/") {
      error(node.place, "'content_type' is a media type such as application/json, not \(type.quoted)")
      return nil
    }
    return type
  }

  // MARK: Maintenance

  /// `true`, `false`, or a mapping, which means true; nil lets requests through.
  func maintenance(_ node: SourceNode) -> Maintenance? {
    var result = Maintenance()
    if case .scalar = node.content { return boolean(node, "'maintenance'") == true ? result : nil }
    let example = "maintenance: true, or maintenance: { retry_after: 10m }"
    guard let section = Section(node, .maintenance, self, example: example) else { return nil }
    if let body = section["body"] {
      result.page = page(body, "'body'", type: section["content_type"])
    } else if section.has("content_type") {
      error(section.keyPlace("content_type"), "'content_type' is that of 'body', which is not there: remove it")
    }
    if let node = section["retry_after"], let wait = seconds(node, "'retry_after'", from: "1s", to: "30d") {
      result.retryAfterSeconds = wait
    }
    if let node = section["allow"], let items = list(node, "'allow'", isEmptyAllowed: true) {
      result.allow = items.compactMap { addressRange($0, "a client that is let through") }
    }
    return result
  }
}
