import Memory

/// The connections to all upstreams of one shard: which to ask, under which id, and whose an answer is.
///
/// kube-dns answers one TCP connection serially, so a slow name blocks what was queued behind it: questions go to the
/// connection whose oldest question is youngest (spec/reliability.md §0.2). It knows no socket: the engine opens,
/// writes, reads and closes, and tells it what happened.
public struct Pool: ~Copyable {
  public enum Limits {
    /// Connections to one upstream from one shard; more, up to the second figure, while these are held up.
    public static let tcpConnections = 4
    public static let tcpHeldUp = 16
    public static let udpSockets = 64
    /// Questions after which a UDP socket gives way to one with another port (RFC 5452 §9.2), and a TCP connection to a
    /// new one: no id is used twice on either, so no late answer can be taken for another's.
    public static let udpUses = 64
    public static let tcpUses = 65_536 - 2 * outstanding
    /// Datagrams on one UDP socket that answer nothing it asked, before it is believed no more (RFC 5452 §9.2): each is
    /// a guess at one of 65,536 ids. A late answer or a second copy is none of them.
    public static let mismatches: UInt8 = 4
    /// Questions outstanding on one connection: entries of its id table.
    public static let outstanding = 1024
    /// Sends of one question where there are no more upstreams than that (RFC 9520 §3.1); and times that it may have
    /// been on a connection which the upstream closed in peace.
    public static let sends: UInt8 = 3
    public static let moves: UInt8 = 32
    /// Nanoseconds: to connect, and for one send of a question to be answered (spec/plugins.md, forward's timing).
    public static let connect: UInt64 = 400_000_000
    public static let tcpAttempt: UInt64 = 2_000_000_000
    public static let udpAttempt: UInt64 = 1_000_000_000
    /// Of silence, until another upstream is asked.
    public static let next: UInt64 = 400_000_000
    /// Until a question is asked elsewhere too: bounds on what is measured. And the least silence that means something.
    public static let shortestHedge: UInt64 = 10_000_000
    public static let longestHedge: UInt64 = 250_000_000
    public static let patience: UInt64 = 300_000_000
    /// Between connects to an upstream that fails: for each shard there is, and the most with few shards.
    public static let retryPause: UInt64 = 250_000_000
    public static let longestPause: UInt64 = 750_000_000
    /// For a probe's answer (spec/plugins.md, health_check).
    public static let probe: UInt64 = 1_000_000_000
    /// A connection's age, at most (spec/reliability.md §4.3: new pods behind a Service get their share).
    public static let age: UInt64 = 60_000_000_000
    /// Without EDNS to an upstream that did not understand it, before it is tried again.
    public static let plain: UInt64 = 3_600_000_000_000
  }

  public enum Choice {
    case use(Int)
    /// A new connection, to be opened; it takes questions at once.
    case open(Int)
    /// None can take a question now.
    case none
  }

  public internal(set) var connections: Slab<Connection>
  var upstreams: Table<UpstreamState>
  let shards: Int
  /// Upstreams that are down.
  public internal(set) var downCount = 0
  private let byConnection: Links
  private var waiting = IndexList()
  private let ids: Region  // per connection `outstanding` cells: serial (32) | id (16) | question (16)
  private static let cellSize = 8

  /// The question of an id that stands for none.
  static let nobody = 0xFFFF

  /// For servers that are down after more than `maxFailures` failures each, as one of `shards` that ask them, and at most
  /// `questions` pending questions (at most 65,535).
  public init(maxFailures: [UInt32], shards: Int, questions: Int) {
    let count = max(1, maxFailures.count)
    let capacity = count * (Limits.tcpConnections + Limits.udpSockets) * 2  // closing ones linger
    connections = Slab(capacity: capacity)
    upstreams = Table(maxFailures.map { UpstreamState(maxFailures: $0) })
    self.shards = shards
    byConnection = Links(capacity: questions)
    ids = Region(size: capacity * Limits.outstanding * Self.cellSize)
  }

  public func upstream(_ index: Int) -> UpstreamState { upstreams[index] }

