/// The answers of one TCP connection in the order they go out, cut into the steps their scripts ask for.
struct OutputQueue {
  enum Step {
    case write([UInt8])
    /// All of an answer has been written.
    case answered
    /// Nothing more until `resume`.
    case pause(milliseconds: Int64)
    /// FIN, and nothing after it.
    case close
    /// RST, and nothing after it.
    case reset
  }

  private var steps: [Step] = []
  private var at = 0
  private var paused = false

  mutating func append(_ plan: Server.Plan) {
    if at == steps.count {
      steps.removeAll(keepingCapacity: true)
      at = 0
    }
    if plan.ending == .close { return steps.append(.close) }
    var bytes = plan.messages.flatMap { [UInt8($0.count >> 8), UInt8(truncatingIfNeeded: $0.count)] + $0 }
    if case .reset(let after) = plan.ending { bytes = Array(bytes.prefix(after)) }
    if let split = plan.split {
      var start = 0
      while start < bytes.count {
        let end = min(bytes.count, start + split.octets)
        steps.append(.write(Array(bytes[start..<end])))
        if end < bytes.count { steps.append(.pause(milliseconds: split.pauseMilliseconds)) }
        start = end
      }
    } else {
      steps.append(.write(bytes))
    }
    steps.append(plan.ending == .none ? .answered : .reset)
  }

  /// The next step; nil while there is none or the queue is paused.
  mutating func next() -> Step? {
    guard !paused, at < steps.count else { return nil }
    defer { at += 1 }
    if case .pause = steps[at] { paused = true }
    return steps[at]
  }

  mutating func resume() { paused = false }
}
