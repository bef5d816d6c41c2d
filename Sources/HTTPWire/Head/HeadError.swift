// Why a head, a chunked body or a trailer section was refused.

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
