import Engine
import Memory
import Upstream
import Wire

/// The far side of a `MemoryRing`: clients that ask by datagram or over one stream, and an upstream that answers.
final class Traffic {
  /// Receive buffers, and so datagrams of one round.
  static let buffers = Service.count
  private static let bufferSize = 2048
  /// What stands before a datagram in the live ring's buffers: struct io_uring_recvmsg_out and the sender's address.
  private static let headroom = 16 + Peer.addressSize
  /// The client's stream; the upstream's connections have the numbers after it.
  static let client: Int32 = 0

  private let memory = Region(size: buffers * bufferSize)
  /// Receive buffers with datagrams that the shard has not seen.
  let arrivals = Queue<Int>(capacity: buffers)
  /// Completions of operations that waited for the far side.
  let completions = Queue<Entry>(capacity: 64)
  /// What the shard sent to clients and nobody looked at.
  private let replies = Queue<Bytes>(capacity: 2 * buffers)
  /// Frames written to the upstream that it has not answered.
  private let questions = Queue<Frames>(capacity: 64)
  /// By handle: where the shard waits for bytes.
  private var reads: [(token: Token, buffer: Bytes)?] = Array(repeating: nil, count: 16)
  private var handles: Int32 = 1
  private var acceptor: Token?

  private struct Frames: BitwiseCopyable {
    let handle: Int32
    let bytes: Bytes
  }

  init() {
    for buffer in 0..<Self.buffers { memory.bytes[buffer * Self.bufferSize + 16] = 2 }  // AF_INET
  }

  // Clients.

  /// Datagrams that ask for services `number`, `number + 1`, … come in.
  func ask(from number: Int, count: Int) {
    for index in 0..<count {
      Service.writeQuery(number + index, to: datagram(index))
      arrivals.append(index)
    }
  }

  func connectClient() {
    guard let acceptor else { preconditionFailure("the shard accepts no stream") }
    completions.append(Entry(token: acceptor, result: Self.client))
  }

  /// The same by frames of the client's stream.
  func askOverStream(from number: Int, count: Int) {
    guard let (_, buffer) = reads[Int(Self.client)] else { preconditionFailure("the shard reads no stream") }
    var at = 0
    for index in 0..<count {
      buffer.set(u16: UInt16(Service.queryLength), at: at)
      Service.writeQuery(number + index, to: buffer.from(at + 2))
      at += 2 + Service.queryLength
    }
    completeRead(Self.client, at)
  }

  /// Answers that came since the last time, to datagrams or in frames.
  func countAnswers() -> Int {
    defer { replies.removeAll() }
    return (0..<replies.count).count { Service.isAnswer(replies[$0]) }
  }

  // The upstream.

  /// Answers each question that was written to it.
  func answer() {
    while !questions.isEmpty {
      let frames = questions.removeFirst()
      guard let (_, buffer) = reads[Int(frames.handle)] else { preconditionFailure("the shard reads no answers") }
      var at = 0
      var end = 0
      while at < frames.bytes.count {
        buffer.set(u16: UInt16(Service.responseLength), at: end)
        Service.writeResponse(to: frames.bytes.from(at + 2), into: buffer.from(end + 2))
        at += 2 + Int(frames.bytes.u16(at))
        end += 2 + Service.responseLength
      }
      completeRead(frames.handle, end)
    }
  }

  private func completeRead(_ handle: Int32, _ count: Int) {
    guard let read = reads[Int(handle)] else { return }
    reads[Int(handle)] = nil
    completions.append(Entry(token: read.token, result: Int32(count)))
  }

  // What the ring is asked for.

  func datagram(_ buffer: Int) -> Bytes {
    memory.bytes.slice(buffer &* Self.bufferSize, Self.bufferSize).from(Self.headroom)
  }

  func sender(_ buffer: Int) -> Bytes { memory.bytes.slice(buffer &* Self.bufferSize &+ 16, Peer.addressSize) }

  func reply(_ message: Bytes) { replies.append(message) }

  func accept(_ token: Token) { acceptor = token }

  func open() -> Int32 {
    defer { handles += 1 }
    return handles
  }

  func read(_ handle: Int32, _ token: Token, _ buffer: Bytes) { reads[Int(handle)] = (token, buffer) }

  func write(_ handle: Int32, _ bytes: Bytes) {
    guard handle == Self.client else { return questions.append(Frames(handle: handle, bytes: bytes)) }
    var at = 0
    while at < bytes.count {
      let length = Int(bytes.u16(at))
      replies.append(bytes.slice(at &+ 2, length))
      at &+= 2 &+ length
    }
  }
}
