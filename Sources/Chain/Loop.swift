import Synchronization
import Wire

/// `loop`: a question that nobody else asks, sent by the control side to our own address. If it comes more often than it
/// was sent, an upstream sent it back.
public final class Loop: Stage {
  private struct Probe {
    var name: [UInt8] = []
    var seen = 0
  }

  private let probe = Mutex(Probe())

  init() {}

  /// Starts counting a name (wire format, folded); empty: none.
  public func watch(for name: [UInt8]) { probe.withLock { $0 = Probe(name: name) } }

  /// How often the name came.
  public var seen: Int { probe.withLock { $0.seen } }

  func handle(_ query: ChainQuery, next: @escaping @Sendable (ChainQuery) -> Outcome) -> Outcome {
    if query.type == RecordType.hinfo {
      probe.withLock { if $0.name == query.name.wire { $0.seen += 1 } }
    }
    return next(query)
  }
}
