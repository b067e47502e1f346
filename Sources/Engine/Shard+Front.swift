import Cache
import Memory
import Wire

/// Chains with directives in front of the cache: all of it out of the way of those without.
extension Shard where R: ~Copyable {
  /// Before a hit: the reply if the chain's access rules forbid the query (0: there is to be none); nil: they do not.
  mutating func refused(
    _ buffer: Bytes, _ length: Int, _ query: Query, _ key: Key, _ source: Source, _ zone: Int, _ chain: Int
  ) -> Int? {
    let peer = Peer(address: source.address, local: source.local)
    guard let (reply, rcode) = refusal(buffer, query, key, peer, chain) else { return nil }
    if reply > 0 {
      count(source, zone: zone, type: query.type, rcode: rcode, dnssecOK: query.dnssecOK, length, reply, by: .acl)
      if tables.chains[chain].logsQueries || tables.chains[chain].taps {
        logAnswer(buffer, length, query, key.name, zone, source, reply)
      }
    }
    return reply
  }

  /// As `ask`, before a miss goes on: the reply if the chain's access rules forbid the query; 0: none.
  @inline(never) mutating func frontedMiss(
    _ buffer: Bytes, _ length: Int, _ query: Query, _ key: Key, _ origin: Origin, _ zone: Int, _ chain: Int
  ) -> Int? {
    guard let (reply, rcode) = refusal(buffer, query, key, origin.peer, chain) else { return nil }
    if reply > 0 {
      counters.answered(
        listener: origin.listener, zone: zone, stream: origin.isStream, ipv6: origin.peer.isIPv6, type: query.type,
        rcode: rcode, dnssecOK: query.dnssecOK, requestSize: length, responseSize: reply, duration: 0, by: .acl)
      logAnswer(buffer, length, query, key.name, zone, origin, reply, duration: 0)
    }
    return reply
  }

  /// The query with no larger an offer than the chain lets upstreams and replies see.
  @inline(never) mutating func offering(_ query: Query, _ chain: Int) -> Query {
    guard let most = fabric.settings.chains[chain].front?.largestOffer else { return query }
    return query.offering(atMost: most)
  }

  /// An answer to who may not ask: its length (0: none) and its response code; nil: they may.
  private mutating func refusal(
    _ buffer: Bytes, _ query: Query, _ key: Key, _ peer: Peer, _ chain: Int
  ) -> (length: Int, rcode: UInt16)? {
    let rules = fabric.settings.chains[chain].front?.access ?? []
    guard !rules.isEmpty else { return nil }
    let (name, address) = (key.name.octets, peer.host)
    guard let rule = rules.first(where: { $0.applies(name, query.type, address) }) else { return nil }
    let (rcode, reason): (UInt16, ExtendedError)
    switch rule.action {
    case .allow: return nil
    case .drop: return (0, Rcode.refused)
    case .block: (rcode, reason) = (Rcode.refused, .prohibited)
    case .filter: (rcode, reason) = (Rcode.noError, .filtered)
    }
    let options = adding(reason, to: replyOptions(echoedOptions(buffer, query), chain))
    return (Reply.error(to: buffer, query: query, rcode: rcode, options: options), rcode)
  }

  /// The options that a reply echoes, the server's identifier (RFC 5001) in its place.
  mutating func replyOptions(_ echoed: Bytes, _ chain: Int) -> Bytes {
    guard tables.chains[chain].needsEveryQuery, echoed.count > 0 else { return echoed }
    return identified(echoed, chain)
  }

  @inline(never) private mutating func identified(_ echoed: Bytes, _ chain: Int) -> Bytes {
    guard let identifier = fabric.settings.chains[chain].front?.serverIdentifier else { return echoed }
    let out = options.bytes.slice(2048, Reply.maxOptions)
    var length = 0
    var at = 0
    while at < echoed.count {
      let size = 4 &+ Int(echoed.u16(at &+ 2))
      let isIdentifier = echoed.u16(at) == EDNS.nsid
      let needed = isIdentifier ? 4 &+ identifier.count : size
      if length &+ needed <= out.count {
        out.copy(echoed.slice(at, isIdentifier ? 4 : size), at: length)
        if isIdentifier {
          out.set(u16: UInt16(truncatingIfNeeded: identifier.count), at: length &+ 2)
          out.from(length &+ 4).write(identifier)
        }
        length &+= needed
      }
      at &+= size
    }
    return out.slice(0, length)
  }

  /// Gives the addresses of a reply the order that the chain wants.
  @inline(never) mutating func arrange(_ reply: Bytes, _ chain: Int) {
    guard let order = fabric.settings.chains[chain].front?.order else { return }
    var random = ring.random() | 1
    AddressRecords.each(in: reply) { records in
      var addresses = records.map { reply.slice($0.data, $0.dataLength).octets }
      if let weights = order.weights {
        let name = Name.expanded(reply, at: records[0].owner) ?? []
        if let known = weights.weights(of: name) { Self.takeFirst(&addresses, known, &random) }
      } else {
        for last in stride(from: addresses.count - 1, to: 0, by: -1) {
          addresses.swapAt(last, Int(Self.next(&random) % UInt64(last + 1)))
        }
      }
      if !order.preferred.isEmpty {
        let none = order.preferred.count
        let ranked = addresses.map { address in
          (address, order.preferred.firstIndex { $0.contains(address) } ?? none)
        }
        addresses = (0...none).flatMap { rank in ranked.filter { $0.1 == rank }.map(\.0) }
      }
      for (record, address) in zip(records, addresses) { reply.slice(record.data, record.dataLength).write(address) }
    }
  }

  /// Brings one address to the front, each with a chance in proportion to its weight; one without has weight 1.
  private static func takeFirst(_ addresses: inout [[UInt8]], _ weights: [[UInt8]: Int], _ random: inout UInt64) {
    let total = addresses.reduce(0) { $0 + (weights[$1] ?? 1) }
    var left = Int(next(&random) % UInt64(max(1, total)))
    for (index, address) in addresses.enumerated() {
      left -= weights[address] ?? 1
      if left < 0 { return addresses.swapAt(0, index) }
    }
  }

  /// xorshift64 (Marsaglia 2003), from one random word.
  private static func next(_ state: inout UInt64) -> UInt64 {
    state ^= state << 13
    state ^= state >> 7
    state ^= state << 17
    return state
  }
}

extension Peer {
  public var port: UInt16 { UInt16(octets[2]) << 8 | UInt16(octets[3]) }

  /// Its address, of 4 or 16 octets; an IPv4 address in an IPv6 socket as such.
  public var host: [UInt8] {
    let octets = octets
    if isIPv6 { return Array(octets[8..<24]) }
    return Array(octets[0] == 2 ? octets[4..<8] : octets[20..<24])  // AF_INET of Linux
  }
}
