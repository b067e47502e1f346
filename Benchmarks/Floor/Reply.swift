import Glibc
import Memory

/// A, IN, 30 s, 10.0.0.1, owned by the name that the message asks for (a pointer to offset 12; RFC 1035 §4.1.4).
private let record: (UInt64, UInt64) = (
  UInt64(bigEndian: 0xC00C_0001_0001_0000), UInt64(bigEndian: 0x001E_0004_0A00_0001)
)

/// Makes a reply of the query that fills the first `length` bytes of `buffer`, and returns the reply's length: the
/// header, the question as it stands there, one record, and nothing of what came after. What is no query, or leaves no
/// room, goes back as it is. A responder that does less than this is no DNS server at all.
@inline(__always) func makeReply(in buffer: Bytes, length: Int) -> Int {
  guard length >= 17 else { return length }
  var end = 12
  while end < length, buffer[end] != 0 { end &+= Int(buffer[end]) &+ 1 }
  end &+= 5
  guard end <= length, end &+ 16 <= buffer.count else { return length }
  // QR, with opcode and RD as they came; RA; one question, one answer, nothing else.
  buffer[2] |= 0x80
  buffer[3] = 0x80
  buffer.set(u16: 1, at: 6)
  buffer.set(u32: 0, at: 8)
  buffer.set(word: record.0, at: end)
  buffer.set(word: record.1, at: end &+ 8)
  return end &+ 16
}

/// A sockaddr_in of 127.0.0.1 (ip(7)).
func loopback(_ port: UInt16) -> [UInt8] {
  [UInt8(AF_INET), 0, UInt8(port >> 8), UInt8(port & 0xFF), 127, 0, 0, 1] + [UInt8](repeating: 0, count: 8)
}
