import Engine
import Wire

/// `any`: a question for all types gets one record that says not to ask so (RFC 8482 §4.2).
struct AnyType: Stage {
  /// Seconds.
  private static let ttl: UInt32 = 8482

  func handle(_ query: ChainQuery, next: @escaping @Sendable (ChainQuery) -> Outcome) -> Outcome {
    guard query.type == RecordType.any else { return next(query) }
    let texts = ["ANY obsoleted", "See RFC 8482"].map { Array($0.utf8) }
    var message = Message(flags: Header.aa, by: .any)
    message.answers = [
      ResourceRecord(
        owner: query.name.wire, type: RecordType.hinfo, recordClass: query.recordClass, ttl: Self.ttl,
        data: texts.flatMap { [UInt8($0.count)] + $0 })
    ]
    return .answer(message)
  }
}
