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

  /// Wording of messages that we no longer use, and what to write. `there is no …` is good English.
  static let replacedInMessages: [(wording: String, instead: String)] = [
    ("stand", "be, appear or be listed"), ("stands", "is, appears or is listed"),
    ("is no", "'is not a valid …'"), ("are no", "'are not valid …'"), ("is none", "'is not a valid …'"),
    ("no name of", "'not a valid name'"), ("want", "require or expect"), ("tells", "reports, logs or returns"),
    ("told", "reported, logged or sent"), ("by itself", "automatically"), ("speaks of", "names"),
    ("for ever", "without an end"), ("let in", "allowed"), ("let through", "allowed"), ("in clear", "without TLS"),
    ("are well", "are healthy"), ("is well", "is healthy"), ("believes", "trusts"),
  ]

  /// What to write instead of a wording of a message. Nil when there is none of them in it.
  static func advice(onMessage text: String) -> String? {
    if let advice = advice(on: text) { return advice }
    let prose = text.replacing(#/`[^`]*`/#, with: "").lowercased()
    let words = prose.split { !$0.isLetter && $0 != "-" && $0 != "_" }.joined(separator: " ")
    let padded = " " + words.replacing("there is no", with: "").replacing("there are no", with: "") + " "
    for (wording, instead) in replacedInMessages where padded.contains(" \(wording) ") && !padded.contains("no longer")
    {
      return "for '\(wording)' write \(instead)"
    }
    return nil
  }

  /// What to write instead of a word of the text. Nil when there is none of them in it.
  static func advice(on text: String) -> String? {
    let words = text.lowercased().split { !$0.isLetter && $0 != "-" && $0 != "_" }.joined(separator: " ")
    let padded = " " + words + " "
    for (word, instead) in replaced where padded.contains(" " + word + " ") { return "for '\(word)' write \(instead)" }
    return nil
  }
}
