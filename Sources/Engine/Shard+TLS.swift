import Memory
import Upstream

/// Connections to upstreams over TLS (RFC 7858). What is asked and answered lies in the same buffers as without it; the
/// ring's share of it goes through a session. Until the handshake is done the connection counts as one that connects.
extension Shard where R: ~Copyable {
  mutating func startTLS(_ connection: Int) {
    guard let session = tlsClients[pool.connections[connection].upstream]?.session() else {
      return lose(connection, failed: true)
    }
    tlsSessions[connection] = session
    pool.reached(connection, now: now)
    if shakeHands(connection, session) { read(connection) }
  }

  /// Goes on with the handshake. False: it failed, and the connection is lost.
  private mutating func shakeHands(_ connection: Int, _ session: any TLSSession) -> Bool {
    switch session.shakeHands() {
    case .pending: mark(connection)
    case .done(let isResumed):
      counters.handshake(isResumed ? .resumed : .full, upstream: pool.connections[connection].upstream)
      established(connection)
    case .failed:
      lose(connection, failed: true)
      return false
    }
    return true
  }

  /// So many octets of ciphertext came. Tickets and the like say nothing of the upstream's health: only answers do.
  mutating func receivedTLS(_ connection: Int, _ count: Int) {
    guard let session = tlsSessions[connection] else { return }
    session.received(count)
    if pool.connections[connection].state == .connecting {
      guard shakeHands(connection, session) else { return }
      if pool.connections[connection].state == .connecting { return read(connection) }
    }
    let input = upstreamInput.bytes.slice(connection &* UpstreamLink.inputSize, UpstreamLink.inputSize)
    while true {
      switch session.decrypt(into: input.from(links[connection].filled)) {
      case .octets(let count):
        progressed(connection)
        guard take(count, on: connection) else { return lose(connection, failed: false) }
      case .pending:
        mark(connection)
        return read(connection)
      case .closed: return ended(connection, inPeace: true)
      case .failed:
        // Of TLS 1.3, it may be now that the upstream refuses the certificate it was shown.
        logTLS(session.failure, upstream: pool.connections[connection].upstream)
        return ended(connection, inPeace: false)
      }
    }
  }

  /// Writes what the session has to say; one write at a time. Frames go into it once the handshake is done.
  mutating func flushTLS(_ connection: Int) {
    let state = pool.connections[connection].state
    guard let session = tlsSessions[connection], !links[connection].isWriting, state != .closing else { return }
    let frames = upstreamOutput.bytes.slice(connection &* UpstreamLink.outputSize, UpstreamLink.outputSize)
    if state != .connecting, links[connection].outputEnd > links[connection].outputStart {
      let link = links[connection]
      guard let taken = session.encrypt(frames.slice(link.outputStart, link.outputEnd &- link.outputStart)) else {
        logTLS(session.failure, upstream: pool.connections[connection].upstream)
        return lose(connection, failed: true)
      }
      links[connection].outputStart &+= taken
      if links[connection].outputStart == links[connection].outputEnd {
        links[connection].outputStart = 0
        links[connection].outputEnd = 0
      }
    }
    writeTLS(connection, session)
  }

  private mutating func writeTLS(_ connection: Int, _ session: any TLSSession) {
    let ciphertext = session.output
    guard ciphertext.count > 0 else { return }
    links[connection].isWriting = true
    links[connection].operations &+= 1
    ring.write(links[connection].handle, from: ciphertext, token: token(.upstreamWrite, connection))
  }

  /// The connection is to be closed: says so to the upstream, or why the handshake failed, as far as one write goes.
  mutating func endTLS(_ connection: Int, failed: Bool) {
    let upstream = pool.connections[connection].upstream
    guard let session = tlsSessions[connection] else { return }
    if failed {
      counters.handshake(.failed, upstream: upstream)
      logTLS(session.failure.isEmpty ? "the handshake was not finished" : session.failure, upstream: upstream)
    }
    session.close()
    if !links[connection].isWriting { writeTLS(connection, session) }
  }
}
