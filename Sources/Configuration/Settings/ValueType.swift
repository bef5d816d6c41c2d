// How a value of a setting is read, written and described. One of these says all three, so that none can differ.

struct ValueType<Value>: Sendable {
  var form: ValueForm
  /// nil after an error was reported. The text is what the value is called in messages.
  var read: @Sendable (SourceNode, Reading, String) -> Value?
  /// As an operator writes it. Nil when the file cannot have it.
  var write: @Sendable (Value) -> Literal?

  init(
    _ form: ValueForm, write: @escaping @Sendable (Value) -> Literal? = { _ in nil },
    read: @escaping @Sendable (SourceNode, Reading, String) -> Value?
  ) {
    self.form = form
    self.read = read
    self.write = write
  }

  /// The same in the file, something else in the model.
  func converted<Other>(
    _ forward: @escaping @Sendable (Value) -> Other, back: @escaping @Sendable (Other) -> Value?
  ) -> ValueType<Other> {
    ValueType<Other>(
      form, write: { back($0).flatMap(write) },
      read: { node, reading, what in
        read(node, reading, what).map(forward)
      })
  }

  /// A keyword instead of the value: `off`, `unlimited`.
  func orKeyword(_ keyword: String, for meaning: Value) -> ValueType where Value: Equatable & Sendable {
    ValueType(
      .any(of: [form, .keyword(keyword)], "\(form.words), or `\(keyword)`"),
      write: { $0 == meaning ? .text(keyword) : write($0) },
      read: { node, reading, what in
        guard case .scalar(let scalar) = node.content else { return read(node, reading, what) }
        if scalar.text == keyword { return meaning }
        if scalar.text == "false", keyword == "off" {
          reading.error(node.position, "\(what) is not a switch: write off")
          return nil
        }
        return read(node, reading, what)
      })
  }
}

// MARK: Words

extension ValueType where Value == Bool {
  static let boolean = ValueType(.boolean, write: { .boolean($0) }, read: { $1.boolean($0, $2) })
}

extension ValueType where Value == String {
  /// Text without control characters that is not empty.
  static func line(_ words: String = "text") -> ValueType {
    ValueType(.text(words), write: { .text($0) }, read: { $1.line($0, $2) })
  }

  /// A file or folder. What is relative begins in the folder of the file that names it.
  static func path(_ words: String) -> ValueType {
    ValueType(.text(words)) { node, reading, what in
      reading.line(node, what).map { reading.resolve(path: $0, at: node.position) }
    }
  }
}

extension ValueType where Value: RawRepresentable & CaseIterable & Sendable, Value.RawValue == String {
  /// One of the words that an enumeration has.
  static var choice: ValueType {
    let words = Value.allCases.map(\.rawValue)
    return ValueType(
      .choice(words), write: { .text($0.rawValue) },
      read: { node, reading, what in
        reading.choice(node, what, among: words).flatMap(Value.init(rawValue:))
      })
  }
}

// MARK: Numbers

extension ValueType where Value: FixedWidthInteger & Sendable {
  static func integer(_ range: ClosedRange<Value>) -> ValueType {
    let bounds = Int(clamping: range.lowerBound)...Int(clamping: range.upperBound)
    return ValueType(
      .integer(bounds.lowerBound, bounds.upperBound), write: { .integer(Int(clamping: $0)) },
      read: { node, reading, what in reading.integer(node, what, in: bounds).flatMap(Value.init(exactly:)) })
  }

  static func percent(_ range: ClosedRange<Value>) -> ValueType {
    let bounds = Int(clamping: range.lowerBound)...Int(clamping: range.upperBound)
    let words = "\(bounds.lowerBound)%…\(bounds.upperBound)%"
    let form = ValueForm.reference(
      "percent", words, bounds: "From \(bounds.lowerBound)% to \(bounds.upperBound)%")
    return ValueType(
      form, write: { .text("\($0)%") },
      read: { node, reading, what in
        reading.percent(node, what, in: bounds).flatMap(Value.init(exactly:))
      })
  }

  /// A size in bytes.
  static func size(from lowest: Value, to highest: Value) -> ValueType {
    let bounds = (
      lowest: Quantity.size.text(Int64(clamping: lowest)), highest: Quantity.size.text(Int64(clamping: highest))
    )
    let form = ValueForm.reference(
      "size", "size, \(bounds.lowest)…\(bounds.highest)", bounds: "From \(bounds.lowest) to \(bounds.highest)")
    return ValueType(
      form, write: { .text(Quantity.size.text(Int64(clamping: $0))) },
      read: { node, reading, what in
        reading.amount(node, what, .size, from: Int64(clamping: lowest), to: Int64(clamping: highest))
          .flatMap(Value.init(exactly:))
      })
  }
}

extension ValueType where Value == Duration {
  static func duration(from lowest: Duration, to highest: Duration) -> ValueType {
    .duration("duration", from: lowest, to: highest) { node, reading, what in
      reading.amount(node, what, .duration, from: lowest.milliseconds, to: highest.milliseconds)
    }
  }

  /// A duration that others get in whole seconds.
  static func wholeSeconds(from lowest: Duration, to highest: Duration) -> ValueType {
    .duration("duration in whole seconds", from: lowest, to: highest) { node, reading, what in
      reading.wholeSeconds(node, what, from: lowest, to: highest)
    }
  }

  private static func duration(
    _ words: String, from lowest: Duration, to highest: Duration,
    read: @escaping @Sendable (SourceNode, Reading, String) -> Int64?
  ) -> ValueType {
    let bounds = (lowest: lowest.settingText, highest: highest.settingText)
    let form = ValueForm.reference(
      "duration", "\(words), \(bounds.lowest)…\(bounds.highest)", bounds: "From \(bounds.lowest) to \(bounds.highest)")
    return ValueType(
      form, write: { .text($0.settingText) },
      read: { node, reading, what in
        read(node, reading, what).map { .milliseconds($0) }
      })
  }
}

extension ValueType where Value == Int64 {
  /// A duration that the model holds as seconds.
  static func seconds(from lowest: Duration, to highest: Duration) -> ValueType {
    ValueType<Duration>.wholeSeconds(from: lowest, to: highest)
      .converted({ $0.components.seconds }, back: { .seconds($0) })
  }
}

// MARK: Lists and mappings

extension ValueType where Value == [String] {
  /// A list of different texts.
  /// - Parameters:
  ///   - item: What one is called in messages.
  ///   - check: What is wrong with one of them, or nil.
  static func names(
    _ words: String, item: String, isEmptyAllowed: Bool = false,
    check: @escaping @Sendable (String) -> String? = { _ in nil }
  ) -> ValueType {
    ValueType(
      .list(of: .text("text"), words, isEmptyAllowed: isEmptyAllowed),
      write: { $0.isEmpty && !isEmptyAllowed ? nil : .list($0) },
      read: { node, reading, what in
        reading.names(node, what, item: item, isEmptyAllowed: isEmptyAllowed, check: check)
      })
  }
}

extension ValueType where Value: Sendable {
  static func mapping(_ settings: @autoclosure @escaping @Sendable () -> Settings<Value>) -> ValueType {
    ValueType(.mapping(settings().table)) { node, reading, _ in settings().read(node, reading) }
  }
}
