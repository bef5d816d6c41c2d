// Why a head, a chunked body or a trailer section was refused, and the bounds that they are held to.

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

/// What is wrong with a message. The raw values are stable codes for refusals, logs and metrics.
package enum HeadError: String, Sendable, CaseIterable, Error {
  case badRequestLine = "bad_request_line"
  case badStatusLine = "bad_status_line"
  case lineEndingInvalid = "line_ending_invalid"
  case headTooLarge = "head_too_large"
  case targetTooLong = "target_too_long"
  case tooManyFields = "too_many_fields"
  case targetInvalid = "target_invalid"
  case methodUnsupported = "method_unsupported"
  case versionUnsupported = "version_unsupported"
  case fieldNameInvalid = "field_name_invalid"
  case fieldValueInvalid = "field_value_invalid"
  case fieldFolded = "field_folded"
  case framingAmbiguous = "framing_ambiguous"
  case contentLengthInvalid = "content_length_invalid"
  case transferEncodingInvalid = "transfer_encoding_invalid"
  case transferEncodingUnsupported = "transfer_encoding_unsupported"
  case hostMissing = "host_missing"
  case hostInvalid = "host_invalid"
  case hostAmbiguous = "host_ambiguous"
  case connectionInvalid = "connection_invalid"
  case expectationFailed = "expectation_failed"
  case chunkSizeInvalid = "chunk_size_invalid"
  case chunkExtensionInvalid = "chunk_extension_invalid"
  case chunkExtensionTooLarge = "chunk_extension_too_large"
  case chunkEndInvalid = "chunk_end_invalid"
  case trailerFieldForbidden = "trailer_field_forbidden"
}

/// How far the reading of a head came.
package enum HeadProgress: Equatable, Sendable {
  /// More bytes are needed.
  case incomplete
  /// The head ends behind `byteCount` bytes of the input.
  case complete(byteCount: Int)
  /// The head is refused. No further byte of the connection can be trusted.
  case malformed(HeadError)
}
