/// `dnstap SOCKET|unix://PATH|tcp://HOST:PORT|tls://HOST:PORT [full] [WRITEBUFFER] [QUEUE] { ... }`: a message for each
/// query and answer, of clients and of upstreams, to a collector.
public struct DnstapDirective: Hashable, Sendable {
  public enum Collector: Hashable, Sendable {
    /// A path.
    case unix(String)
    case tcp(host: String, port: UInt16)
    case tls(host: String, port: UInt16)
  }

  public var location: SourceLocation
  public var collector: Collector
  /// With the messages of DNS in wire format.
  public var isFull = false
  /// MiB that may wait to be written to the collector.
  public var writeBuffer = 1
  /// Tens of thousands of messages that may wait.
  public var queue = 1
  /// What the collector is told of the server; nil: its host's name, and Ringlet's version.
  public var identity: String?
  public var version: String?
  /// Text of each message, filled in as a log line is.
  public var extra: LogFormat?
  /// The collector's certificate is not looked at.
  public var skipsVerification = false
}

extension DnstapDirective {
  init(_ statement: Statement) throws(CorefileError) {
    let line = statement.line
    location = line.location
    // CoreDNS passes over what comes after the fourth.
    try line.requireArguments(1...Int.max, usage: "dnstap SOCKET|tcp://HOST:PORT [full] [WRITEBUFFER] [QUEUE]")
    let words = Array(line.arguments)
    collector = try Self.collector(words[0], line)
    isFull = words.count > 1 && words[1].text == "full"
    if words.count > 2 { writeBuffer = try line.number(words[2], in: 1...1024, "write buffer (MiB)") }
    if words.count > 3 { queue = try line.number(words[3], in: 1...4096, "queue (10,000 messages)") }
    for option in statement.body {
      switch option.name.text {
      case "skipverify":
        try option.requireArguments(0...0, usage: "skipverify")
        skipsVerification = true
      case "identity": identity = try Self.text(option)
      case "version": version = try Self.text(option)
      case "extra": extra = LogFormat(try Self.text(option))
      default: throw option.unknownProperty()
      }
    }
  }

  private static func collector(_ token: Token, _ line: Line) throws(CorefileError) -> Collector {
    func address(after scheme: String) throws(CorefileError) -> (host: String, port: UInt16)? {
      guard token.text.hasPrefix(scheme) else { return nil }
      if let address = ListenAddress(String(token.text.dropFirst(scheme.count))) {
        switch address.host {
        case .any: break
        case .address(let host): return ("\(host)", address.port)
        case .name(let host): return (host, address.port)
        }
      }
      throw line.failure("not a collector: \"\(token.text)\", expected \(scheme)HOST:PORT", at: token)
    }
    if let (host, port) = try address(after: "tcp://") { return .tcp(host: host, port: port) }
    if let (host, port) = try address(after: "tls://") { return .tls(host: host, port: port) }
    let path = token.text.hasPrefix("unix://") ? String(token.text.dropFirst("unix://".count)) : token.text
    // struct sockaddr_un: 108 octets, the last of them zero (unix(7)).
    guard (1...107).contains(path.utf8.count) else {
      throw line.failure("not a path of 1 to 107 octets: \"\(path)\"", at: token)
    }
    return .unix(path)
  }

  private static func text(_ option: Line) throws(CorefileError) -> String {
    try option.requireArguments(1...Int.max, usage: "\(option.name.text) TEXT")
    return option.words[1].text
  }
}
