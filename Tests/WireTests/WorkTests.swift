import Memory
import Testing
import Wire

/// What a response of 64 KiB may cost: names compressed to make a reader walk far are refused (Unbound CVE-2024-8508).
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
      // The last name may be walked beyond the bound: 255 octets and 127 pointers, read and compared.
      #expect(writer.work <= ImageWriter.maxWork + 2048, "\(what): \(writer.work)")
      // Or else the bound is not what stopped it.
      #expect(isAccepted || writer.work > ImageWriter.maxWork, "\(what): \(writer.work)")
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

  @Test func pointersToNamesOf255() {
    let names = name(ofLength: 255, letter: 0x61) + name(ofLength: 255, letter: 0x62)
    let record = Message.Record(owner: pointer(at), type: 14, data: pointer(at + 255) + pointer(at)).octets
    #expect(!isAccepted(fill(opaque(names)) { _ in record }, "pointers to names of 255"))
  }

  @Test func pointersToNamesOf127Labels() {
    let label: [UInt8] = [1, 0x61]
    let most = Array([[UInt8]](repeating: label, count: 127).joined()) + [0]
    let record = Message.Record(owner: pointer(at), type: 14, data: pointer(at + 2) + pointer(at)).octets
    #expect(!isAccepted(fill(opaque(most)) { _ in record }, "pointers to names of 127 labels"))
  }

  @Test func authoritiesThatOwnNothing() {
    let owner = pointer(at)
    let soa = Message.Record(owner: owner, type: 6, data: [0, 0] + [UInt8](repeating: 0, count: 20)).octets
    #expect(
      !isAccepted(fill(opaque(name(ofLength: 255)), authority: true) { _ in soa }, "SOA records that own nothing"))
  }

  @Test func aliasesOffTheChain() {
    let cname = Message.Record.cname(pointer(at), pointer(at)).octets
    #expect(!isAccepted(fill(opaque(name(ofLength: 255))) { _ in cname }, "CNAME records"))
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
