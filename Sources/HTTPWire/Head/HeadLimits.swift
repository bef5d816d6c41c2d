// The bounds that a head and a trailer section are held to.

/// The bounds of one head, and of one trailer section.
package struct HeadLimits: Sendable {
  // LIMIT: bytes of a head with its lines' ends (`limits.header_size`): beyond it 431, or 414 in the request line.
  package var byteCountMax: Int
  // LIMIT: field lines of a head (T53): beyond it 431.
  package var fieldCountMax: Int

  /// At most 1 GiB is taken as the bound on bytes, so that every offset in a head fits 32 bits.
  package init(byteCountMax: Int = 32 * 1024, fieldCountMax: Int = 100) {
    self.byteCountMax = min(max(byteCountMax, 0), 1 << 30)
    self.fieldCountMax = max(fieldCountMax, 0)
  }
}
