import CSocket
import Engine
import Glibc
import Sockets

extension Generation {
  /// What another process needs to take its place; nil: no descriptors are left, or the kernel gives no memfd.
  func estate(door: Descriptor?) -> Estate? {
    let cache = fabric.segments.descriptor < 0 ? -1 : csocket_share(fabric.segments.descriptor)
    let sockets = listeners.compactMap(\.descriptors)
    guard cache >= 0, sockets.count == fabric.shards else { return nil }
    return Estate(Heritage(fabric), cache: Descriptor(cache), sockets: sockets, door: door)
  }

  /// Leaves to the process at the other end, and ends when all who asked this one have their answers. False: it does not
  /// leave the cache, as it does within milliseconds unless its threads get no processor.
  func handOver(to heir: Line) -> Bool {
    let exit = Fabric(settings: settings, after: fabric)
    fabric.stages.successor = exit
    fabric.stages.order(.leave)
    guard wait(for: .leftCache, seconds: Self.patience) else { return false }
    // The other process knows nothing of them, and no shard here sets any more.
    for listeners in listeners { listeners.liftLimits() }
    heir.send([Note.left.rawValue])
    _ = wait(for: .done, seconds: Self.lastAnswer) { pass(exit, to: heir) }
    fabric.stages.order(.end)
    _ = wait(for: .ended, seconds: Self.lastAnswer)
    pass(exit, to: heir)
    heir.send([Note.done.rawValue])
    events.stop()
    files.stop()
    fabric.stages.successor = nil
    return true
  }

  /// Lets other processes at its addresses have all new datagrams, and answers those that have come.
  func retire() {
    for socket in listeners.flatMap(\.udp) { csocket_retire(socket) }
    usleep(Self.lastDatagrams)
  }

  /// Microseconds in which those that have come are read, unless the processor is another's.
  private static let lastDatagrams: UInt32 = 50_000

  /// Clients' connections that shards have left.
  private func pass(_ exit: Fabric, to heir: Line) {
    for shard in 0..<fabric.shards {
      while let stream = exit.takeStream(of: shard) {
        let place = [Note.stream.rawValue, UInt8(shard), UInt8(stream.listener >> 8), UInt8(stream.listener & 0xFF)]
        heir.send(place + stream.input, passing: [Descriptor(stream.descriptor)])
      }
    }
  }

  /// After it has begun to serve: takes the connections that `holder` passes, until that has answered all.
  func takeStreams(from holder: Line) {
    while let message = holder.receive(milliseconds: Int32(Self.lastAnswer * 2000)) {
      guard message.bytes.first == Note.stream.rawValue else { return }
      guard message.bytes.count >= 4, message.descriptors.count == 1, message.bytes[1] < fabric.shards else { continue }
      let shard = Int(message.bytes[1])
      let listener = Int(message.bytes[2]) << 8 | Int(message.bytes[3])
      let socket = csocket_share(message.descriptors[0].number)
      guard socket >= 0 else { continue }
      if fabric.give(socket, listener: listener, input: Array(message.bytes.dropFirst(4)), to: shard) {
        directory.signal(of: shard)?.signal()
      } else {
        close(socket)
      }
    }
  }
}
