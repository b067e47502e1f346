/// `dns64 [PREFIX] { ... }`: AAAA records made from A records (RFC 6147).
public struct DNS64Directive: Hashable, Sendable {
  public var location: SourceLocation
  /// IPv6; its length is 32, 40, 48, 56, 64, 72, 80, 88 or 96.
  public var prefix: IPNetwork
  /// Also where the name has AAAA records.
  public var translatesAll = false
  /// Also for clients that ask over IPv4.
  public var allowsIPv4Clients = false
}

extension DNS64Directive {
  init(_ statement: Statement) throws(CorefileError) {
    let line = statement.line
    location = line.location
    // The well-known prefix 64:ff9b::/96 (RFC 6052 section 2.1).
    prefix = IPNetwork(
      address: IPAddress(bytes: [0, 0x64, 0xFF, 0x9B] + [UInt8](repeating: 0, count: 12), scope: nil), length: 96)
    try line.requireArguments(0...1, usage: "dns64 [PREFIX]")
    if let token = line.arguments.first { prefix = try DNS64Directive.prefix(token, line) }
    for option in statement.body {
      switch option.name.text {
      case "prefix":
        try option.requireArguments(1...1, usage: "prefix PREFIX")
        prefix = try DNS64Directive.prefix(option.words[1], option)
      case "translate_all":
        try option.requireNoArguments()
        translatesAll = true
      case "allow_ipv4":
        try option.requireNoArguments()
        allowsIPv4Clients = true
      default: throw option.unknownProperty()
      }
    }
  }

  private static func prefix(_ token: Token, _ line: Line) throws(CorefileError) -> IPNetwork {
    guard let prefix = IPNetwork(token.text), !prefix.address.isIPv4 else {
      throw line.failure("invalid IPv6 prefix \"\(token.text)\"", at: token)
    }
    guard prefix.length % 8 == 0, (32...96).contains(prefix.length) else {
      throw line.failure("invalid prefix length \"\(prefix)\", expected 32 to 96 by 8", at: token)
    }
    return prefix
  }
}
