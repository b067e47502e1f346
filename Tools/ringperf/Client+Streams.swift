import CSocket
import CUring
import Memory

/// TCP: pipelined queries over connections that are opened again when the server closes them.
extension Client {
  /// Pause before a connection that brought no answer is tried again, in nanoseconds.
  private static var pause: UInt64 { 50_000_000 }

  mutating func connect(_ socket: Int) throws(LoadError) {
    let stream = streams[socket]
    stream.generation += 1
    stream.reset()
    stream.descriptor = try openSocket(isStream: true)
    stream.state = .connecting
    stream.since = csocket_boottime()
    // The kernel copies the address when the entry is submitted; the plan lives as long as the client.
    unsafe plan.server.socketAddress.withUnsafeBytes {
      unsafe curing_connect(
        c, stream.descriptor, $0.baseAddress!, UInt32($0.count),
        Token(.connect, socket, generation: stream.generation).raw)
    }
  }

  mutating func connected(_ token: Token, _ result: Int32, _ now: UInt64) {
    let stream = streams[token.index]
    guard token.isOf(stream.generation) else { return }
    guard result == 0 else {
      note(-result)
      disconnect(token.index, now)
      return
    }
    stream.state = .open
    // What was connected before the start left with the first turn.
    tally.connections.record(now - max(stream.since, tally.start))
    receiveStream(token.index)
  }

  private func receiveStream(_ socket: Int) {
    let stream = streams[socket]
    unsafe curing_receive_connected(
      c, stream.descriptor, 0, Token(.receive, socket, generation: stream.generation).raw)
  }

  mutating func receiveBytes(_ socket: Int, _ result: Int32, _ buffer: Int, _ more: Bool, _ now: UInt64) {
    let stream = streams[socket]
    guard result > 0, buffer >= 0 else {
      if result == -ENOBUFS {
        receiveStream(socket)
      } else {
        if result < 0 { note(-result) }
        disconnect(socket, now)
      }
      return
    }
    // The kernel filled `result` bytes of the buffer, which stays until it is put back.
    var bytes = unsafe Bytes(base: curing_at(c, UInt32(buffer)), count: Int(result))
    while let message = stream.nextMessage(&bytes) {
      stream.received += 1
      receive(message, on: socket, now)
    }
    if !more { receiveStream(socket) }
  }

  /// Puts a query behind those that leave with the next write of its connection; returns its octets without the frame's.
  mutating func gather(_ index: Int, _ socket: Int) -> Int {
    let stream = streams[socket]
    let length = catalogue.write(slots[index].question, id: slots[index].id, to: stream.room)
    stream.append(length)
    if !stream.isGathering {
      stream.isGathering = true
      gathering.append(socket)
    }
    return length
  }

  /// One write for each connection that has gathered something.
  mutating func flush() {
    for socket in gathering {
      streams[socket].isGathering = false
      if let bytes = streams[socket].beginWrite() { write(bytes, socket) }
    }
    gathering.removeAll(keepingCapacity: true)
  }

  private func write(_ bytes: Bytes, _ socket: Int) {
    let stream = streams[socket]
    unsafe curing_write(
      c, stream.descriptor, bytes.address, bytes.count,
      Token(.write, socket, generation: stream.generation).raw)
  }

  mutating func wrote(_ token: Token, _ result: Int32, _ now: UInt64) {
    let stream = streams[token.index]
    guard token.isOf(stream.generation), stream.state == .open else { return }
    guard result > 0 else {
      note(-result)
      disconnect(token.index, now)
      return
    }
    if let rest = stream.wrote(Int(result)) ?? stream.beginWrite() { write(rest, token.index) }
  }

  /// Queries that are out on the connection will be lost, as the server that closed it will not answer them.
  private mutating func disconnect(_ socket: Int, _ now: UInt64) {
    let stream = streams[socket]
    // The cancellation names the descriptor, so it must be submitted while there is one.
    unsafe curing_cancel(c, stream.descriptor)
    unsafe io_uring_submit(&c.pointee.ring)
    close(stream.descriptor)
    stream.descriptor = -1
    stream.state = .closed
    stream.retryAt = stream.received > 0 ? now : now + Self.pause
    stream.generation += 1
    closed.append(socket)
  }

  /// Opens again what was closed, once its pause is over.
  mutating func reconnect(_ now: UInt64) {
    guard !closed.isEmpty else { return }
    let due = closed.filter { streams[$0].retryAt <= now }
    closed.removeAll { streams[$0].retryAt <= now }
    for socket in due {
      do {
        try connect(socket)
        tally.reconnections += 1
      } catch {
        failure = error
      }
    }
  }
}
