// Sessions as a store keeps them, which any client of the store may have written: what is read is written in the same
// way again.

import Bytes
import Tokens

@_cdecl("fuzz_session_values")
func libFuzzSessionValues(_ bytes: UnsafePointer<UInt8>?, _ count: Int) -> Int32 {
  unsafe libFuzzer(bytes, count, fuzzSessionValues)
}

func fuzzSessionValues(_ input: [UInt8]) throws {
  guard let value = SessionValue(input.span) else { return }
  let again = try unwrap(value.encoded, "what was read cannot be written")
  // Names that are not UTF-8 are read as others.
  if input == again { return }
  try expect(SessionValue(again.span) == value, "read again it is another")
  _ = (value.subject, value.providerSession, value.secondsLeft(at: 1_700_000_000))
}
