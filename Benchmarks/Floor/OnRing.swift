import Engine
import Sockets
import Uring

/// Answers on the ring that Ringlet's shards run on, with its flags, buffers and sockets: one multishot receive, one
/// send per reply from the receive buffer, one system call per turn. Returns only by throwing.
func answerOnRing(port: UInt16) throws -> Never {
  var settings = Settings()
  settings.listeners = [
    .init(address: loopback(port), isWildcard: false, group: 0, label: "dns://127.0.0.1:\(port)")
  ]
  var ring = try UringRing(
    index: 0, listeners: try Listeners(settings), settings: settings,
    directory: RingDirectory(shards: 1, events: EventSignal()))
  ring.receive(on: 0)
  while true {
    let count = ring.turn(timeout: nil)
    var i = 0
    while i < count {
      let completion = ring.completion(i)
      i &+= 1
      guard completion.token.operation == .receive else { continue }
      if !completion.more { ring.receive(on: 0) }
      guard completion.buffer >= 0 else { continue }
      let datagram = ring.datagram(in: completion.buffer, result: completion.result, on: 0)
      ring.reply(with: completion.buffer, length: makeReply(in: datagram.buffer, length: datagram.length), on: 0)
    }
  }
}
