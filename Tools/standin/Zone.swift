/// What the server has at a name.
struct Content {
  var answers: [Record] = []
  var additional: [Record] = []
}

/// The server's zones and what is in them, derived from the name that is asked.
enum Zone: String {
  case cluster = "cluster.local"
  case reverse = "96.10.in-addr.arpa"
  /// The two that are there with `--any`, answered as a resolver would.
  case example = "example.com"
  case test = "test"

  static let services = 5000
  static let namespaces = 50
  /// Addresses of one /24: .1 to .250.
  static let perNet = 250

  /// The zone of a name with these folded labels.
  init?(_ labels: [String], any: Bool) {
    let zones: [Zone] = any ? [.cluster, .reverse, .example, .test] : [.cluster, .reverse]
    guard let zone = zones.first(where: { labels.suffix($0.labels.count) == $0.labels[...] }) else { return nil }
    self = zone
  }

  var labels: [String] {
    switch self {
    case .cluster: ["cluster", "local"]
    case .reverse: ["96", "10", "in-addr", "arpa"]
    case .example: ["example", "com"]
    case .test: ["test"]
    }
  }

  var authoritative: Bool { self == .cluster || self == .reverse }

  /// The start of authority of an answer that says no, good for `ttl` seconds (RFC 2308 §5).
  func authority(ttl: UInt32) -> Record { authority(owner: Name(rawValue), ttl: ttl) }

  fileprivate func authority(owner: Name, ttl: UInt32) -> Record {
    let data = Record.Data.authority(
      server: Name("ns.dns.cluster.local"), mailbox: Name("hostmaster.cluster.local"), negativeTTL: ttl)
    return Record(owner: owner, ttl: ttl, data: data)
  }

  /// What there is at the name asked: nil for no such name, no answers where the name has none of the type.
  func content(_ asked: Asked) -> Content? {
    let labels = asked.labels.dropLast(self.labels.count)
    switch self {
    case .cluster: return labels.isEmpty ? asked.apex(self) : Self.cluster(Array(labels), asked)
    case .reverse: return labels.isEmpty ? asked.apex(self) : Self.reverse(Array(labels), asked)
    case .example, .test:
      return labels.first?.hasPrefix("nx-") == true ? nil : asked.addresses([Self.hashed(asked.name)])
    }
  }

  static func address(ofService number: Int) -> UInt32 {
    0x0A60_0000 | UInt32(number / perNet) << 8 | UInt32(number % perNet + 1)
  }

  /// 10.0.0.0/8 with the low 24 bits of the FNV-1a hash (32 bits) of the folded wire name.
  static func hashed(_ name: Name) -> UInt32 {
    0x0A00_0000 | name.folded.wire.reduce(2_166_136_261) { ($0 ^ UInt32($1)) &* 16_777_619 } & 0xFF_FFFF
  }

  private static func cluster(_ labels: [String], _ asked: Asked) -> Content? {
    switch labels {
    case ["dns"], ["svc"]: return Content()
    case ["ns", "dns"]: return asked.addresses([0x0A60_FFFE])
    default: break
    }
    guard labels.count >= 2, labels.last == "svc",
      let namespace = number(labels[labels.count - 2], after: "ns-", upTo: namespaces - 1)
    else { return nil }
    switch labels.count {
    case 2:
      return Content()
    case 3:
      return member(labels[0], of: namespace, asked)
    case 4 where labels[0] == "_tcp" && service(labels[1], in: namespace) != nil:
      return Content()
    case 5 where labels[0] == "_http" && labels[1] == "_tcp":
      guard let number = service(labels[2], in: namespace) else { return nil }
      guard asked.type == RecordType.srv else { return Content() }
      let target = asked.spelledSuffix(from: 2)
      return Content(
        answers: [asked.record(.service(port: 80, target: target))],
        additional: [Record(owner: target, ttl: asked.ttl, data: .address(address(ofService: number)))])
    default:
      return nil
    }
  }

  /// `LABEL.ns-NAMESPACE.svc.cluster.local`: a service, an alias of one, or a headless service's pods.
  private static func member(_ label: String, of namespace: Int, _ asked: Asked) -> Content? {
    if let number = service(label, in: namespace) {
      return asked.addresses([address(ofService: number)])
    }
    if let number = service(label, as: "alias-", in: namespace) {
      let target = asked.spelledSuffix(from: 1).prefixed("svc-\(number)")
      var answers = [asked.record(.canonicalName(target))]
      if asked.type == RecordType.a {
        answers.append(Record(owner: target, ttl: asked.ttl, data: .address(address(ofService: number))))
      }
      return Content(answers: answers)
    }
    guard namespace == 0, let count = number(label, after: "pods-", upTo: 4000), count > 0 else { return nil }
    return asked.addresses((0..<UInt32(count)).map { 0x0AF4_0000 | $0 / 250 << 8 | ($0 % 250 + 1) })
  }

  private static func service(_ label: String, as prefix: String = "svc-", in namespace: Int) -> Int? {
    guard let value = number(label, after: prefix, upTo: services - 1), value % namespaces == namespace else {
      return nil
    }
    return value
  }

  /// The services' addresses backwards: `HOST.NET.96.10.in-addr.arpa`.
  private static func reverse(_ labels: [String], _ asked: Asked) -> Content? {
    guard let net = number(labels[labels.count - 1][...], upTo: services / perNet - 1) else { return nil }
    guard labels.count > 1 else { return Content() }
    guard labels.count == 2, let host = number(labels[0][...], upTo: perNet), host > 0 else { return nil }
    guard asked.type == RecordType.ptr else { return Content() }
    let service = net * perNet + host - 1
    return Content(answers: [
      asked.record(.pointer(Name("svc-\(service).ns-\(service % namespaces).svc.cluster.local")))
    ])
  }
}

/// A question as the zones need it.
struct Asked {
  /// The full name, as the client spelled it: the owner of what is answered.
  var name: Name
  var type: UInt16
  /// Of every record answered, in seconds.
  var ttl: UInt32
  /// The folded labels without those of the script.
  var labels: [String]
  /// How many labels of `name` are the script's.
  var scriptLabels: Int

  fileprivate func spelledSuffix(from label: Int) -> Name { name.dropping(scriptLabels + label) }

  fileprivate func record(_ data: Record.Data) -> Record { Record(owner: name, ttl: ttl, data: data) }

  fileprivate func addresses(_ addresses: [UInt32]) -> Content {
    Content(answers: type == RecordType.a ? addresses.map { record(.address($0)) } : [])
  }

  fileprivate func apex(_ zone: Zone) -> Content {
    switch type {
    case RecordType.soa: Content(answers: [zone.authority(owner: name, ttl: ttl)])
    case RecordType.ns: Content(answers: [record(.nameServer(Name("ns.dns.cluster.local")))])
    default: Content()
    }
  }
}
