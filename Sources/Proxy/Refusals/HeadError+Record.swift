// What the gateway answers to a head, a body or trailers that it does not accept, and what to do about it.

package import HTTPWire

extension HeadError {
  package var record: RefusalRecord {
    switch self {
    case .badRequestLine:
      .invalid(
        "Not a request line.", advice: "Check that the client speaks HTTP/1.1 or HTTP/2 to this port, and no TLS.")
    case .badStatusLine:
      .init(
        502, .unavailable, "A server's first line is not a status line.",
        advice: "Check that the server speaks HTTP on this port.")
    case .lineEndingInvalid:
      .invalid("A bare CR or LF.", advice: "End each line with CRLF.")
    case .headTooLarge:
      .init(
        431, .resourceExhausted, "The head is larger than `header_size`.",
        advice: "Send fewer or shorter headers, or raise `limits.header_size`.")
    case .targetTooLong:
      .init(
        414, .resourceExhausted, "The target alone is larger than `header_size`.",
        advice: "Send long values in a body, or raise `limits.header_size`.")
    case .tooManyFields:
      .init(
        431, .resourceExhausted, "More headers than `headers`.",
        advice: "Send fewer headers, or raise `limits.headers`.")
    case .targetInvalid:
      .invalid("The target has no form that this method has.", advice: "Send a path, or a complete `http://` URL.")
    case .methodUnsupported:
      .init(
        501, .unimplemented,
        "A method that the gateway does not forward: TRACE, and CONNECT but for WebSockets in HTTP/2.",
        advice: "Do not send these methods. The gateway is not a forward proxy.")
    case .versionUnsupported:
      .init(505, .unknown, "Neither HTTP/1.0 nor HTTP/1.1.", advice: "Speak HTTP/1.1.")
    case .fieldNameInvalid:
      .invalid(
        "A header's name is empty, has a space before the colon, or has bytes that no name has.",
        advice: "Send names of letters, digits and hyphens.")
    case .fieldValueInvalid:
      .invalid("A control or NUL in a header's value.", advice: "Encode such values, such as in base64.")
    case .fieldFolded:
      .invalid("A header line that continues the one before.", advice: "Write each header in one line.")
    case .framingAmbiguous:
      .invalid(
        """
        Content-Length and Transfer-Encoding, or a name that others read as one of them, such as `Content_Length` or \
        `Content~Length`.
        """, advice: "Send one of them. If a proxy sits in between, look at what it adds.")
    case .contentLengthInvalid:
      .invalid("Content-Length is not one plain number.", advice: "Send one Content-Length of digits.")
    case .transferEncodingInvalid:
      .invalid("Transfer-Encoding is not `chunked`, once and last.", advice: "Send `Transfer-Encoding: chunked`.")
    case .transferEncodingUnsupported:
      .init(
        501, .unimplemented, "Transfer-Encoding has a coding other than `chunked`.",
        advice: "Compress with Content-Encoding, or do not compress.")
    case .hostMissing:
      .invalid("HTTP/1.1 without Host.", advice: "Send one Host header.")
    case .hostInvalid:
      .invalid("Not a host and port, or a host with more than one dot at its end.", advice: "Correct the Host header.")
    case .hostAmbiguous:
      .invalid("Two Host headers.", advice: "Send one Host header.")
    case .connectionInvalid:
      .invalid(
        "Connection names a header that framing or routing needs, or more than 32 names.",
        advice: "Name hop-by-hop headers only.")
    case .expectationFailed:
      .init(417, .unknown, "`Expect` with something other than `100-continue`.", advice: "Leave `Expect` out.")
    case .chunkSizeInvalid:
      .invalid("A chunk's size is not a hexadecimal number.", advice: "Correct the chunked coding of the body.")
    case .chunkExtensionInvalid:
      .invalid(
        "A chunk's extension is not what RFC 9112 §7.1.1 allows.", advice: "Leave chunk extensions out.")
    case .chunkExtensionTooLarge:
      .invalid("More chunk extensions than the gateway reads.", advice: "Leave chunk extensions out.")
    case .chunkEndInvalid:
      .invalid("A chunk is longer than its size says.", advice: "Correct the chunked coding of the body.")
    case .trailerFieldForbidden:
      .invalid(
        "A header that may not appear in trailers.", advice: "Send framing, routing and credentials in the head.")
    }
  }
}

extension RefusalRecord {
  fileprivate static func invalid(_ sentence: StaticString, advice: StaticString) -> RefusalRecord {
    RefusalRecord(400, .internal, sentence, advice: advice)
  }
}
