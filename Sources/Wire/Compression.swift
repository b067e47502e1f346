import Memory

/// Writes names into a message with compression (RFC 1035 §4.1.4). A name's rest, from any label on, is known by the
/// offset at which it was first written.
///
/// Two memories find it again. One holds, for each place of the message that is read, where the name from there on was
/// written: most senders compress, so most names lead to such a place. However many pointers lead to a label, it is
/// walked at most twice, once to be written with a pointer and once whole (Unbound CVE-2024-8508). The other finds a
/// label by its octets and what follows it. It is a small direct-mapped table: what lost its slot is written out again,
/// which costs bytes, never correctness.
struct NameWriter: ~Copyable {
  private static let slots = 256
  private static let slotSize = 4  // offset of a label, offset of what follows it
  /// A pointer has fourteen bits.
  private static let maxOffset = 0x3FFF
  /// With an offset: the name stands there without a pointer.
  private static let whole = 0x8000
  private static let placeSize = 4  // offset of the name as written, its length

  private let table = Region(size: slots * slotSize)
  private let places = Region(size: (maxOffset + 1) * placeSize)
  /// Where the labels of the name at hand stand that are not known yet.
  private let labels = Region(size: 128 * 4)
  private var questionLength = 0

  /// Starts a message of `count` octets whose question, its name folded and without pointers, stands in `out` at
  /// `Header.length`.
  mutating func reset(_ out: Bytes, nameLength: Int, count: Int) {
    table.bytes.fill(0)
    places.bytes.slice(0, min(max(count, Header.length &+ nameLength), Self.maxOffset &+ 1) &* Self.placeSize).fill(0)
    questionLength = nameLength
    let end = Header.length &+ nameLength &- 1
    var at = Header.length
    while at < end {
      let label = out.slice(at, Int(out[at]) &+ 1)
      let next = at &+ label.count
      setPlace(at, written: at | Self.whole, length: end &+ 1 &- at)
      let following = next < end ? next | Self.whole : 0
      remember(at | Self.whole, before: following, at: slot(label, following))
      at = next
    }
  }

  /// Writes the name at `source` of `message`, which ends before `next` (`Name.skip`), to `out` at `at` and returns the
  /// offset after it; nil if the name is malformed, does not fit, or asks for more than `work` allows. Without
  /// `compress` it is written whole.
  mutating func write(
    _ message: Bytes, at source: Int, before next: Int, to out: Bytes, at: Int, compress: Bool, work: inout Int
  ) -> Int? {
    if compress, at &+ 2 <= out.count, let known = questionSuffix(message.slice(source, next &- source), out) {
      out.set(u16: 0xC000 | UInt16(truncatingIfNeeded: known), at: at)
      return at &+ 2
    }
    // The labels before what is known: the root, or a place that was walked before.
    var place = source
    var limit = source
    var count = 0
    var plain = 0
    var rest = (written: 0, length: 1)
    while place < message.count {
      let known = known(place)
      if known.written != 0, compress || known.written & Self.whole != 0 {
        rest = known
        break
      }
      let octet = Int(message[place])
      if octet == 0 { break }
      if octet >= 0xC0 {
        // The first costs no more than the two octets that it takes.
        if limit != source { work &-= Name.pointerWork }
        guard work >= 0, let target = Name.target(message, at: place, before: limit) else { return nil }
        place = target
        limit = target
        continue
      }
      plain &+= octet &+ 1
      guard octet <= 63, plain < Name.maxLength else { return nil }
      labels.bytes.store(UInt32(truncatingIfNeeded: place), at: count &* 4)
      count &+= 1
      place &+= octet &+ 1
    }
    guard place < message.count, plain &+ rest.length <= Name.maxLength else { return nil }

    // Those that were written elsewhere, from the last on.
    var missed = 0
    while compress, count > 0 {
      let place = label(count &- 1)
      let label = message.slice(place, Int(message[place]) &+ 1)
      missed = slot(label, rest.written)
      guard let known = find(label, before: rest.written, at: missed, in: out) else { break }
      rest = (known, rest.length &+ label.count)
      plain &-= label.count
      setPlace(place, written: known, length: rest.length)
      count &-= 1
    }

    let after = at &+ plain &+ (compress && rest.written != 0 ? 2 : rest.length)
    guard after <= out.count else { return nil }
    let whole = !compress || rest.written == 0 ? Self.whole : 0
    var to = at
    var run = (place: label(0), to: at)
    var index = 0
    while index < count {
      let place = label(index)
      let label = message.slice(place, Int(message[place]) &+ 1)
      if place &- run.place != to &- run.to {
        out.copy(short: message.slice(run.place, to &- run.to), at: run.to)
        run = (place, to)
      }
      let next = to &+ label.count
      index &+= 1
      if to <= Self.maxOffset {
        // One that was written with a pointer, and now whole, is remembered as it was.
        if compress || known(place).written == 0 {
          let following = index < count ? next | whole : rest.written
          remember(to | whole, before: following, at: compress && index == count ? missed : slot(label, following))
        }
        setPlace(place, written: to | whole, length: at &+ plain &+ rest.length &- to)
      }
      to = next
    }
    if count > 0 { out.copy(short: message.slice(run.place, to &- run.to), at: run.to) }
    if rest.written == 0 {
      out[to] = 0
    } else if compress {
      out.set(u16: 0xC000 | UInt16(truncatingIfNeeded: rest.written), at: to)
    } else {
      out.copy(out.slice(rest.written & Self.maxOffset, rest.length), at: to)
    }
    return after
  }

