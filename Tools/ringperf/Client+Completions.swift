import CSocket
import CUring
import Memory

/// What a completion belongs to: operation << 56 | generation << 32 | index.
struct Token {
  enum Operation: UInt8 {
    /// The ring's own, to be ignored.
    case none
    /// Index: the socket.
    case receive, connect, write
    /// Index: the send in the outbox that failed.
    case send
  }

  let raw: UInt64

  init(raw: UInt64) { self.raw = raw }

  init(_ operation: Operation, _ index: Int, generation: Int) {
    raw = UInt64(operation.rawValue) << 56 | UInt64(generation & 0xFF_FFFF) << 32 | UInt64(UInt32(index))
  }

  var operation: Operation { Operation(rawValue: UInt8(raw >> 56)) ?? .none }
  var index: Int { Int(raw & 0xFFFF_FFFF) }
  func isOf(_ generation: Int) -> Bool { Int(raw >> 32 & 0xFF_FFFF) == generation & 0xFF_FFFF }
}

extension Client {
  /// Acts on completion `index` of this turn.
  @inline(__always) mutating func complete(_ index: UInt32, _ now: UInt64) {
    let cqe = unsafe curing_cqe(c, index)
    let token = unsafe Token(raw: cqe.pointee.user_data)
    let result = unsafe cqe.pointee.res
    let buffer = unsafe curing_buffer(cqe)
    let more = unsafe curing_more(cqe) != 0
    switch token.operation {
    case .receive:
      if plan.transport == .udp {
        if result >= 0, buffer >= 0 {
          let base = unsafe curing_at(c, UInt32(buffer))
          // The kernel filled `result` bytes of the buffer, which stays until it is put back.
          receive(unsafe Bytes(base: base, count: Int(result)), on: token.index, now)
        } else if result == 0 {
          // An empty datagram takes no buffer: none of the first one's bytes.
          receive(unsafe Bytes(base: curing_at(c, 0), count: 0), on: token.index, now)
        } else if result < 0, result != -ENOBUFS {
          note(-result)
        }
        if !more { receiveDatagrams(on: token.index) }
      } else if token.isOf(streams[token.index].generation) {
        receiveBytes(token.index, result, Int(buffer), more, now)
      }
      if buffer >= 0 { unsafe curing_put_back(c, UInt32(buffer)) }
    case .send:
      // A full socket takes datagrams later; any other failure shows as lost queries.
      if result == -EAGAIN || outbox.isSegmentRefused(token.index, -result) {
        outbox.again(token.index, slots)
      } else {
        note(-result)
      }
    case .connect: connected(token, result, now)
    case .write: wrote(token, result, now)
    case .none: break
    }
  }

  /// An error of a socket: it ends the run while nothing was answered, for then it says why.
  mutating func note(_ code: Int32) {
    errors += 1
    lastError = code
    guard tally.completed == 0, control.completed == 0 else { return }
    let place = "\(plan.server.text), \(plan.transport.rawValue.uppercased())"
    switch code {
    case ECONNREFUSED: failure = LoadError("\(place): connection refused; is a server listening there?")
    case ENETUNREACH, EHOSTUNREACH: failure = LoadError("\(place): \(reason(code)); is there a route to it?")
    case EPERM, EACCES: failure = LoadError("\(place): \(reason(code)); does a firewall rule here forbid it?")
    default: break
    }
  }

  func receiveDatagrams(on socket: Int) {
    unsafe curing_receive_connected(c, Int32(socket), 1, Token(.receive, socket, generation: 0).raw)
  }

  mutating func openSockets() throws(LoadError) {
    for socket in 0..<sockets {
      switch plan.transport {
      case .udp: descriptors.append(try openSocket(isStream: false))
      case .tcp:
        streams.append(Stream())
        try connect(socket)
      }
    }
    guard plan.transport == .udp else { return }
    let result = unsafe descriptors.withUnsafeBufferPointer {
      unsafe io_uring_register_files(&c.pointee.ring, $0.baseAddress, UInt32($0.count))
    }
    guard result >= 0 else { throw LoadError("io_uring_register_files", code: -result) }
    for socket in 0..<sockets { receiveDatagrams(on: socket) }
  }

  func openSocket(isStream: Bool) throws(LoadError) -> Int32 {
    let local = plan.local?.socketAddress ?? []
    // Both addresses are read during the call only.
    let descriptor = unsafe plan.server.socketAddress.withUnsafeBytes { server in
      unsafe local.withUnsafeBytes { local in
        unsafe csocket_source(
          server.baseAddress!, UInt32(server.count), isStream ? 1 : 0, local.baseAddress ?? server.baseAddress!,
          UInt32(local.count), Int32(plan.buffer))
      }
    }
    guard descriptor >= 0 else {
      let from = plan.local.map { " from \($0.address)" } ?? ""
      throw LoadError("a socket\(from) to \(plan.server.text)", code: -descriptor)
    }
    return descriptor
  }
}
