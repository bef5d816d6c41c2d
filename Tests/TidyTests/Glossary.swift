// Words that docs/GLOSSARY.md replaces, as far as a program can recognise them. Prose and comments do without them.

enum Glossary {
  /// A word that we no longer use, and what to write.
  static let replaced: [(word: String, instead: String)] = [
    ("whoever", "who it is: the client, the caller, the worker"),
    ("anew", "again"),
    ("wants", "requires, expects or asks for"),
    ("wanted", "required, expected or asked for"),
    ("be had", "be fetched, or is not available"),
    ("let go", "freed, closed or cut off"),
    ("given up", "closed, dropped or abandoned"),
  ]

  /// What to write instead of a word of the text. Nil when there is none of them in it.
  static func advice(on text: String) -> String? {
    let words = text.lowercased().split { !$0.isLetter && $0 != "-" && $0 != "_" }.joined(separator: " ")
    let padded = " " + words + " "
    for (word, instead) in replaced where padded.contains(" " + word + " ") { return "for '\(word)' write \(instead)" }
    return nil
  }
}
