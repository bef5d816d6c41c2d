// `compress:`, `error_pages:` and `maintenance:`, at the top of the file and on routes.

extension Reading {
  /// A route's own word, or what the file says for all.
  func readAnswers(_ section: Section, into route: inout Route, _ names: Names) {
    route.compress = section["compress"].map { compression($0) } ?? names.compress
    route.maintenance = section["maintenance"].map { maintenance($0) } ?? names.maintenance
    if let node = section["error_pages"] { route.errorPages = errorPages(node) }
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
    guard
      let section = Section(node, Page.settings.table, self, example: "\(status): file:pages/\(status).html"),
      let body = section.required("body", advice: "write body: file:pages/\(status).html")
    else { return nil }
    return page(body, "'body'", type: section["content_type"])
  }

  /// Text, or `file:` and a path. Its type as given, by the file's ending, or by how the text begins.
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

  // MARK: Switches

  /// `true` for the defaults, `false`, or a mapping, which means true. Nil compresses nothing.
  func compression(_ node: SourceNode) -> CompressionRules? {
    if case .scalar = node.content { return boolean(node, "'compress'") == true ? CompressionRules() : nil }
    return CompressionRules.settings.read(node, self)
  }

  /// The same for `maintenance`. Nil lets requests through.
  func maintenance(_ node: SourceNode) -> Maintenance? {
    if case .scalar = node.content { return boolean(node, "'maintenance'") == true ? Maintenance() : nil }
    return Maintenance.settings.read(node, self)
  }

  func finish(_ maintenance: inout Maintenance, _ section: Section) {
    if let body = section["body"] {
      maintenance.page = page(body, "'body'", type: section["content_type"])
    } else if section.has("content_type") {
      error(section.keyPlace("content_type"), "'content_type' is that of 'body', which is not there: remove it")
    }
  }

  fileprivate func algorithms(_ node: SourceNode, _ what: String) -> [CompressionRules.Algorithm]? {
    guard let items = list(node, what) else { return nil }
    let known = CompressionRules.Algorithm.allCases.map(\.rawValue)
    let result = items.compactMap { item in
      choice(item, "an algorithm", among: known).flatMap(CompressionRules.Algorithm.init(rawValue:))
    }
    if Set(result).count < result.count { error(node.place, "an algorithm stands twice in \(what): remove one") }
    return result
  }

  /// A media type as Content-Type has it.
  func contentType(_ node: SourceNode) -> String? { ValueType.contentType.read(node, self, "'content_type'") }
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
    else { return "\(type.quoted) is no media type: write one such as application/json, or text/* for a family" }
    return nil
  }
}

extension ValueType where Value == [AddressRange] {
  static let allowedClients = ValueType(
    .list(of: .text("address"), "list of addresses and CIDR blocks", isEmptyAllowed: true),
    write: { $0.isEmpty ? .list([]) : nil },
    read: { node, reading, what in
      reading.list(node, what, isEmptyAllowed: true).map { items in
        items.compactMap { reading.addressRange($0, "a client that is let through") }
      }
    })
}

extension ValueType where Value == String {
  static let contentType = ValueType(
    .text("media type"), write: { .text($0) },
    read: { node, reading, what in
      guard let type = reading.line(node, what) else { return nil }
      if !FieldRules.isValue(type) || !type.contains("/") {
        reading.error(node.place, "\(what) is a media type such as application/json, not \(type.quoted)")
        return nil
      }
      return type
    })
}

extension ValueForm {
  /// Statuses, each with a page.
  static let errorPages = mappings(
    "mapping by status", names: ["pattern": "^([45][0-9][0-9]|[45][xX][xX])$"],
    .any(of: [.text("text"), .mapping(Page.settings.table)]))

  /// A switch, or what it means in full.
  static func switched(_ table: SettingTable) -> ValueForm {
    any(of: [boolean, .mapping(table)], "`true`, `false` or a mapping")
  }
}
