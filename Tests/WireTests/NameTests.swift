import Memory
import Testing
import Wire

/// RFC 1035 §3.1 and §4.1.4 at their limits.
@Suite struct NameTests {
  let arena = Arena()
  let out = Arena()

  /// The name at `start` of a header and `octets`, expanded; nil if it is refused.
  func expand(_ octets: [UInt8], at start: Int = 0) -> [UInt8]? {
    let message = arena.put([UInt8](repeating: 0, count: 12) + octets)
    let room = out.room(255)
    var work = Name.maxWork
    return Name.expand(message, at: 12 + start, into: room, work: &work).map { room.slice(0, $0).octets }
  }

  func skip(_ octets: [UInt8]) -> Int? { Name.skip(arena.put(octets), at: 0) }
  func plain(_ octets: [UInt8]) -> Int? { Name.plainLength(arena.put(octets), at: 0) }

  @Test func plainNames() {
    for octets in [wire("."), wire("a."), wire("www.example.com."), name(ofLength: 254), name(ofLength: 255)] {
      #expect(expand(octets) == octets)
      #expect(skip(octets) == octets.count)
      #expect(plain(octets) == octets.count)
    }
  }

  @Test func of256Octets() {
    let octets = name(ofLength: 256)
    #expect(expand(octets) == nil && skip(octets) == nil && plain(octets) == nil)
  }

  @Test func of127And128Labels() {
    let label: [UInt8] = [1, 0x61]
    let most = Array([[UInt8]](repeating: label, count: 127).joined()) + [0]
    #expect(most.count == 255)
    #expect(expand(most) == most && skip(most) == 255 && plain(most) == 255)
    #expect(expand(label + most) == nil && skip(label + most) == nil && plain(label + most) == nil)
  }

  @Test func of255And256ThroughAPointer() {
    // The tail stands first; the name that points to it is 255, then 256 octets long.
    let tail = name(ofLength: 200)
    #expect(expand(tail + [54] + [UInt8](repeating: 0x62, count: 54) + pointer(12), at: 200)?.count == 255)
    #expect(expand(tail + [55] + [UInt8](repeating: 0x62, count: 55) + pointer(12), at: 200) == nil)
  }

  @Test func cutAnywhere() {
    let octets = wire("www.example.com.")
    for count in 0..<octets.count {
      let cut = Array(octets.prefix(count))
      #expect(expand(cut) == nil && skip(cut) == nil && plain(cut) == nil)
    }
    #expect(expand([0xC0]) == nil && skip([0xC0]) == nil)
  }

  @Test func labelTypesOtherThan00And11() {
    for octet in UInt8(64)..<192 {
      let octets = [octet] + [UInt8](repeating: 1, count: 191)
      #expect(expand(octets) == nil && skip(octets) == nil && plain(octets) == nil)
    }
  }

  @Test func pointersEndASkippedName() {
    #expect(skip([1, 0x61, 0xFF, 0xFF, 9]) == 4)
    #expect(plain([1, 0x61, 0xC0, 0x0C]) == nil)
  }

  @Test func pointerToItselfForwardAndIntoTheHeader() {
    #expect(expand(pointer(12)) == nil)
    #expect(expand(pointer(14) + wire("a.")) == nil)
    #expect(expand(pointer(0x3FFF)) == nil)
    for offset in 0..<12 { #expect(expand(pointer(offset)) == nil) }
    #expect(expand(wire("a.") + pointer(12), at: 3) == wire("a."))
  }

  @Test func pointerToTheLabelsBeforeIt() {
    // Not a loop yet, but one step from it: the target is not before the name's own start.
    #expect(expand([1, 0x61] + pointer(12)) == nil)
    #expect(expand([0] + [1, 0x61] + pointer(13), at: 1) == nil)
  }

  @Test func loopsOfTwoAndMore() {
    #expect(expand(pointer(14) + pointer(12), at: 2) == nil)
    #expect(expand([1, 0x61] + pointer(16) + [1, 0x62] + pointer(12), at: 4) == nil)
  }

  @Test func chainsOf127And128Pointers() {
    // The root, then pointers each to the one before.
    var octets: [UInt8] = [0]
    for index in 0..<128 { octets += pointer(index == 0 ? 12 : 12 + 1 + (index - 1) * 2) }
    #expect(expand(octets, at: 1 + 126 * 2) == [0])
    #expect(expand(octets, at: 1 + 127 * 2) == nil)
  }

  @Test func aLabelIsOneOfWorkAndAPointerFour() {
    let message = arena.put(
      [UInt8](repeating: 0, count: 12) + wire("example.") + [1, 0x61] + pointer(12) + pointer(21))
    var work = 2 + 2 * 4
    #expect(Name.expand(message, at: 25, into: out.room(255), work: &work) == 11)
    #expect(work == 0)
    for less in 0..<2 + 2 * 4 {
      work = less
      #expect(Name.expand(message, at: 25, into: out.room(255), work: &work) == nil)
    }
  }

  @Test func suffixesEndOnLabelBorders() {
    func has(_ name: String, _ suffix: String) -> Bool { Name.hasSuffix(arena.put(wire(name)), out.put(wire(suffix))) }
    #expect(has("a.cluster.local.", "cluster.local.") && has("cluster.local.", "cluster.local.") && has("a.", "."))
    #expect(!has("evilcluster.local.", "cluster.local.") && !has("local.", "cluster.local.") && !has(".", "a."))
    #expect(has(".", "."))
    // A label whose octets look like a length octet and a label.
    #expect(!Name.hasSuffix(arena.put([3, 0x61, 1, 0x62, 0]), out.put([1, 0x62, 0])))
  }
}
