import Memory
import Testing
import Wire

/// What a response may cost: names compressed to make a reader walk far are walked once, or refused (Unbound
/// CVE-2024-8508); and what an honest sender makes of long names is neither.
@Suite struct WorkTests {
  let arena = Arena()
  let questions = Arena()
  let question = wire("q.")

  /// A response of nearly 64 KiB: `first` at its start, then as many of `record` as fit.
  func fill(_ first: [UInt8], authority: Bool = false, _ record: (Int) -> [UInt8]) -> [UInt8] {
    var octets = question + u16(1) + u16(1) + first
    var count = first.isEmpty ? 0 : 1
    while octets.count + 12 < 65_000 {
      octets += record(12 + octets.count)
      count += 1
    }
    return Message(flags: 0x8180, 1, authority ? 0 : count, authority ? count : 0, 0).octets + octets
  }

  func isAccepted(_ message: [UInt8], _ what: String) -> Bool {
    let bytes = arena.put(message)
    let asked = questions.put(question + u16(1) + u16(1))
    var writer = ImageWriter()
    var isAccepted = false
    for chainOnly in [false, true] {
      isAccepted = writer.write(bytes, question: asked, chainOnly: chainOnly) != nil
      // The last name may be walked beyond the bound.
      #expect(writer.work >= -Name.maxWork, "\(what): \(writer.work)")
      // Or else the bound is not what stopped it.
      #expect(isAccepted == (writer.work >= 0), "\(what): \(writer.work)")
    }
    return isAccepted
  }

  /// An opaque record in whose data stand `names`, from offset 31 on.
  func opaque(_ names: [UInt8]) -> [UInt8] { Message.Record(owner: [0], type: 65_280, data: names).octets }
  let at = 12 + 3 + 4 + 11

  /// A MINFO record of three times the same name.
  func minfo(_ name: [UInt8]) -> [UInt8] { Message.Record(owner: name, type: 14, data: name + name).octets }

  @Test func pointersToChainsOf127() {
    var chain: [UInt8] = [0]
    for index in 0..<126 { chain += pointer(index == 0 ? at : at + 1 + (index - 1) * 2) }
    let last = pointer(at + 1 + 125 * 2)
    let other = pointer(at + 1 + 124 * 2)
    #expect(!isAccepted(fill(opaque(chain)) { _ in minfo(last) + minfo(other) }, "pointers to chains of 126"))
  }

  @Test func pointersToNamesOf255AreWalkedOnce() {
    let names = name(ofLength: 255, letter: 0x61) + name(ofLength: 255, letter: 0x62)
    let record = Message.Record(owner: pointer(at), type: 14, data: pointer(at + 255) + pointer(at)).octets
    #expect(isAccepted(fill(opaque(names)) { _ in record }, "pointers to names of 255"))
  }

  /// 127 labels.
  let most = [[UInt8]](repeating: [1, 0x61], count: 127).joined() + [0]

  @Test func pointersToNamesOf127LabelsAreWalkedOnce() {
    let record = Message.Record(owner: pointer(at), type: 14, data: pointer(at + 2) + pointer(at)).octets
    #expect(isAccepted(fill(opaque(most)) { _ in record }, "pointers to names of 127 labels"))
  }

  @Test func namesWrittenWholeAreWalkedTwice() {
    // First with a pointer, then whole, in 100 records: 25 KiB of names that may not be compressed.
    var octets = opaque(most) + Message.Record.a(pointer(at)).octets
    let record = Message.Record(owner: [0], type: 33, data: [0, 0, 0, 0, 0, 0] + pointer(at)).octets
    for _ in 0..<100 { octets += record }
    let message = Message(flags: 0x8180, 1, 0, 102, 0).octets + question + u16(1) + u16(1) + octets
    #expect(isAccepted(message, "names written whole"))
  }

  @Test func ownersOf127LabelsByTurns() {
    let label: [UInt8] = [1, 0x61]
    let aliases = Message.Record.cname(pointer(at), [0]).octets + Message.Record.cname(pointer(at + 2), [0]).octets
    #expect(!isAccepted(fill(opaque(most + label)) { _ in aliases }, "owners that are not asked for"))
  }

  @Test func authoritiesThatOwnNothingAreReadOnce() {
    let owner = pointer(at)
    let soa = Message.Record(owner: owner, type: 6, data: [0, 0] + [UInt8](repeating: 0, count: 20)).octets
    #expect(isAccepted(fill(opaque(name(ofLength: 255)), authority: true) { _ in soa }, "SOA records that own nothing"))
  }

