/// An upstream's end of a TCP connection.
final class UpstreamStream: StreamEnd {
  private unowned let upstream: SimulatedUpstream
  private let socket: Socket
  private var input: [UInt8] = []
  /// Questions not answered yet, of a serial server.
  private var queue: [(Message, Asked)] = []
  private var isBusy = false
  private var served = 0
  private(set) var isOver = false
  private var hasTrickled = false
  /// Half-open: everything still looks well from the other end.
  private var isGone = false

  init(upstream: SimulatedUpstream, socket: Socket) {
    self.upstream = upstream
    self.socket = socket
  }

  private var world: World { upstream.world }

  func received(_ bytes: [UInt8]) {
    guard !isOver, !isGone else { return }
    if world.chance.happens(world.faults.halfOpen) {
      isGone = true
      return
    }
    socket.consumed(bytes.count)
    input += bytes
    while input.count >= 2, !isOver {
      let length = Int(input[0]) << 8 | Int(input[1])
      guard input.count >= 2 + length else { return }
      let message = Array(input[2..<2 + length])
      input.removeFirst(2 + length)
      if SimulatedUpstream.isProbe(message) {
        upstream.probed()
        send(SimulatedUpstream.refusal(message))
        continue
      }
      guard let question = upstream.question(message) else { return }
      take(question)
    }
  }

  func finished() { leave() }
  func wasReset() { leave() }

  private func leave() {
    isOver = true
    upstream.remove(self)
  }

  /// Ends it with whatever is unanswered; without a reset the other end cannot tell.
  func abandon(resetting: Bool) {
    guard !isOver, !isGone else { return }
    if resetting {
      socket.reset()
      leave()
    } else {
      isGone = true
    }
  }

  private func take(_ question: (Message, Asked)) {
    guard upstream.isSerial else { return answer(question) }
    queue.append(question)
    if !isBusy { answerNext() }
  }

  private func answerNext() {
    isBusy = !queue.isEmpty
    if isBusy { answer(queue.removeFirst()) }
  }

  private func answer(_ question: (Message, Asked)) {
    guard let delay = upstream.delay(of: question.1) else { return }
    world.after(delay) { [self] in
      guard !isOver, !isGone else { return }
      respond(question)
      if upstream.isSerial { answerNext() }
    }
  }

  private func respond(_ question: (Message, Asked)) {
    let faults = world.faults
    let answer = upstream.answer(question.0, question.1, limit: 65_535, to: socket)
    if world.chance.happens(faults.reset) { return abandon(resetting: true) }
    if world.chance.happens(faults.resetInFrame) {
      socket.deliver(Array(framed(answer).prefix(world.chance.below(answer.count + 2))))
      return abandon(resetting: true)
    }
    if world.chance.happens(faults.finishInFrame) {
      socket.deliver(Array(framed(answer).prefix(world.chance.below(answer.count + 2))))
      socket.finish()
      return leave()
    }
    if world.chance.happens(faults.emptyFrame) { socket.deliver([0, 0]) }
    if !hasTrickled, world.chance.happens(faults.trickle) {
      hasTrickled = true
      return trickle(framed(answer))
    }
    if world.chance.happens(faults.wrongID) { send(upstream.falsified(question.0, question.1, id: true)) }
    if world.chance.happens(faults.wrongQuestion) {
      return send(upstream.falsified(question.0, question.1, question: true))
    }
    if world.chance.happens(faults.junk) { return socket.deliver(world.junk()) }
    if world.chance.happens(faults.crossTalk) { upstream.crossTalk(question.0, question.1, not: self) }
    send(answer)
    if world.chance.happens(faults.twice) { send(answer) }
    served += 1
    if served >= upstream.questionsPerConnection || world.chance.happens(faults.finish) {
      socket.finish()
      leave()
    }
  }

  /// Octet by octet, over two seconds at most. What is sent meanwhile comes after it.
  private func trickle(_ bytes: [UInt8]) {
    let pause = world.chance.between(1, World.slowestTrickle / UInt64(bytes.count))
    for byte in bytes { socket.deliver([byte], after: pause) }
  }

  private func framed(_ message: [UInt8]) -> [UInt8] { MessageWriter.octets(UInt16(message.count)) + message }

  func send(_ message: [UInt8]) { socket.deliver(framed(message)) }
}
