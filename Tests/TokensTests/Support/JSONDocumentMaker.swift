// Documents for tests that need one and do not look at it.

import JSON

enum JSONDocumentMaker {
  static func empty() throws -> JSONDocument { try JSONDocument(Array("{}".utf8)) }
}
