import Memory
import Upstream

/// Questions and a pool to run a script against, with a clock and numbers for `random` that the script sets. (What
/// forwards to them does so because `#expect` takes no call on what cannot be copied.)
final class Script {
  var questions: Questions
  var pool: Pool
  var now: UInt64 = 1_000_000_000
  private let names: Region

  init(upstreams: Int = 2, capacity: Int = 4096, maxFailures: UInt32 = 2, shards: Int = 1) {
    questions = Questions(capacity: capacity)
    pool = Pool(
      maxFailures: Array(repeating: maxFailures, count: upstreams), shards: shards, questions: capacity)
    names = Region(size: 4096)
  }

  /// A key of the name `<number in two octets>.`; `hash` is what a script makes it.
  func key(
    _ number: Int, hash: UInt64? = nil, type: UInt16 = 1, class: UInt16 = 1, dnssecOK: Bool = false,
    checkingDisabled: Bool = false, zone: Int = 0, transport: Transport = .tcp
  ) -> QuestionKey {
    let name = names.bytes.slice(0, 4)
    name[0] = 2
    name.set(u16: UInt16(truncatingIfNeeded: number), at: 1)
    name[3] = 0
    return QuestionKey(
      hash: hash ?? UInt64(number) &* 0x9E37_79B9_7F4A_7C15, name: name, type: type, recordClass: `class`,
      dnssecOK: dnssecOK, checkingDisabled: checkingDisabled, zone: zone, transport: transport, group: 0)
  }

  /// Adds question `number`, which there must be room for.
  func add(_ number: Int, transport: Transport = .tcp) -> Int {
    questions.add(key(number, transport: transport), deadline: now + 4_000_000_000)!
  }

  func choose(_ upstream: Int = 0, _ transport: Transport = .tcp, random: UInt64 = 0) -> Pool.Choice {
    pool.choose(upstream, transport, questions: questions, now: now, random: random)
  }

  /// The connection that `choose` opens or names; -1: none.
  func connection(_ upstream: Int = 0, _ transport: Transport = .tcp, random: UInt64 = 0) -> Int {
    switch choose(upstream, transport, random: random) {
    case .use(let index), .open(let index): index
    case .none: -1
    }
  }

  @discardableResult
  func ask(_ question: Int, on connection: Int, random: UInt64 = 0) -> UInt16 {
    pool.ask(question, on: connection, questions: &questions, now: now, random: random)
  }

  func match(_ id: UInt16, on connection: Int) -> Int? { pool.match(id, on: connection, questions: questions) }

  func find(_ key: QuestionKey) -> Int? { questions.find(key) }
  func isPending(_ question: Int, _ serial: UInt32) -> Bool { questions.isPending(question, serial: serial) }
  func add(_ key: QuestionKey, deadline: UInt64) -> Int? { questions.add(key, deadline: deadline) }
  func isUsable(_ upstream: Int) -> Bool { pool.isUsable(upstream, now: now) }
  func oldest(on connection: Int) -> Int? { pool.oldest(on: connection) }

  /// As the engine settles a question: off its connection, and forgotten.
  func settle(_ question: Int) {
    pool.withdraw(question, questions: &questions)
    questions.remove(question)
  }

  /// As the engine loses a connection; the questions that were on it are on none.
  @discardableResult
  func lose(_ connection: Int, failed: Bool) -> Bool {
    let openedAt = pool.connections[connection].openedAt
    let isDown = pool.close(connection, failedSince: failed ? openedAt : nil, now: now, random: 0)
    while let question = pool.oldest(on: connection) { pool.withdraw(question, questions: &questions) }
    pool.release(connection)
    return isDown
  }

  func isProbeDue(_ upstream: Int) -> Bool {
    pool.isProbeDue(upstream, interval: 500_000_000, now: now, random: 0)
  }

  func probe(on connection: Int) -> UInt16 {
    pool.probe(on: connection, questions: questions, now: now, random: 0)
  }

  func takeFailedProbe(_ upstream: Int) -> Bool {
    pool.takeFailedProbe(upstream, isLost: false, now: now)
  }

  /// As the engine takes an answer.
  func answer(_ id: UInt16, on connection: Int) {
    _ = pool.progress(on: connection, now: now)
    guard let question = match(id, on: connection) else { return pool.receivedOwed(id, on: connection) }
    pool.answered(question, by: id, on: connection, questions: &questions, now: now)
    questions.remove(question)
  }

  func wait(milliseconds: UInt64) { now += milliseconds * 1_000_000 }
}
