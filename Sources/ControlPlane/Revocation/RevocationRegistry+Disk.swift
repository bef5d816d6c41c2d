// What lists leave on disk, and what an earlier process has left there.

internal import Configuration
internal import Logging
internal import Tokens

extension RevocationRegistry {
  func adoptStored(_ url: String, _ entry: inout Entry, now: Duration, wallTime: Int64) {
    guard let store else { return }
    do throws(FileError) {
      let path = store.path(ofDenylist: entry.issuer.name)
      guard let stored = try store.read(path, source: url, byteCountMax: DenylistReader.byteCountMax) else { return }
      guard let list = try? DenylistLoader.list(of: stored.body, now: wallTime) else {
        throw FileError("\(path) is not a stored list")
      }
      entry.denylist.adopt(list, fetchedAt: stored.fetchedAt, now: now, wallTime: wallTime)
      entry.mark = DenylistMark(version: stored.version)
      entry.storedAt = stored.fetchedAt
      log.notice(
        "a stored denylist counts until a newer one comes",
        metadata: ["issuer": "\(entry.issuer.name)", "entries": "\(list.count)"])
    } catch {
      reportDisk(error, entry.issuer)
    }
  }

  func save(_ body: [UInt8], _ version: String?, _ index: Int, wallTime: Int64) {
    guard let store, case .url(let url) = entries[index].rules.denylist else { return }
    do throws(FileError) {
      try store.write(
        RevocationStore.Stored(fetchedAt: wallTime, version: version, body: body),
        to: store.path(ofDenylist: entries[index].issuer.name), source: url)
      entries[index].storedAt = wallTime
    } catch {
      reportDisk(error, entries[index].issuer)
    }
  }

  /// The list has not changed. What is on disk says so from time to time, or it would be too old one day.
  func keepStored(_ index: Int, wallTime: Int64) {
    guard let store, case .url(let url) = entries[index].rules.denylist else { return }
    let pause = max(60, entries[index].rules.stale.components.seconds / 10)
    if wallTime - entries[index].storedAt < pause { return }
    let path = store.path(ofDenylist: entries[index].issuer.name)
    guard let stored = try? store.read(path, source: url, byteCountMax: DenylistReader.byteCountMax) else { return }
    save(stored.body, stored.version, index, wallTime: wallTime)
  }

  func save(_ token: [UInt8], _ uri: [UInt8], _ issuer: Issuer, wallTime: Int64) {
    guard let store else { return }
    do throws(FileError) {
      try store.write(
        RevocationStore.Stored(fetchedAt: wallTime, version: nil, body: token),
        to: store.path(ofList: uri, of: issuer.name), source: String(decoding: uri, as: UTF8.self))
    } catch {
      reportDisk(error, issuer)
    }
  }

  func storedList(_ uri: [UInt8], _ issuer: Issuer) -> RevocationStore.Stored? {
    guard let store else { return nil }
    do throws(FileError) {
      return try store.read(
        store.path(ofList: uri, of: issuer.name), source: String(decoding: uri, as: UTF8.self),
        byteCountMax: StatusListCheck.tokenByteCountMax)
    } catch {
      reportDisk(error, issuer)
      return nil
    }
  }

  private func reportDisk(_ error: FileError, _ issuer: Issuer) {
    log.warning(
      "a list of revoked tokens cannot be kept on disk",
      metadata: ["issuer": "\(issuer.name)", "folder": "\(store?.directory ?? "")", "reason": "\(error.reason)"])
  }
}
