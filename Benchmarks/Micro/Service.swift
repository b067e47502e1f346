import Memory
import Wire

/// Questions for the addresses of services, `svc-<8 hex digits>.ns-00.svc.cluster.local`, and the answers to them.
enum Service {
  /// Names that the hits go round: more than the processor's first cache holds.
  static let count = 1024

  private static let name: [UInt8] =
    ["svc-00000000", "ns-00", "svc", "cluster", "local"].flatMap { [UInt8($0.utf8.count)] + $0.utf8 } + [0]
  static var nameLength: Int { name.count }
  static var queryLength: Int { Header.length + nameLength + 4 }
  /// One A record, its owner written out as kube-dns does.
  static var responseLength: Int { queryLength + nameLength + 14 }

  /// Writes the name of service `number` (32 bits) to `message` from `at` on.
  static func writeName(_ number: Int, to message: Bytes, at: Int) {
    for (index, octet) in name.enumerated() { message[at + index] = octet }
    for digit in 0..<8 {
      let value = UInt8(truncatingIfNeeded: number >> (28 - 4 * digit) & 15)
      message[at + 5 + digit] = value < 10 ? 0x30 + value : 0x57 + value
    }
  }

  /// Writes the query for the A records of service `number`, as glibc asks: RD, no EDNS. Its id is the number's end.
  static func writeQuery(_ number: Int, to message: Bytes) {
    message.set(u16: UInt16(truncatingIfNeeded: number), at: 0)
    message.setHeader(flags: Header.rd, questions: 1, answers: 0, authorities: 0, additionals: 0)
    writeName(number, to: message, at: Header.length)
    message.set(u16: RecordType.a, at: Header.length + nameLength)
    message.set(u16: RecordClass.in, at: Header.length + nameLength + 2)
  }

  /// Writes the response to a query of `queryLength` octets.
  static func writeResponse(to query: Bytes, into message: Bytes) {
    message.copy(query.slice(0, queryLength), at: 0)
    message.setHeader(
      flags: Header.qr | Header.aa | Header.rd, questions: 1, answers: 1, authorities: 0, additionals: 0)
    message.copy(query.slice(Header.length, nameLength + 4), at: queryLength)
    let fixed = queryLength + nameLength + 4
    message.set(u32: 30, at: fixed)
    message.set(u16: 4, at: fixed + 4)
    message.set(u32: 0x0A60_0001, at: fixed + 6)
  }

  /// Whether a message is a response without error that has one answer.
  static func isAnswer(_ message: Bytes) -> Bool {
    message.count > queryLength && message.flags & (Header.qr | Header.tc | Header.rcodeMask) == Header.qr
      && message.answerCount == 1
  }
}
