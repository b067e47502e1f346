import Cache
import Memory
import Upstream
import Wire

extension Shard where R: ~Copyable {
  /// Reads what other shards sent: at most what is there now, so that one shard's flood cannot hold this one.
  mutating func collectMail() {
    var from = 0
    while from <= shards {
      var budget = Stream.Limits.count
      while budget > 0, let bytes = inboxes[from].front() {
        let (letter, message) = Letter.read(bytes)
        switch letter.kind {
        case .question: receive(question: message, letter.origin)
        case .answer: deliverHere(message, to: letter.origin)
        case .stream: adopt(Int32(truncatingIfNeeded: letter.origin.stream), letter.origin.listener, reading: message)
        case .upstream: inherit(letter.origin.listener, message.load(UpstreamState.self, at: 0))
        case .limit: inherit(ClientLimit(host: message.from(4).octets, passing: message.load(UInt32.self, at: 0)))
        }
        inboxes[from].pop(bytes)
        budget &-= 1
      }
      // More is there: come back in the next turn.
      if !inboxes[from].isEmpty { toWake |= 1 << UInt64(index) }
      from &+= 1
    }
  }

  /// A query that another shard received for a name that this one owns, or one that nobody waits for.
  private mutating func receive(question message: Bytes, _ origin: Origin) {
    let buffer = scratch.bytes.slice(0, Reply.maxStream)
    buffer.copy(message, at: 0)
    // The other shard admitted it.
    guard case .query(let query) = Admission(buffer.slice(0, message.count), stream: origin.isStream) else { return }
    let source = source(of: origin)
    let key = key(message, query, origin.listener, source.address, into: folded.bytes)
    if origin.isNobody { return refresh(buffer, message.count, query, key, origin) }
    // The answer may have come since the other shard looked.
    let length =
      hit(buffer, message.count, query, key, of: index, source) ?? ask(buffer, message.count, query, key, origin)
    guard length > 0 else { return }
    if origin.isStream {
      deliver(buffer.slice(0, length), to: origin)
    } else if let slot = datagrams.take(-1) {
      let out = datagramMemory.bytes.slice(slot &* ShardLimits.datagramSize, ShardLimits.datagramSize)
      out.copy(buffer.slice(0, length), at: sendHeadroom)
      counters.add(.replies)
      ring.send(out, length: length, to: origin.peer, on: origin.listener, token: Token(.send, index: slot))
    } else {
      counters.add(.droppedNoSlot)
    }
  }
}
