/// A directive as it stands in its block, imports and variables filled in.
public struct DirectiveLine: Hashable, Sendable {
  public var directive: Directive
  public var location: SourceLocation
  /// The words after its name, and its options between braces: `. 10.0.0.11 { force_tcp; expire 5s }`.
  public var text: String
}

/// Zones and the chain of directives that serves them.
public struct ServerBlock: Hashable, Sendable {
  /// The line of the first key.
  public var location: SourceLocation
  /// At least one.
  public var keys: [ServerKey]
  /// Every directive, in the order in which they see a query.
  public var lines: [DirectiveLine] = []
  /// In order: the first rule of the first that is for the query's name decides.
  public var acl: [ACLDirective] = []
  public var any: SourceLocation?
  public var bind: [BindDirective] = []
  public var bufsize: BufsizeDirective?
  public var cache: CacheDirective?
  public var debug: SourceLocation?
  public var dns64: DNS64Directive?
  public var dnstap: [DnstapDirective] = []
  public var errors: ErrorsDirective?
  /// In order: a query goes to the first whose zone and exceptions fit.
  public var forward: [ForwardDirective] = []
  public var health: HealthDirective?
  public var hosts: HostsDirective?
  public var loadbalance: LoadbalanceDirective?
  /// In order: the first whose names fit decides.
  public var log: [LogDirective] = []
  public var loop: SourceLocation?
  public var metadata: SourceLocation?
  public var minimal: SourceLocation?
  public var nsid: NSIDDirective?
  public var pprof: PprofDirective?
  public var prometheus: PrometheusDirective?
  public var ready: ReadyDirective?
  public var reload: ReloadDirective?
  /// Applied to a query in order, to its answer in reverse.
  public var rewrite: [RewriteDirective] = []
  /// In order: the first that is not for another zone, class or type answers or falls through.
  public var template: [TemplateDirective] = []
  public var timeouts: TimeoutsDirective?
  public var trace: TraceDirective?
  public var whoami: SourceLocation?

  public init(location: SourceLocation, keys: [ServerKey]) {
    self.location = location
    self.keys = keys
  }

  public var zones: [ZoneName] { keys.map(\.zone) }

  /// The addresses to listen on without those that the same directive excepts; empty listens on all.
  public var bindAddresses: [BindAddress] {
    bind.flatMap { directive in directive.addresses.filter { !directive.except.contains($0) } }
  }
}

extension ServerBlock {
  init(_ block: ParsedBlock, session: ParseSession) throws(CorefileError) {
    var keys: [ServerKey] = []
    for token in block.keys { keys += try ServerKey.keys(token, session: session) }
    self.init(location: block.keys[0].location, keys: keys)
    for statement in block.statements { try add(statement, session: session) }
    // Stable, so that several of one kind keep their order.
    lines = Directive.allCases.flatMap { directive in lines.filter { $0.directive == directive } }
    if bindAddresses.count > Limits.bindAddresses {
      throw CorefileError("more than \(Limits.bindAddresses) bind addresses", at: location, directive: "bind")
    }
  }

  private mutating func add(_ statement: Statement, session: ParseSession) throws(CorefileError) {
    let line = statement.line
    guard let directive = Directive(rawValue: line.directive) else { return }
    lines.append(DirectiveLine(directive: directive, location: line.location, text: statement.text))
    switch directive {
    case .acl: acl.append(try ACLDirective(statement, zones: zones, session: session))
    case .any: any = try mark(statement)
    case .bind: bind.append(try BindDirective(statement))
    case .bufsize: bufsize = try BufsizeDirective(statement)
    case .cache: try once(&cache, line, try CacheDirective(statement, zones: zones, session: session))
    case .debug: debug = try mark(statement)
    case .dns64: dns64 = try DNS64Directive(statement)
    case .dnstap: dnstap.append(try DnstapDirective(statement))
    case .errors: try once(&errors, line, try ErrorsDirective(statement))
    case .forward: forward.append(try ForwardDirective(statement, session: session))
    case .health: try HealthDirective.add(statement, to: &health)
    case .hosts: try once(&hosts, line, try HostsDirective(statement, zones: zones, session: session))
    case .loadbalance: loadbalance = try LoadbalanceDirective(statement)
    case .log: log.append(try LogDirective(statement))
    case .loop: try once(&loop, line, try mark(statement))
    case .metadata:
      _ = try line.zones(line.arguments, session: session)
      try statement.requireNoBody()
      metadata = statement.location
    case .minimal: minimal = try mark(statement)
    case .nsid: nsid = try NSIDDirective(statement)
    case .pprof: try once(&pprof, line, try PprofDirective(statement))
    case .prometheus: try once(&prometheus, line, try PrometheusDirective(statement))
    case .ready: try once(&ready, line, try ReadyDirective(statement))
    case .reload: try once(&reload, line, try ReloadDirective(statement))
    case .rewrite: rewrite.append(try RewriteDirective(statement))
    case .template: template.append(try TemplateDirective(statement, zones: zones, session: session))
    case .timeouts: timeouts = try TimeoutsDirective(statement)
    case .trace: trace = try TraceDirective(statement)
    case .whoami: whoami = try mark(statement)
    }
  }
}

/// A directive that stands alone on its line.
private func mark(_ statement: Statement) throws(CorefileError) -> SourceLocation {
  try statement.line.requireNoArguments()
  try statement.requireNoBody()
  return statement.location
}

private func once<Value>(_ slot: inout Value?, _ line: Line, _ value: Value) throws(CorefileError) {
  if slot != nil { throw line.failure("this plugin can only be used once per Server Block") }
  slot = value
}
