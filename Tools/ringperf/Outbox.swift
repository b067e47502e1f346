import CUring
import Memory

/// Datagrams of one turn, on their way into the ring.
///
/// Those of one length on one socket leave as one send: the kernel's way to the device is then paid for once. On the wire
/// they are single datagrams. A file has names of all lengths, so a few are gathered and leave the longest first: 3.5 µs
/// of this program's CPU a query in place of 4.2, with 1,000 names and as many queries out.
///
/// A turn writes one half of the memory. What the kernel could not take is reported at the end of the turn and copied to
/// the other half, which the next turn writes.
@safe struct Outbox: ~Copyable {
  /// Datagrams of one send; kernels take 64 or more.
  private static let longest = 32
  /// Sends of one turn, and datagrams: `Client.burst`, and as many again.
  private static let capacity = 2304
  private static let stride = unsafe MemoryLayout<curing_batch>.stride
  private static let recordSize = 24
  private static let lengthSize = 2

  private let c: UnsafeMutablePointer<curing>
  private let messages = Region(size: 2 * Outbox.capacity * Catalogue.maxMessage)
  private let batches = Region(size: 2 * Outbox.capacity * Outbox.stride)
  private let records = Region(size: 2 * Outbox.capacity * Outbox.recordSize)
  private let gathered = Region(size: Outbox.longest * Catalogue.maxMessage)
  private let lengths = Region(size: Outbox.longest * Outbox.lengthSize)
  /// Datagrams that are gathered, and for which socket.
  private var count = 0
  private var socket = 0
  private var isUpper = false
  private var end = 0
  private var sends = 0
  private var open = Send(socket: 0, start: 0, length: 0, segment: 0)
  private var isOpenFull = true
  /// False once a device turned out not to know UDP_SEGMENT.
  private var canSegment = true

  /// One send: `length` bytes at `start`, as datagrams of `segment` bytes.
  struct Send: BitwiseCopyable {
    var socket: UInt32
    var start: UInt32
    var length: UInt32
    var segment: UInt16
  }

  /// `c` outlives this, and its registered files are the sockets.
  @unsafe init(_ c: UnsafeMutablePointer<curing>) { unsafe self.c = c }

  private var half: Bytes { half(isUpper) }
  private func half(_ upper: Bool) -> Bytes {
    let size = Self.capacity &* Catalogue.maxMessage
    return messages.bytes.slice(upper ? size : 0, size)
  }

  /// Whether another datagram can wait for the end of the turn.
  var hasRoom: Bool {
    sends + count < Self.capacity - 1 && end + (count + 1) * Catalogue.maxMessage <= half.count
  }

  /// Where to write the next datagram to `socket`, `Catalogue.maxMessage` bytes; `append` then takes it.
  @inline(__always) mutating func room(for socket: Int) -> Bytes {
    if socket != self.socket || count == Self.longest { putByLength() }
    self.socket = socket
    return gathered.bytes.slice(count &* Catalogue.maxMessage, Catalogue.maxMessage)
  }

  @inline(__always) mutating func append(_ length: Int) {
    lengths.bytes.set(u16: UInt16(length), at: count &* Self.lengthSize)
    count &+= 1
  }

  private mutating func putByLength() {
    var length = Catalogue.maxMessage
    while length > 0 {
      var next = 0
      for index in 0..<count {
        let other = Int(lengths.bytes.u16(index &* Self.lengthSize))
        if other == length { put(gathered.bytes.slice(index &* Catalogue.maxMessage, length)) }
        if other < length { next = max(next, other) }
      }
      length = next
    }
    count = 0
  }

  @inline(__always) private mutating func put(_ message: Bytes) {
    let length = message.count
    let fits =
      !isOpenFull && Int(open.socket) == socket && length <= Int(open.segment)
      && Int(open.length) < Self.longest &* Int(open.segment)
    if !fits {
      close()
      open = Send(socket: UInt32(socket), start: UInt32(end), length: 0, segment: UInt16(length))
    }
    half.copy(message, at: end)
    open.length &+= UInt32(length)
    end &+= length
    // A shorter one can only be the last.
    isOpenFull = length < Int(open.segment) || !canSegment
  }

  /// Puts what is open into the ring.
  private mutating func close() {
    guard open.length > 0 else { return }
    let place = (isUpper ? Self.capacity : 0) &+ sends
    records.bytes.store(open, at: place &* Self.recordSize)
    let bytes = half.slice(Int(open.start), Int(open.length))
    // Bytes and batch stand until this half is written again, which is after they are submitted.
    let batch = unsafe batches.bytes.slice(place &* Self.stride, Self.stride).address
    unsafe curing_send_segments(
      c, Int32(open.socket), batch.assumingMemoryBound(to: curing_batch.self), bytes.address, bytes.count,
      open.segment, Token(.send, place, generation: 0).raw)
    sends &+= 1
    open.length = 0
    isOpenFull = true
  }

  /// Everything is in the ring; what comes next goes into the other half.
  mutating func endTurn() {
    putByLength()
    close()
    isUpper.toggle()
    end = 0
    sends = 0
  }

  /// Send `place` of the last turn, which the kernel refused: those of its datagrams leave again that are still out in
  /// `slots`.
  mutating func again(_ place: Int, _ slots: borrowing Slots) {
    let send = records.bytes.load(Send.self, at: place * Self.recordSize)
    let old = half(place >= Self.capacity).slice(Int(send.start), Int(send.length))
    var at = 0
    while at < old.count, hasRoom {
      let message = old.slice(at, min(Int(send.segment), old.count - at))
      if let index = slots.find(Int(send.socket), id: message.u16(0)), slots[index].state == .outstanding {
        room(for: Int(send.socket)).copy(message, at: 0)
        append(message.count)
      }
      at += message.count
    }
  }

  /// Whether `code` says that the device of send `place` takes one datagram at a time; from then on it gets that.
  mutating func isSegmentRefused(_ place: Int, _ code: Int32) -> Bool {
    let send = records.bytes.load(Send.self, at: place * Self.recordSize)
    guard code == EIO || code == EINVAL, send.length > send.segment else { return false }
    canSegment = false
    return true
  }
}
