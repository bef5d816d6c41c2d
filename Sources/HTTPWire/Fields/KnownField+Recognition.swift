// From a folded name to the field that it names. The constants are the names' own bytes, eight to a word, the first in
// the highest place. `KnownFieldTests` computes each from the name and fails if one is wrong. Comparing words is exact:
// no name can be made that only hashes like a known one.

extension KnownField {
  /// The field whose folded name is `count` bytes long and packs to the words `a`, `b` and `c`.
  @inline(__always)
  static func recognised(count: Int, _ a: UInt64, _ b: UInt64, _ c: UInt64) -> KnownField {
    switch count {
    case 2:
      if a == 0x7465 { return .te }
    case 3:
      if a == 0x616765 { return .age }
      if a == 0x766961 { return .via }
    case 4:
      if a == 0x6461_7465 { return .date }
      if a == 0x6470_6F70 { return .dpop }
      if a == 0x6574_6167 { return .etag }
      if a == 0x686F_7374 { return .host }
      if a == 0x7661_7279 { return .vary }
    case 6:
      if a == 0x6163_6365_7074 { return .accept }
      if a == 0x636F_6F6B_6965 { return .cookie }
      if a == 0x6578_7065_6374 { return .expect }
      if a == 0x6F72_6967_696E { return .origin }
      if a == 0x7365_7276_6572 { return .server }
    case 7:
      if a == 0x72_6566_6572_6572 { return .referer }
      if a == 0x74_7261_696C_6572 { return .trailer }
      if a == 0x75_7067_7261_6465 { return .upgrade }
    case 8:
      if a == 0x6C6F_6361_7469_6F6E { return .location }
    case 9:
      if a == 0x666F_7277_6172_6465 && b == 0x64 { return .forwarded }
      if a == 0x782D_7265_616C_2D69 && b == 0x70 { return .xRealIP }
    case 10:
      if a == 0x636F_6E6E_6563_7469 && b == 0x6F6E { return .connection }
      if a == 0x6B65_6570_2D61_6C69 && b == 0x7665 { return .keepAlive }
      if a == 0x7365_742D_636F_6F6B && b == 0x6965 { return .setCookie }
      if a == 0x7472_6163_6573_7461 && b == 0x7465 { return .tracestate }
      if a == 0x7573_6572_2D61_6765 && b == 0x6E74 { return .userAgent }
    case 11:
      if a == 0x6772_7063_2D73_7461 && b == 0x747573 { return .grpcStatus }
      if a == 0x7265_7472_792D_6166 && b == 0x746572 { return .retryAfter }
      if a == 0x7472_6163_6570_6172 && b == 0x656E74 { return .traceparent }
    case 12:
      if a == 0x636F_6E74_656E_742D && b == 0x7479_7065 { return .contentType }
      if a == 0x6772_7063_2D74_696D && b == 0x656F_7574 { return .grpcTimeout }
      if a == 0x782D_7265_7175_6573 && b == 0x742D_6964 { return .xRequestID }
    case 13:
      if a == 0x6163_6365_7074_2D72 && b == 0x61_6E67_6573 { return .acceptRanges }
      if a == 0x636F_6E74_656E_742D && b == 0x72_616E_6765 { return .contentRange }
      if a == 0x6175_7468_6F72_697A && b == 0x61_7469_6F6E { return .authorization }
      if a == 0x6361_6368_652D_636F && b == 0x6E_7472_6F6C { return .cacheControl }
      if a == 0x6966_2D6E_6F6E_652D && b == 0x6D_6174_6368 { return .ifNoneMatch }
    case 14:
      if a == 0x636F_6E74_656E_742D && b == 0x6C65_6E67_7468 { return .contentLength }
      if a == 0x6874_7470_322D_7365 && b == 0x7474_696E_6773 { return .http2Settings }
      if a == 0x782D_6F72_6967_696E && b == 0x616C_2D75_726C { return .xOriginalURL }
    case 15:
      if a == 0x6163_6365_7074_2D65 && b == 0x6E_636F_6469_6E67 { return .acceptEncoding }
      if a == 0x6163_6365_7074_2D6C && b == 0x61_6E67_7561_6765 { return .acceptLanguage }
      if a == 0x782D_666F_7277_6172 && b == 0x64_6564_2D66_6F72 { return .xForwardedFor }
      if a == 0x782D_666F_7277_6172 && b == 0x64_6564_2D75_7269 { return .xForwardedURI }
    case 16:
      if a == 0x636F_6E74_656E_742D && b == 0x656E_636F_6469_6E67 { return .contentEncoding }
      if a == 0x7072_6F78_792D_636F && b == 0x6E6E_6563_7469_6F6E { return .proxyConnection }
      if a == 0x7777_772D_6175_7468 && b == 0x656E_7469_6361_7465 { return .wwwAuthenticate }
      if a == 0x782D_666F_7277_6172 && b == 0x6465_642D_686F_7374 { return .xForwardedHost }
      if a == 0x782D_666F_7277_6172 && b == 0x6465_642D_706F_7274 { return .xForwardedPort }
    case 17:
      if a == 0x7365_632D_7765_6273 && b == 0x6F63_6B65_742D_6B65 && c == 0x79 { return .secWebSocketKey }
      if a == 0x7472_616E_7366_6572 && b == 0x2D65_6E63_6F64_696E && c == 0x67 { return .transferEncoding }
      if a == 0x782D_666F_7277_6172 && b == 0x6465_642D_7072_6F74 && c == 0x6F { return .xForwardedProto }
    case 18:
      if a == 0x7072_6F78_792D_6175 && b == 0x7468_656E_7469_6361 && c == 0x7465 { return .proxyAuthenticate }
    case 19:
      if a == 0x7072_6F78_792D_6175 && b == 0x7468_6F72_697A_6174 && c == 0x696F6E { return .proxyAuthorization }
    case 20:
      if a == 0x7365_632D_7765_6273 && b == 0x6F63_6B65_742D_6163 && c == 0x6365_7074 { return .secWebSocketAccept }
    case 21:
      if a == 0x7365_632D_7765_6273 && b == 0x6F63_6B65_742D_7665 && c == 0x72_7369_6F6E { return .secWebSocketVersion }
    case 22:
      if a == 0x7365_632D_7765_6273 && b == 0x6F63_6B65_742D_7072 && c == 0x6F74_6F63_6F6C {
        return .secWebSocketProtocol
      }
    default: break
    }
    return .other
  }
}
