import Glibc
import Memory

enum Transport: String, CaseIterable {
  case udp, tcp
}

/// When queries leave.
enum Pace {
  /// The next query leaves when fewer than `outstanding` are out, at most `limit` a second.
  case closed(outstanding: Int, limit: Double?)
  /// Queries leave at their instants, `rate` a second.
  case open(rate: Double, process: ArrivalProcess)
}

/// A load, as all its threads share it.
struct Plan: Sendable {
  var server: Endpoint
  var local: Endpoint?
  var transport: Transport
  var catalogue: Catalogue
  /// nil: one name after the other.
  var popularity: Popularity?
  var pace: Pace
  var sockets: Int
  var threads: Int
  /// Nanoseconds.
  var timeout: UInt64
  /// Nanoseconds; nil: until all lookups are done.
  var limit: UInt64?
  /// How many lookups to begin; nil: until the limit.
  var lookups: Int?
  /// Bytes of a socket's buffers.
  var buffer: Int
  var seed: UInt64
  var expectations: Expectations?
  var isVerbose: Bool

  /// Sockets `thread` has, of `sockets`: the first ones have one more where they do not divide evenly.
  func share(_ total: Int, of thread: Int) -> Int { total / threads + (thread < total % threads ? 1 : 0) }
}

extension Plan {
  /// Ids kept ready per socket of a thread with `count` of them: twice what it needs on average, and a power of two.
  func slotsPerSocket(_ count: Int) -> Int {
    let out =
      switch pace {
      case .closed(let outstanding, _): Double(outstanding)
      case .open(let rate, _): rate * Double(timeout) / 1e9
      }
    let wanted = min(2 * out / Double(threads * count), Double(Slots.maxPerSocket))
    return max(64, 1 << Int(log2(wanted.rounded(.up)).rounded(.up)))
  }
}

/// What the threads of a run and the one that started it tell each other.
final class Control: Sendable {
  enum Order: UInt64 {
    case wait, run, stop
  }

  /// Per thread, 64 bytes: sent, completed, lost, is ready.
  private let memory: Region
  private let threads: Int

  init(threads: Int) {
    self.threads = threads
    memory = Region(size: (threads + 1) * 64)
  }

  /// `stop`: at once.
  var order: Order {
    get { Order(rawValue: memory.bytes.loadAcquire(threads * 64)) ?? .stop }
    set { memory.bytes.storeRelease(newValue.rawValue, at: threads * 64) }
  }

  func publish(_ tally: Tally, of thread: Int) {
    memory.bytes.storeRelaxed(UInt64(tally.sent), at: thread &* 64)
    memory.bytes.storeRelaxed(UInt64(tally.completed), at: thread &* 64 &+ 8)
    memory.bytes.storeRelaxed(UInt64(tally.lost), at: thread &* 64 &+ 16)
  }

  private func sum(_ at: Int) -> Int { (0..<threads).reduce(0) { $0 + Int(memory.bytes.loadRelaxed($1 * 64 + at)) } }

  var sent: Int { sum(0) }
  var completed: Int { sum(8) }
  var lost: Int { sum(16) }

  /// A thread has its ring and sockets, or has ended.
  func setReady(_ thread: Int) { memory.bytes.storeRelease(1, at: thread * 64 + 24) }
  var areReady: Bool { (0..<threads).allSatisfy { memory.bytes.loadAcquire($0 * 64 + 24) == 1 } }
  func setEnded(_ thread: Int) { memory.bytes.storeRelease(1, at: thread * 64 + 32) }
  var haveEnded: Bool { (0..<threads).allSatisfy { memory.bytes.loadAcquire($0 * 64 + 32) == 1 } }
}
