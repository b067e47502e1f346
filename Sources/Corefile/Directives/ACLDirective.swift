/// `acl [ZONES...] { ACTION [type TYPES...] [net NETWORKS...] }`: who may ask what.
public struct ACLDirective: Hashable, Sendable {
  public enum Action: String, Hashable, Sendable {
    case allow, block, filter, drop
  }

  public struct Rule: Hashable, Sendable {
    public var action: Action
    /// Empty: all.
    public var types: [RecordType] = []
    /// Empty: all.
    public var networks: [IPNetwork] = []
  }

  public var location: SourceLocation
  /// Those given, or the block's.
  public var zones: [ZoneName]
  /// In order: the first that fits decides; a query that fits none is allowed.
  public var rules: [Rule] = []
}

extension ACLDirective {
  init(_ statement: Statement, zones blockZones: [ZoneName], session: ParseSession) throws(CorefileError) {
    let line = statement.line
    location = line.location
    zones = line.arguments.isEmpty ? blockZones : try line.zones(line.arguments, session: session)
    for option in statement.body { rules.append(try Rule(option)) }
  }
}

extension ACLDirective.Rule {
  fileprivate init(_ option: Line) throws(CorefileError) {
    guard let action = ACLDirective.Action(rawValue: option.name.text.lowercased()) else {
      throw option.failure("unexpected token \"\(option.name.text)\"; expect 'allow', 'block', 'filter' or 'drop'")
    }
    self.action = action
    var section: String?
    var hasAllTypes = false
    var hasAllNetworks = false
    for token in option.arguments {
      if token.text == "type" || token.text == "net" {
        section = token.text
        continue
      }
      switch (section, token.text) {
      case ("type", "*"): hasAllTypes = true
      case ("net", "*"): hasAllNetworks = true
      case ("type", _):
        guard let type = RecordType(name: token.text) else {
          throw option.failure("unexpected token \"\(token.text)\"; expect legal QTYPE", at: token)
        }
        types.append(type)
      case ("net", _):
        let isSingle = !token.text.contains("/")
        guard let network = IPNetwork(isSingle ? token.text + (token.text.contains(":") ? "/128" : "/32") : token.text)
        else { throw option.failure("illegal CIDR notation \"\(token.text)\"", at: token) }
        networks.append(network)
      default: throw option.failure("unexpected token \"\(token.text)\"; expect 'type | net'", at: token)
      }
    }
    if hasAllTypes { types = [] }
    if hasAllNetworks { networks = [] }
  }
}
