import Network
import Testing

@Suite struct NetlinkMessageTests {
  private static let message: NetlinkMessage = {
    var message = NetlinkMessage(type: 16, flags: 0x600, sequence: 7, fixed: [UInt8](repeating: 9, count: 16))
    message.append(3, Array("ringlet0".utf8) + [0])
    message.append(18 | 0x8000, [1, 2])
    return message
  }()

  @Test func whatIsWrittenIsReadAgain() throws {
    let parts = NetlinkPart.all(in: Self.message.bytes + Self.message.bytes)
    #expect(parts.count == 2)
    let part = try #require(parts.last)
    #expect(part.type == 16)
    #expect(part.sequence == 7)
    #expect(part.body.prefix(16) == ArraySlice(repeating: 9, count: 16))
    let attributes = part.attributes(skipping: 16)
    #expect(attributes.count == 2)
    #expect(attributes[3].map(Array.init) == Array("ringlet0".utf8) + [0])
    #expect(attributes[18].map(Array.init) == [1, 2])
  }

  /// Lengths of attributes count their header of 4 bytes and not the padding (netlink(7)).
  @Test func attributesStandAtMultiplesOfFour() {
    let bytes = Self.message.bytes
    #expect(bytes.count == 16 + 16 + 16 + 8)
    #expect(bytes[32..<36] == [13, 0, 3, 0])
    #expect(bytes[0..<4] == [56, 0, 0, 0])
    // NLM_F_REQUEST joins the flags.
    #expect(bytes[6..<8] == [0x01, 0x06])
  }

  @Test(arguments: 0..<56) func cutShort(at length: Int) {
    #expect(NetlinkPart.all(in: Array(Self.message.bytes[..<length])).isEmpty)
  }

  @Test func anyLengthsAreRead() {
    for offset in [0, 1, 32, 33, 48, 49] {
      for value in UInt8.min...UInt8.max {
        var bytes = Self.message.bytes
        bytes[offset] = value
        for part in NetlinkPart.all(in: bytes) { _ = part.attributes(skipping: 16) }
      }
    }
  }
}
