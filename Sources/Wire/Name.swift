import Memory

/// Owner names in wire format (RFC 1035 §3.1): length octets and labels, at most 255 octets with the root's zero.
public enum Name {
  public static let maxLength = 255
  /// A chain of pointers longer than the labels a name can have is a loop or an attack.
  static let maxPointers = 127
  /// As much work as one name can ask for.
  public static let maxWork = 127 + maxPointers * pointerWork

  /// The offset after the name at `start`, or nil if it runs off the message, is longer than 255 octets or uses a
  /// label type other than 00 and 11 (RFC 1035 §4.1.4; RFC 6891 §5 retired the rest). Pointers are not followed.
  public static func skip(_ message: Bytes, at start: Int) -> Int? {
    var at = start
    while at < message.count {
      let octet = Int(message[at])
      if octet == 0 { return at &- start < maxLength ? at &+ 1 : nil }
      if octet & 0xC0 == 0xC0 { return at &+ 2 <= message.count ? at &+ 2 : nil }
      if octet > 63 { return nil }
      at &+= octet &+ 1
      if at &- start >= maxLength { return nil }
    }
    return nil
  }

  /// The length of the uncompressed name at `start`, its root octet included; nil if it is malformed, too long or
  /// has a pointer. What a question's name must be: nothing stands before it that a pointer could mean.
  @inlinable public static func plainLength(_ message: Bytes, at start: Int) -> Int? {
    var at = start
    while at < message.count {
      let octet = Int(message[at])
      if octet == 0 { return at &- start < maxLength ? at &+ 1 &- start : nil }
      if octet > 63 { return nil }
      at &+= octet &+ 1
    }
    return nil
  }

  /// What following a pointer counts for, where a label counts for one: it takes about as long.
  static let pointerWork = 4

  /// Where the pointer at `at` leads; nil if not to before `limit`.
  @inline(__always) static func target(_ message: Bytes, at: Int, before limit: Int) -> Int? {
    guard at &+ 2 <= message.count else { return nil }
    let target = Int(message.u16(at) & 0x3FFF)
    return target < limit && target >= Header.length ? target : nil
  }

  /// Writes the name at `start`, pointers followed, to the front of `out` (at least 255 bytes) and returns its length;
  /// nil if it is malformed. Each pointer must lead to before the labels that led to it, so the walk ends. What it
  /// walks is taken from `work`: one for a label, `pointerWork` for a pointer; nil if there is not as much left.
  public static func expand(_ message: Bytes, at start: Int, into out: Bytes, work: inout Int) -> Int? {
    var at = start
    var length = 0
    var pointers = 0
    while true {
      // Labels in a row: no pointer among them may lead to any of these, and they are copied as one.
      let first = at
      let end = min(message.count, first &+ maxLength &- length)
      var labels = 0
      var octet = 0
      while at < end {
        octet = Int(message[at])
        guard octet != 0, octet <= 63 else { break }
        at &+= octet &+ 1
        labels &+= 1
      }
      work &-= labels
      guard at < end, work >= 0 else { return nil }
      out.copy(short: message.slice(first, at &- first), at: length)
      length &+= at &- first
      if octet == 0 {
        out[length] = 0
        return length &+ 1
      }
      pointers &+= 1
      work &-= pointerWork
      guard octet >= 0xC0, pointers <= maxPointers, work >= 0,
        let target = target(message, at: at, before: first)
      else { return nil }
      at = target
    }
  }

  /// The name at `start`, pointers followed, in wire format as it is spelled; nil if it is malformed. It allocates.
  public static func expanded(_ message: Bytes, at start: Int) -> [UInt8]? {
    unsafe withUnsafeTemporaryAllocation(byteCount: 256, alignment: 8) { buffer -> [UInt8]? in
      guard let base = buffer.baseAddress else { return nil }
      // The allocation holds 256 bytes and outlives this call.
      let out = unsafe Bytes(base: base, count: 256)
      var work = maxWork
      guard let length = expand(message, at: start, into: out, work: &work) else { return nil }
      return out.slice(0, length).octets
    }
  }

  /// Whether `suffix` is `name` or an ancestor of it, on label borders. Both uncompressed and folded.
  public static func hasSuffix(_ name: Bytes, _ suffix: Bytes) -> Bool {
    var at = 0
    while name.count &- at >= suffix.count {
      if name.count &- at == suffix.count { return name.from(at).equals(suffix) }
      at &+= Int(name[at]) &+ 1
    }
    return false
  }

  /// Folds an uncompressed name in place (RFC 4343).
  public static func fold(_ name: Bytes) {
    var at = 0
    while at &+ 8 <= name.count {
      name.set(word: Fold.lower(name.word(at)), at: at)
      at &+= 8
    }
    while at < name.count {
      name[at] = UInt8(truncatingIfNeeded: Fold.lower(UInt64(name[at])))
      at &+= 1
    }
  }
}
