import Engine
import Memory

/// Every query of a run, what became of it, and whether that was right.
package final class Ledger {
  struct Query {
    let asked: Asked
    let listener: Int
    let id: UInt16
    let flags: UInt16
    /// As the client spelled it.
    let question: [UInt8]
    /// Payload size and options of its OPT.
    let opt: (size: UInt16, options: [UInt8])?
    let isStream: Bool
    /// Copies of it that a shard got, and replies that left.
    var arrivals = 0
    var replies = 0
    /// The last copy.
    var arrivedAt: UInt64 = 0
  }

  /// What an upstream said of a name, and when it last said so.
  struct Told {
    let version: UInt64
    let content: Content
    /// By the rules of the configuration that asked.
    let lifetime: UInt64
    /// Nanoseconds after that in which it may serve as an old answer.
    let stale: UInt64
    /// It keeps answers, and gives all records of one the same TTL.
    let isCached: Bool
    /// Nanoseconds, of the shards' clock and of the world's.
    var clock: UInt64
    var time: UInt64
  }

  unowned var world: World! = nil
  var queries: [Query] = []
  /// The oldest reply allowed, nanoseconds from arrival.
  package var patience = 4 * second
  /// Nothing goes wrong in this world, so no client may hear of a failure.
  package var allowsFailures = true

  /// By question that was asked: everything that may be said of it now.
  private(set) var told: [Asked: [Told]] = [:]
  private var arrived: [(query: Int, ordinal: Int, time: UInt64)] = []
  private var settled = 0
  private var overdue = 0
  private var junkArrived = 0

  /// Replies by datagram; of them those that say SERVFAIL on our own account, and to what was no query.
  package private(set) var replies = 0
  package var failures = 0
  /// REFUSED on our own account.
  package var refusals = 0
  /// Replies with answers that had expired.
  package var staleReplies = 0
  private var junkReplies = 0
  private var failedSends = 0
  /// Replies that were made, and not sent before the ring was forbidden.
  var lost = 0
  package var streamReplies = 0
  /// Streams that ended with replies on their way.
  var brokenStreams = 0
  /// Nanoseconds from arrival to reply.
  private var waits: [UInt64] = []

  /// The TTLs that configurations have given to old answers.
  private(set) var staleTTLs: Set<UInt32> = []

  /// One of them lets no more than so many questions be asked at once.
  private(set) var mayRefuse = false

  /// A configuration comes to work.
  func serves(_ settings: Settings) {
    for chain in settings.chains {
      staleTTLs.insert(chain.cache?.serveStale?.ttl ?? 0)
      if chain.forwards.contains(where: { $0.maxConcurrent > 0 }) { mayRefuse = true }
    }
  }

  func wasAsked(_ asked: Asked) -> Bool { told[asked] != nil }

  /// An upstream answers the question of a configuration: from now on that may be said.
  func told(_ asked: Asked, _ version: UInt64, _ content: Content, _ generation: Generation) {
    let cache = generation.cache(of: asked.view)
    let lifetime = content.lifetime(cache)
    let stale = UInt64(cache?.serveStale?.limit ?? 0) * second
    let now = world.clock
    // What nobody may have any more makes room. It is kept a while to tell an old answer from a wrong one.
    told[asked]!.removeAll {
      $0.version == version && $0.lifetime == lifetime && $0.stale == stale || $0.clock + 3600 * second < now
    }
    told[asked]!.append(
      Told(
        version: version, content: content, lifetime: lifetime,
        stale: stale, isCached: cache != nil, clock: now, time: world.time))
  }

  // Queries.

  /// A new query and its message. An id is one query's at a time on a stream (RFC 7766 §6.2.1).
  func query(
    _ asked: Asked, listener: Int, isStream: Bool, idIsTaken: (UInt16) -> Bool = { _ in false }
  ) -> (Int, [UInt8]) {
    var asked = asked
    asked.view = listener == 0 && world.generation.settings.zones.count > 1 && Asked.isLab(asked.number) ? 1 : 0
    if told[asked] == nil { told[asked] = [] }
    var bits = world.chance.next()
    while idIsTaken(UInt16(truncatingIfNeeded: bits >> 40)) { bits = world.chance.next() }
    var name = asked.name
    for at in name.indices where name[at] >= 0x61 && name[at] <= 0x7A && bits >> UInt64(at % 53) & 1 == 1 {
      name[at] ^= 0x20
    }
    let flags: UInt16 = 0x0100 | (asked.checkingDisabled ? 0x10 : 0) | (bits >> 60 == 0 ? 0x20 : 0)
    var writer = MessageWriter(id: UInt16(truncatingIfNeeded: bits >> 40), flags: flags, name: name, type: asked.type)
    var opt: (size: UInt16, options: [UInt8])?
    if asked.dnssecOK || bits >> 56 & 3 == 0 {
      let sizes: [UInt16] = [0, 512, 1232, 1400, 4096]
      // A client's cookie comes back (RFC 7873 §5.2 leaves it to servers; CoreDNS echoes it).
      let cookie: [UInt8] = [0, 10, 0, 8] + (0..<8).map { UInt8(truncatingIfNeeded: bits >> $0) }
      let options = bits >> 54 & 3 == 0 ? cookie : []
      opt = (sizes[Int(bits >> 30 % 5)], options)
      writer.addOPT(size: opt!.size, dnssecOK: asked.dnssecOK, options: options)
    }
    queries.append(
      Query(
        asked: asked, listener: listener, id: UInt16(truncatingIfNeeded: bits >> 40), flags: flags,
        question: Array(writer.bytes[12..<12 + name.count + 4]), opt: opt, isStream: isStream))
    return (queries.count - 1, writer.bytes)
  }

  /// A shard got a copy of a datagram; -1: of junk.
  func arrived(_ query: Int) {
    guard query >= 0 else {
      junkArrived += 1
      return
    }
    queries[query].arrivals += 1
    queries[query].arrivedAt = world.time
    arrived.append((query, queries[query].arrivals, world.time))
  }

  // Replies.

  /// The socket address of a query: it tells whose reply one is. Negative: of one that sends junk.
  static func address(of query: Int) -> [UInt8] {
    let number = (0..<4).map { UInt8(truncatingIfNeeded: UInt32(truncatingIfNeeded: query) >> UInt32(24 - 8 * $0)) }
    if query & 7 == 3 {
      return [10, 0, 0x30, 0x39, 0, 0, 0, 0, 0xFD] + [UInt8](repeating: 0, count: 11) + number + [0, 0, 0, 0]
    }
    return [2, 0, 0x30, 0x39] + number + [UInt8](repeating: 0, count: 20)
  }

  static func query(at address: [UInt8]) -> Int {
    let octets = address[0] == 10 ? address[20..<24] : address[4..<8]
    return Int(Int32(bitPattern: octets.reduce(0) { $0 << 8 | UInt32($1) }))
  }

  func replied(_ message: [UInt8], to address: [UInt8], listener: Int) {
    let index = Self.query(at: address)
    guard queries.indices.contains(index) else {
      if index >= 0 || message.count < 12 || message[2] & 0x80 == 0 { world.report("a reply to nobody: \(message)") }
      junkReplies += 1
      return
    }
    guard queries[index].replies < queries[index].arrivals else {
      return world.report("a second reply to \(queries[index].asked)")
    }
    queries[index].replies += 1
    waits.append(world.time - queries[index].arrivedAt)
    replies += 1
    if queries[index].listener != listener { world.report("a reply from another address than was asked") }
    check(message, of: queries[index])
  }

  /// The kernel refused to send one.
  func sendFailed(to address: [UInt8]) {
    let index = Self.query(at: address)
    failedSends += 1
    if queries.indices.contains(index) { queries[index].replies += 1 }
  }

  package var worstWait: UInt64 { waits.max() ?? 0 }

  /// Nanoseconds that a share of the replies took at most.
  package func wait(_ share: Double) -> UInt64 { waits.sorted()[Int(Double(waits.count - 1) * share)] }

  // Accounts.

  /// After every turn: what is older than a client's patience was answered, or is counted as dropped.
  func check() {
    while settled < arrived.count {
      let (query, ordinal, time) = arrived[settled]
      let age = world.time - time
      if queries[query].replies < ordinal {
        guard age > patience else { break }
        overdue += 1
        if overdue > world.sum(.droppedBacklog) + world.sum(.droppedNoSlot) + world.sum(.droppedRingRefused) + lost {
          return world.report("no reply within \(patience / millisecond) ms to \(queries[query].asked)")
        }
      }
      settled += 1
    }
  }

  /// When nothing is pending any more, everything that came in is exactly one of: answered, ignored, dropped.
  func checkAccounts() {
    let came = arrived.count + junkArrived
    let counted = world.sum(.datagrams)
    if counted != came { world.report("\(came) datagrams arrived, \(counted) were counted") }
    let received = counted + world.sum(.frames)
    let outcomes: [Counters.Shard] = [
      .replies, .ignored, .droppedBacklog, .droppedNoSlot, .droppedClientGone, .droppedRingRefused,
    ]
    let settled = outcomes.map { world.sum($0) }
    if received != settled.reduce(0, +) {
      world.report("\(received) messages were received; \(outcomes) are \(settled), in sum \(settled.reduce(0, +))")
    }
    let unsent = world.sum(.droppedNotSent)
    // Of one that failed as its ring was forbidden, or as it had left, the shard never hears.
    if unsent > failedSends || world.refusals + world.reloads == 0 && unsent < failedSends {
      world.report("\(failedSends) replies could not be sent, \(unsent) were counted")
    }
    let produced = replies + junkReplies + failedSends + streamReplies + lost
    let said = world.sum(.replies)
    if said < produced || brokenStreams == 0 && said != produced {
      world.report("\(produced) replies came, \(said) were counted")
    }
    if refusals > 0, world.sum(.concurrencyRejects) == 0 { world.report("\(refusals) clients heard REFUSED of no one") }
    if failures > 0, !allowsFailures { world.report("\(failures) clients heard SERVFAIL though nothing went wrong") }
  }
}
