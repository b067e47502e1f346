import Memory
import Wire

/// One TCP connection's bytes: frames gathered for the next write, those being written, and the start of a frame that
/// has not arrived whole (RFC 1035 §4.2.2).
final class Stream {
  enum State {
    case closed, connecting, open
  }

  private static let outputSize = 16_384
  static let maxFrame = 65_537

  var state = State.closed
  var descriptor: Int32 = -1
  /// Counts connections: what completes for an earlier one is dropped.
  var generation = 0
  /// Nanoseconds: when it began to connect.
  var since: UInt64 = 0
  /// Nanoseconds: no new attempt to connect before.
  var retryAt: UInt64 = 0
  /// Messages that came on this connection.
  var received = 0
  /// Has gathered frames and waits for the next flush.
  var isGathering = false
  private let memory = Region(size: 2 * Stream.outputSize + Stream.maxFrame)
  private var gatheredInUpper = false
  private var gathered = 0
  private var writing = 0..<0  // of the other half
  private var partial = 0

  init() {}

  var hasRoom: Bool { gathered + 2 * (Catalogue.maxMessage + 2) <= Self.outputSize }
  private func half(_ upper: Bool) -> Bytes { memory.bytes.slice(upper ? Self.outputSize : 0, Self.outputSize) }
  private var start: Bytes { memory.bytes.from(2 * Self.outputSize) }

  func reset() {
    gathered = 0
    writing = 0..<0
    partial = 0
    received = 0
  }

  /// Where to write the next message; `append` then takes it.
  var room: Bytes { half(gatheredInUpper).from(gathered + 2) }

  func append(_ length: Int) {
    half(gatheredInUpper).set(u16: UInt16(length), at: gathered)
    gathered += 2 + length
  }

  /// What to write next, or nil: a write is under way, or there is nothing.
  func beginWrite() -> Bytes? {
    guard writing.isEmpty, gathered > 0 else { return nil }
    writing = 0..<gathered
    gathered = 0
    gatheredInUpper.toggle()
    return half(!gatheredInUpper).slice(0, writing.count)
  }

  /// `count` bytes of the write are out; what is left of it, or nil.
  func wrote(_ count: Int) -> Bytes? {
    writing = min(writing.lowerBound + count, writing.upperBound)..<writing.upperBound
    return writing.isEmpty ? nil : half(!gatheredInUpper).slice(writing.lowerBound, writing.count)
  }

  /// Takes from the front of `bytes` and returns the next whole message, if one is there; nil with `bytes` empty: all is
  /// taken, and more has to arrive. A message is valid until the next call.
  func nextMessage(_ bytes: inout Bytes) -> Bytes? {
    if partial == 0, bytes.count >= 2, bytes.count >= 2 + Int(bytes.u16(0)) {
      let message = bytes.slice(2, Int(bytes.u16(0)))
      bytes = bytes.from(2 + message.count)
      return message
    }
    take(2 - partial, from: &bytes)
    guard partial >= 2 else { return nil }
    let length = Int(start.u16(0))
    take(2 + length - partial, from: &bytes)
    guard partial == 2 + length else { return nil }
    partial = 0
    return start.slice(2, length)
  }

  private func take(_ wanted: Int, from bytes: inout Bytes) {
    let count = min(max(wanted, 0), bytes.count)
    start.copy(bytes.slice(0, count), at: partial)
    partial += count
    bytes = bytes.from(count)
  }
}
