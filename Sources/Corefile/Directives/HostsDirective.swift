/// `hosts [FILE [ZONES...]] { ... }`: answers from a hosts file and from lines of the Corefile.
public struct HostsDirective: Hashable, Sendable {
  /// A line of addresses in the Corefile.
  public struct Entry: Hashable, Sendable {
    public var address: IPAddress
    /// At least one.
    public var names: [ZoneName]
  }

  public var location: SourceLocation
  public var path = "/etc/hosts"
  /// Those given, or the block's.
  public var zones: [ZoneName]
  public var entries: [Entry] = []
  /// Seconds, 1...65535.
  public var ttl: UInt32 = 3600
  /// PTR queries are answered too.
  public var answersReverse = true
  /// How often the file is looked at for changes; zero for never.
  public var reload = TimeSpan.seconds(5)
  /// Zones whose unknown names go on to the next directive; empty for none.
  public var fallsThrough: [ZoneName] = []
}

extension HostsDirective {
  init(_ statement: Statement, zones blockZones: [ZoneName], session: ParseSession) throws(CorefileError) {
    let line = statement.line
    location = line.location
    if let file = line.arguments.first { path = file.text }
    let names = line.arguments.dropFirst()
    zones = names.isEmpty ? blockZones : try line.zones(names, session: session)
    for option in statement.body { try add(option, session: session) }
  }

  private mutating func add(_ option: Line, session: ParseSession) throws(CorefileError) {
    switch option.name.text {
    case "fallthrough": fallsThrough = try option.fallthroughZones(session: session)
    case "no_reverse":
      try option.requireNoArguments()
      answersReverse = false
    case "ttl":
      try option.requireArguments(1...1, usage: "ttl SECONDS")
      ttl = UInt32(try option.number(option.words[1], in: 1...65535, "ttl"))
    case "reload":
      try option.requireArguments(1...1, usage: "reload DURATION")
      reload = try option.timeSpan(option.words[1])
    default:
      // CoreDNS takes addresses for options once it has seen `fallthrough`.
      guard fallsThrough.isEmpty, let address = IPAddress(option.name.text) else { throw option.unknownProperty() }
      try option.requireArguments(1...Int.max, usage: "ADDRESS NAMES...")
      var names: [ZoneName] = []
      for token in option.arguments { names.append(try option.zone(token)) }
      entries.append(Entry(address: address, names: names))
    }
  }
}

extension Line {
  /// `fallthrough [ZONES...]`: every zone where none is given.
  func fallthroughZones(session: ParseSession) throws(CorefileError) -> [ZoneName] {
    arguments.isEmpty ? [.root] : try zones(arguments, session: session)
  }
}
