import Memory
import Upstream
import Wire

/// Upstreams that are down: who is asked in their place, and whether they are back.
extension Shard where R: ~Copyable {
  mutating func down(_ upstream: Int) {
    counters.setUp(upstream: upstream, false)
    tickAt = now
  }

  /// What the shard before this one knew of the same upstream.
  mutating func inherit(_ upstream: Int, _ state: UpstreamState) {
    if pool.inherit(upstream, state) { down(upstream) }
  }

  mutating func areAllDown(_ forward: Int) -> Bool {
    let range = tables.forwards[forward].upstreams
    var upstream = range.start
    while upstream < range.start &+ range.count {
      if !pool.upstream(upstream).isDown { return false }
      upstream &+= 1
    }
    return true
  }

  /// All upstreams are down, and none is to be tried: they are being connected to, or it is not yet time.
  mutating func isHopeless(_ forward: Int) -> Bool {
    guard areAllDown(forward) else { return false }
    if tables.forwards[forward].failsFast { return true }
    let range = tables.forwards[forward].upstreams
    var upstream = range.start
    while upstream < range.start &+ range.count {
      if pool.isUsable(upstream, now: now) { return false }
      upstream &+= 1
    }
    return true
  }

  /// Whether the forward has an upstream that is well and was not asked this question.
  mutating func hasOther(_ question: Int) -> Bool {
    let range = tables.forwards[questions[question].forward].upstreams
    var offset = 0
    while offset < range.count {
      let upstream = range.start &+ offset
      if questions[question].tried & 1 << UInt16(offset) == 0, !pool.upstream(upstream).isDown,
        pool.isUsable(upstream, now: now)
      {
        return true
      }
      offset &+= 1
    }
    return false
  }

  /// Asks each upstream that is down whether it is back, as often as its forward says.
  mutating func probeUpstreams() {
    var upstream = 0
    while upstream < tables.forwardOfUpstream.count {
      missProbe(upstream, isLost: false)
      let forward = tables.forwards[tables.forwardOfUpstream[upstream]]
      let interval = max(forward.probeInterval, ShardLimits.probePause &* UInt64(shards))
      if pool.isProbeDue(upstream, interval: interval, now: now, random: ring.random()) {
        probe(upstream, forward)
      }
      upstream &+= 1
    }
    tickAt = min(tickAt, now &+ ShardLimits.probePause)
  }

  /// Counts a probe that failed.
  mutating func missProbe(_ upstream: Int, isLost: Bool) {
    if pool.takeFailedProbe(upstream, isLost: isLost, now: now) { counters.failedProbe(upstream: upstream) }
  }

  private mutating func probe(_ upstream: Int, _ forward: Forward) {
    let transport: Transport = forward.transport == .tcp ? .tcp : .udp
    let connection: Int
    switch pool.choose(upstream, transport, questions: questions, now: now, random: ring.random()) {
    case .use(let index): connection = index
    case .open(let index):
      guard open(index, upstream, transport) else { return }
      connection = index
    case .none: return
    }
    if transport == .tcp {
      let output = upstreamOutput.bytes.slice(connection &* UpstreamLink.outputSize, UpstreamLink.outputSize)
      let start = links[connection].outputEnd
      guard output.count &- start >= ShardLimits.probeSize &+ 2 else { return }
      let message = output.slice(start &+ 2, ShardLimits.probeSize)
      var length = writeProbe(on: connection, forward, to: message)
      if links[connection].isSecure { length = EDNS.pad(message, length) }
      output.set(u16: UInt16(truncatingIfNeeded: length), at: start)
      links[connection].outputEnd = start &+ 2 &+ length
      mark(connection)
    } else if let slot = datagrams.take(connection) {
      let buffer = datagramMemory.bytes.slice(slot &* ShardLimits.datagramSize, ShardLimits.datagramSize)
      let length = writeProbe(on: connection, forward, to: buffer)
      links[connection].operations &+= 1
      ring.write(links[connection].handle, from: buffer.slice(0, length), token: Token(.upstreamSend, index: slot))
    }
  }

  /// A question for the name servers of the forward's `health_check` domain: whatever is answered, the upstream is back.
  private mutating func writeProbe(on connection: Int, _ forward: Forward, to message: Bytes) -> Int {
    let id = pool.probe(on: connection, questions: questions, now: now, random: ring.random())
    let name = tables.names[forward.probeName]
    message.set(u16: id, at: 0)
    let isPadded = links[connection].isSecure
    message.setHeader(
      flags: forward.probesRecursively ? Header.rd : 0, questions: 1, answers: 0, authorities: 0,
      additionals: isPadded ? 1 : 0)
    message.copy(name, at: Header.length)
    let end = Header.length &+ name.count &+ 4
    message.set(u16: RecordType.ns, at: end &- 4)
    message.set(u16: RecordClass.in, at: end &- 2)
    guard isPadded else { return end }
    return EDNS.write(
      to: message, at: end, udpSize: UInt16(Reply.maxUDP), extendedRcode: 0, dnssecOK: false,
      options: message.slice(0, 0))
  }
}