  @Test func aliasesOffTheChainAreReadOnce() {
    let cname = Message.Record.cname(pointer(at), pointer(at)).octets
    #expect(isAccepted(fill(opaque(name(ofLength: 255))) { _ in cname }, "CNAME records"))
  }

  @Test func aliasesOfWhatIsNotAboveTheQuestionAreNotLookedForOnEnd() {
    // Of 127 labels, each DNAME's owner of one.
    let asked = most + u16(1) + u16(1)
    var octets = asked + Message.Record(owner: wire("z."), type: 39, data: []).octets
    var count = 1
    while octets.count + 24 < 65_000 {
      octets += Message.Record(owner: pointer(12 + asked.count), type: 39, data: []).octets
      count += 1
    }
    let message = arena.put(Message(flags: 0x8180, 1, count, 0, 0).octets + octets)
    var writer = ImageWriter()
    #expect(writer.write(message, question: questions.put(asked), chainOnly: true) == nil)
    #expect(writer.work < 0 && writer.work >= -Name.maxWork)
  }

  /// Even of a record that would be left out, and first of all: what was read of another message does not count.
  @Test(arguments: [0, 2, 11]) func ownersInTheHeaderAreMalformed(offset: Int) {
    let message = arena.put(
      Message(flags: 0x8180, 1, 1, 0, 0).octets + question + u16(1) + u16(1) + Message.Record.a(pointer(offset)).octets)
    let asked = questions.put(question + u16(1) + u16(1))
    var writer = ImageWriter()
    for chainOnly in [true, false] {
      #expect(writer.write(message, question: asked, chainOnly: chainOnly) == nil)
    }
  }

  @Test func reverseNamesOf34LabelsAreAccepted() {
    // Spelled otherwise than asked, and pointed to there; each target a letter before its zone.
    let zone = (0..<32).flatMap { _ in [1, 0x66] as [UInt8] } + wire("IP6.ARPA.")
    let first = Message.Record(owner: zone, type: 12, data: [1, 0x61] + pointer(12 + zone.count + 4)).octets
    let target = 12 + zone.count + 4
    var octets = zone.map { $0 >= 0x41 && $0 <= 0x5A ? $0 | 0x20 : $0 } + u16(12) + u16(1) + first
    for letter in 0..<20 as Range<UInt8> {
      octets += Message.Record(owner: pointer(target), type: 12, data: [1, 0x62 + letter] + pointer(target)).octets
    }
    let message = Message(flags: 0x8180, 1, 21, 0, 0).octets + octets
    var writer = ImageWriter()
    let asked = questions.put(Array(octets.prefix(zone.count + 4)))
    #expect(writer.write(arena.put(message), question: asked, chainOnly: true)?.answers == 21)
  }

  @Test func servicesWithAddressesAreAccepted() {
    // Targets compressed, as some senders do, and each with an A and an AAAA record that point there.
    let name = wire("_sip._tcp.a.very.long.name.of.a.service.in.svc.cluster.local.")
    var octets = name + u16(33) + u16(1)
    var targets: [Int] = []
    for letter in 0..<20 as Range<UInt8> {
      let data = [0, 0, 0, 0, 0, 80, 1, 0x61 + letter] + pointer(22)
      octets += Message.Record(owner: pointer(12), type: 33, data: data).octets
      targets.append(12 + octets.count - 4)
    }
    for target in targets {
      octets += Message.Record.a(pointer(target)).octets
      octets += Message.Record(owner: pointer(target), type: 28, data: [UInt8](repeating: 1, count: 16)).octets
    }
    let message = Message(flags: 0x8180, 1, 20, 0, 40).octets + octets
    var writer = ImageWriter()
    let asked = questions.put(Array(octets.prefix(name.count + 4)))
    let response = writer.write(arena.put(message), question: asked, chainOnly: true)
    #expect(response?.answers == 20 && response?.additionals == 40)
  }

  @Test func manyAddressesOfALongAliasAreAccepted() throws {
    // 4,000 records, and each owner 255 octets: what a reader is asked to walk is 1 MB, were it not always the same.
    let alias = Message.Record.cname(pointer(12), name(ofLength: 255)).octets
    let target = 12 + question.count + 4 + 12
    #expect(isAccepted(fill(alias) { _ in Message.Record.a(pointer(target)).octets }, "addresses of one alias"))
  }

  @Test func namesWrittenOutAreAccepted() {
    let long = name(ofLength: 255)
    #expect(
      isAccepted(
        fill([]) { at in
          [UInt8(63)] + u32(UInt32(at)) + long.dropFirst(5) + Message.Record.a([]).octets
        }, "names written out"))
  }
}
