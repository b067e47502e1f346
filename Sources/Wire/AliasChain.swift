import Memory

/// The name that a response's answer section has led to: the question's, or the last target of the CNAME records that
/// began there. It and an owner are read only where a look at pointers does not tell whether they are one.
struct AliasChain: ~Copyable {
  /// Where the name stands in the message; where its first label does, if that is a pointer.
  private var start = 0
  private var place = 0
  /// The name, folded; no octets until it is read.
  private let name = Region(size: 256)
  private var length = 0
  /// The last owner that was read, from `Header.length` on: what folds it reads eight octets before it.
  private let owner = Region(size: Header.length + 256)
  private var ownerLength = 0
  /// Where it stands; -1: none was read of this message.
  private var ownerPlace = -1
  private var questionLength = 0

  /// A new message, whose question's name has so many octets.
  mutating func begin(questionLength: Int) {
    self.questionLength = questionLength
    (start, place) = (Header.length, Header.length)
    length = 0
    ownerPlace = -1
  }

  /// Goes on at the name at `target`, which is well-formed.
  mutating func go(to target: Int, in message: Bytes) {
    start = target
    place = Self.place(message, target)
    length = 0
  }

  /// Whether the record's owner is this name; nil if either is malformed, or more than `work` allows. Nearly always it
  /// is a pointer to where the name stands.
  mutating func isOwner(of record: Record, in message: Bytes, work: inout Int) -> Bool? {
    if Self.place(message, record.owner) == place { return true }
    // kube-dns writes it out, spelled as in the question.
    if place == Header.length, record.owner &+ questionLength &+ 4 == record.ttlOffset,
      message.slice(record.owner, questionLength).equals(message.slice(place, questionLength))
    {
      return true
    }
    guard read(message, record.owner, &work) else { return nil }
    return ownerLength == length && isOwner(at: 0)
  }

  /// Whether the name at `ancestor` is this one or above it; nil as for `isOwner`.
  mutating func isBelow(_ ancestor: Int, in message: Bytes, work: inout Int) -> Bool? {
    guard read(message, ancestor, &work) else { return nil }
    var at = 0
    while length &- at > ownerLength {
      at &+= Int(name.bytes[at]) &+ 1
      work &-= 1
    }
    guard work >= 0 else { return nil }
    return length &- at == ownerLength && isOwner(at: at)
  }

  /// Where the name at `at` has its first label, unless that is a pointer to a pointer.
  private static func place(_ message: Bytes, _ at: Int) -> Int {
    message[at] >= 0xC0 ? Int(message.u16(at) & 0x3FFF) : at
  }

  /// Reads the name, and the owner at `at`.
  private mutating func read(_ message: Bytes, _ at: Int, _ work: inout Int) -> Bool {
    if length == 0 {
      guard let octets = Name.expand(message, at: start, into: name.bytes, work: &work) else { return false }
      Name.fold(name.bytes.slice(0, octets))
      length = octets
    }
    let place = Self.place(message, at)
    if place == ownerPlace { return true }
    guard let octets = Name.expand(message, at: at, into: owner.bytes.from(Header.length), work: &work) else {
      return false
    }
    (ownerPlace, ownerLength) = (place, octets)
    return true
  }

  /// Whether the owner that was read is, but for case, the name from `at` on.
  private func isOwner(at: Int) -> Bool {
    Name.isSame(owner.bytes, at: Header.length, as: name.bytes.slice(at, ownerLength))
  }
}
