// What drivers have in common, and the way in for libFuzzer: each driver has a C function beside it, and the linker
// takes one of them for LLVMFuzzerTestOneInput.

/// Something that must always hold and did not.
package struct Fault: Error, CustomStringConvertible {
  package let description: String

  init(_ description: String) { self.description = description }
}

/// Throws unless the condition holds.
func expect(_ condition: Bool, _ text: @autoclosure () -> String) throws {
  if !condition { throw Fault(text()) }
}

/// The value, or what is thrown where there is none.
func unwrap<Value>(_ value: Value?, _ text: @autoclosure () -> String) throws -> Value {
  guard let value else { throw Fault(text()) }
  return value
}

/// Runs a driver over bytes that libFuzzer lends, and ends the process where a rule is broken, which is how libFuzzer
/// learns of it.
func libFuzzer(_ bytes: UnsafePointer<UInt8>?, _ count: Int, _ driver: ([UInt8]) throws -> Void) -> Int32 {
  // SAFETY: libFuzzer's bytes live through the call, and are copied at once.
  let input = unsafe Array(UnsafeBufferPointer(start: bytes, count: count))
  do {
    try driver(input)
  } catch {
    fatalError("\(error)")
  }
  return 0
}
