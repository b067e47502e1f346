import Corefile
import Engine
import Glibc

extension Front {
  /// The directives of a server block that stand in front of its cache; nil: there are none.
  init?(_ block: ServerBlock) {
    self.init()
    largestOffer = block.bufsize?.size
    if let nsid = block.nsid { serverIdentifier = Array((nsid.data ?? hostName()).utf8.prefix(128)) }
    access = block.acl.flatMap { directive in directive.rules.map { AccessRule($0, zones: directive.zones) } }
    order = block.loadbalance.map { AddressOrder($0) }
    if largestOffer == nil, serverIdentifier == nil, access.isEmpty, order == nil { return nil }
  }
}

extension AccessRule {
  fileprivate init(_ rule: ACLDirective.Rule, zones: [ZoneName]) {
    let action: Action =
      switch rule.action {
      case .allow: .allow
      case .block: .block
      case .filter: .filter
      case .drop: .drop
      }
    let everywhere = [
      AddressRange([0, 0, 0, 0], length: 0), AddressRange([UInt8](repeating: 0, count: 16), length: 0),
    ]
    self.init(
      action: action, zones: zones.map(\.wire), types: rule.types.map(\.value),
      sources: rule.networks.isEmpty
        ? everywhere : rule.networks.map { AddressRange($0.address.bytes, length: $0.length) })
  }
}

extension AddressOrder {
  fileprivate init(_ directive: LoadbalanceDirective) {
    self.init()
    if case .weighted = directive.policy { weights = WeightTable([:]) }
    preferred = directive.preferred.map { AddressRange($0.address.bytes, length: $0.length) }
  }
}

/// The machine's name (gethostname(2)).
func hostName() -> String {
  var name = [CChar](repeating: 0, count: 256)
  // One octet stays zero, whatever the call writes.
  guard unsafe gethostname(&name, name.count - 1) == 0 else { return "localhost" }
  return String(decoding: name.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self)
}
