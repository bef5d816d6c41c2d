// A start goes through much of the program that requests never need: readers of files, decoders of keys, the runtime's
// look-ups of types. Linux maps 16 pages around each that is touched, and keeps them mapped.

import CLinux

/// The machine code of the process.
package enum ProgramCode {
  /// Gives back what is mapped of it. Pages that are used again come back from the page cache, without being read.
  package static func giveBack() { _ = catraca_unmap_code() }
}
