import Memory

/// The connections to all upstreams of one shard: which to ask, under which id, and whose an answer is.
///
/// kube-dns answers one TCP connection serially, so a slow name blocks what was queued behind it: questions go to the
/// connection whose oldest question is youngest (spec/reliability.md §0.2). It knows no socket: the engine opens,
/// writes, reads and closes, and tells it what happened.
public struct Pool: ~Copyable {
  public enum Limits {
    /// Connections to one upstream from one shard.
    public static let tcpConnections = 4
    public static let udpSockets = 64
    /// Questions after which a UDP socket gives way to one with another port (RFC 5452 §9.2).
    public static let udpUses = 64
    /// Datagrams on one UDP socket that answer nothing it asked, before it is believed no more (RFC 5452 §9.2): each is
    /// a guess at one of 65,536 ids. A late answer or a second copy is none of them.
    public static let mismatches: UInt8 = 4
    /// Questions outstanding on one connection: entries of its id table.
    public static let outstanding = 1024
    /// Sends of one question (RFC 9520 §3.1).
    public static let sends: UInt8 = 3
    /// Nanoseconds: to connect, and for one send of a question to be answered (spec/plugins.md, forward's timing).
    public static let connect: UInt64 = 1_000_000_000
    public static let tcpAttempt: UInt64 = 2_000_000_000
    public static let udpAttempt: UInt64 = 1_000_000_000
    /// Between attempts to connect to an upstream that refuses: at most four a second.
    public static let retryPause: UInt64 = 250_000_000
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

  public private(set) var connections: Slab<Connection>
  private var upstreams: Slab<UpstreamState>
  private let byConnection: Links
  private var waiting = IndexList()
  private let ids: Region  // per connection `outstanding` cells: serial (32) | id (16) | question (16)
  private static let cellSize = 8

  /// For `upstreams` servers (at least 1) and at most `questions` pending questions (at most 65,535).
  public init(upstreams count: Int, questions: Int) {
    let capacity = count * (Limits.tcpConnections + Limits.udpSockets) * 2  // closing ones linger
    connections = Slab(capacity: capacity)
    upstreams = Slab(capacity: count)
    for _ in 0..<count { _ = upstreams.take(UpstreamState()) }
    byConnection = Links(capacity: questions)
    ids = Region(size: capacity * Limits.outstanding * Self.cellSize)
  }

  public func upstream(_ index: Int) -> UpstreamState { upstreams[index] }

  /// Whether questions may be sent to it now: it is not known to refuse, or it is time to try again.
  public func isUsable(_ upstream: Int, now: UInt64) -> Bool {
    !upstreams[upstream].failing || now >= upstreams[upstream].retryAt || upstreams[upstream].tcp > 0
  }

  /// The connection to `upstream` that the next question goes to. `random` decides among UDP sockets.
  public mutating func choose(
    _ upstream: Int, _ transport: Transport, questions: borrowing Questions, now: UInt64, random: UInt64
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
            if seen == pick, c.asked.count < Limits.outstanding / 2 { return .use(index) }
          } else if c.asked.count < Limits.outstanding {
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
      // While it is not known to answer, one connection at a time tries.
      let state = upstreams[upstream]
      mayOpen = have < Limits.tcpConnections && (!state.failing || have == 0 && now >= state.retryAt)
    }
    if mayOpen, best < 0 || bestScore > 0, let opened = open(upstream, transport, now: now, random: random) {
      return .open(opened)
    }
    return best >= 0 ? .use(best) : .none
  }

  /// How long a question given to `c` now is likely to stand behind others: the age of the oldest in milliseconds, and
  /// a share of their number, so that a burst spreads before any has aged.
  private func load(_ c: Connection, questions: borrowing Questions, now: UInt64) -> UInt64 {
    guard c.asked.first >= 0 else { return 0 }
    // What stood behind a slow question must not be put behind it again: a question has only so many sends.
    let suspicion: UInt64 = c.suspects > 0 ? 1000 : 0
    return (now &- questions[c.asked.first].askedAt) / 1_000_000 &+ UInt64(c.asked.count) / 32 &+ suspicion
  }

