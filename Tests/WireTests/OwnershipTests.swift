import Memory
import Testing
import Wire

/// When an SOA makes a response a denial that may be kept: its owner is the last name of the chain or above it.
@Suite struct OwnershipTests {
  let arena = Arena()
  let questions = Arena()

  func read(_ message: Message, _ question: [UInt8]) throws -> Response {
    var writer = ImageWriter()
    let response = writer.write(arena.put(message.octets), question: questions.put(question + u16(1) + u16(1)))
    return try #require(response)
  }

  /// Whether an SOA of `owner` is taken for the zone of `question` after `chain`.
  func owns(_ owner: [UInt8], _ question: String, chain: [Message.Record] = []) throws -> Bool {
    try read(
      .response(wire(question), flags: 0x8183, answers: chain, authorities: [.soa(owner)]), wire(question)
    ).hasSOA
  }

  @Test func onLabelBorders() throws {
    for owner in ["www.example.com.", "example.com.", "com.", ".", "EXAMPLE.com."] {
      #expect(try owns(wire(owner), "www.example.com."), "\(owner)")
    }
    for owner in ["ww.example.com.", "xample.com.", "a.www.example.com.", "org.", "example."] {
      #expect(try !owns(wire(owner), "www.example.com."), "\(owner)")
    }
    #expect(try !owns(wire("cluster.local."), "evilcluster.local."))
    #expect(try owns(pointer(16), "www.example.com."))
  }

  @Test func throughAChain() throws {
    let chain = [
      Message.Record.cname(pointer(12), wire("b.two.")), .cname(wire("B.two."), wire("c.three.")),
      .cname(wire("c.THREE."), wire("d.four.")),
    ]
    #expect(try owns(wire("four."), "a.one.", chain: chain))
    for owner in ["one.", "two.", "three.", "c.three."] { #expect(try !owns(wire(owner), "a.one.", chain: chain)) }
  }

  @Test func aliasesOffTheChainLeadNowhere() throws {
    // Else a response to one name could deny it with the SOA of another.
    let strange = [Message.Record.cname(wire("x.one."), wire("b.two."))]
    #expect(try !owns(wire("two."), "a.one.", chain: strange))
    #expect(try owns(wire("one."), "a.one.", chain: strange))
    let chain = [Message.Record.cname(pointer(12), wire("b.two."))]
    #expect(try owns(wire("two."), "a.one.", chain: chain + strange.map { .cname($0.owner, wire("c.three.")) }))
    // From the name above, and from the one below.
    for owner in ["one.", "y.a.one."] {
      #expect(try !owns(wire("two."), "a.one.", chain: [.cname(wire(owner), wire("b.two."))]))
    }
  }

  @Test func onlyInTheAuthoritySection() throws {
    let soa = [Message.Record.soa(wire("example."))]
    #expect(try !read(.response(wire("www.example."), answers: soa), wire("www.example.")).hasSOA)
    #expect(try !read(.response(wire("www.example."), additionals: soa), wire("www.example.")).hasSOA)
  }

  @Test func denials() throws {
    let name = wire("www.example.")
    let soa = [Message.Record.soa(wire("example."))]
    let a = [Message.Record.a(pointer(12))]
    #expect(try read(.response(name, authorities: soa), name).isDenial)
    #expect(try read(.response(name, flags: 0x8183), name).isDenial)
    #expect(try !read(.response(name), name).isDenial)
    #expect(try !read(.response(name, answers: a, authorities: soa), name).isDenial)
    #expect(try !read(.response(name, flags: 0x8182, authorities: soa), name).isDenial)
  }

  @Test func smallestTTLOfAllSections() throws {
    let name = wire("www.example.")
    func ttl(_ answer: UInt32, _ authority: UInt32, _ additional: UInt32) throws -> UInt32 {
      try read(
        .response(
          name, answers: [.a(name, ttl: answer)], authorities: [.soa(name, ttl: authority)],
          additionals: [.a(name, ttl: additional), .opt()]), name
      ).ttl
    }
    #expect(try ttl(10, 20, 30) == 10)
    #expect(try ttl(20, 10, 30) == 10)
    #expect(try ttl(30, 20, 10) == 10)
    // The top bit means zero (RFC 2181 §8).
    #expect(try ttl(30, 0x8000_0000, 10) == 0)
    #expect(try ttl(0x7FFF_FFFF, 0x7FFF_FFFF, 0x7FFF_FFFF) == 0x7FFF_FFFF)
    #expect(try read(.response(name, additionals: [.opt()]), name).ttl == 0)
  }
}
