// A token's payload, put together from what the command line names.

import Bytes
import JSON

/// Claims in the order in which they will be written. A claim named twice keeps its position and takes the later value.
struct TokenClaims {
  private var claims: [(name: String, json: String)] = []

  mutating func set(_ name: String, json: String) {
    if let index = claims.firstIndex(where: { $0.name == name }) {
      claims[index].json = json
    } else {
      claims.append((name, json))
    }
  }

  mutating func set(_ name: String, text: String) { set(name, json: JSONWriter.quoted(text)) }

  /// `name=json` as a person writes it.
  mutating func set(argument: String) throws {
    guard let equals = argument.firstIndex(of: "="), equals > argument.startIndex else {
      throw TokenError("--claim '\(argument)': expected name=json, such as admin=true or tier='\"gold\"'")
    }
    let name = String(argument[..<equals])
    let value = String(argument[argument.index(after: equals)...])
    do {
      _ = try JSONDocument(Array(value.utf8))
    } catch {
      throw TokenError(
        "--claim '\(argument)': the value is not JSON. Write text as \(name)='\(JSONWriter.quoted(value))'")
    }
    set(name, json: value)
  }

  /// The payload.
  var json: String {
    "{" + claims.map { "\(JSONWriter.quoted($0.name)):\($0.json)" }.joined(separator: ",") + "}"
  }
}

/// A span of time as the command line takes it: `5m`, `24h`, `-1h`.
struct SignedSeconds {
  var seconds: Int64

  init(_ text: String) throws {
    let units: [Character: Int64] = ["s": 1, "m": 60, "h": 3600, "d": 86400]
    let centurySeconds: Int64 = 100 * 366 * 86400
    guard let unit = text.last, let factor = units[unit], let number = Int64(text.dropLast()),
      (-centurySeconds / factor...centurySeconds / factor).contains(number)
    else {
      throw TokenError(
        "'\(text)' is not a valid time: expected a number and a unit, such as 30s, 5m, 24h, 7d, or -1h for the past")
    }
    seconds = number * factor
  }
}
