/// What the labels at the left of a name ask the server to do with the question.
struct Script {
  var delayMilliseconds: Int64 = 0
  var drop = false
  /// Octets of the TCP frame, its length field included, that are written before the reset.
  var resetAfter: Int?
  var close = false
  var truncate = false
  var rcode: UInt16?
  var ttl: UInt32 = 30
  var wrongID = false
  var wrongQuestion = false
  var split: Split?
  var twice = false
  var withoutSOA = false
  var withoutOPT = false
  /// The rest of the script counts only for this many questions of the same name and type.
  var first: Int?

  /// A TCP answer in pieces of `octets`, with a pause between them.
  struct Split {
    var octets: Int
    var pauseMilliseconds: Int64
  }

  /// Reads script labels from the left of `labels` (lower case) and says how many there were.
  init(_ labels: ArraySlice<String>, consumed: inout Int) {
    consumed = (labels.firstIndex { !read($0) } ?? labels.endIndex) - labels.startIndex
  }

  /// A script of nothing but the TTL: for questions after the first `first`.
  init(ttl: UInt32) { self.ttl = ttl }

  /// Takes one label in; false where it is none of a script's.
  private mutating func read(_ label: String) -> Bool {
    switch label {
    case "drop": drop = true
    case "close": close = true
    case "tc": truncate = true
    case "servfail": rcode = Rcode.serverFailure
    case "refused": rcode = Rcode.refused
    case "formerr": rcode = Rcode.formatError
    case "badid": wrongID = true
    case "badquestion": wrongQuestion = true
    case "dup": twice = true
    case "soaless": withoutSOA = true
    case "noopt": withoutOPT = true
    default: return label.hasPrefix("u-") || readNumbered(label)
    }
    return true
  }

  private mutating func readNumbered(_ label: String) -> Bool {
    if let value = number(label, after: "delay-", upTo: 60_000) {
      delayMilliseconds = Int64(value)
    } else if let value = number(label, after: "reset-after-", upTo: 65_537) {
      resetAfter = value
    } else if let value = number(label, after: "ttl-", upTo: Int(UInt32.max)) {
      ttl = UInt32(value)
    } else if let value = number(label, after: "first-", upTo: 1_000_000) {
      first = value
    } else if label.hasPrefix("split-") {
      let parts = label.dropFirst(6).split(separator: "-", omittingEmptySubsequences: false).map {
        number($0, upTo: 65_537)
      }
      guard parts.count <= 2, let octets = parts[0], octets > 0, let pause = parts.count == 2 ? parts[1] : 1 else {
        return false
      }
      split = Split(octets: octets, pauseMilliseconds: Int64(min(pause, 1000)))
    } else {
      return false
    }
    return true
  }
}

/// The number after `prefix` in `label`, if there is nothing else and it is at most `limit`.
func number(_ label: String, after prefix: String, upTo limit: Int) -> Int? {
  label.hasPrefix(prefix) ? number(label.dropFirst(prefix.count), upTo: limit) : nil
}

/// A decimal number without sign or leading zeros, at most `limit`.
func number(_ digits: Substring, upTo limit: Int) -> Int? {
  guard digits.utf8.allSatisfy({ 0x30...0x39 ~= $0 }), digits == "0" || digits.first != "0", let value = Int(digits),
    value <= limit
  else { return nil }
  return value
}