  private mutating func open(_ upstream: Int, _ transport: Transport, now: UInt64, random: UInt64) -> Int? {
    let connection = Connection(
      upstream: upstream, transport: transport, state: transport == .tcp ? .connecting : .open, openedAt: now,
      progressAt: now, nextID: UInt16(truncatingIfNeeded: random >> 32))
    guard let index = connections.take(connection) else { return nil }
    ids.bytes.slice(index &* Limits.outstanding &* Self.cellSize, Limits.outstanding &* Self.cellSize).fill(0)
    if transport == .tcp { upstreams[upstream].tcp &+= 1 } else { upstreams[upstream].udp &+= 1 }
    return index
  }

  /// Puts a question on a connection that `choose` named; returns its id there.
  ///
  /// Over TCP ids count up from a random start, so one comes back after 65,536 others; over UDP each is drawn. A cell
  /// that an outstanding question still holds is passed over.
  public mutating func ask(
    _ question: Int, on connection: Int, questions: inout Questions, now: UInt64, random: UInt64
  ) -> UInt16 {
    withdraw(question, questions: &questions)
    var id =
      connections[connection].transport == .tcp
      ? connections[connection].nextID : UInt16(truncatingIfNeeded: random)
    var tries = 0
    while tries < Limits.outstanding, isHeld(connection, id, questions: questions) {
      id &+= 1
      tries &+= 1
    }
    let cell = UInt64(questions[question].serial) << 32 | UInt64(id) << 16 | UInt64(question)
    ids.bytes.set(word: cell, at: cellOffset(connection, id))
    if connections[connection].asked.count == 0 { connections[connection].progressAt = now }
    connections[connection].nextID = id &+ 1
    connections[connection].uses &+= 1
    byConnection.append(question, to: &connections[connection].asked)
    if questions[question].isSuspect { connections[connection].suspects &+= 1 }
    questions[question].connection = connection
    questions[question].askedAt = now
    questions[question].sends &+= 1
    if connections[connection].transport == .udp, connections[connection].uses >= Limits.udpUses {
      retire(connection)
    }
    return id
  }

  private func cellOffset(_ connection: Int, _ id: UInt16) -> Int {
    (connection &* Limits.outstanding &+ Int(id) % Limits.outstanding) &* Self.cellSize
  }

  private func isHeld(_ connection: Int, _ id: UInt16, questions: borrowing Questions) -> Bool {
    let cell = ids.bytes.word(cellOffset(connection, id))
    return cell != 0 && questions.isPending(Int(cell & 0xFFFF), serial: UInt32(truncatingIfNeeded: cell >> 32))
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

  /// Takes back the count of a send that never reached the wire.
  public func unsend(_ question: Int, questions: inout Questions) { questions[question].sends &-= 1 }

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

  /// The question asked after `question` on the same connection, or nil.
  public func question(after question: Int) -> Int? {
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
  public mutating func expire(_ question: Int, questions: borrowing Questions) {
    let connection = questions[question].connection
    guard connection >= 0, connections[connection].transport == .tcp, connections[connection].state == .open,
      connections[connection].progressAt <= questions[question].askedAt
    else { return }
    retire(connection)
  }

  /// The upstream does not understand an OPT record.
  public mutating func forgoEDNS(_ upstream: Int, now: UInt64) { upstreams[upstream].plainUntil = now &+ Limits.plain }

  /// The connection brought something: it, and its upstream, live.
  public mutating func progress(on connection: Int, now: UInt64) {
    connections[connection].progressAt = now
    connections[connection].hasAnswered = true
    upstreams[connections[connection].upstream].failing = false
  }

  /// It connected.
  public mutating func opened(_ connection: Int, now: UInt64) {
    guard connections[connection].state == .connecting else { return }
    connections[connection].state = .open
    connections[connection].progressAt = now
  }

  /// Gives it no more questions.
  public mutating func retire(_ connection: Int) {
    leave(connection, .draining)
  }

  /// It is over: refused, reset, closed by the other end, timed out or idle. `failed` starts the pause before the next
  /// attempt. The questions on it stay listed until `withdraw` takes each.
  public mutating func close(_ connection: Int, failed: Bool, now: UInt64) {
    leave(connection, .closing)
    let upstream = connections[connection].upstream
    if failed, upstreams[upstream].tcp == 0 {
      upstreams[upstream].failing = true
      upstreams[upstream].retryAt = now &+ Limits.retryPause
    }
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