  /// The connection to `upstream`, other than `besides`, that the next question goes to. `random` decides among UDP
  /// sockets.
  public mutating func choose(
    _ upstream: Int, _ transport: Transport, besides: Int = -1, questions: borrowing Questions, now: UInt64,
    random: UInt64
  ) -> Choice {
    var best = -1
    var bestScore = UInt64.max
    var index = 0
    var seen = 0
    let have = transport == .tcp ? upstreams[upstream].tcp : upstreams[upstream].udp
    let pick = transport == .udp && have > 0 ? Int(random % UInt64(Limits.udpSockets)) : 0
    while seen < have {
      if connections.isTaken(index) {
        let c = connections[index]
        if c.upstream == upstream, c.transport == transport, c.state == .open || c.state == .connecting {
          if transport == .udp {
            if seen == pick, c.asked.count < Limits.outstanding / 2, index != besides { return .use(index) }
          } else if c.asked.count < Limits.outstanding, index != besides {
            let score = load(c, questions: questions, now: now)
            if score < bestScore { (best, bestScore) = (index, score) }
          }
          seen &+= 1
        }
      }
      index &+= 1
    }
    let mayOpen: Bool
    switch transport {
    case .udp: mayOpen = have < Limits.udpSockets
    case .tcp:
      let areHeldUp = bestScore >= Self.heldUp
      // While it fails, one connection at a time tries.
      let state = upstreams[upstream]
      mayOpen =
        have < (areHeldUp ? Limits.tcpHeldUp : Limits.tcpConnections)
        && (state.failures == 0 || areHeldUp && now >= state.retryAt)
    }
    if mayOpen, best < 0 || bestScore > 0, let opened = open(upstream, transport, now: now, random: random) {
      return .open(opened)
    }
    return best >= 0 ? .use(best) : .none
  }

  /// A load that no number of young questions makes, in milliseconds.
  private static var heldUp: UInt64 { 40 }

  /// How long a question given to `c` now is likely to stand behind others: the age of the oldest in milliseconds, and
  /// a share of their number, so that a burst spreads before any has aged. Before it was open nothing held it up, and
  /// more connections would open no sooner.
  private func load(_ c: Connection, questions: borrowing Questions, now: UInt64) -> UInt64 {
    // What stood behind a slow question must not be put behind it again: a question has only so many sends.
    let suspicion: UInt64 = c.suspects &+ c.owed > 0 ? 1000 : 0
    guard c.asked.first >= 0 else { return suspicion }
    let age = (now &- max(questions[c.asked.first].askedAt, c.openedAt)) / 1_000_000
    let load = age &+ UInt64(c.asked.count) / 32
    return (c.state == .connecting ? min(load, Self.heldUp &- 1) : load) &+ suspicion
  }

  private mutating func open(_ upstream: Int, _ transport: Transport, now: UInt64, random: UInt64) -> Int? {
    let connection = Connection(
      upstream: upstream, transport: transport, state: transport == .tcp ? .connecting : .open, openedAt: now,
      progressAt: now, retiresAt: now &+ Limits.age &- random % (Limits.age / 4),
      nextID: UInt16(truncatingIfNeeded: random >> 32))
    guard let index = connections.take(connection) else { return nil }
    ids.bytes.slice(index &* Limits.outstanding &* Self.cellSize, Limits.outstanding &* Self.cellSize).fill(0)
    if transport == .tcp { upstreams[upstream].tcp &+= 1 } else { upstreams[upstream].udp &+= 1 }
    if transport == .tcp, upstreams[upstream].failures > 0 {
      upstreams[upstream].retryAt = now &+ pause(upstreams[upstream].failures, random)
    }
    return index
  }

  /// Puts a question on a connection that `choose` named; returns its id there. What it was on before owes its answer.
  public mutating func ask(
    _ question: Int, on connection: Int, questions: inout Questions, now: UInt64, random: UInt64
  ) -> UInt16 {
    abandon(question, questions: &questions)
    let id = takeID(
      on: connection, question: question, serial: questions[question].serial, questions: questions, now: now,
      random: random)
    byConnection.append(question, to: &connections[connection].asked)
    if questions[question].isSuspect { connections[connection].suspects &+= 1 }
    questions[question].connection = connection
    questions[question].askedAt = now
    questions[question].sends &+= 1
    return id
  }

