// The dictionary of other gateways' words names keys that there are.

import Testing

@testable import Configuration

@Suite("Words of other gateways")
struct ForeignWordTests {
  @Test("the advice on a word names a key that there is, or says how things are instead", arguments: ForeignWord.all)
  func advice(record: ForeignWord) throws {
    guard let path = record.key else {
      #expect(!record.advice.hasPrefix("write "))
      return
    }
    let dot = path.lastIndex(of: ".")
    let name = String(dot.map { path[path.index(after: $0)...] } ?? path[...])
    let table = try #require(SettingTable.all.first { $0.path == (dot.map { path[..<$0] } ?? "") }, "\(path)")
    #expect(table.key(name) != nil, "\(path)")
    let words = record.advice.split { !$0.isLetter && $0 != "_" }
    #expect(words.contains { $0 == name } || words.contains { "\($0)s" == name }, "\(record.advice)")
  }

  @Test("no word of the dictionary is a key where its answer is given", arguments: ForeignWord.all)
  func words(record: ForeignWord) {
    for section in record.sections {
      let table = SettingTable.all.first { $0.path == section }
      #expect(table != nil, "\(section)")
      for word in record.words { #expect(table?.key(word) == nil, "\(section) has \(word)") }
    }
    if record.sections.isEmpty {
      for table in SettingTable.all {
        for word in record.words { #expect(table.key(word) == nil, "\(table.path) has \(word)") }
      }
    }
  }

  @Test("a word has one answer in a section") func unique() {
    var seen: Set<String> = []
    for record in ForeignWord.all {
      for section in record.sections.isEmpty ? SettingTable.all.map(\.path) : record.sections {
        for word in record.words {
          #expect(seen.insert("\(section) \(word.lowercased())").inserted, "\(section): \(word)")
        }
      }
    }
  }
}
