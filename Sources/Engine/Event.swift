import Memory
import Wire

/// Something the control thread writes to the log: the shard pushes it and goes on.
public struct Event: BitwiseCopyable, Sendable {
  public enum Kind: UInt8, Sendable, BitwiseCopyable {
    /// A query that was answered (log).
    case query
    /// A query that got SERVFAIL or REFUSED of our own (errors).
    case failure
    /// TLS with an upstream failed; the text says why.
    case tls
    /// A client asks more than there is time to answer.
    case flood
    /// A message of a chain that is tapped (dnstap), which takes the name's place.
    case clientQuery, clientResponse, forwarderQuery, forwarderResponse
  }

  public enum Cause: UInt8, Sendable, BitwiseCopyable {
    case none, upstreamTimeout, upstreamUnusable, upstreamsDown, tooManyQuestions, tooManyConcurrent, noForward
    case malformedAnswer
    /// A directive's own decision: no error.
    case resolver
    /// A template's record was none once it was filled in.
    case malformedTemplate

    /// What clients are told with a SERVFAIL of our own (RFC 8914); nil: it is not ours, or no SERVFAIL.
    func reason(_ rcode: UInt16) -> ExtendedError? {
      guard rcode == Rcode.servFail else { return nil }
      return switch self {
      case .none: nil
      case .upstreamTimeout, .upstreamsDown: .noReachableAuthority
      case .upstreamUnusable: .networkError
      case .malformedAnswer: .invalidData
      case .tooManyQuestions, .tooManyConcurrent, .noForward, .resolver, .malformedTemplate: .other
      }
    }
  }

  public var kind = Kind.query
  public var cause = Cause.none
  public var origin = Origin()
  public var zone = 0
  public var id: UInt16 = 0
  /// The query's header flags, and the reply's.
  public var queryFlags: UInt16 = 0
  public var replyFlags: UInt16 = 0
  public var rcode: UInt16 = 0
  /// The reply has records in its answer section.
  public var hasAnswer = false
  public var type: UInt16 = 0
  public var recordClass: UInt16 = 0
  public var dnssecOK = false
  public var udpSize: UInt16 = 0
  public var querySize = 0
  public var replySize = 0
  /// Nanoseconds from the query to the reply.
  public var duration: UInt64 = 0
  /// When it happened, on the shard's clock: nanoseconds of CLOCK_BOOTTIME.
  public var time: UInt64 = 0
  /// Over a stream; over TLS on it. Of what an upstream is asked and says.
  public var isStream = false
  public var isSecure = false
  public var upstream = -1

  public init() {}

  /// Octets of a text.
  static let maxText = 256

  /// The event of a message of the event queue, and the name (wire format, folded), message or text it is about.
  public static func read(_ message: Bytes) -> (Event, name: Bytes) {
    (message.load(Event.self, at: 0), message.from(MemoryLayout<Event>.size))
  }
}
