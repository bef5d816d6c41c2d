// Which nghttp2 this process has loaded.

internal import CNGHTTP2

package enum HTTP2Library {
  package static var version: String {
    // SAFETY: a record of the library that lives as long as the process. It is never null for version 0.
    guard let info = unsafe nghttp2_version(0), let text = unsafe info.pointee.version_str else { return "unknown" }
    return unsafe String(cString: text)
  }
}
