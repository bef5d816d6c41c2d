// Methods and versions of HTTP (RFC 9110 §9, RFC 9112 §2.3, RFC 5789).

/// A request method. Methods are case-sensitive: `get` is ``other``.
public enum Method: UInt8, Sendable, CaseIterable {
  case get, head, post, put, delete, connect, options, trace, patch
  /// Any other token.
  case other

  /// Whether the method asks for no change of state (RFC 9110 §9.2.1).
  package var isSafe: Bool {
    switch self {
    case .get, .head, .options, .trace: true
    default: false
    }
  }

  /// Whether sending the request twice does no more than sending it once (RFC 9110 §9.2.2).
  package var isIdempotent: Bool { isSafe || self == .put || self == .delete }

  /// The method that `token` names.
  package init(_ token: Span<UInt8>) {
    var word: UInt64 = 0
    if token.count <= 7 {
      for index in token.indices { word = word << 8 | UInt64(token[index]) }
    }
    self.init(word: word)
  }

  /// The method whose bytes, at most seven, are packed into `word`. `MethodTests` holds the constants to the names.
  @inline(__always)
  init(word: UInt64) {
    switch word {
    case 0x47_4554: self = .get
    case 0x4845_4144: self = .head
    case 0x504F_5354: self = .post
    case 0x50_5554: self = .put
    case 0x4445_4C45_5445: self = .delete
    case 0x43_4F4E_4E45_4354: self = .connect
    case 0x4F_5054_494F_4E53: self = .options
    case 0x54_5241_4345: self = .trace
    case 0x50_4154_4348: self = .patch
    default: self = .other
    }
  }
}

/// The version that governs a message: minor versions above 1 count as HTTP/1.1 (RFC 9110 §2.5).
public enum Version: Sendable {
  case http10, http11
  /// Heads that came in an HTTP/2 stream. See ``RequestHeadBuilder``.
  case http2

  /// Whether a message is a stream among others of its connection: the stream's end is the message's.
  @inlinable
  public var isMultiplexed: Bool { self == .http2 }

  /// As `Via` has it (RFC 9110 §7.6.3): what follows the protocol's name.
  @inlinable
  public var number: StaticString {
    switch self {
    case .http10: "1.0"
    case .http11: "1.1"
    case .http2: "2"
    }
  }
}

/// The eight bytes `HTTP/x.y` at `start`, read strictly. `start + 8` must lie within `input`.
@inline(__always)
func readVersion(_ input: Span<UInt8>, at start: Int) -> Result<Version, HeadError>? {
  guard input[start] == 0x48, input[start + 1] == 0x54, input[start + 2] == 0x54, input[start + 3] == 0x50,
    input[start + 4] == 0x2F, isDigit(input[start + 5]), input[start + 6] == 0x2E, isDigit(input[start + 7])
  else { return nil }
  if input[start + 5] != 0x31 { return .failure(.versionUnsupported) }
  return .success(input[start + 7] == 0x30 ? .http10 : .http11)
}
