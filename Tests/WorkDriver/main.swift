// Does the work of each case in three sizes, each between two calls of a marker: valgrind writes down at the marker how
// many instructions were needed since the one before. `LinearCostTests` runs this program and judges. `WorkDriver 1 4`
// does the second of four parts, so that several can run side by side.

/// A piece of work whose cost may grow no faster than its size.
struct WorkCase {
  let name: String
  /// Three, each twice as large as the one before.
  let sizes: [Int]
  /// Prepares the work of a size. What it gives does the work, and says what came of it.
  let make: (Int) throws -> () throws -> String

  init(_ name: String, from size: Int = 100, _ make: @escaping (Int) throws -> () throws -> String) {
    self.name = name
    sizes = [size, size * 2, size * 4]
    self.make = make
  }
}

@inline(never)
public func workMark() {}

let all = requestCases + answerCases + parserCases + documentCases + graphQLCases + configurationCases
let arguments = CommandLine.arguments.dropFirst().compactMap { Int($0) }
let (part, partCount) = arguments.count == 2 ? (arguments[0], arguments[1]) : (0, 1)

for work in stride(from: part, to: all.count, by: partCount).map({ all[$0] }) + [canary] {
  // What is made once and kept, such as tables of types, counts for nobody.
  do {
    _ = try work.make(work.sizes[0])()
    for size in work.sizes {
      let run = try work.make(size)
      workMark()
      let outcome = try run()
      workMark()
      print(work.name, size, outcome, separator: "\t")
    }
  } catch {
    print("\(work.name) failed: \(error)")
  }
}
