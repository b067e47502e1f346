import Engine
import Epoll
import Glibc
import Memory
import Rings
import Sockets
import Testing
import Uring

/// What a shard may expect of a ring, on each kind.
@Suite(.serialized) struct LiveRingTests {
  @Test func everyOperationWorks() throws {
    try RingTrial<UringRing>.run()
    try RingTrial<EpollRing>.run()
  }

  @Test func aTurnEndsByTimeAlone() throws {
    try timeout(UringRing.self)
    try timeout(EpollRing.self)
  }

  private func timeout<R: LiveRing & ~Copyable>(_: R.Type) throws {
    let stand = try Stand<R>()
    stand.ring.receive(on: 0)
    stand.turn(milliseconds: 0)
    #expect(stand.turn(milliseconds: 20) == 0)
  }

  @Test func moreThanATurnTakesIsTakenLater() throws {
    try flood(UringRing.self)
    try flood(EpollRing.self)
  }

  private func flood<R: LiveRing & ~Copyable>(_: R.Type) throws {
    let stand = try Stand<R>()
    let client = stand.client()
    defer { close(client) }
    stand.ring.receive(on: 0)
    let numbers = 0..<1500
    for number in numbers { #expect(send([UInt8(number >> 8), UInt8(number & 0xFF)], from: client)) }
    for number in numbers {
      let (completion, datagram) = try stand.nextDatagram()
      #expect(completion.more)
      #expect(Int(datagram.buffer.u16(0)) == number && datagram.length == 2)
      stand.ring.release(completion.buffer)
    }
    #expect(stand.turn(milliseconds: 20) == 0)
  }

  @Test func whatIsLongerThanABufferIsMarked() throws {
    try truncation(UringRing.self)
    try truncation(EpollRing.self)
  }

  private func truncation<R: LiveRing & ~Copyable>(_: R.Type) throws {
    let stand = try Stand<R>()
    let client = stand.client()
    defer { close(client) }
    stand.ring.receive(on: 0)
    for length in [1232, 1500, 60_000, 0] {
      #expect(send([UInt8](repeating: 7, count: length), from: client))
      let (completion, datagram) = try stand.nextDatagram()
      #expect(datagram.truncated == (length > 1232), "\(length)")
      if length <= 1232 { #expect(datagram.length == length) }
      stand.ring.release(completion.buffer)
    }
  }

  @Test func repliesReachTheirClients() throws {
    try replies(UringRing.self)
    try replies(EpollRing.self)
  }

  /// Replies of other lengths than the queries', to several clients, alone and in pairs, each with its own text.
  private func replies<R: LiveRing & ~Copyable>(_: R.Type) throws {
    let stand = try Stand<R>()
    let clients = (0..<40).map { _ in stand.client() }
    defer { for client in clients { close(client) } }
    stand.ring.receive(on: 0)
    for (index, client) in clients.enumerated() {
      for part in 0...index % 3 { #expect(send([UInt8(index), UInt8(part)], from: client)) }
    }
    for _ in clients.indices.flatMap({ 0...$0 % 3 }) {
      let (completion, datagram) = try stand.nextDatagram()
      let length = 2 + Int(datagram.buffer[0]) * 30 + Int(datagram.buffer[1])
      stand.ring.reply(with: completion.buffer, length: length, on: 0)
    }
    stand.turn(milliseconds: 0)
    for (index, client) in clients.enumerated() {
      let lengths = try (0...index % 3).map { _ in
        let reply = try receive(at: client)
        #expect(reply[0] == UInt8(index) && reply.count == 2 + index * 30 + Int(reply[1]))
        return reply.count
      }
      #expect(Set(lengths).count == lengths.count)
    }
    #expect(stand.left(.reply) == 0)
  }

  @Test func aClientThatDoesNotReadHoldsUpItsStreamOnly() throws {
    try unread(UringRing.self)
    try unread(EpollRing.self)
  }

  /// Writes go on until no buffer takes more, and again when the other end has read; nothing is lost between.
  private func unread<R: LiveRing & ~Copyable>(_: R.Type) throws {
    let stand = try Stand<R>()
    let (near, far) = try stand.connected()
    let text = stand.memory.bytes.slice(0, 512 << 10)
    for at in 0..<(text.count / 8) { text.set(word: UInt64(at), at: at * 8) }
    let input = stand.memory.bytes.slice(512 << 10, 512 << 10)
    var written = 0
    var isWaiting = false
    for _ in 0..<64 {
      stand.ring.write(near, from: text, token: Token(.upstreamWrite, index: 0))
      stand.turn(milliseconds: 200)
      isWaiting = stand.left(.upstreamWrite) == 0
      if isWaiting { break }
      written += Int(try stand.next(.upstreamWrite).result)
      // A write may be cut anywhere: what follows starts anew, so only whole ones are counted on.
      if written % text.count != 0 { break }
    }
    var read = 0
    while read < written {
      stand.ring.read(far, into: input, token: Token(.streamRead, index: 0))
      let result = Int(try stand.next(.streamRead).result)
      try #require(result > 0)
      for at in stride(from: (8 - read % 8) % 8, to: result - 7, by: 1024) {
        #expect(input.word(at) == UInt64((read + at) % text.count / 8))
      }
      read += result
    }
    if isWaiting { #expect(try stand.next(.upstreamWrite).result > 0) }
    stand.ring.close(near)
    stand.ring.close(far)
  }

  @Test func theOtherEndsLastWordIsReadBeforeItsEnd() throws {
    try ending(UringRing.self)
    try ending(EpollRing.self)
  }

  private func ending<R: LiveRing & ~Copyable>(_: R.Type) throws {
    let stand = try Stand<R>()
    let (near, far) = try stand.connected()
    stand.ring.write(near, from: stand.memory.bytes.slice(0, 10), token: Token(.upstreamWrite, index: 0))
    _ = try stand.next(.upstreamWrite)
    stand.ring.close(near)
    for expected: Int32 in [6, 4, 0, 0] {
      stand.ring.read(far, into: stand.memory.bytes.slice(64, 6), token: Token(.streamRead, index: 0))
      #expect(try stand.next(.streamRead).result == expected)
    }
    stand.ring.close(far)
  }

  @Test func whatIsCancelledCompletesOnce() throws {
    try cancelling(UringRing.self)
    try cancelling(EpollRing.self)
  }

  private func cancelling<R: LiveRing & ~Copyable>(_: R.Type) throws {
    let stand = try Stand<R>()
    let (near, far) = try stand.connected()
    let upstream = stand.ring.open(0, .udp)
    stand.ring.read(near, into: stand.memory.bytes.slice(0, 64), token: Token(.upstreamRead, index: 1))
    stand.ring.read(far, into: stand.memory.bytes.slice(64, 64), token: Token(.streamRead, index: 2))
    stand.ring.read(upstream, into: stand.memory.bytes.slice(128, 64), token: Token(.upstreamRead, index: 3))
    #expect(stand.turn(milliseconds: 20) == 0)
    for handle in [near, far, upstream] { stand.ring.cancel(handle) }
    for operation: Token.Operation in [.upstreamRead, .upstreamRead, .streamRead] {
      #expect(try stand.next(operation).result == -ECANCELED)
    }
    stand.turn(milliseconds: 20)
    #expect(stand.left(.upstreamRead) + stand.left(.streamRead) == 0)
    for handle in [near, far, upstream] { stand.ring.close(handle) }
  }

  /// A listener that had just failed, and was stopped by a reload, completed twice; the shard then waited for ever.
  @Test func whatHasEndedIsNotStoppedAgain() throws {
    try stopping(UringRing.self)
    try stopping(EpollRing.self)
  }

  private func stopping<R: LiveRing & ~Copyable>(_: R.Type) throws {
    let stand = try Stand<R>()
    stand.ring.receive(on: 0)
    stand.ring.accept(on: 0)
    for _ in 0..<2 {
      stand.ring.stop(Token(.receive, index: 0), on: nil)
      stand.ring.stop(Token(.accept, index: 0), on: nil)
      for _ in 0..<3 { stand.turn(milliseconds: 10) }
    }
    #expect(stand.left(.receive) == 1 && stand.left(.accept) == 1)
  }

  @Test func aRefusedConnectFails() throws {
    try refusal(UringRing.self)
    try refusal(EpollRing.self)
  }

  private func refusal<R: LiveRing & ~Copyable>(_: R.Type) throws {
    let stand = try Stand<R>()
    // Nobody listens there any more.
    shutdown(stand.listeners.tcp[0], Int32(SHUT_RDWR))
    let handle = stand.ring.open(0, .tcp)
    stand.ring.connect(handle, to: 0, token: Token(.connect, index: 0))
    #expect(try stand.next(.connect).result == -ECONNREFUSED)
    stand.ring.close(handle)
  }

  /// While one shard after another changes its ring, each can wake each.
  @Test func ringsOfOneKindWakeThoseOfTheOther() throws {
    let directory = RingDirectory(shards: 2, events: EventSignal())
    let uring = try Stand<UringRing>(index: 0, directory: directory)
    let epoll = try Stand<EpollRing>(index: 1, directory: directory)
    for _ in 0..<3 {
      uring.ring.wake(1)
      uring.turn(milliseconds: 0)
      _ = try epoll.next(.mail)
      epoll.ring.wake(0)
      _ = try uring.next(.mail)
      uring.ring.wake(0)
      _ = try uring.next(.mail)
      epoll.ring.wake(1)
      _ = try epoll.next(.mail)
    }
    #expect(uring.turn(milliseconds: 20) == 0 && epoll.turn(milliseconds: 20) == 0)
  }
}
