// A driver whose rule is broken by one kind of input, to show that both ways of running drivers find it.

@_cdecl("fuzz_canary")
func libFuzzCanary(_ bytes: UnsafePointer<UInt8>?, _ count: Int) -> Int32 { unsafe libFuzzer(bytes, count, fuzzCanary) }

func fuzzCanary(_ input: [UInt8]) throws {
  if input.count >= 4, input[0] == 0x43, input[1] == 0x41, input[2] == 0x4E, input[3] < 0x20 {
    throw Fault("the canary sings")
  }
}