  /// An id for a question on a connection. Over TCP ids count up from a random start; over UDP each is drawn. A cell that
  /// an outstanding question still holds, or that holds the id itself, is passed over.
  mutating func takeID(
    on connection: Int, question: Int, serial: UInt32, questions: borrowing Questions, now: UInt64, random: UInt64
  ) -> UInt16 {
    let isStream = connections[connection].transport == .tcp
    var id = isStream ? connections[connection].nextID : UInt16(truncatingIfNeeded: random)
    var tries = 0
    while tries < Limits.outstanding, isHeld(connection, id, questions: questions) {
      id &+= 1
      tries &+= 1
    }
    ids.bytes.set(word: UInt64(serial) << 32 | UInt64(id) << 16 | UInt64(question), at: cellOffset(connection, id))
    if !connections[connection].isOwing { connections[connection].progressAt = now }
    connections[connection].nextID = id &+ 1
    connections[connection].uses &+= 1 &+ tries
    if connections[connection].uses >= (isStream ? Limits.tcpUses : Limits.udpUses) { retire(connection) }
    return id
  }

  private func cellOffset(_ connection: Int, _ id: UInt16) -> Int {
    (connection &* Limits.outstanding &+ Int(id) % Limits.outstanding) &* Self.cellSize
  }

  private func isHeld(_ connection: Int, _ id: UInt16, questions: borrowing Questions) -> Bool {
    let cell = ids.bytes.word(cellOffset(connection, id))
    return cell != 0
      && (UInt16(truncatingIfNeeded: cell >> 16) == id
        || questions.isPending(Int(cell & 0xFFFF), serial: UInt32(truncatingIfNeeded: cell >> 32)))
  }

  /// The pending question that was asked under `id` on `connection`; also one that was asked elsewhere since, for a
  /// late answer is an answer. The caller compares the question section.
  public func match(_ id: UInt16, on connection: Int, questions: borrowing Questions) -> Int? {
    let cell = ids.bytes.word(cellOffset(connection, id))
    let question = Int(cell & 0xFFFF)
    guard cell != 0, UInt16(truncatingIfNeeded: cell >> 16) == id,
      questions.isPending(question, serial: UInt32(truncatingIfNeeded: cell >> 32))
    else { return nil }
    return question
  }

  /// The answer to a question came under `id` on `connection`: it is on none now. One that was asked elsewhere since is
  /// owed there still.
  public mutating func answered(
    _ question: Int, by id: UInt16, on connection: Int, questions: inout Questions, now: UInt64
  ) {
    let isOwn = questions[question].connection == connection
    if isOwn, questions[question].sends == 1 {
      upstreams[connections[connection].upstream].measure(now &- questions[question].askedAt)
    }
    if isOwn { withdraw(question, questions: &questions) } else { abandon(question, questions: &questions) }
    guard connections[connection].transport == .tcp else { return }
    ids.bytes.set(word: 0, at: cellOffset(connection, id))
    if !isOwn, connections[connection].owed > 0 { connections[connection].owed &-= 1 }
  }

  /// An answer to nobody came: it may be one that is owed.
  public mutating func receivedOwed(_ id: UInt16, on connection: Int) {
    let at = cellOffset(connection, id)
    guard connections[connection].transport == .tcp, connections[connection].owed > 0,
      ids.bytes.word(at) != 0, UInt16(truncatingIfNeeded: ids.bytes.word(at) >> 16) == id
    else { return }
    ids.bytes.set(word: 0, at: at)
    connections[connection].owed &-= 1
  }

  /// Takes a question off a connection that goes on with it, nobody waiting.
  public mutating func abandon(_ question: Int, questions: inout Questions) {
    let connection = questions[question].connection
    withdraw(question, questions: &questions)
    if connection >= 0, connections[connection].transport == .tcp { connections[connection].owed &+= 1 }
  }

  /// Whether a question was ever asked under `id` on `connection`, as far as its table remembers.
  public func wasAsked(_ id: UInt16, on connection: Int) -> Bool {
    let cell = ids.bytes.word(cellOffset(connection, id))
    return cell != 0 && UInt16(truncatingIfNeeded: cell >> 16) == id
  }

  /// Counts a datagram that answers nothing. True: now the socket is believed no more, and takes no more questions.
  public mutating func mismatch(on connection: Int) -> Bool {
    guard !connections[connection].isMistrusted else { return false }
    connections[connection].mismatches &+= 1
    guard connections[connection].isMistrusted else { return false }
    retire(connection)
    return true
  }

  /// Takes a question off the connection it was last sent on, or out of those that wait for one.
  public mutating func withdraw(_ question: Int, questions: inout Questions) {
    let connection = questions[question].connection
    if connection >= 0 {
      byConnection.remove(question, from: &connections[connection].asked)
      if questions[question].isSuspect { connections[connection].suspects &-= 1 }
    } else if connection == Question.waits {
      byConnection.remove(question, from: &waiting)
    }
    questions[question].connection = Question.unsent
  }

