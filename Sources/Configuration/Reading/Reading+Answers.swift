// `compress:`, `error_pages:` and `maintenance:`, at the top of the file and on routes.

extension Reading {
  // MARK: Pages

  func errorPages(_ node: SourceNode, _ what: String) -> ErrorPages {
    var result = ErrorPages()
    for entry in entries(node, what, example: "error_pages: { 404: file:pages/404.html }") ?? [] {
      guard let statuses = Self.statuses(entry.key) else {
        error(entry.keyPosition, "\(entry.key.quoted) is not an error status: write 400 to 599, 4xx or 5xx")
        continue
      }
      if result.entries.contains(where: { $0.statuses == statuses }) {
        error(entry.keyPosition, "\(entry.key.quoted) appears twice in 'error_pages': remove one")
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
    if case .mapping = node.content { return Page.settings.read(node, self) }
    guard let page = ValueType.page.read(node, self, "the page for \(status)") else { return nil }
    checkType(of: page, node)
    return page
  }

  /// Text, or `file:` and a path. Its type by the file's ending, or by how the text begins, or none.
  fileprivate func page(_ node: SourceNode, _ what: String) -> Page? {
    guard let text = text(node, what) else { return nil }
    if SuspiciousValues.isFileName(text) {
      warn(node.position, "clients get the text \(text.quoted) itself: write \("file:\(text)".shown)")
    }
    var page = Page(body: text, contentType: "text/plain; charset=utf-8")
    if text.hasPrefix("<") { page.contentType = "text/html; charset=utf-8" }
    if text.hasPrefix("file:") {
      let path = String(text.dropFirst("file:".count))
      guard let bytes = contents(of: path, at: node.position) else { return nil }
      guard let body = String(validating: bytes, as: UTF8.self) else {
        error(node.position, "the file \(path.quoted) is not UTF-8 text")
        return nil
      }
      page = Page(body: body, contentType: Self.type(ofFile: path) ?? "")
    }
    // LIMIT: it is held in memory and written whole.
    if page.body.utf8.count > 256 * 1024 { error(node.position, "\(what) has at most 256 KiB") }
    return page
  }

  /// A page must say what it is, one way or the other.
  func checkType(of page: Page?, _ node: SourceNode?) {
    guard let page, page.contentType.isEmpty, let node, let path = node.text?.dropFirst("file:".count) else { return }
    error(
      node.position, "the media type of \(String(path).quoted) is unknown: write body and content_type")
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

  // MARK: Switches

  func check(_ maintenance: Maintenance, _ section: Section) {
    checkType(of: maintenance.page, section["body"])
    if section.has("content_type"), !section.has("body") {
      error(
        section.keyPosition("content_type"), "'content_type' requires 'body': write both, or neither")
    }
  }

  fileprivate func algorithms(_ node: SourceNode, _ what: String) -> [CompressionRules.Algorithm]? {
    guard let items = list(node, what) else { return nil }
    let known = CompressionRules.Algorithm.allCases.map(\.rawValue)
    let result = items.compactMap { item in
      choice(item, what, among: known).flatMap(CompressionRules.Algorithm.init(rawValue:))
    }
    if Set(result).count < result.count { error(node.position, "an algorithm appears twice in \(what): remove one") }
    return result
  }
}

// MARK: Values

extension ValueType where Value == [CompressionRules.Algorithm] {
  static let algorithms = ValueType(
    .list(of: .choice(CompressionRules.Algorithm.allCases.map(\.rawValue)), "list of `br` and `gzip`"),
    write: { .list($0.map(\.rawValue)) }, read: { node, reading, what in reading.algorithms(node, what) })
}

extension ValueType where Value == [String] {
  static let mediaTypes = ValueType.names("list of media types", item: "a media type", check: typeProblem)
    .converted({ $0.map { $0.lowercased() } }, back: { $0 })

  private static func typeProblem(_ type: String) -> String? {
    let parts = type.split(separator: "/", omittingEmptySubsequences: false).map(String.init)
    guard parts.count == 2, FieldRules.isToken(parts[0]), FieldRules.isToken(parts[1]), !parts[0].contains("*"),
      parts[1] == "*" || !parts[1].contains("*")
    else {
      return "\(type.quoted) is not a valid media type: write one such as application/json, or text/* for a family"
    }
    return nil
  }
}

extension ValueType where Value == [AddressRange] {
  static let allowedClients = ValueType(
    .list(of: .text("address"), "list of addresses and CIDR blocks", isEmptyAllowed: true),
    write: { $0.isEmpty ? .list([]) : nil },
    read: { node, reading, what in
      reading.list(node, what, isEmptyAllowed: true).map { items in
        items.compactMap { reading.addressRange($0, "an allowed client") }
      }
    })
}

extension ValueType where Value == String {
  static let contentType = ValueType(
    .text("media type"), write: { .text($0) },
    read: { node, reading, what in
      guard let type = reading.line(node, what) else { return nil }
      if !FieldRules.isValue(type) || !type.contains("/") {
        reading.error(node.position, "\(what) must be a media type such as application/json, not \(type.quoted)")
        return nil
      }
      return type
    })
}

extension ValueType where Value == Page {
  static let page = ValueType(.text("text or `file:/path`")) { node, reading, what in reading.page(node, what) }
}

extension ValueType where Value == ErrorPages {
  /// Statuses, each with a page.
  static let errorPages = ValueType(
    .mappings(
      "mapping by status", names: ["pattern": "^([45][0-9][0-9]|[45][xX][xX])$"],
      .any(of: [.text("text"), .mapping(Page.settings.table)]))
  ) { node, reading, what in reading.errorPages(node, what) }
}

// MARK: Switches

extension ValueType where Value == CompressionRules? {
  /// nil compresses nothing.
  static let compression = ValueType.switched(CompressionRules.settings)
}

extension ValueType where Value == Maintenance? {
  /// nil lets requests through.
  static let maintenance = ValueType.switched(Maintenance.settings)
}

extension ValueType {
  /// `true` for the defaults, `false` for nil, or a mapping, which means true.
  static func switched<Model: Sendable>(
    _ settings: @autoclosure @escaping @Sendable () -> Settings<Model>
  ) -> ValueType where Value == Model? {
    ValueType(
      .any(of: [.boolean, .mapping(settings().table)], "`true`, `false` or a mapping"),
      write: { $0 == nil ? .boolean(false) : nil },
      read: { node, reading, what in
        switch node.content {
        case .mapping: return settings().read(node, reading).map(Optional.some)
        case .list: reading.error(node.position, "\(what) must be true, false or a mapping, not a list")
        case .scalar: return reading.boolean(node, what).map { $0 ? settings().blank : nil }
        }
        return nil
      })
  }
}
