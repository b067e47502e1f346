import CNetlink
import Glibc

/// A socket to one part of the kernel: questions with their answers, or the events of some groups (netlink(7)).
final class NetlinkSocket {
  /// A call failed, or the kernel answered with an error.
  struct Failure: Error {
    let errno: Int32
  }

  let descriptor: Int32
  private var sequence: UInt32 = 0
  /// The kernel fills 32 KiB at most (netlink_dump in af_netlink.c).
  private var buffer = [UInt8](repeating: 0, count: 32_768)

  /// - Parameters:
  ///   - family: `NETLINK_ROUTE` or `NETLINK_NETFILTER`.
  ///   - groups: a bit for each group of events, `RTMGRP_LINK` and the like.
  init(_ family: Int32, groups: UInt32 = 0) throws(Failure) {
    descriptor = socket(AF_NETLINK, Int32(SOCK_RAW.rawValue) | Int32(SOCK_CLOEXEC.rawValue), family)
    if descriptor < 0 { throw Failure(errno: errno) }
    var limit = timeval(tv_sec: 1, tv_usec: 0)
    var address = sockaddr_nl()
    address.nl_family = UInt16(AF_NETLINK)
    address.nl_groups = groups
    // Sound: both structures live through the calls and are as long as said.
    let status = unsafe withUnsafePointer(to: &address) { address in
      unsafe setsockopt(descriptor, SOL_SOCKET, SO_RCVTIMEO, &limit, socklen_t(MemoryLayout<timeval>.size))
      return unsafe address.withMemoryRebound(to: sockaddr.self, capacity: 1) {
        unsafe bind(descriptor, $0, socklen_t(MemoryLayout<sockaddr_nl>.size))
      }
    }
    if status < 0 {
      let error = errno
      close(descriptor)
      throw Failure(errno: error)
    }
  }

  deinit { close(descriptor) }

  /// Sends a request and waits for its end: the parts of its answer, if it has any. Waits at most a second for each of
  /// at most 10,000 datagrams; the kernel answers at once.
  func request(
    _ type: Int, flags: Int32 = NLM_F_ACK, fixed: [UInt8], attributes: [(Int, [UInt8])] = []
  ) throws(Failure) -> [NetlinkPart] {
    sequence &+= 1
    var message = NetlinkMessage(type: type, flags: flags, sequence: sequence, fixed: fixed)
    for (type, value) in attributes { message.append(type, value) }
    // Sound: the array has as many bytes as it says.
    guard unsafe send(descriptor, message.bytes, message.bytes.count, 0) >= 0 else { throw Failure(errno: errno) }
    var answer: [NetlinkPart] = []
    for _ in 0..<10_000 {
      for part in NetlinkPart.all(in: try receive()) where part.sequence == sequence {
        switch Int32(part.type) {
        case NLMSG_DONE: return answer
        case NLMSG_ERROR:
          // struct nlmsgerr begins with a negative error number, or 0 for an acknowledgement.
          let code: Int32 = integer(part.body, at: 0) ?? -EBADMSG
          if code != 0 { throw Failure(errno: -code) }
          return answer
        default: answer.append(part)
        }
      }
    }
    throw Failure(errno: EMSGSIZE)
  }

  /// One datagram. `ENOBUFS`: events were lost. `EAGAIN`: there was none, in a second or, without `waits`, at once.
  func receive(waits: Bool = true) throws(Failure) -> [UInt8] {
    let flags = waits ? 0 : Int32(MSG_DONTWAIT)
    // Sound: the array has as many bytes as it says.
    let count = unsafe buffer.withUnsafeMutableBytes { unsafe recv(descriptor, $0.baseAddress!, $0.count, flags) }
    if count < 0 { throw Failure(errno: errno) }
    return Array(buffer[..<count])
  }
}