  /// Takes back the count of a send that never reached the wire, or that the upstream left unread when it closed.
  public func unsend(_ question: Int, questions: inout Questions) {
    if questions[question].sends > 0 { questions[question].sends &-= 1 }
  }

  /// Puts a question aside until a connection can take it.
  public mutating func wait(_ question: Int, questions: inout Questions) {
    withdraw(question, questions: &questions)
    byConnection.append(question, to: &waiting)
    questions[question].connection = Question.waits
  }

  /// The question that has waited longest for a connection, or nil; and how many do.
  public var firstWaiting: Int? { waiting.first < 0 ? nil : waiting.first }
  public var waitingCount: Int { waiting.count }

  /// The oldest question on a connection, or nil.
  public func oldest(on connection: Int) -> Int? {
    connections[connection].asked.first < 0 ? nil : connections[connection].asked.first
  }

  /// The question asked next after `question` on its connection, or nil.
  public func next(after question: Int) -> Int? {
    let next = byConnection.next(question)
    return next < 0 ? nil : next
  }

  /// The connection stands still: its oldest question may be why.
  public mutating func suspectOldest(on connection: Int, questions: inout Questions) {
    guard let question = oldest(on: connection), !questions[question].isSuspect else { return }
    questions[question].isSuspect = true
    connections[connection].suspects &+= 1
  }

  /// A question's time is over. A connection that brought nothing since it was asked there may be busy with it for long
  /// yet, though nobody waits: it takes no more.
  public mutating func expire(_ question: Int, questions: inout Questions) {
    let connection = questions[question].connection
    if connection >= 0, connections[connection].transport == .tcp,
      connections[connection].progressAt <= questions[question].askedAt
    {
      retire(connection)
    }
    abandon(question, questions: &questions)
  }

  /// The upstream does not understand an OPT record.
  public mutating func forgoEDNS(_ upstream: Int, now: UInt64) {
    upstreams[upstream].plainUntil = now &+ Limits.plain
  }

  /// It has its socket, and TLS begins: that may take as long once more.
  public mutating func reached(_ connection: Int, now: UInt64) { connections[connection].openedAt = now }

  /// It connected.
  public mutating func opened(_ connection: Int, now: UInt64) {
    guard connections[connection].state == .connecting else { return }
    connections[connection].state = .open
    connections[connection].openedAt = now
    connections[connection].progressAt = now
  }

  /// Gives it no more questions.
  public mutating func retire(_ connection: Int) {
    if connections[connection].state == .open { leave(connection, .draining) }
  }

  /// It is over: refused, reset, closed by the other end, timed out or idle. If it failed at what began at `since`, and
  /// no other is open, that is held against the upstream and starts the pause before the next connect; true: the
  /// upstream is down by this. Others that merely connect are no sign of life: they would be refused one after the other,
  /// each while the next is begun; and each adds its pause, so that a burst is paid for. The questions on it stay listed
  /// until `withdraw` takes each.
  public mutating func close(_ connection: Int, failedSince since: UInt64?, now: UInt64, random: UInt64) -> Bool {
    let c = connections[connection]
    leave(connection, .closing)
    guard let since, !hasOpen(c.upstream) else { return false }
    let isDown = fail(c.upstream, since: since, now: now)
    let pause = pause(max(1, upstreams[c.upstream].failures), random)
    let retryAt = max(upstreams[c.upstream].retryAt, now)
    let next = (c.state == .connecting ? retryAt : now) &+ pause
    upstreams[c.upstream].retryAt = max(retryAt, min(next, now &+ max(pause, Limits.longestPause)))
    return isDown
  }

  private func hasOpen(_ upstream: Int) -> Bool {
    for index in 0..<connections.capacity where connections.isTaken(index) {
      let c = connections[index]
      if c.upstream == upstream, c.transport == .tcp, c.state == .open { return true }
    }
    return false
  }

  private mutating func leave(_ connection: Int, _ state: Connection.State) {
    let c = connections[connection]
    if c.state == .open || c.state == .connecting {
      if c.transport == .tcp { upstreams[c.upstream].tcp &-= 1 } else { upstreams[c.upstream].udp &-= 1 }
    }
    connections[connection].state = state
  }

  /// Its last operation ended: the slot may be used again.
  public mutating func release(_ connection: Int) {
    precondition(connections[connection].asked.count == 0)
    connections.give(connection)
  }
}
