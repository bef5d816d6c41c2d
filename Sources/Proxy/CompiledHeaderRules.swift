// `request_headers` and `response_headers` of a route, prepared.

import Configuration

/// What the file adds to a message's fields, and takes away from them.
struct CompiledHeaderRules: Sendable {
  /// Names of fields that do not go on: those that are removed or replaced.
  let drops: FieldNameSet
  /// Field lines to append, with their CRLFs.
  let lines: [UInt8]
  /// Lines whose values have captures in them. See ``ClientRequest/fill(_:_:into:)``.
  let templates: [FieldTemplate]

  /// - Parameters:
  ///   - names: of fields that do not go on either.
  ///   - sets: those that there are. Most routes have the same ones.
  init(_ rules: HeaderRules, dropping names: [String], _ sets: inout FieldNameSets) {
    drops = sets.of(rules.remove + rules.set.map(\.name) + names)
    let appended = rules.set + rules.add
    if appended.isEmpty {
      lines = []
      templates = []
      return
    }
    lines = appended.filter(\.template.isEmpty).flatMap { Array("\($0.name): \($0.value)\r\n".utf8) }
    templates = appended.filter { !$0.template.isEmpty }.map {
      FieldTemplate(prefix: Array("\($0.name): ".utf8), value: $0.template)
    }
  }
}
