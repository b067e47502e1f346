import CSocket
import Glibc
import Memory

/// What a system call refused.
struct SystemCallError: Error {
  let call: String
  let code: Int32
}

/// Answers with recvmmsg(2) and sendmmsg(2), at most 64 datagrams in a call, on the same socket options as the ring's.
/// Returns only by throwing.
func answerInBatches(port: UInt16) throws -> Never {
  let batch = 64
  let size = 2048
  // The address is a whole sockaddr_in and outlives the call.
  let socket = unsafe loopback(port).withUnsafeBytes {
    unsafe csocket_listen($0.baseAddress!, UInt32($0.count), Int32(SOCK_DGRAM.rawValue), 0)
  }
  guard socket >= 0 else { throw SystemCallError(call: "bind", code: -socket) }
  let packets = Region(size: batch * size)
  let senders = UnsafeMutablePointer<sockaddr_in>.allocate(capacity: batch)
  let vectors = UnsafeMutablePointer<iovec>.allocate(capacity: batch)
  let messages = UnsafeMutablePointer<mmsghdr>.allocate(capacity: batch)
  // All four live until the process ends; each message points to its own slot of the other three.
  for i in 0..<batch {
    unsafe (senders + i).initialize(to: sockaddr_in())
    unsafe (vectors + i).initialize(to: iovec(iov_base: packets.bytes.slice(i * size, size).address, iov_len: size))
    unsafe (messages + i).initialize(to: mmsghdr())
    unsafe messages[i].msg_hdr.msg_name = UnsafeMutableRawPointer(senders + i)
    unsafe messages[i].msg_hdr.msg_iov = vectors + i
    unsafe messages[i].msg_hdr.msg_iovlen = 1
  }
  while true {
    for i in 0..<batch {
      unsafe messages[i].msg_hdr.msg_namelen = socklen_t(MemoryLayout<sockaddr_in>.size)
      // Half of a slot is received into: the record has room behind every question.
      unsafe vectors[i].iov_len = size / 2
    }
    let count = unsafe recvmmsg(socket, messages, UInt32(batch), Int32(MSG_WAITFORONE), nil)
    guard count > 0 else { continue }
    for i in 0..<Int(count) {
      let length = unsafe Int(messages[i].msg_len)
      unsafe vectors[i].iov_len = makeReply(in: packets.bytes.slice(i * size, size), length: length)
    }
    var sent = 0
    while sent < Int(count) {
      let more = unsafe sendmmsg(socket, messages + sent, UInt32(Int(count) - sent), 0)
      // A reply that cannot be sent is dropped, with those behind it.
      guard more > 0 else { break }
      sent += Int(more)
    }
  }
}