  /// Where the question, or what is above it, is `name`; nil if it is another, in another spelling, or has a pointer.
  /// kube-dns compresses nothing, and nearly all of its names are one of these.
  private func questionSuffix(_ name: Bytes, _ out: Bytes) -> Int? {
    guard name.count > 1, name.count <= questionLength else { return nil }
    let offset = Header.length &+ questionLength &- name.count
    guard name.u16(0) == out.u16(offset) else { return nil }
    let known = known(offset).written
    return known == offset | Self.whole && name.equals(out.slice(offset, name.count)) ? known : nil
  }

  private func label(_ index: Int) -> Int { Int(labels.bytes.load(UInt32.self, at: index &* 4)) }

  /// Where the name at `place` of the message was written, and its octets; (0, 0) if it was not, or where no pointer
  /// can lead.
  private func known(_ place: Int) -> (written: Int, length: Int) {
    guard place <= Self.maxOffset else { return (0, 0) }
    let known = places.bytes.load(UInt32.self, at: place &* Self.placeSize)
    return (Int(known >> 16), Int(known & 0xFFFF))
  }

  private func setPlace(_ place: Int, written: Int, length: Int) {
    guard place <= Self.maxOffset else { return }
    places.bytes.store(UInt32(truncatingIfNeeded: written << 16 | length), at: place &* Self.placeSize)
  }

  /// The slot of a label, its length octet included, before the name that was written at `next` (0: the root).
  private func slot(_ label: Bytes, _ next: Int) -> Int {
    let multiplier: UInt64 = 0x9E37_79B9_7F4A_7C15
    var hash = UInt64(truncatingIfNeeded: next) &* multiplier
    let count = label.count
    // Two loads that may overlap cover what is left of fewer than sixteen octets: a label has at least two.
    if count >= 8 {
      var at = 0
      while at &+ 8 < count {
        hash = (hash ^ label.word(at)) &* multiplier
        hash ^= hash >> 29
        at &+= 8
      }
      hash ^= label.word(count &- 8)
    } else if count >= 4 {
      hash ^= UInt64(label.u32(0)) << 32 | UInt64(label.u32(count &- 4))
    } else {
      hash ^= UInt64(label.u16(0)) << 16 | UInt64(label.u16(count &- 2))
    }
    return Int(truncatingIfNeeded: (hash &* multiplier) >> 56) &* Self.slotSize
  }

  /// Where that label was written before that name, by what the slot holds; nil if nowhere that is remembered.
  private func find(_ label: Bytes, before next: Int, at slot: Int, in out: Bytes) -> Int? {
    let entry = Int(table.bytes.load(UInt32.self, at: slot))
    let known = entry >> 16
    guard known != 0, entry & 0xFFFF == next, out.slice(known & Self.maxOffset, label.count).equals(label) else {
      return nil
    }
    return known
  }

  private func remember(_ written: Int, before next: Int, at slot: Int) {
    table.bytes.store(UInt32(truncatingIfNeeded: written << 16 | next), at: slot)
  }
}
