import Corefile
import Engine

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
  /// A response code without more, logged by nobody.
  case fail(UInt16)
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
    case .answer(let message): change(message)
    case .fail: self
    case .forward(var forwarding):
      .forward(
        {
          let (then, otherwise) = (forwarding.then, forwarding.otherwise)
          forwarding.then = { message in then.map { $0(message).map(change) } ?? change(message) }
          forwarding.otherwise = otherwise.map { otherwise in { otherwise().map(change) } }
          return forwarding
        }())
    }
  }

  func resolution(for inquiry: Inquiry) -> Resolution {
    switch self {
    case .fail(let rcode): return .fail(rcode)
    case .answer(let message):
      let encoded = message.encoded(name: inquiry.name, type: inquiry.type, recordClass: inquiry.recordClass)
      return encoded.map { .answer($0, options: message.options) } ?? .fail(2)
    case .forward(let forwarding):
      var errand = Errand()
      errand.otherwise = forwarding.otherwise.map { otherwise in { otherwise().resolution(for: inquiry) } }
      let then = forwarding.then
      if then == nil && forwarding.query.isUnchanged { return .forward(errand) }
      errand.asked = forwarding.query.asked
      errand.then = { bytes in
        Message(bytes).map { (then?($0) ?? .answer($0)).resolution(for: inquiry) }
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
