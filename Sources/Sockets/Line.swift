import CSocket
import Glibc

/// A descriptor that is closed with its last owner.
public final class Descriptor: Sendable {
  public let number: Int32

  public init(_ number: Int32) { self.number = number }
  deinit { close(number) }

  /// Another owner's descriptor of the same thing; nil: there is none left.
  public func copy() -> Descriptor? {
    let other = csocket_share(number)
    return other < 0 ? nil : Descriptor(other)
  }
}

/// Messages, with descriptors, to and from another process of this machine (SOCK_SEQPACKET, unix(7)).
public final class Line: Sendable {
  public struct Message: Sendable {
    public let bytes: [UInt8]
    public let descriptors: [Descriptor]
  }

  /// Octets of one message.
  public static let room = 1 << 20

  public let descriptor: Descriptor

  public init(_ descriptor: Descriptor) {
    self.descriptor = descriptor
    var size = Int32(Self.room)
    // The size lives through the calls. Where more is not allowed the usual has to do.
    unsafe setsockopt(descriptor.number, SOL_SOCKET, SO_SNDBUFFORCE, &size, 4)
  }

  /// Two ends of a new line.
  public static func pair() -> (Line, Line)? {
    var ends: (Int32, Int32) = (-1, -1)
    let isMade = unsafe withUnsafeMutableBytes(of: &ends) {
      // Two descriptors in a row.
      unsafe socketpair(
        AF_UNIX, Int32(SOCK_SEQPACKET.rawValue) | Int32(SOCK_CLOEXEC.rawValue), 0,
        $0.baseAddress!.assumingMemoryBound(to: Int32.self)) == 0
    }
    return isMade ? (Line(Descriptor(ends.0)), Line(Descriptor(ends.1))) : nil
  }

  /// A line to whoever has an abstract name in this network namespace; nil: nobody, or none of our user's.
  public static func to(_ name: String) -> Line? {
    // The string lives through the call.
    let line = unsafe name.withCString { unsafe csocket_abstract($0, 0) }
    return line < 0 ? nil : Line(Descriptor(line)).ofOurUser
  }

  /// Where lines to an abstract name arrive; nil: somebody else has it.
  public static func listener(_ name: String) -> Descriptor? {
    // The string lives through the call.
    let listener = unsafe name.withCString { unsafe csocket_abstract($0, 1) }
    return listener < 0 ? nil : Descriptor(listener)
  }

  /// The next line at a listener, which may wait for it; nil: none came, or not of our user.
  public static func accept(at listener: Descriptor) -> Line? {
    let line = csocket_accept_line(listener.number)
    return line < 0 ? nil : Line(Descriptor(line)).ofOurUser
  }

  private var ofOurUser: Line? { csocket_peer_user(descriptor.number) == geteuid() ? self : nil }

  /// False: the other end is gone, or the message is too long for it.
  @discardableResult public func send(_ bytes: [UInt8], passing descriptors: [Descriptor] = []) -> Bool {
    let numbers = descriptors.map(\.number)
    // Both arrays have as many elements as is said, and live through the call.
    return unsafe csocket_pass(descriptor.number, bytes, bytes.count, numbers, UInt32(numbers.count)) == bytes.count
  }

  /// The next message, if it comes within the time; nil milliseconds: whenever it comes. nil: none came, or the other end
  /// is gone.
  public func receive(milliseconds: Int32?) -> Message? {
    var watched = pollfd(fd: descriptor.number, events: Int16(POLLIN), revents: 0)
    // The one element lives through the call.
    while true {
      let ready = unsafe poll(&watched, 1, milliseconds ?? -1)
      if ready > 0 { break }
      if ready == 0 || errno != EINTR { return nil }
    }
    var numbers = [Int32](repeating: -1, count: CSOCKET_PASSED)
    var count: UInt32 = 0
    let bytes = unsafe [UInt8](unsafeUninitializedCapacity: Self.room) { memory, length in
      // Room for as much as is said.
      length = unsafe max(0, csocket_receive(descriptor.number, memory.baseAddress!, memory.count, &numbers, &count))
    }
    return bytes.isEmpty ? nil : Message(bytes: bytes, descriptors: numbers.prefix(Int(count)).map { Descriptor($0) })
  }
}
