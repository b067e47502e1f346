import Memory
import Wire

extension Client {
  /// What a message on `socket` means.
  @inline(__always) mutating func receive(_ message: Bytes, on socket: Int, _ now: UInt64) {
    if plan.expectations != nil { tally.checked += 1 }
    guard message.count >= Header.length else { return wrong(.malformed) }
    guard let index = slots.find(socket, id: message.id) else { return wrong(.unknownID) }
    let slot = slots[index]
    if let expectations = plan.expectations {
      guard message.flags & Header.qr != 0 else { return wrong(.notAResponse) }
      guard catalogue.isQuestion(slot.question, of: message) else { return wrong(.otherQuestion) }
      if let wrongness = expectations.check(message, slot.question, of: catalogue) {
        wrong(wrongness)
        if wrongness == .malformed { return }
      }
    }
    guard slot.state == .outstanding else {
      slots[index].state = .free
      tally.late += 1
      return
    }
    slots.settle(index, as: .free)
    let rcode = Int(message.flags & Header.rcodeMask)
    let latency = now &- min(slot.since, now)
    tally.answered(after: latency, rcode: rcode, bytes: message.count)
    tally.end = now
    if plan.isVerbose { report(slot.question, rcode, latency) }
    if slot.lookup >= 0 {
      if rcode == 0, message.answerCount > 0 { lookups[Int(slot.lookup)].isPositive = true }
      advance(Int(slot.lookup))
    }
  }

  /// dnsperf's line for -v.
  private func report(_ question: Question, _ rcode: Int, _ latency: UInt64) {
    print("> \(rcodeName(rcode)) \(catalogue.text(question)) \(seconds(latency))")
  }

  private mutating func wrong(_ kind: Wrongness) { tally.wrong[kind.rawValue] += 1 }

  /// A question of a lookup's step is settled: after the last one the lookup ends, or its next step is due.
  private mutating func advance(_ index: Int) {
    var lookup = lookups[index]
    lookup.left -= 1
    let isLast = lookup.step + 1 == UInt8(catalogue.steps(Int(lookup.entry)))
    if lookup.left == 0, lookup.isPositive || lookup.isLost || isLast {
      lookups.end(index)
      return
    }
    if lookup.left == 0 { lookup.step += 1 }
    lookups[index] = lookup
    if lookup.left == 0 { lookups.pushDue(index) }
  }

  /// The run is cut short: what is out stays unanswered.
  mutating func interrupt() {
    tally.interrupted = slots.outstanding
    while plan.isVerbose, case let index = slots.oldest, index >= 0 {
      print("> I \(catalogue.text(slots[index].question))")
      slots.settle(index, as: .free)
    }
  }

  /// Gives up what has been out for too long.
  mutating func expire(_ now: UInt64) {
    while case let index = slots.oldest, index >= 0, slots[index].since + plan.timeout <= now {
      let slot = slots[index]
      slots.settle(index, as: .expired)
      tally.lost += 1
      if plan.isVerbose { print("> T \(catalogue.text(slot.question))") }
      if slot.lookup >= 0 {
        lookups[Int(slot.lookup)].isLost = true
        advance(Int(slot.lookup))
      }
    }
  }
}
