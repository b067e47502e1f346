import Memory
import Testing
import Wire

/// RFC 6891, and the options CoreDNS sends back (spec a.6).
@Suite struct EDNSTests {
  let arena = Arena()
  let out = Arena()

  func read(_ record: Message.Record) -> EDNS? {
    let message = arena.put([UInt8](repeating: 0, count: 12) + record.octets)
    return Record(message, at: 12).flatMap { EDNS(message, $0) }
  }

  func echo(_ options: [UInt8], room: Int = 256) -> [UInt8] {
    let message = arena.put([UInt8](repeating: 0, count: 12) + Message.Record.opt(options: options).octets)
    guard let record = Record(message, at: 12), let edns = EDNS(message, record) else { return [255] }
    let out = out.room(room)
    return out.slice(0, edns.echoedOptions(message, into: out)).octets
  }

  @Test func fields() throws {
    let edns = try #require(read(.opt(size: 4096, extendedRcode: 0xAB, version: 0xCD, dnssecOK: true)))
    #expect(edns.udpSize == 4096 && edns.extendedRcode == 0xAB && edns.version == 0xCD && edns.dnssecOK)
    #expect(edns.optionsLength == 0)
    // Every other flag is to be ignored (§6.1.4).
    var record = Message.Record.opt()
    record.ttl = 0x7FFF
    #expect(try #require(read(record)).dnssecOK == false)
  }

  @Test func optionsFillTheRecordExactly() {
    #expect(read(.opt(options: option(10, [1, 2]) + option(65_535))) != nil)
    for count in [1, 2, 3, 5] { #expect(read(.opt(options: Array((option(10, [1, 2])).prefix(count)))) == nil) }
    #expect(read(.opt(options: option(10, [1, 2]) + [0])) == nil)
    #expect(read(.opt(options: u16(10) + u16(65_535))) == nil)
  }

  @Test func of32And33Options() {
    let options = Array([[UInt8]](repeating: option(65_001), count: 32).joined())
    #expect(read(.opt(options: options)) != nil)
    #expect(read(.opt(options: options + option(65_001))) == nil)
    #expect(read(.opt(options: Array([[UInt8]](repeating: option(65_001), count: 16_000).joined()))) == nil)
  }

  @Test func fiveOptionsAreEchoedUnchanged() {
    let cookie = option(10, [1, 2, 3, 4, 5, 6, 7, 8])
    for code in [3, 9, 10, 11, 12] { #expect(echo(option(code, [9])) == option(code, [9])) }
    for code in [0, 1, 2, 4, 5, 6, 7, 8, 13, 14, 15, 16, 65_001] { #expect(echo(option(code, [9])) == []) }
    #expect(echo(option(8, [0, 1, 0, 0]) + cookie + option(15, [0, 0]) + option(3)) == cookie + option(3))
    #expect(echo([]) == [])
  }

  @Test func anOptionWithoutRoomIsLeftOut() {
    let padding = option(12, [UInt8](repeating: 0, count: 60))
    #expect(echo(padding + option(3), room: 64) == padding)
    #expect(echo(padding + option(3), room: 63) == option(3))
    #expect(echo(padding + option(3), room: 0) == [])
  }

  @Test func writtenAsRead() throws {
    let options = option(10, [1, 2, 3, 4, 5, 6, 7, 8])
    let record = Message.Record.opt(size: 1400, extendedRcode: 1, dnssecOK: true, options: options)
    let room = out.room(record.octets.count)
    let end = EDNS.write(
      to: room, at: 0, udpSize: 1400, extendedRcode: 1, dnssecOK: true, options: arena.put(options))
    #expect(end == record.octets.count && room.octets == record.octets)
  }
}
