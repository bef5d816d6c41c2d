// The key of a login's client, which is read from its file each time.

internal import Tokens

extension ClientKey {
  init(file path: String) throws(LoginFault) {
    guard let bytes = try? SystemFiles().read(path, byteCountMax: Self.byteCountMax), let key = ClientKey(pem: bytes)
    else { throw .providerUnavailable("private_key_unreadable") }
    self = key
  }
}
