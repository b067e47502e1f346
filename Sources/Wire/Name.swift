import Memory

/// Owner names in wire format (RFC 1035 §3.1): length octets and labels, at most 255 octets with the root's zero.
public enum Name {
  public static let maxLength = 255
  /// A chain of pointers longer than the labels a name can have is a loop or an attack.
  static let maxPointers = 127

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

  /// Writes the name at `start`, pointers followed, to the front of `out` (at least 255 bytes) and returns its length;
  /// nil if it is malformed. Each pointer must lead to before the labels that led to it, so the walk ends. What it
  /// walks is added to `work`, in octets; a pointer counts as four.
  public static func expand(_ message: Bytes, at start: Int, into out: Bytes, work: inout Int) -> Int? {
    var at = start
    var limit = start  // a pointer's target must be below this
    var length = 0
    var pointers = 0
    defer { work &+= length &+ 4 &* pointers }
    while at < message.count {
      let octet = Int(message[at])
      if octet & 0xC0 == 0xC0 {
        guard at &+ 1 < message.count else { return nil }
        let target = (octet & 0x3F) << 8 | Int(message[at &+ 1])
        pointers &+= 1
        guard target < limit, target >= Header.length, pointers <= maxPointers else { return nil }
        at = target
        limit = target
        continue
      }
      guard octet <= 63, at &+ octet < message.count, length &+ octet &+ 1 <= maxLength else { return nil }
      out.copy(short: message.slice(at, octet &+ 1), at: length)
      length &+= octet &+ 1
      if octet == 0 { return length }
      at &+= octet &+ 1
    }
    return nil
  }

  /// Whether the names at `first` and `second`, pointers followed, are one but for case (RFC 4343); nil if as much of
  /// either as had to be read is malformed. What it walks is added to `work`, as in `expand`.
  static func isSame(_ message: Bytes, _ first: Int, _ second: Int, work: inout Int) -> Bool? {
    var a = Walk(first)
    var b = Walk(second)
    var length = 0
    defer { work &+= length &+ 4 &* (a.pointers &+ b.pointers) }
    while true {
      guard let octet = a.label(message), let other = b.label(message) else { return nil }
      if a.at == b.at { return true }
      guard octet == other else { return false }
      length &+= octet &+ 1
      guard length <= maxLength else { return nil }
      if octet == 0 { return true }
      let label = message.slice(a.at, octet &+ 1)
      let otherLabel = message.slice(b.at, octet &+ 1)
      var index = label.equals(otherLabel) ? octet &+ 1 : 1
      while index <= octet {
        guard Fold.lower(UInt64(label[index])) == Fold.lower(UInt64(otherLabel[index])) else { return false }
        index &+= 1
      }
      a.at &+= octet &+ 1
      b.at &+= octet &+ 1
    }
  }

  /// A place in a name, from label to label. Each pointer must lead to before the labels that led to it.
  private struct Walk {
    var at: Int
    var limit: Int
    var pointers = 0

    init(_ start: Int) { (at, limit) = (start, start) }

    /// Goes to the label that the pointers here lead to, and returns its length; nil if there is none.
    mutating func label(_ message: Bytes) -> Int? {
      while at < message.count {
        let octet = Int(message[at])
        if octet <= 63 { return at &+ octet < message.count ? octet : nil }
        guard octet & 0xC0 == 0xC0, at &+ 1 < message.count else { return nil }
        let target = (octet & 0x3F) << 8 | Int(message[at &+ 1])
        pointers &+= 1
        guard target < limit, target >= Header.length, pointers <= Name.maxPointers else { return nil }
        at = target
        limit = target
      }
      return nil
    }
  }

  /// The name at `start`, pointers followed, in wire format as it is spelled; nil if it is malformed. It allocates.
  public static func expanded(_ message: Bytes, at start: Int) -> [UInt8]? {
    unsafe withUnsafeTemporaryAllocation(byteCount: 256, alignment: 8) { buffer -> [UInt8]? in
      guard let base = buffer.baseAddress else { return nil }
      // The allocation holds 256 bytes and outlives this call.
      let out = unsafe Bytes(base: base, count: 256)
      var work = 0
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
    while at < name.count {
      if name[at] >= 0x41, name[at] <= 0x5A { name[at] |= 0x20 }
      at &+= 1
    }
  }
}
