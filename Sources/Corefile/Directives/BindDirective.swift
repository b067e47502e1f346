/// `bind ADDRESS|INTERFACE... { except ADDRESS|INTERFACE... }`: where the block listens.
public struct BindDirective: Hashable, Sendable {
  public var location: SourceLocation
  /// At least one.
  public var addresses: [BindAddress]
  /// Taken out of `addresses`, and out of what its interfaces resolve to.
  public var except: [BindAddress] = []
}

/// An address, or an interface that stands for the addresses it has when the configuration is loaded.
public enum BindAddress: Hashable, Sendable, CustomStringConvertible {
  case address(IPAddress)
  case interface(String)

  public var description: String {
    switch self {
    case .address(let address): "\(address)"
    case .interface(let name): name
    }
  }

  /// Interface names are what Linux allows (IFNAMSIZ, no slash) and does not look like an address.
  init?(_ text: String) {
    if let address = IPAddress(text) {
      self = .address(address)
      return
    }
    let bytes = text.utf8
    let isNumeric = bytes.allSatisfy { UInt8(ascii: "0") <= $0 && $0 <= UInt8(ascii: "9") || $0 == UInt8(ascii: ".") }
    if bytes.count > 15 || isNumeric || bytes.contains(where: { ":/% ".utf8.contains($0) }) { return nil }
    self = .interface(text)
  }
}

extension BindDirective {
  init(_ statement: Statement) throws(CorefileError) {
    let line = statement.line
    if line.arguments.isEmpty { throw line.failure("at least one address or interface name is expected") }
    location = line.location
    addresses = try BindDirective.addresses(line)
    for option in statement.body {
      guard option.name.text == "except" else { throw option.failure("invalid option \"\(option.name.text)\"") }
      if option.arguments.isEmpty {
        throw option.failure("at least one address or interface must be given to except subdirective")
      }
      except += try BindDirective.addresses(option)
    }
  }

  private static func addresses(_ line: Line) throws(CorefileError) -> [BindAddress] {
    var addresses: [BindAddress] = []
    for token in line.arguments {
      guard let address = BindAddress(token.text) else {
        throw line.failure("not a valid IP address or interface name: \"\(token.text)\"", at: token)
      }
      addresses.append(address)
    }
    return addresses
  }
}
