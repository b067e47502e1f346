import Cache
import Memory
import Wire

/// Where a query came from, as views into the buffer it came in.
struct Source {
  let listener: Int
  /// The client's stream, or -1.
  let stream: Int
  let address: Bytes
  let local: Bytes

  var isStream: Bool { stream >= 0 }
}

extension Shard where R: ~Copyable {
  /// Answers the message in the first `length` bytes of `buffer` in place, if that can be done now. Returns the reply's
  /// length; 0: there is no reply, or it comes later.
  mutating func answer(_ buffer: Bytes, _ length: Int, _ admission: Admission, _ source: Source) -> Int {
    switch admission {
    case .query(let query):
      let key = key(buffer.slice(0, length), query, source.listener, source.address, into: folded.bytes)
      return hit(buffer, length, query, key, of: owner(key.hash), source) ?? miss(buffer, length, query, key, source)
    case .drop:
      counters.add(.ignored)
      return 0
    case .bareError(let rcode):
      counters.add(.malformed)
      return Reply.bareError(to: buffer, rcode: rcode)
    case .error(let query, let rcode):
      return refuse(buffer, length, query, rcode, source)
    }
  }

  /// The cache key of a query: its name folded to the front of `name` (256 bytes), all that tells answers apart in the
  /// hash.
  @inline(__always) func key(
    _ message: Bytes, _ query: Query, _ listener: Int, _ sender: Bytes, into name: Bytes
  ) -> Key {
    let flags = Self.keyFlags(query)
    var group = tables.listenerGroups[listener]
    if group < 0 { group = tables.translatedGroup(~group, query, sender) }
    let salt =
      UInt64(query.type) | UInt64(query.recordClass) << 16 | UInt64(flags.rawValue) << 32 | UInt64(group) << 40
    let hash = Name.fold(message, at: Header.length, length: query.nameLength, into: name, salt: salt, secret: secret)
    return Key(
      hash: hash, name: name.slice(0, query.nameLength), group: UInt16(truncatingIfNeeded: group),
      qtype: query.type, qclass: query.recordClass, flags: flags)
  }

  @inline(__always) static func keyFlags(_ query: Query) -> Key.Flags {
    Key.Flags(rawValue: (query.dnssecOK ? 1 : 0) | (query.checkingDisabled ? 2 : 0))
  }

  /// The shard whose segment holds what is known of a name. From the middle of the hash: the segment uses both ends.
  @inline(__always) func owner(_ hash: UInt64) -> Int {
    Int(((hash >> 16 & 0xFFFF_FFFF) &* UInt64(shards)) >> 32)
  }

  @inline(__always) mutating func hit(
    _ buffer: Bytes, _ length: Int, _ query: Query, _ key: Key, of owner: Int, _ source: Source
  ) -> Int? {
    guard
      let entry = readers.lookup(key, of: owner, now: milliseconds, scratch: owner == index ? nil : found.bytes)
    else { return nil }
    let zone = Int(entry.answer.zone)
    let chain = tables.zones[zone].chain
    guard entry.remaining > 0, tables.chains[chain].isPlain, entry.answer.flags & Header.rcodeMask != Rcode.servFail
    else { return hitAside(buffer, length, query, key, of: owner, source, entry) }
    let reply = write(entry, chain, to: buffer, query, source, echoedOptions(buffer, query))
    counted(entry, query, source, length, reply)
    if tables.chains[chain].logsQueries { logAnswer(buffer, length, query, key.name, zone, source, reply) }
    return reply
  }

  /// Writes the reply that a cached answer makes, and returns its length.
  @inline(__always) func write(
    _ entry: Found, _ chain: Int, to buffer: Bytes, _ query: Query, _ source: Source, _ options: Bytes
  ) -> Int {
    Reply.write(
      to: buffer, query: query, response: Response(entry.answer), image: entry.image, ttlOffsets: entry.ttlOffsets,
      ttl: ttl(entry, chain),
      limit: min(Reply.limit(query, stream: source.isStream), buffer.count), options: options)
  }

  @inline(__always) mutating func counted(_ entry: Found, _ query: Query, _ source: Source, _ length: Int, _ reply: Int)
  {
    let zone = Int(entry.answer.zone)
    counters.add(listener: source.listener, zone: zone, Counters.Query.hits &+ Int(entry.answer.store.rawValue))
    count(
      source, zone: zone, type: query.type, rcode: entry.answer.flags & Header.rcodeMask, dnssecOK: query.dnssecOK,
      length, reply)
  }

  @inline(__always) func echoedOptions(_ message: Bytes, _ query: Query) -> Bytes {
    guard let edns = query.edns, edns.optionsLength > 0 else { return options.bytes.slice(0, 0) }
    let room = options.bytes.slice(0, Reply.maxOptions)
    return room.slice(0, edns.echoedOptions(message, into: room))
  }

  @inline(__always) func count(
    _ source: Source, zone: Int, type: UInt16, rcode: UInt16, dnssecOK: Bool, _ requestSize: Int, _ responseSize: Int,
    by writer: Writer = .chain
  ) {
    counters.answered(
      listener: source.listener, zone: zone, stream: source.isStream, ipv6: Peer.isIPv6(source.address), type: type,
      rcode: rcode, dnssecOK: dnssecOK, requestSize: requestSize, responseSize: responseSize, duration: 0,
      by: writer)
  }

  /// An error of our own for a query that no zone serves.
  mutating func refuse(_ buffer: Bytes, _ length: Int, _ query: Query, _ rcode: UInt16, _ source: Source) -> Int {
    let reply = Reply.error(
      to: buffer, query: query, rcode: rcode,
      options: rcode == Rcode.badVers ? options.bytes.slice(0, 0) : echoedOptions(buffer, query))
    if rcode == Rcode.badVers {
      counters.add(.malformed)
    } else {
      count(
        source, zone: counters.dropped, type: query.type, rcode: rcode, dnssecOK: query.dnssecOK, length, reply)
    }
    return reply
  }
}

extension Response {
  @inline(__always) init(_ answer: Answer) {
    self.init()
    flags = answer.flags
    rcode = answer.flags & Header.rcodeMask
    answers = answer.answers
    authorities = answer.authorities
    additionals = answer.additionals
  }
}
