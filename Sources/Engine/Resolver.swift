import Memory

/// What a client asks, as the directives behind the cache see it: on a miss, or each time in a chain without a cache.
public struct Inquiry: Sendable {
  /// Wire format: folded, and as the client spelled it.
  public let name: [UInt8]
  public let spelling: [UInt8]
  public let type: UInt16
  public let recordClass: UInt16
  public let dnssecOK: Bool
  public let checkingDisabled: Bool
  /// EDNS options as the client sent them.
  public let options: [UInt8]
  public let peer: Peer
  /// Its listener's address.
  private let server: Peer
  public let isStream: Bool
  /// Its listener's label.
  public let listener: String

  public init(
    name: [UInt8], spelling: [UInt8], type: UInt16, recordClass: UInt16, dnssecOK: Bool, checkingDisabled: Bool,
    options: [UInt8], peer: Peer, server: Peer, isStream: Bool, listener: String
  ) {
    self.name = name
    self.spelling = spelling
    self.type = type
    self.recordClass = recordClass
    self.dnssecOK = dnssecOK
    self.checkingDisabled = checkingDisabled
    self.options = options
    self.peer = peer
    self.server = server
    self.isStream = isStream
    self.listener = listener
  }

  /// The address that the client asked, of 4 or 16 octets, and the port.
  public var serverHost: [UInt8] { peer.localHost.isEmpty ? server.host : peer.localHost }
  public var serverPort: UInt16 { server.port }
}

/// What becomes of an inquiry.
public enum Resolution: Sendable {
  /// A whole response (header, the client's question, records), EDNS options for this one reply, and which directive
  /// made it.
  case answer([UInt8], options: [UInt8], by: Writer)
  case forward(Errand)
  /// A response code of our own. With `resolver` it is no error, only what the directive says.
  case fail(UInt16, Event.Cause)
}

/// What to ask an upstream, and what to make of its answer.
public struct Errand: Sendable {
  /// A question in place of the client's; it needs `then`, for its answer is not the client's.
  public struct Asked: Sendable {
    /// Wire format, folded.
    public var name: [UInt8]
    public var type: UInt16
    public var recordClass: UInt16
    /// Whole EDNS options to send, at most `maxOptions` octets.
    public var options: [UInt8]

    public static let maxOptions = 1024

    public init(name: [UInt8], type: UInt16, recordClass: UInt16, options: [UInt8] = []) {
      self.name = name
      self.type = type
      self.recordClass = recordClass
      self.options = options
    }
  }

  /// nil: the client's own question.
  public var asked: Asked?
  /// Turns the answer, whose header and question are sound, into the next step; nil: the rest of it is malformed.
  public var then: (@Sendable (Bytes) -> Resolution?)?
  /// The next step where no forward takes the name.
  public var otherwise: (@Sendable () -> Resolution)?

  public init(
    asked: Asked? = nil, then: (@Sendable (Bytes) -> Resolution?)? = nil,
    otherwise: (@Sendable () -> Resolution)? = nil
  ) {
    self.asked = asked
    self.then = then
    self.otherwise = otherwise
  }
}

/// The directives of a chain that answer or change questions themselves. Shards call it from their threads, at once.
public protocol Resolver: Sendable {
  func resolve(_ inquiry: Inquiry) -> Resolution
}
