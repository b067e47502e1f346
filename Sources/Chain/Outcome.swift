import Corefile
import Engine
import Wire

/// A question on its way through a chain's directives.
struct ChainQuery: Sendable {
  /// As the client asked it.
  let inquiry: Inquiry
  var name: ZoneName
  var type: UInt16
  var recordClass: UInt16
  /// EDNS options to send upstream, by code.
  var options: [(code: UInt16, data: [UInt8])] = []

  init(_ inquiry: Inquiry) {
    self.inquiry = inquiry
    name = ZoneName(wire: inquiry.name)
    type = inquiry.type
    recordClass = inquiry.recordClass
  }

  /// Whether an upstream is asked what the client asked.
  var isUnchanged: Bool {
    name.wire == inquiry.name && type == inquiry.type && recordClass == inquiry.recordClass && options.isEmpty
  }
}

/// What a directive, and those behind it, make of a query.
enum Outcome: Sendable {
  case answer(Message)
  /// A response code without more.
  case fail(UInt16, Event.Cause)
  case forward(Forwarding)

  struct Forwarding: Sendable {
    var query: ChainQuery
    /// nil: the answer is the client's as it is.
    var then: (@Sendable (Message) -> Outcome)?
    /// Where no forward takes the name.
    var otherwise: (@Sendable () -> Outcome)?
  }

  /// The outcome with its answer, now or later, changed.
  func map(_ change: @escaping @Sendable (Message) -> Outcome) -> Outcome {
    switch self {
    case .answer(let message): return change(message)
    case .fail: return self
    case .forward(let forwarding):
      var changed = Forwarding(query: forwarding.query, then: change)
      if let then = forwarding.then { changed.then = { then($0).map(change) } }
      if let otherwise = forwarding.otherwise { changed.otherwise = { otherwise().map(change) } }
      return .forward(changed)
    }
  }

  func resolution(for inquiry: Inquiry) -> Resolution {
    switch self {
    case .fail(let rcode, let cause): return .fail(rcode, cause)
    case .answer(let message):
      let encoded = message.encoded(name: inquiry.name, type: inquiry.type, recordClass: inquiry.recordClass)
      guard let encoded else { return .fail(Rcode.servFail, .malformedAnswer) }
      return .answer(encoded, options: message.options, by: message.writer)
    case .forward(let forwarding):
      var errand = Errand()
      if let otherwise = forwarding.otherwise { errand.otherwise = { otherwise().resolution(for: inquiry) } }
      if forwarding.then == nil && forwarding.query.isUnchanged { return .forward(errand) }
      errand.asked = forwarding.query.asked
      let then = forwarding.then ?? { .answer($0) }
      let asked = forwarding.query.name.wire
      errand.then = { bytes in
        guard var message = Message(bytes) else { return nil }
        message.keepChain(from: asked)
        return then(message).resolution(for: inquiry)
      }
      return .forward(errand)
    }
  }
}

extension ChainQuery {
  fileprivate var asked: Errand.Asked? {
    if isUnchanged { return nil }
    var encoded: [UInt8] = []
    for option in options where encoded.count + 4 + option.data.count <= Errand.Asked.maxOptions {
      encoded.append(u16: option.code)
      encoded.append(u16: UInt16(option.data.count))
      encoded += option.data
    }
    return Errand.Asked(name: name.wire, type: type, recordClass: recordClass, options: encoded)
  }
}
