import Glibc
import Synchronization

/// One output of the log, and the thread that writes to it: a full or closed pipe stops that thread and nobody else.
///
/// Lines wait in a buffer of at most `capacity` bytes. A line that does not fit is dropped and counted, and so are the
/// lines of a write that fails. A caller holds a lock for the copy of its line, and never while anything is written.
public final class LogWriter: Sendable {
  private struct Queue {
    var bytes: [UInt8] = []
    /// Between the moment the writer takes the bytes and the moment they are written.
    var isWriting = false
    /// The writer sleeps in `read` of the wake pipe, or is about to.
    var isAsleep = false
  }

  private let queue = Mutex(Queue())
  private let dropped = Atomic<Int>(0)
  private let capacity: Int
  private let file: Int32
  /// A byte in this pipe wakes the writer. At most one is in it.
  private let wakeReader: Int32
  private let wakeWriter: Int32

  /// Lines that were not written, since start.
  public var droppedLines: Int { dropped.load(ordering: .relaxed) }

  /// Starts the thread. `file` stays open for as long as the process lives, as the writer does.
  ///
  /// - Parameter capacity: bytes; twice as many are held while a write is stuck.
  public init(file: Int32, capacity: Int = 1 << 20) {
    self.file = file
    self.capacity = capacity
    var ends: [Int32] = [-1, -1]
    // Sound: two descriptors are written, and there is room for two.
    let status = unsafe pipe(&ends)
    precondition(status == 0, "pipe: no descriptor")
    for end in ends { _ = fcntl(end, F_SETFD, FD_CLOEXEC) }
    (wakeReader, wakeWriter) = (ends[0], ends[1])
    ControlThread.start { [self] in run() }
  }

  /// Queues `line` and a newline.
  public func write(_ line: String) {
    append { $0.append(contentsOf: line.utf8) }
  }

  /// Queues `line` and a newline, without an allocation once the buffer has grown.
  public func write(_ line: Span<UInt8>) {
    // Sound: the span's bytes are borrowed for the call.
    unsafe line.withUnsafeBufferPointer { bytes in append { unsafe $0.append(contentsOf: bytes) } }
  }

  private func append(_ line: (inout [UInt8]) -> Void) {
    let wakes = queue.withLock { queue in
      let before = queue.bytes.count
      line(&queue.bytes)
      queue.bytes.append(UInt8(ascii: "\n"))
      if queue.bytes.count > capacity {
        queue.bytes.removeLast(queue.bytes.count - before)
        dropped.add(1, ordering: .relaxed)
      }
      defer { queue.isAsleep = false }
      return queue.isAsleep
    }
    if wakes {
      var byte: UInt8 = 0
      // Sound: one byte. It cannot block: `isAsleep` is true once for each byte that was read.
      _ = unsafe Glibc.write(wakeWriter, &byte, 1)
    }
  }

  /// Waits until all that was queued before is written: true, or until `limit` has passed: false.
  @discardableResult
  public func flush(within limit: Duration = .seconds(1)) -> Bool {
    let end = ContinuousClock.now + limit
    while !queue.withLock({ $0.bytes.isEmpty && !$0.isWriting }) {
      if ContinuousClock.now >= end { return false }
      usleep(500)
    }
    return true
  }

  private func run() {
    var batch: [UInt8] = []
    while true {
      batch.removeAll(keepingCapacity: true)
      let isEmpty = queue.withLock { queue in
        swap(&queue.bytes, &batch)
        queue.isWriting = !batch.isEmpty
        queue.isAsleep = batch.isEmpty
        return batch.isEmpty
      }
      if isEmpty {
        var byte: UInt8 = 0
        // Sound: one byte.
        _ = unsafe Glibc.read(wakeReader, &byte, 1)
      } else {
        drop(batch, after: writeAll(batch))
        // A busy log is written at most a thousand times a second, and wakes this thread no more often.
        usleep(1000)
      }
    }
  }

  /// How many bytes went out before an error.
  private func writeAll(_ batch: [UInt8]) -> Int {
    var done = 0
    while done < batch.count {
      // Sound: `done` is in bounds, and that many bytes follow it.
      let count = unsafe batch.withUnsafeBytes { unsafe Glibc.write(file, $0.baseAddress! + done, batch.count - done) }
      if count > 0 {
        done += count
      } else if errno == EAGAIN {
        // Whoever shares the pipe set O_NONBLOCK on it.
        usleep(10_000)
      } else if errno != EINTR {
        break
      }
    }
    return done
  }

  private func drop(_ batch: [UInt8], after done: Int) {
    if done == batch.count { return }
    dropped.add(batch[done...].reduce(0) { $0 + ($1 == UInt8(ascii: "\n") ? 1 : 0) }, ordering: .relaxed)
  }
}
