import Memory
import Upstream

/// What an operation was, which slot it was for, and which use of that slot: the number that comes back with its
/// completion.
///
/// ```
/// 63        56 55            32 31             0
/// | operation |  generation    |     index      |
/// ```
public struct Token: BitwiseCopyable, Equatable, Sendable {
  public let raw: UInt64

  public enum Operation: UInt8, Sendable {
    /// Its completion means nothing to the shard.
    case none
    /// Index: UDP socket.
    case receive
    /// Index: slot of the datagram sent.
    case send
    /// Index: TCP listener.
    case accept
    /// Index: client stream.
    case streamRead, streamWrite
    /// Index: upstream connection.
    case connect, upstreamRead, upstreamWrite
    /// Index: slot of the datagram sent.
    case upstreamSend
    /// Another shard put something into a mailbox.
    case mail
    /// A reply that could not be sent.
    case reply
  }

  @inline(__always) public init(_ operation: Operation, index: Int, generation: UInt32 = 0) {
    raw =
      UInt64(operation.rawValue) << 56 | UInt64(generation & 0xFF_FFFF) << 32
      | UInt64(UInt32(truncatingIfNeeded: index))
  }

  @inline(__always) public init(raw: UInt64) { self.raw = raw }

  @inline(__always) public var operation: Operation {
    Operation(rawValue: UInt8(truncatingIfNeeded: raw >> 56)) ?? .none
  }
  @inline(__always) public var index: Int { Int(truncatingIfNeeded: raw & 0xFFFF_FFFF) }
  @inline(__always) public var generation: UInt32 { UInt32(truncatingIfNeeded: raw >> 32) & 0xFF_FFFF }
}

/// The end, or with `more` an instalment, of an operation.
public struct Completion: BitwiseCopyable, Sendable {
  public let token: Token
  /// Bytes, or a handle, or a negative errno.
  public let result: Int32
  /// The operation goes on. Without it, whatever `result` says, a multishot operation must be armed again.
  public let more: Bool
  /// The receive buffer that came with it, or -1.
  public let buffer: Int

  /// The result of an operation that `Ring.stop` ended: ECANCELED of Linux, negative.
  public static let stopped: Int32 = -125
  /// What ICMP said of an earlier datagram: ECONNREFUSED of Linux, negative.
  public static let unreachable: Int32 = -111

  @inline(__always) public init(token: Token, result: Int32, more: Bool, buffer: Int) {
    self.token = token
    self.result = result
    self.more = more
    self.buffer = buffer
  }
}

/// A datagram in a receive buffer.
public struct Datagram: BitwiseCopyable {
  /// From the message's first byte to the buffer's end: room to build the reply in place.
  public let buffer: Bytes
  public let length: Int
  /// The sender's socket address, 28 bytes of which a sockaddr_in uses 16.
  public let sender: Bytes
  /// The packet-info payload that says where it was sent to, on wildcard sockets; else empty.
  public let local: Bytes
  /// The datagram was longer than the buffer.
  public let truncated: Bool

  @inline(__always)
  public init(buffer: Bytes, length: Int, sender: Bytes, local: Bytes, truncated: Bool) {
    self.buffer = buffer
    self.length = length
    self.sender = sender
    self.local = local
    self.truncated = truncated
  }
}

/// What a shard asks of the world: sockets, time and chance. Everything above it is a function of completions, `now`
/// and `random`, so the same shard runs on a live ring and on a simulated one that loses, doubles and tears.
///
/// Handles are numbers of the ring's choosing. An operation with a token has exactly one completion without `more`.
public protocol Ring: ~Copyable {
  /// Nanoseconds of CLOCK_BOOTTIME: suspension counts, steps of the wall clock do not.
  mutating func now() -> UInt64

  /// Unpredictable bits.
  mutating func random() -> UInt64

  /// Submits what was asked for since the last turn and waits for at least one completion, at most `timeout`
  /// nanoseconds, or for ever if nil. Returns how many completions can be read until the next turn.
  mutating func turn(timeout: UInt64?) -> Int
  mutating func completion(_ index: Int) -> Completion

  /// Receive buffers that there are; their numbers are below that.
  var receiveBuffers: Int { get }
  /// Whether the kernel keeps so many datagrams for a UDP socket that it may soon have to drop some.
  func isFilling(_ socket: Int) -> Bool
  /// Has the kernel drop what these clients, `Throttle.most` at most, send beyond their limits to a UDP socket, whose limits
  /// before are gone.
  func limit(_ clients: [ClientLimit], on socket: Int)
  /// Receives datagrams on a UDP socket until a completion without `more`.
  mutating func receive(on socket: Int)
  /// Who sent the datagram in a buffer that a completion of `receive` brought: a socket address, 28 bytes.
  func sender(of buffer: Int) -> Bytes
  /// The datagram; `result` is that completion's.
  func datagram(in buffer: Int, result: Int32, on socket: Int) -> Datagram
  /// Sends the first `length` bytes of a datagram's buffer to its sender, from where it was sent to, and takes the
  /// buffer back when it is sent. A `reply` completes only if that fails.
  mutating func reply(with buffer: Int, length: Int, on socket: Int)
  /// Takes a receive buffer back.
  mutating func release(_ buffer: Int)
  /// Sends the `length` bytes after the headroom of `slot`, which stays untouched until the completion.
  mutating func send(_ slot: Bytes, length: Int, to peer: Peer, on socket: Int, token: Token)

  /// Accepts streams on a TCP listener until a completion without `more`, one in a turn; results are handles.
  mutating func accept(on listener: Int)
  /// The socket address of a stream's other end.
  func peer(of handle: Int32) -> Peer
  /// A socket towards an upstream, bound to nothing yet; negative errno if none can be had. A UDP socket is connected.
  mutating func open(_ upstream: Int, _ transport: Transport) -> Int32
  mutating func connect(_ handle: Int32, to upstream: Int, token: Token)
  mutating func read(_ handle: Int32, into buffer: Bytes, token: Token)
  mutating func write(_ handle: Int32, from buffer: Bytes, token: Token)
  /// Ends a `receive` or `accept`, or a `read` on the given handle, early, without harm if it has ended already:
  /// `stopped` is its last completion.
  mutating func stop(_ token: Token, on handle: Int32?)
  /// Ends the operations on a handle early; each still has its completion.
  mutating func cancel(_ handle: Int32)
  /// Closes a handle that has no operation outstanding.
  mutating func close(_ handle: Int32)
  /// The descriptor of a handle.
  func descriptor(of handle: Int32) -> Int32
  /// Gives up a handle that has no operation outstanding, but leaves its descriptor open: another ring adopts it.
  mutating func abandon(_ handle: Int32)
  /// A handle for a stream that another ring abandoned; or a negative errno, and the stream is closed.
  mutating func adopt(_ descriptor: Int32) -> Int32

  /// Makes the given shard's ring complete a `mail` operation. Numbers from the count of shards on are those of the
  /// shards that take over.
  mutating func wake(_ shard: Int)
  /// Tells the control thread that events wait for it.
  mutating func signalEvents()

  /// errno, if the kernel has begun to refuse the ring's operations: what is outstanding will not complete any more.
  /// Else 0.
  var refusal: Int32 { get }
}

/// Bytes that a sent slot keeps free in front of the message, for the ring's use.
public let sendHeadroom = 192
